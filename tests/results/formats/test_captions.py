"""Captions: every rule on every caption of generated tracks, in all formats, and each decision by example."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.archive.stored_report import read_report
from annotate.emotions.labels import CAPTION_WORDS, EMOTIONS
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.results.boxes import BoxTrajectories
from annotate.results.caption_rules import RULES
from annotate.results.formats.captions import caption_regions, captions_of, frame_ms, write_ass, write_srt, write_vtt
from annotate.results.formats.registry import format_track
from annotate.results.intervals import ClippedBlock
from annotate.results.persons import Person, apply_persons
from annotate.results.report import Report
from annotate.results.smoothing import MIN_PROBABILITY
from annotate.span import Span
from tests.results.reports import SIZE_PX, make_report

NAMED = {1: "Ann", 3: "A name that is much longer than any line of a caption"}


BASE = make_report(faces=0)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Draw a report of one to five faces anywhere, with any emotions, some named, at any frame rate."""
    count = draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    power = draw(st.sampled_from([1, 4, 12]))
    blocks, boxes = [], []
    for face_id in range(1, count + 1):
        boxes.append((face_id, TimedBox(0, Box(random.integers(540), random.integers(260), 90, 90))))
        start_ms = int(random.integers(3000))
        for _ in range(draw(st.integers(1, 14))):
            end_ms = start_ms + int(random.integers(200, 1500))
            weights = random.random(len(EMOTIONS)) ** power
            shares = dict(zip(EMOTIONS, (weights / weights.sum()).tolist(), strict=True))
            blocks.append(ClippedBlock(face_id, Span(start_ms, end_ms), max(EMOTIONS, key=shares.__getitem__), shares))
            start_ms = end_ms + int(random.choice([0, 0, 0, 0, 300, 4000]))
    persons = {face_id: Person(face_id, NAMED.get(face_id, "")) for face_id in range(1, count + 1)}
    end_s = max(block.span.end_s for block in blocks)
    meta = replace(BASE.meta, duration_s=end_s, frames=max(1, round(end_s * draw(st.sampled_from([10, 23.976, 25, 60])))))
    report = replace(BASE, boxes=BoxTrajectories(boxes), meta=meta)
    vars(report).update(blocks=blocks, persons=persons if draw(st.booleans()) else {})  # saves reading a table
    return report


def check(report: Report, language: str) -> None:
    """Assert that captions obey each rule, and say what the table permits."""
    value = {name: rule.value for name, rule in RULES.items()}
    captions = captions_of(report, language)
    for caption in captions:
        assert caption.span.duration_s >= value["min_duration"]
        assert caption.span.duration_s <= value["max_duration"]
        assert 0 <= caption.span.start_ms < caption.span.end_ms <= report.end_ms
        assert len(caption.lines) == len(caption.onsets) <= value["max_lines"]
        assert sum(map(len, caption.lines)) <= value["reading_speed"] * caption.span.duration_s + 1e-9
        assert len({onset.face_id for onset in caption.onsets}) == len(caption.onsets)
        for onset, line in zip(caption.onsets, caption.lines, strict=True):
            assert len(line) <= value["line_length"]
            assert re.fullmatch(rf"\[(.+: )?{re.escape(CAPTION_WORDS[language][onset.emotion])}\]", line)
            assert onset.emotion != "neutral"
            covered = [block for block in report.blocks if block.face_id == onset.face_id and block.span & caption.span]
            assert any(block.probabilities[onset.emotion] >= MIN_PROBABILITY for block in covered)
    for one, following in itertools.pairwise(captions):
        gap_s = (following.span.start_ms - one.span.end_ms) / 1000
        assert gap_s >= value["min_gap"] * frame_ms(report.meta) / 1000 - 1e-9
        is_whole = one.span.duration_s + gap_s > value["max_duration"]
        two_frames = math.ceil(value["min_gap"] * frame_ms(report.meta) / 10) / 100
        assert gap_s >= value["closed_gap"] or gap_s <= two_frames + 0.02 or is_whole


@settings(deadline=None, max_examples=50)
@given(reports(), st.sampled_from(sorted(CAPTION_WORDS)))
def test_every_caption_obeys_every_rule(report: Report, language: str) -> None:
    check(report, language)


@settings(deadline=None, max_examples=20)
@given(reports())
def test_all_formats_have_the_same_captions_at_the_same_edge(report: Report) -> None:
    captions = captions_of(report, "en")
    srt, vtt, ass = write_srt(report, "en"), write_vtt(report, "en"), write_ass(report, "en")
    if not captions:
        assert srt is vtt is ass is None
        return
    expected = [(caption.span.start_ms, caption.span.end_ms, caption.lines) for caption in captions]
    in_srt = pysubs2.SSAFile.from_string(srt, "srt")
    assert [(event.start, event.end, tuple(event.plaintext.splitlines())) for event in in_srt] == expected
    in_ass = pysubs2.SSAFile.from_string(ass, "ass")
    assert [(event.start, event.end, tuple(event.plaintext.splitlines())) for event in in_ass] == expected
    in_vtt = webvtt.from_string(vtt)
    assert [tuple(caption.text.splitlines()) for caption in in_vtt] == [lines for _, _, lines in expected]
    for caption, event in zip(captions, in_srt, strict=True):
        seen = {block.face_id for block in report.blocks if block.span & caption.span}
        boxes = [box for box in (report.boxes.at(face_id, 0) for face_id in seen) if box is not None]
        covers = [any(overlap(region, box) for box in boxes) for region in caption_regions(caption.lines, *SIZE_PX)]
        assert not covers[0 if event.text.startswith("{\\an8}") else 1] or all(covers)
    at_top = [event.text.startswith("{\\an8}") for event in in_srt]
    assert at_top == [event.text.startswith("{\\an8}") for event in in_ass]
    assert at_top == [" line:0" in line for line in vtt.splitlines() if "-->" in line]


def overlap(one: Box, other: Box) -> bool:
    """Return whether two rectangles have something in common."""
    union = one | other
    return union.width < one.width + other.width and union.height < one.height + other.height


def shown(report: Report, language: str = "en") -> list[tuple[str, ...]]:
    """Return the lines of each caption."""
    return [caption.lines for caption in captions_of(report, language)]


def placed(report: Report, *boxes: Box) -> Report:
    """Return a report with boxes that do not move, of faces 1, 2 and so on."""
    return replace(report, boxes=BoxTrajectories((face_id, TimedBox(0, box)) for face_id, box in enumerate(boxes, 1)))


def test_neutral_faces_are_not_mentioned_and_without_others_there_is_no_file() -> None:
    blocks = ((1, 0, 0, 1000, "neutral", 0), (1, 1, 1000, 2000, "happiness", 0), (1, 2, 2000, 9000, "neutral", 0))
    assert shown(make_report(blocks=blocks, faces=1)) == [("[smiling]",)]
    assert shown(make_report(blocks=blocks, faces=1), "ru") == [("[улыбается]",)]
    for name in ("srt", "vtt", "ass"):
        assert format_track(name, make_report(blocks=blocks[:1], faces=1), "en", "caption") is None


def test_an_emotion_that_lasts_is_said_once_and_one_that_is_shown_again_is_said_again() -> None:
    blocks = ((1, 0, 0, 60_000, "anger", 0), (1, 1, 61_000, 62_000, "anger", 0), (1, 2, 70_000, 72_000, "anger", 0))
    report = make_report(blocks=blocks, faces=1)
    spans = [(caption.span.start_ms, caption.span.end_ms) for caption in captions_of(report, "en")]
    assert spans == [(0, 7000), (70_000, 72_000)]


def test_of_three_faces_those_are_named_whose_emotion_changed_last() -> None:
    blocks = (
        (1, 0, 0, 8000, "anger", 0),
        (2, 0, 0, 2000, "neutral", 0),
        (2, 1, 2000, 8000, "fear", 0),
        (3, 0, 0, 4000, "neutral", 0),
        (3, 1, 4000, 8000, "sadness", 0),
    )
    report = placed(make_report(blocks=blocks, faces=3), *(Box(x, 150, 90, 90) for x in (300, 10, 540)))
    assert shown(report) == [
        ("[in the middle: angry]",),
        ("[left: afraid]", "[in the middle: angry]"),
        ("[left: afraid]", "[right: sad]"),
    ]
    assert shown(report, "ru")[2] == ("[слева: боится]", "[справа: грустит]")


def test_a_name_comes_before_a_place_and_unnamed_persons_have_no_number() -> None:
    blocks = ((1, 0, 0, 3000, "happiness", 0), (2, 0, 0, 3000, "surprise", 0))
    report = placed(make_report(blocks=blocks), Box(400, 150, 90, 90), Box(10, 150, 90, 90))
    known = replace(report, columns=apply_persons(report.table, {1: Person(1, "Ann {x}"), 2: Person(7)}))
    assert shown(known) == [("[left: surprised]", "[Ann {x}: smiling]")]
    assert "{x}" not in (write_srt(known, "en") or "")


@pytest.mark.parametrize(
    ("y", "at_top"), [(150, True), (0, False), (320, True)], ids=["face in the middle", "at the top", "at the bottom"]
)
@pytest.mark.parametrize("size_px", [(640, 360), (480, 360), (360, 640)])
def test_captions_leave_the_top_only_where_a_face_is(size_px: tuple[int, int], y: int, at_top: bool) -> None:
    report = make_report(blocks=((1, 0, 0, 3000, "happiness", 0),), faces=1, size_px=size_px)
    text = write_srt(placed(report, Box(size_px[0] / 2 - 40, y, 80, size_px[1] / 5)), "en") or ""
    assert ("{\\an8}" in text) == at_top


def test_a_caption_stays_at_the_top_over_a_face_that_fills_the_picture() -> None:
    report = make_report(blocks=((1, 0, 0, 3000, "happiness", 0),), faces=1)
    assert "{\\an8}" in (write_srt(placed(report, Box(0, 0, *SIZE_PX)), "en") or "")


def test_a_long_line_covers_more_rows_of_an_upright_picture() -> None:
    wide, upright = (caption_regions(["[in the middle: surprised]"], *size_px)[0] for size_px in ((640, 360), (360, 640)))
    assert upright.height / 640 > wide.height / 360


def test_where_some_frames_were_not_decoded_the_gap_is_that_of_a_usual_video() -> None:
    meta = make_report().meta
    assert frame_ms(meta) == pytest.approx(40)
    assert frame_ms(replace(meta, frames=6, settings={**meta.settings, "decode": "key"})) == 40


def test_captions_of_the_sample_videos_obey_the_rules(annotated_samples: Path) -> None:
    found = [read_report(table) for table in sorted(annotated_samples.glob("*.emotions.csv"))]
    for report in found:
        for language in CAPTION_WORDS:
            check(report, language)
    assert sum(bool(captions_of(report, "en")) for report in found) == 4
