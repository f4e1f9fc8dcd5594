from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import Chunk, ChunkEnd, ChunkItem, ChunkMerger, ChunkStart, FrameMark, chunks_align
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.media.decode import Frame
from annotate.span import Span

LEFT, RIGHT = Box(10, 10, 80, 80), Box(200, 10, 80, 80)
GRAY = np.full((4, 4), 100, np.uint8)
STRIPED = np.repeat([[255], [255], [0], [0]], 4, axis=1).astype(np.uint8)


def frame(index: int, start_ms: int, image: np.ndarray = GRAY) -> Frame:
    return Frame(index, index, Span(start_ms, start_ms + 40), image)


def annotation(face_id: int, block: int, first_frame: int, *detections: tuple[int, Box]) -> Annotation:
    span = Span(first_frame * 40, first_frame * 40 + 800)
    detected = tuple(TimedBox(*each) for each in detections)
    return Annotation(face_id, block, first_frame, first_frame + 19, span, LEFT, 1.0, 20, 5, 0, ("calm",), (1.0,), detected)


def mark(index: int, start_ms: int, digest: bytes = b"a") -> FrameMark:
    return FrameMark(index, start_ms, digest)


def chunk_end(frames: int, last_ms: int, *, shot_continues: bool = True, next_frame: FrameMark | None = None) -> ChunkEnd:
    return ChunkEnd(frames, last_ms + 40, 1, 2, last_ms, next_frame, shot_continues, small_faces=2)


def numbering(annotations: Iterator[Annotation]) -> list[tuple[int, int, int, int]]:
    return [(each.face_id, each.block, each.first_frame, each.last_frame) for each in annotations]


def test_a_chunk_ends_before_the_first_frame_after_its_boundary() -> None:
    frames = iter([frame(4, 1960), frame(5, 2000), frame(6, 2040), frame(7, 4010), frame(8, 4050)])
    next(frames)
    chunk = Chunk(next(frames), frames, chunk_s=2, gap_ms=10_000)
    assert [each.index for each in chunk.note_analyzed(chunk)] == [5, 6]
    end = chunk.end(faces=1, dropped_tracks=0)
    assert (end.frames, end.end_ms, end.last_analyzed_ms, end.shot_continues) == (2, 2080, 2040, True)
    assert end.next_frame == FrameMark.of(frame(7, 4010))
    assert [each.index for each in frames] == [8]


@pytest.mark.parametrize(
    ("last", "next_frame", "shot_continues"),
    [
        (frame(0, 1960), frame(1, 2000), True),
        (frame(0, 1960), frame(1, 3500), False),
        (frame(0, 1960, STRIPED), frame(1, 2000, STRIPED), True),
        (frame(0, 1960, STRIPED), frame(1, 2000, np.ascontiguousarray(STRIPED.T)), False),
    ],
)
def test_a_shot_continues_unless_there_is_a_gap_or_a_cut(last: Frame, next_frame: Frame, shot_continues: bool) -> None:
    chunk = Chunk(last, iter([next_frame]), chunk_s=2, gap_ms=1000)
    assert list(chunk.note_analyzed(chunk)) == [last]
    assert chunk.end(0, 0).shot_continues is shot_continues


def test_a_face_on_both_sides_of_a_boundary_keeps_its_id() -> None:
    merger = ChunkMerger(min_overlap=0.3)
    first = [
        ChunkStart(mark(0, 0)),
        annotation(1, 0, 0, (0, LEFT), (760, LEFT)),
        annotation(2, 0, 0, (0, RIGHT), (760, RIGHT)),
        annotation(1, 1, 20, (1560, LEFT), (1960, LEFT)),
        chunk_end(50, 1960),
    ]
    second = [
        ChunkStart(mark(25, 2000)),
        annotation(1, 0, 25, (2000, RIGHT)),
        annotation(2, 0, 25, (2000, Box(14, 10, 80, 80))),
        annotation(2, 1, 45),
        chunk_end(60, 4960),
    ]
    assert numbering(merger.merge(first)) == [(1, 0, 0, 19), (2, 0, 0, 19), (1, 1, 20, 39)]
    assert numbering(merger.merge(second)) == [(3, 0, 50, 69), (1, 2, 50, 69), (1, 3, 70, 89)]
    assert (merger.frames, merger.end_ms, merger.faces, merger.dropped_tracks, merger.small_faces) == (110, 5000, 3, 4, 4)


@pytest.mark.parametrize(
    ("last_detected_ms", "first_detected_ms", "shot_continues"),
    [(1920, 2000, True), (1960, 2040, True), (1960, 2000, False)],
)
def test_a_face_not_detected_at_the_boundary_gets_a_new_id(
    last_detected_ms: int, first_detected_ms: int, shot_continues: bool
) -> None:
    merger = ChunkMerger(min_overlap=0.3)
    first = [
        ChunkStart(mark(0, 0)),
        annotation(1, 0, 0, (last_detected_ms, LEFT)),
        chunk_end(50, 1960, shot_continues=shot_continues),
    ]
    second = [ChunkStart(mark(50, 2000)), annotation(1, 0, 50, (first_detected_ms, LEFT)), chunk_end(50, 3960)]
    assert numbering(merger.merge([*first, *second])) == [(1, 0, 0, 19), (2, 0, 50, 69)]


@pytest.mark.parametrize(
    ("next_frame", "first", "aligned"),
    [
        (mark(50, 2000), mark(25, 2000), True),
        (mark(50, 2000), mark(25, 2001), False),
        (mark(50, 2000), mark(25, 2000, b"b"), False),
        (None, mark(25, 2000), False),
        (mark(50, 2000), None, False),
        (None, None, True),
    ],
)
def test_chunks_align_if_the_next_one_starts_with_the_same_frame(
    next_frame: FrameMark | None, first: FrameMark | None, aligned: bool
) -> None:
    chunks: list[list[ChunkItem]] = [[ChunkStart(mark(0, 0)), chunk_end(50, 1960, next_frame=next_frame)]]
    chunks.append([] if first is None else [ChunkStart(first), chunk_end(50, 3960)])
    assert chunks_align(chunks) is aligned
