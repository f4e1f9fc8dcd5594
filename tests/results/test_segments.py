"""Segments of a review: what the machine says, cut where people decided."""

from __future__ import annotations

import pytest

from annotate.results.corrections import EXCLUDE, Correction
from annotate.results.segments import segments_of
from annotate.span import Span
from tests.results.reports import make_report

TABLE = make_report().table
FEAR = Correction(Span(1000, 2000), "scared", 1, author="Ann", note="n")


def of_first(*corrections: Correction) -> list[tuple[int, int, str, str, bool]]:
    found = [segment for segment in segments_of(TABLE, corrections) if segment.face_id == 1]
    return [(one.span.start_ms, one.span.end_ms, one.emotion, one.machine, one.is_kept) for one in found]


def test_blocks_of_one_emotion_are_one_segment() -> None:
    first, *_ = segments_of(TABLE, ())
    assert of_first() == [
        (0, 1602, "happiness", "happiness", True),
        (1602, 2403, "sadness", "sadness", True),
        (2403, 2804, "fear", "fear", True),
    ]
    assert 0 < first.confidence < 1
    assert (first.mark, first.correction) == ("", None)


def test_a_decision_is_a_segment_and_what_is_excluded_stays_one() -> None:
    assert of_first(FEAR, Correction(Span(2403, 2804), EXCLUDE, 1)) == [
        (0, 1000, "happiness", "happiness", True),
        (1000, 2000, "fear", "happiness", False),
        (2000, 2403, "sadness", "sadness", True),
        (2403, 2804, EXCLUDE, "fear", False),
    ]
    confirmed = of_first(Correction(Span(0, 801), "happiness", 1))
    assert confirmed[:2] == [(0, 801, "happiness", "happiness", True), (801, 1602, "happiness", "happiness", True)]


def test_a_mark_is_that_of_what_was_said() -> None:
    def mark(correction: Correction) -> str:
        return next(one.mark for one in segments_of(TABLE, [correction]) if one.correction)

    assert mark(FEAR) == mark(Correction(Span(1000, 2000), "fear", 1, author="Ann", note="n", line=7))
    assert mark(FEAR) != mark(Correction(Span(1000, 2000), "fear", 1, author="Bob", note="n"))


def test_the_confidence_is_that_of_what_the_machine_says() -> None:
    (changed,) = (one for one in segments_of(TABLE, [Correction(Span(0, 801), "anger", 1)]) if one.correction)
    assert changed.confidence == pytest.approx(0.88)
