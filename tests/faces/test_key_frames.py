"""Faces in key frames alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from annotate.emotions.contract import Contract
from annotate.faces.blocks import BlockReport
from annotate.faces.box import Box
from annotate.faces.detection import Detection
from annotate.faces.key_frames import join_repeats, key_blocks, link_key_frames
from annotate.faces.search import Observation
from annotate.media.decode import Frame
from annotate.media.picture_size import PictureSize
from annotate.span import Span

IMAGE = np.full((100, 200), 128, np.uint8)


def video(starts_ms: Sequence[int], keys: Sequence[int], end_ms: int) -> list[Frame]:
    """Return frames that begin at times; those whose indices are not ``keys`` show the one before."""
    ends_ms = (*starts_ms[1:], end_ms)
    frames = []
    for index, (start_ms, frame_end_ms) in enumerate(zip(starts_ms, ends_ms, strict=True)):
        shown_us = None if index in keys else 0
        frames.append(Frame(index, index, Span(start_ms, frame_end_ms), IMAGE, start_us=start_ms * 1000, shown_us=shown_us))
    return frames


def face(x: float, features: Sequence[float] = (1.0, 0.0)) -> Detection:
    return Detection(Box(x, 20, 40, 40), 0.9, features=np.array(features, np.float32))


def observe(*detections: Sequence[Detection]) -> list[Observation]:
    """Return an observation of a key frame every two seconds."""
    frames = [Frame(50 * number, 50 * number + 24, Span(2000 * number, 2000 * number + 1000), IMAGE) for number in range(9)]
    return [Observation(frame, False, tuple(found)) for frame, found in zip(frames, detections, strict=False)]


@pytest.mark.parametrize(
    ("starts_ms", "keys", "end_ms", "expected"),
    [
        (range(0, 3000, 40), (0, 10, 50), 3000, [(0, 9, 0, 400), (10, 34, 400, 1400), (50, 74, 2000, 3000)]),
        (range(0, 1600, 40), (20,), 1600, [(20, 39, 800, 1600)]),
        ((0, 300, 900, 1700), (0,), 2000, [(0, 2, 0, 1000)]),
        ((0, 5000), (0, 1), 9000, [(0, 0, 0, 1000), (1, 1, 5000, 6000)]),
    ],
)
def test_a_key_frame_lasts_until_the_next_but_a_second_at_most(
    starts_ms: Sequence[int], keys: Sequence[int], end_ms: int, expected: list[tuple[int, ...]]
) -> None:
    sizes: list[PictureSize] = []
    joined = list(join_repeats(video(list(starts_ms), keys, end_ms), sizes))
    assert [(frame.index, frame.last_index, frame.span.start_ms, frame.span.end_ms) for frame in joined] == expected
    assert sizes == [PictureSize(0, 200, 100)]


@pytest.mark.parametrize(
    ("detections", "tracks"),
    [
        ([[face(20)], [face(25)], [face(30)]], [0, 0, 0]),
        ([[face(20)], [face(120)]], [0, 1]),
        ([[face(20)], [face(20, (0.0, 1.0))]], [0, 1]),
        ([[face(20)], [], [face(20)]], [0, 1]),
        ([[face(20), face(120, (0.0, 1.0))], [face(25), face(115, (0.0, 1.0))]], [0, 1, 0, 1]),
        ([[face(20, ())], [face(25, ())]], [0, 0]),
        ([[face(20)], [face(35)], [face(50)], [face(85)]], [0, 0, 0, 1]),
    ],
)
def test_faces_are_joined_by_box_and_appearance(detections: list[list[Detection]], tracks: list[int]) -> None:
    """The last case would be one track if motion counted; without features, boxes alone decide."""
    assert [tracked.track for tracked in link_key_frames(observe(*detections), 0.3)] == tracks


def test_a_face_gives_a_block_of_one_frame() -> None:
    report = BlockReport()
    faces = link_key_frames(observe([face(20)], [face(25), face(120)]), 0.3)
    blocks = list(key_blocks(faces, Contract(), report))
    assert [(block.face_id, block.number) for block in blocks] == [(1, 0), (1, 1), (2, 0)]
    assert {(block.frames, block.detections, block.overlap) for block in blocks} == {(1, 1, 0)}
    assert [(block.first_frame, block.last_frame) for block in blocks] == [(0, 24), (50, 74), (50, 74)]
    assert [block.span for block in blocks[:2]] == [Span(0, 1000), Span(2000, 3000)]
    assert (blocks[0].pixels == blocks[0].pixels[0]).all()
    assert report == BlockReport(2, 0)
