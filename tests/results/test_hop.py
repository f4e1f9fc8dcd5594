"""Blocks that overlap since one begins every few frames (``--hop``): each has the time around its middle."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.emotions.labels import EMOTIONS
from annotate.results.baseline import add_baseline, min_blocks
from annotate.results.corrected import apply_corrections
from annotate.results.corrections import EXCLUDE, Correction
from annotate.results.formats.registry import TRACK_FORMATS, format_track
from annotate.results.intervals import clip_overlaps
from annotate.results.report import Report
from annotate.results.table import SOURCE, own_spans_ms, own_times
from annotate.settings import FIRST_SECONDS, MEDIAN
from annotate.span import Span
from tests.results.formats.test_json_document import schema
from tests.results.reports import make_report

HOP = 5
LABELS = ("neutral", "neutral", "fear", "fear", "anger", "fear")
SPANS = (*((200 * number, 200 * number + 800) for number in range(5)), (1080, 1880))
"""Blocks of 0.8 s, one every 0.2 s; the last one ends with the track."""

OWN = [(0, 500), (500, 700), (700, 900), (900, 1100), (1100, 1340), (1340, 1880)]


def hopped(labels: tuple[str, ...] = LABELS, hop: int = HOP) -> Report:
    """Return a report of one face with these blocks."""
    blocks = tuple(
        (1, number, *span, label, 0 if not number else 20 - HOP)
        for number, (span, label) in enumerate(zip(SPANS, labels, strict=True))
    )
    return make_report(blocks=blocks, hop=hop)


def spans(report: Report) -> list[tuple[int, int]]:
    return [(block.span.start_ms, block.span.end_ms) for block in report.blocks]


def test_each_block_has_the_time_around_its_middle() -> None:
    report = hopped()
    assert spans(report) == OWN
    assert report.table["own_start_time"].tolist() == [start / 1000 for start, _ in OWN]
    assert report.table["own_end_time"].tolist() == [end / 1000 for _, end in OWN]
    assert report.table[["start_time", "end_time"]].to_numpy().tolist() == [[s / 1000, e / 1000] for s, e in SPANS]
    assert [block.emotion for block in report.blocks] == list(LABELS)
    assert spans(hopped(hop=20))[:2] == [(0, 800), (800, 1000)]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 900)), min_size=1, max_size=9), st.integers(1, 19))
def test_own_times_are_disjoint_within_their_blocks_and_cover_the_same_time(steps: list[tuple[int, int]], hop: int) -> None:
    """Of blocks in order of start and end, at any frame rate."""
    start_ms = np.cumsum([step for step, _ in steps])
    end_ms = np.maximum.accumulate(start_ms + [length for _, length in steps])
    times = {"start_time": start_ms / 1000, "end_time": end_ms / 1000}
    table = pd.DataFrame({"face_id": 1, "block": np.arange(len(steps)), **times})
    own_start_ms, own_end_ms = own_spans_ms(table.assign(**own_times(table, hop)))
    assert (start_ms <= own_start_ms).all()
    assert (own_start_ms <= own_end_ms).all()
    assert (own_end_ms <= end_ms).all()
    assert (own_end_ms[:-1] <= own_start_ms[1:]).all()
    covered = {ms for start, end in zip(start_ms, end_ms, strict=True) for ms in range(start, end)}
    assert (own_end_ms - own_start_ms).sum() == len(covered)


def test_corrections_apply_to_own_times() -> None:
    report = hopped()
    corrected = apply_corrections(
        report.table, [Correction(Span(600, 950), "surprise", 1), Correction(Span(1000, 1050), EXCLUDE, 1)]
    )
    found = [(block.span.start_ms, block.span.end_ms, block.emotion) for block in clip_overlaps(corrected.table)]
    assert found == [
        (0, 500, "neutral"),
        (500, 600, "neutral"),
        (600, 700, "surprise"),
        (700, 900, "surprise"),
        (900, 950, "surprise"),
        (950, 1000, "fear"),
        (1050, 1100, "fear"),
        (1100, 1340, "anger"),
        (1340, 1880, "fear"),
    ]
    assert sum(corrected.reviewed.values()) == 350 + 50
    assert (corrected.table[SOURCE] == "author").any()


def test_every_format_has_each_time_once() -> None:
    """The intervals of ELAN, Praat and Audacity are the own times; subtitles do not overlap."""
    report = hopped()
    texts = {name: format_track(name, report, "en") or "" for name in TRACK_FORMATS if name != "otio"}
    seconds = [f"{ms / 1000:.3f}".rstrip("0").rstrip(".") for ms, _ in OWN]
    assert [line.split("\t")[0].rstrip("0").rstrip(".") for line in texts["audacity"].splitlines()] == seconds
    assert all(second in texts["textgrid"] for second in seconds)
    assert all(f'TIME_VALUE="{start}"' in texts["eaf"] for start, _ in OWN)
    for name in ("srt", "vtt"):
        times = re.findall(r"(\d\d:\d\d[.,]\d{3}) --> \d?\d?:?(\d\d:\d\d[.,]\d{3})", texts[name])
        assert times
        assert all(end <= start for (_, end), (start, _) in pairwise(times))
    document = json.loads(texts["json"])
    jsonschema.Draft202012Validator(schema()).validate(document)
    clipped = [(each["clipped_start_time"], each["clipped_end_time"]) for each in document["annotations"]]
    assert clipped == [(start / 1000, end / 1000) for start, end in OWN]


def test_a_part_of_a_report_keeps_own_times() -> None:
    assert spans(hopped().during(Span(600, 1200))) == [(600, 700), (700, 900), (900, 1100), (1100, 1200)]


@pytest.mark.parametrize("method", [FIRST_SECONDS, MEDIAN])
def test_a_baseline_needs_as_much_time_as_without_a_hop(method: str) -> None:
    """Three blocks that do not overlap are 60 frames: blocks at 0, 5, ... 40, which are nine."""
    for count, is_enough in ((min_blocks(HOP) - 1, False), (min_blocks(HOP), True)):
        blocks = tuple((1, number, 200 * number, 200 * number + 800, "fear", 15) for number in range(count))
        table = add_baseline(make_report(blocks=blocks, hop=HOP).table, method, HOP)
        assert (table["relative_emotion"] != "").all() == is_enough
    assert min_blocks(HOP) == 9
    assert set(EMOTIONS) <= set(table.columns)
