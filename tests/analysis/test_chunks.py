from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import FrameMark, Joiner, Part, PartEnd, PartStart, is_seamless
from annotate.faces.blocks import Detection
from annotate.faces.box import Box
from annotate.media.decode import Frame
from annotate.span import Span

HERE, THERE = Box(10, 10, 80, 80), Box(200, 10, 80, 80)
GRAY = np.full((4, 4), 100, np.uint8)
STRIPED = np.repeat([[255], [255], [0], [0]], 4, axis=1).astype(np.uint8)


def frame(index: int, start_ms: int, image: np.ndarray = GRAY) -> Frame:
    return Frame(index, index, Span(start_ms, start_ms + 40), image)


def annotation(face_id: int, block: int, first_frame: int, *seen: tuple[int, Box]) -> Annotation:
    span = Span(first_frame * 40, first_frame * 40 + 800)
    detected = tuple(Detection(*each) for each in seen)
    return Annotation(face_id, block, first_frame, first_frame + 19, span, HERE, 1.0, 20, 5, 0, ("calm",), (1.0,), detected)


def mark(index: int, start_ms: int, digest: bytes = b"a") -> FrameMark:
    return FrameMark(index, start_ms, digest)


def part_end(frames: int, last_ms: int, *, goes_on: bool = True, following: FrameMark | None = None) -> PartEnd:
    return PartEnd(frames, last_ms + 40, 1, 2, last_ms, following, goes_on)


def numbers(annotations: Iterator[Annotation]) -> list[tuple[int, int, int, int]]:
    return [(each.face_id, each.block, each.first_frame, each.last_frame) for each in annotations]


def test_a_part_ends_before_the_first_frame_behind_its_seam() -> None:
    frames = iter([frame(4, 1960), frame(5, 2000), frame(6, 2040), frame(7, 4010), frame(8, 4050)])
    next(frames)
    part = Part(next(frames), frames, part_s=2)
    assert [each.index for each in part.looked_at(part)] == [5, 6]
    end = part.end(faces=1, dropped_tracks=0, gap_ms=10_000)
    assert (end.frames, end.end_ms, end.last_looked_ms, end.goes_on) == (2, 2080, 2040, True)
    assert end.following == FrameMark.of(frame(7, 4010))
    assert [each.index for each in frames] == [8]


@pytest.mark.parametrize(
    ("last", "following", "goes_on"),
    [
        (frame(0, 1960), frame(1, 2000), True),
        (frame(0, 1960), frame(1, 3500), False),
        (frame(0, 1960, STRIPED), frame(1, 2000, STRIPED), True),
        (frame(0, 1960, STRIPED), frame(1, 2000, np.ascontiguousarray(STRIPED.T)), False),
    ],
)
def test_a_shot_goes_on_unless_there_is_a_gap_or_a_cut(last: Frame, following: Frame, goes_on: bool) -> None:
    part = Part(last, iter([following]), part_s=2)
    assert list(part.looked_at(part)) == [last]
    assert part.end(0, 0, gap_ms=1000).goes_on is goes_on


def test_a_face_seen_on_both_sides_of_a_seam_keeps_its_number() -> None:
    joiner = Joiner(overlap=0.3)
    first = [
        PartStart(mark(0, 0)),
        annotation(1, 0, 0, (0, HERE), (760, HERE)),
        annotation(2, 0, 0, (0, THERE), (760, THERE)),
        annotation(1, 1, 20, (1560, HERE), (1960, HERE)),
        part_end(50, 1960),
    ]
    second = [
        PartStart(mark(25, 2000)),
        annotation(1, 0, 25, (2000, THERE)),
        annotation(2, 0, 25, (2000, Box(14, 10, 80, 80))),
        annotation(2, 1, 45),
        part_end(60, 4960),
    ]
    assert numbers(joiner.join(first)) == [(1, 0, 0, 19), (2, 0, 0, 19), (1, 1, 20, 39)]
    assert numbers(joiner.join(second)) == [(3, 0, 50, 69), (1, 2, 50, 69), (1, 3, 70, 89)]
    assert (joiner.frames, joiner.end_ms, joiner.faces, joiner.dropped_tracks) == (110, 5000, 3, 4)


@pytest.mark.parametrize(
    ("last_seen_ms", "first_seen_ms", "goes_on"), [(1920, 2000, True), (1960, 2040, True), (1960, 2000, False)]
)
def test_a_face_that_is_not_seen_at_the_seam_gets_a_new_number(last_seen_ms: int, first_seen_ms: int, goes_on: bool) -> None:
    joiner = Joiner(overlap=0.3)
    first = [PartStart(mark(0, 0)), annotation(1, 0, 0, (last_seen_ms, HERE)), part_end(50, 1960, goes_on=goes_on)]
    second = [PartStart(mark(50, 2000)), annotation(1, 0, 50, (first_seen_ms, HERE)), part_end(50, 3960)]
    assert numbers(joiner.join([*first, *second])) == [(1, 0, 0, 19), (2, 0, 50, 69)]


@pytest.mark.parametrize(
    ("following", "first", "seamless"),
    [
        (mark(50, 2000), mark(25, 2000), True),
        (mark(50, 2000), mark(25, 2001), False),
        (mark(50, 2000), mark(25, 2000, b"b"), False),
        (None, mark(25, 2000), False),
        (mark(50, 2000), None, False),
        (None, None, True),
    ],
)
def test_parts_must_meet_in_one_frame(following: FrameMark | None, first: FrameMark | None, seamless: bool) -> None:
    streams: list[list[PartStart | Annotation | PartEnd]] = [
        [PartStart(mark(0, 0)), part_end(50, 1960, following=following)]
    ]
    streams.append([] if first is None else [PartStart(first), part_end(50, 3960)])
    assert is_seamless(streams) is seamless
