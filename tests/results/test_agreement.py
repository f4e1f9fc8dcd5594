"""What outputs say about each face at any time, compared with the table."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.archive.stored_report import read_report
from annotate.batch.rendering import boxes_track
from annotate.emotions.labels import EMOTIONS
from annotate.player.player import player_data
from annotate.results.formats import ass, srt, vtt
from annotate.results.report import Report
from annotate.results.smoothing import MIN_AGREEMENT, MIN_PROBABILITY
from annotate.span import Span
from tests.clips import SHARED_CLIPS
from tests.results.reports import make_report
from tests.runs import annotate

ASS_ROUNDING_MS = 10
_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)[.,](\d{3}) --> (\d+):(\d\d):(\d\d)[.,](\d{3}).*\n((?:.+\n?)*)")

Shown = tuple[Span, int | None, str]
"""Span, face (None if cues are not numbered) and emotion."""


def labeled(span: Span, text: str) -> Shown:
    """Return what a label says."""
    number, _, emotion = text.rpartition(": ")
    return span, int(number) if number else None, emotion


def shown_in_ass(text: str | None) -> Iterator[Shown]:
    """Yield what the labels of an ASS track say; boxes and bars must have the color of a label."""
    events = list(pysubs2.SSAFile.from_string(text)) if text else []
    kinds = {"box": [], "label": [], "bar": [], "ground": []}  # type: dict[str, list[tuple[int, int, str]]]
    for event in events:
        emotion, _, kind = event.style.rpartition(" ")
        kinds[kind].append((event.start, event.end, emotion))
        if kind == "label":
            yield labeled(Span(event.start, event.end), event.text.split("}", 1)[1])
            assert event.text.endswith(emotion)
    assert kinds["box"] == kinds["label"]
    for start, end, emotion in kinds["bar"]:
        assert any(first <= start and end <= last and name == emotion for first, last, name in kinds["label"])


def shown_in_subtitles(text: str | None) -> Iterator[Shown]:
    """Yield what the lines of SubRip or WebVTT say."""
    for match in _TIMES.finditer(text or ""):
        numbers = [int(match[number]) for number in range(1, 9)]
        start_ms, end_ms = (((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (numbers[:4], numbers[4:]))
        for line in match[9].splitlines():
            yield labeled(Span(start_ms, end_ms), re.sub(r"<[^>]*>", "", line))


def shown_in_player(report: Report) -> Iterator[Shown]:
    """Yield what the cues of the player say."""
    data = player_data(report)
    for start_ms, end_ms, face_id, emotion, *_ in data["cues"]:
        yield Span(start_ms, end_ms), face_id, data["emotions"][emotion]["name"]


def times_ms(report: Report, shown: list[Shown]) -> list[tuple[int, int, int]]:
    """Return for each block its length, the time with its emotion, and the time with another one."""
    result = []
    for block in report.blocks:
        during = [(span & block.span, emotion) for span, face_id, emotion in shown if face_id in (None, block.face_id)]
        own_ms = sum(span.duration_ms for span, emotion in during if emotion == block.emotion)
        others = [(span, emotion) for span, emotion in during if span and emotion != block.emotion]
        result.append((block.span.duration_ms, own_ms, sum(span.duration_ms for span, _ in others)))
    return result


def check(report: Report) -> None:
    """Assert that all outputs say what the table says, exactly or within the bounds of smoothing."""
    for track in (ass.write(report, "en"), boxes_track(report, "en")):
        for length_ms, own_ms, other_ms in times_ms(report, list(shown_in_ass(track))):
            assert own_ms >= length_ms - ASS_ROUNDING_MS
            assert other_ms <= ASS_ROUNDING_MS
    assert all(own_ms == length_ms and not other_ms for length_ms, own_ms, other_ms in exact(report))
    for text in (srt.write(report, "en"), vtt.write(report, "en")):
        shown = list(shown_in_subtitles(text))
        found = times_ms(report, shown)
        assert sum(own_ms for _, own_ms, _ in found) >= MIN_AGREEMENT * sum(length_ms for length_ms, _, _ in found) - 1e-6
        for span, face_id, emotion in shown:
            covered = [block for block in report.blocks if face_id in (None, block.face_id) and block.span & span]
            assert covered
            assert any(block.emotion == emotion or block.probabilities[emotion] >= MIN_PROBABILITY for block in covered)


def exact(report: Report) -> list[tuple[int, int, int]]:
    """Return the times of the player, which has milliseconds."""
    return times_ms(report, list(shown_in_player(report)))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Draw a report of two faces with any emotions and blocks of any length, of which the last may overlap."""
    blocks = []
    for face_id in (1, 2):
        start_ms = draw(st.integers(0, 3000))
        for number in range(draw(st.integers(1, 6))):
            end_ms = start_ms + draw(st.integers(200, 1500))
            blocks.append((face_id, number, start_ms, end_ms, "anger", 0))
            start_ms = end_ms + draw(st.sampled_from([0, 0, 0, 300]))
        blocks.append((face_id, 9, end_ms - 100, end_ms + 600, "anger", 2))
    report = make_report(blocks=tuple(blocks))
    count = len(report.table)
    weights = (
        np.array(draw(st.lists(st.integers(1, 9), min_size=count * 7, max_size=count * 7)), float).reshape(count, 7) ** 2
    )
    shares = (weights / weights.sum(axis=1, keepdims=True)).round(4)
    columns = dict(zip(EMOTIONS, shares.T, strict=True))
    names = [EMOTIONS[number] for number in shares.argmax(axis=1)]
    return replace(report, columns=report.table.assign(emotion=names, confidence=shares.max(axis=1), **columns))


@settings(deadline=None, max_examples=60)
@given(reports())
def test_every_output_says_what_the_table_says(report: Report) -> None:
    check(report)


def test_outputs_of_the_sample_videos_say_what_the_tables_say(annotated_samples: Path) -> None:
    tables = sorted(annotated_samples.glob("*.emotions.csv"))
    assert len(tables) == 5
    found = [read_report(table) for table in tables]
    assert sum(bool(report.blocks) for report in found) == 4
    for report in found:
        check(report)


@pytest.mark.skipif(not SHARED_CLIPS.exists(), reason="needs the research clips")
def test_outputs_of_clips_with_many_changes_say_what_the_tables_say(tmp_path: Path) -> None:
    for name in ("intel/eat.mkv", "liveportrait/d0.mp4", "liveportrait/d6.mp4", "posed/fear.mp4"):
        shutil.copy(SHARED_CLIPS / name, tmp_path)
    list(annotate([tmp_path]))
    tables = sorted(tmp_path.glob("*.emotions.csv"))
    assert len(tables) == 4
    changes = 0
    for table in tables:
        report = read_report(table)
        changes += sum(before.emotion != after.emotion for before, after in itertools.pairwise(report.blocks))
        check(report)
    assert changes >= 4
