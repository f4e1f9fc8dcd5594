"""Clipping of overlapping blocks, and sums over the clipped blocks."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.analysis.annotation import Annotation
from annotate.emotions.labels import EMOTIONS
from annotate.faces.box import Box
from annotate.results.intervals import (
    TIE_MS,
    ClippedBlock,
    clip_overlaps,
    covered_s,
    dominant,
    dominant_emotion,
    dominant_of_rows,
    seconds_by_emotion,
)
from annotate.results.table import to_table
from annotate.span import Span

BLOCK_FRAMES = 20


def block(
    face_id: int, number: int, start_ms: int, end_ms: int, *, emotion: str = "neutral", overlap: int = 0
) -> Annotation:
    """Return the annotation of a block with probability 1 for its emotion."""
    probabilities = tuple(float(name == emotion) for name in EMOTIONS)
    box = Box(0, 0, 80, 80)
    span = Span(start_ms, end_ms)
    return Annotation(face_id, number, 0, 0, span, box, 1.0, BLOCK_FRAMES, 4, overlap, EMOTIONS, probabilities)


def clipped(face_id: int, start_ms: int, end_ms: int, emotion: str = "neutral") -> ClippedBlock:
    """Return a clipped block with probability 1 for its emotion."""
    return ClippedBlock(face_id, Span(start_ms, end_ms), emotion, {emotion: 1.0})


@st.composite
def blocks_of_a_track(draw: st.DrawFn, face_id: int) -> list[Annotation]:
    """Draw consecutive blocks of 20 frames of any lengths, and one that ends with the track if frames are left."""
    intervals_ms = draw(st.lists(st.integers(1, 200), min_size=5, max_size=70))
    edges_ms = list(itertools.accumulate(intervals_ms, initial=draw(st.integers(0, 5000))))
    frames = len(intervals_ms)
    starts = list(range(0, max(1, frames - BLOCK_FRAMES + 1), BLOCK_FRAMES))
    if starts[-1] + BLOCK_FRAMES < frames:
        starts.append(frames - BLOCK_FRAMES)
    emotions = draw(st.lists(st.sampled_from(EMOTIONS), min_size=len(starts), max_size=len(starts)))
    result = []
    for number, (start, emotion) in enumerate(zip(starts, emotions, strict=True)):
        overlap = starts[number - 1] + BLOCK_FRAMES - start if number else 0
        end_ms = edges_ms[min(start + BLOCK_FRAMES, frames)]
        result.append(block(face_id, number, edges_ms[start], end_ms, emotion=emotion, overlap=overlap))
    return result


@st.composite
def tables(draw: st.DrawFn) -> list[Annotation]:
    """Draw the blocks of up to three faces, ordered as in a table."""
    blocks = [part for face_id in range(1, draw(st.integers(0, 3)) + 1) for part in draw(blocks_of_a_track(face_id))]
    return sorted(blocks, key=lambda part: (part.span.start_ms, part.face_id, part.block))


def by_face(parts: list[ClippedBlock]) -> dict[int, list[ClippedBlock]]:
    """Return the clipped blocks of each face, in order."""
    return {face_id: list(group) for face_id, group in itertools.groupby(parts, key=lambda part: part.face_id)}


@settings(max_examples=40, deadline=None)
@given(tables())
def test_clipped_blocks_of_a_face_are_contiguous_and_cover_its_track(blocks: list[Annotation]) -> None:
    faces = by_face(clip_overlaps(to_table(blocks, EMOTIONS)))
    assert list(faces) == sorted({part.face_id for part in blocks})
    for face_id, parts in faces.items():
        spans = [part.span for part in blocks if part.face_id == face_id]
        assert parts[0].span.start_ms == min(span.start_ms for span in spans)
        assert parts[-1].span.end_ms == max(span.end_ms for span in spans)
        assert all(one.span.end_ms == two.span.start_ms for one, two in itertools.pairwise(parts))


@settings(max_examples=40, deadline=None)
@given(tables())
def test_each_block_is_clipped_to_the_end_of_the_previous_one(blocks: list[Annotation]) -> None:
    parts = iter(clip_overlaps(to_table(blocks, EMOTIONS)))
    for _, group in itertools.groupby(
        sorted(blocks, key=lambda part: (part.face_id, part.block)), lambda part: part.face_id
    ):
        end_ms = 0
        for annotation in group:
            found = next(parts)
            assert found.span == Span(max(annotation.span.start_ms, end_ms), annotation.span.end_ms)
            assert (found.face_id, found.emotion) == (annotation.face_id, annotation.emotion)
            assert found.probabilities == dict(zip(EMOTIONS, annotation.probabilities, strict=True))
            end_ms = annotation.span.end_ms
    assert next(parts, None) is None


@settings(max_examples=40, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(blocks: list[Annotation], random: Random) -> None:
    shuffled = list(blocks)
    random.shuffle(shuffled)
    assert clip_overlaps(to_table(shuffled, EMOTIONS)) == clip_overlaps(to_table(blocks, EMOTIONS))


@settings(max_examples=40, deadline=None)
@given(tables())
def test_seconds_add_up_to_the_length_of_the_tracks(blocks: list[Annotation]) -> None:
    tracks_ms = 0
    for face_id in {part.face_id for part in blocks}:
        spans = [part.span for part in blocks if part.face_id == face_id]
        tracks_ms += max(span.end_ms for span in spans) - min(span.start_ms for span in spans)
    seconds = seconds_by_emotion(clip_overlaps(to_table(blocks, EMOTIONS)))
    assert sum(seconds.values()) == pytest.approx(tracks_ms / 1000)


@settings(max_examples=40, deadline=None)
@given(tables())
def test_covered_time_is_the_time_with_a_face(blocks: list[Annotation]) -> None:
    moments = {moment for part in blocks for moment in range(part.span.start_ms, part.span.end_ms)}
    assert covered_s(clip_overlaps(to_table(blocks, EMOTIONS))) == len(moments) / 1000


def test_an_overlapping_last_block_is_clipped() -> None:
    table = to_table(
        [
            block(1, 0, 0, 800, emotion="anger"),
            block(1, 1, 800, 1600, emotion="fear"),
            block(1, 2, 1000, 1800, emotion="sadness", overlap=15),
        ],
        EMOTIONS,
    )
    found = [(part.span, part.emotion) for part in clip_overlaps(table)]
    assert found == [(Span(0, 800), "anger"), (Span(800, 1600), "fear"), (Span(1600, 1800), "sadness")]
    assert seconds_by_emotion(clip_overlaps(table)) == {"anger": 0.8, "fear": 0.8, "sadness": 0.2}


def test_a_gap_between_blocks_is_kept() -> None:
    table = to_table([block(1, 0, 0, 800), block(1, 1, 1500, 2300)], EMOTIONS)
    assert [part.span for part in clip_overlaps(table)] == [Span(0, 800), Span(1500, 2300)]
    assert covered_s(clip_overlaps(table)) == 1.6


def test_two_faces_at_once_count_twice_for_emotions_and_once_for_coverage() -> None:
    parts = [
        clipped(1, 0, 1000, "anger"),
        clipped(2, 500, 1500, "anger"),
        clipped(3, 600, 700, "fear"),
        clipped(4, 800, 1600, "fear"),
    ]
    assert seconds_by_emotion(parts) == {"anger": 2.0, "fear": 0.9}
    assert covered_s(parts) == 1.6


def test_dominant_emotion_has_most_time_not_most_blocks() -> None:
    parts = [clipped(1, 0, 100, "fear"), clipped(1, 100, 200, "fear"), clipped(2, 0, 221, "surprise")]
    assert dominant_emotion(parts) == "surprise"


@pytest.mark.parametrize("order", list(itertools.permutations(["sadness", "anger", "fear"])))
def test_a_tie_for_the_dominant_emotion_does_not_depend_on_order(order: tuple[str, ...]) -> None:
    assert dominant_emotion([clipped(face_id, 0, 100, emotion) for face_id, emotion in enumerate(order)]) == "anger"


@pytest.mark.parametrize(("more_ms", "expected"), [(0, "fear"), (TIE_MS, "fear"), (TIE_MS + 1, "surprise")])
def test_a_near_tie_is_a_tie(more_ms: int, expected: str) -> None:
    parts = [clipped(1, 0, 2000, "fear"), clipped(1, 2000, 4000 + more_ms, "surprise"), clipped(2, 0, 100, "anger")]
    assert dominant_emotion(parts) == expected


def test_an_emotion_without_time_never_wins_a_tie() -> None:
    assert dominant({"anger": 0, "fear": 5, "sadness": 20}) == "fear"
    assert dominant({"anger": 0}) == ""


@given(st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), max_size=5))
def test_many_rows_have_the_dominant_emotions_of_each(rows: list[list[int]]) -> None:
    names = ["c", "a", "b"]
    expected = [dominant(dict(zip(names, row, strict=True))) for row in rows]
    assert dominant_of_rows(np.array(rows, np.int64).reshape(len(rows), 3), names) == expected


def test_an_empty_table() -> None:
    table: pd.DataFrame = to_table([], EMOTIONS)
    assert (clip_overlaps(table), seconds_by_emotion([]), dominant_emotion([]), covered_s([])) == ([], {}, "", 0.0)
