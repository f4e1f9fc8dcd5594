"""Choice of highlights, compared with a choice by hand; independent of the order of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from annotate.emotions.labels import EMOTIONS
from annotate.plots.highlights import Highlight, choose_highlights, emotion_runs
from annotate.results.report import Report
from tests.results.reports import make_report

Block = tuple[int, int, int, str, float]


def report_of(blocks: Sequence[Block]) -> Report:
    """Return a report with blocks: face, start and end in milliseconds, emotion, confidence."""
    report = make_report(
        blocks=tuple((face, at, start, end, name, 0) for at, (face, start, end, name, _) in enumerate(blocks))
    )
    table = report.table.set_index("block").sort_index()
    for at, (_, _, _, name, confidence) in enumerate(blocks):
        for other in EMOTIONS:
            table.loc[at, other] = confidence if other == name else (1 - confidence) / 6
        table.loc[at, "confidence"] = confidence
    return replace(report, columns=table.reset_index()[list(report.table.columns)])


ONE_FACE: tuple[Block, ...] = (
    (1, 0, 800, "happiness", 0.7),
    (1, 800, 1600, "happiness", 0.9),
    (1, 1600, 2400, "happiness", 0.9),
    (1, 2400, 3200, "surprise", 0.6),
    (1, 3600, 4400, "surprise", 0.8),
)


def test_peak_of_a_run_is_its_first_most_confident_block() -> None:
    """A gap ends a run."""
    assert choose_highlights(report_of(ONE_FACE), 12) == [
        Highlight(1200, 1, "happiness", 0.9, 2400),
        Highlight(2800, 1, "surprise", 0.6, 800),
        Highlight(4000, 1, "surprise", 0.8, 800),
    ]
    assert [len(run.blocks) for run in emotion_runs(report_of(ONE_FACE).blocks)] == [3, 1, 1]


def test_few_highlights_have_different_emotions() -> None:
    chosen = choose_highlights(report_of(ONE_FACE), 2)
    assert [(moment.time_ms, moment.emotion) for moment in chosen] == [(1200, "happiness"), (4000, "surprise")]


def test_highlights_are_spread_over_faces_and_time() -> None:
    blocks = [
        (face, 2000 * at, 2000 * at + 1000, name, 0.99 if at < 4 else 0.9)
        for face in (1, 2)
        for at, name in enumerate(["anger", "fear"] * 15)
    ]
    chosen = choose_highlights(report_of(blocks), 6)
    assert len(chosen) == 6
    assert chosen == sorted(chosen, key=lambda moment: (moment.time_ms, moment.face_id))
    assert {moment.face_id for moment in chosen} == {1, 2}
    assert {moment.emotion for moment in chosen} == {"anger", "fear"}
    times_ms = [moment.time_ms for moment in chosen]
    assert max(times_ms) - min(times_ms) > 40_000
    assert min(later - earlier for earlier, later in pairwise(times_ms)) >= 2000


def test_order_of_rows_does_not_matter() -> None:
    report = report_of(ONE_FACE)
    reversed_report = replace(report, columns=report.table[::-1])
    for max_count in (1, 2, 3):
        assert choose_highlights(reversed_report, max_count) == choose_highlights(report, max_count)


def test_no_faces_give_no_highlights() -> None:
    assert choose_highlights(make_report(faces=0), 12) == []
