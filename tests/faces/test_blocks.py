from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.emotions.contract import Contract
from annotate.faces.blocks import Block, BlockReport, cut_blocks
from annotate.faces.box import Box
from annotate.faces.pose import Pose
from annotate.faces.track import TrackedFace, TrackEnd
from annotate.media.decode import Frame
from annotate.span import Span

CONTRACT = Contract(crop_size_px=4)
FRAME_MS = 40


@functools.cache
def frame(index: int) -> Frame:
    """Return a uniform frame whose brightness is its index."""
    image = np.full((8, 8), 16 + index % 200, np.uint8)
    return Frame(index, index, Span(index * FRAME_MS, (index + 1) * FRAME_MS), image, start_us=index * FRAME_MS * 1000)


def tracked_face(track: int, index: int, *, detected: bool = True, x: float = 0) -> TrackedFace:
    return TrackedFace(track, frame(index), Box(x, 0, 4, 4), 1.0, detected)


def events_of(spans: list[tuple[int, int]]) -> Iterator[TrackedFace | TrackEnd]:
    """Yield the events of tracks given as (first frame, length), frame by frame as the tracker does."""
    for index in range(max(first + length for first, length in spans) + 1):
        for track, (first, length) in enumerate(spans):
            if index == first + length:
                yield TrackEnd(track)
            if first <= index < first + length:
                yield tracked_face(track, index)


def blocks_of(spans: list[tuple[int, int]], report: BlockReport | None = None) -> list[Block]:
    return list(cut_blocks(events_of(spans), CONTRACT, 5, report or BlockReport()))


def test_a_track_is_cut_into_blocks() -> None:
    blocks = blocks_of([(3, 40)])
    assert [(block.first_frame, block.last_frame, block.frames, block.overlap) for block in blocks] == [
        (3, 22, 20, 0),
        (23, 42, 20, 0),
    ]
    assert [block.span for block in blocks] == [Span(120, 920), Span(920, 1720)]
    assert [block.number for block in blocks] == [0, 1]


def test_the_last_block_ends_with_the_track_and_overlaps_the_one_before() -> None:
    first, last = blocks_of([(0, 27)])
    assert (last.first_frame, last.last_frame, last.frames, last.overlap) == (7, 26, 20, 13)
    assert last.span == Span(280, 1080)
    assert np.array_equal(first.pixels[7:], last.pixels[:13])


@pytest.mark.parametrize(
    ("hop", "length", "firsts", "overlaps"),
    [
        (5, 33, [0, 5, 10, 13], [0, 15, 15, 17]),
        (10, 40, [0, 10, 20], [0, 10, 10]),
        (1, 22, [0, 1, 2], [0, 19, 19]),
        (19, 20, [0], [0]),
        (7, 12, [0], [0]),
        (20, 27, [0, 7], [0, 13]),
    ],
)
def test_with_a_hop_blocks_begin_every_few_frames(hop: int, length: int, firsts: list[int], overlaps: list[int]) -> None:
    """Pixels of a frame are the same in every block, and each detection is in one block."""
    blocks = list(cut_blocks(events_of([(0, length)]), CONTRACT, 5, BlockReport(), hop=hop, portraits=True))
    assert [block.first_frame for block in blocks] == firsts
    assert [block.overlap for block in blocks] == overlaps
    assert [block.number for block in blocks] == list(range(len(firsts)))
    assert {block.frames for block in blocks} == {min(length, 20)}
    for block in blocks:
        shown = np.array([16 + min(block.first_frame + place, length - 1) for place in range(20)])
        assert np.abs(block.pixels[:, 0, 0].astype(float) - (shown - 16) * 255 / 219).max() <= 1
    detected = [detection.time_ms for block in blocks for detection in block.detected]
    assert detected == [FRAME_MS * index for index in range(length)]
    whole = cut_blocks(events_of([(0, length)]), CONTRACT, 5, BlockReport(), portraits=True)
    assert _portrait_times(blocks) == _portrait_times(whole)


def _portrait_times(blocks: Iterable[Block]) -> list[int]:
    return [block.portrait.time_ms for block in blocks if block.portrait is not None]


@pytest.mark.parametrize("length", [5, 12, 19])
def test_short_tracks_are_padded_with_their_last_crop(length: int) -> None:
    (block,) = blocks_of([(0, length)])
    assert (block.frames, block.overlap, block.last_frame) == (length, 0, length - 1)
    assert block.span == Span(0, length * FRAME_MS)
    assert block.pixels.shape == (20, 4, 4)
    assert (block.pixels[length:] == block.pixels[length - 1]).all()
    assert (block.pixels[length - 1] != block.pixels[length - 2]).all()


def test_tracks_below_the_minimum_are_dropped_and_counted_and_use_no_face_id() -> None:
    report = BlockReport()
    blocks = blocks_of([(0, 4), (1, 30), (2, 3), (3, 20)], report)
    assert {block.face_id for block in blocks} == {1, 2}
    assert [block.first_frame for block in blocks if block.number == 0] == [1, 3]
    assert (report.faces, report.dropped_tracks) == (2, 2)


def test_face_ids_follow_the_order_of_appearance() -> None:
    """The block of the first track is completed last."""
    blocks = blocks_of([(0, 15), (1, 5), (2, 6)])
    assert [(block.face_id, block.first_frame) for block in blocks] == [(1, 0), (2, 1), (3, 2)]


def test_a_face_that_returns_keeps_its_id_and_counts_on() -> None:
    """Its blocks do not cross the gap."""
    events = [
        *(tracked_face(0, index) for index in range(25)),
        TrackEnd(0),
        *(tracked_face(0, index) for index in range(60, 70)),
        TrackEnd(0),
    ]
    report = BlockReport()
    blocks = list(cut_blocks(events, CONTRACT, 5, report))
    assert [(block.face_id, block.number, block.first_frame, block.frames, block.overlap) for block in blocks] == [
        (1, 0, 0, 20, 0),
        (1, 1, 5, 20, 15),
        (1, 2, 60, 10, 0),
    ]
    assert report.faces == 1


def test_box_score_and_detections_summarize_the_block() -> None:
    events = [tracked_face(0, index, detected=index % 5 == 0, x=index) for index in range(20)]
    (block,) = cut_blocks([*events, TrackEnd(0)], CONTRACT, 5, BlockReport())
    assert (block.detections, block.box, block.face_score) == (4, Box(9.5, 0, 4, 4), 1.0)


def test_appearance_is_the_mean_over_the_block() -> None:
    """The brightness of crops rises from frame to frame; the head leans over 180 degrees."""
    rolls = [*[170.0] * 10, *[-170.0] * 10]
    events = [replace(tracked_face(0, index), pose=Pose(index, -index, roll)) for index, roll in enumerate(rolls)]
    (block,) = cut_blocks([*events, TrackEnd(0)], CONTRACT, 5, BlockReport())
    seen = block.appearance
    assert (seen.pose.yaw_deg, seen.pose.pitch_deg, abs(seen.pose.roll_deg)) == pytest.approx((9.5, -9.5, 180))
    assert (seen.face_px, seen.sharpness) == (4, pytest.approx(0, abs=1e-6))
    assert seen.brightness == pytest.approx(block.pixels.mean() / 255)


def test_padding_does_not_count_in_the_appearance() -> None:
    (block,) = cut_blocks([*(tracked_face(0, index) for index in range(5)), TrackEnd(0)], CONTRACT, 5, BlockReport())
    assert block.appearance.brightness == pytest.approx(block.pixels[:5].mean() / 255)


def test_crops_of_leaning_faces_are_upright() -> None:
    """The upper half of the face is bright, and on the right-hand side of the image."""
    image = np.full((40, 40), 16, np.uint8)
    image[:, 20:] = 235
    leaning = TrackedFace(0, replace(frame(0), image=image), Box(10, 10, 20, 20), 1.0, True, Pose(roll_deg=90))
    (block,) = cut_blocks([leaning, TrackEnd(0)], CONTRACT, 1, BlockReport())
    assert (block.pixels[0, :2] == 255).all()
    assert (block.pixels[0, 2:] == 0).all()


def test_blocks_know_the_scale_of_their_frames() -> None:
    events = [replace(tracked_face(0, index), frame=replace(frame(index), picture_px=(16, 24))) for index in range(5)]
    (block,) = cut_blocks([*events, TrackEnd(0)], CONTRACT, 5, BlockReport())
    assert (block.scale, block.appearance.face_px) == ((2, 3), 4)


def test_dropped_frames_count_in_frame_numbers_and_spans() -> None:
    """At 60 fps every other frame is dropped."""
    frames = [Frame(2 * index, 2 * index + 1, Span(index * 33, (index + 1) * 33), frame(0).image) for index in range(20)]
    events = [TrackedFace(0, each, Box(0, 0, 4, 4), 1.0, True) for each in frames]
    (block,) = cut_blocks([*events, TrackEnd(0)], CONTRACT, 5, BlockReport())
    assert (block.first_frame, block.last_frame, block.span) == (0, 39, Span(0, 660))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 90)), min_size=1, max_size=5))
def test_blocks_cover_every_frame_once_apart_from_the_overlap(spans: list[tuple[int, int]]) -> None:
    spans = sorted(spans, key=lambda span: span[0])
    report = BlockReport()
    blocks = blocks_of(spans, report)
    kept = [span for span in spans if span[1] >= 5]
    assert report.faces == len(kept)
    assert report.dropped_tracks == len(spans) - len(kept)
    for face_id, (first, length) in enumerate(kept, 1):
        own = [block for block in blocks if block.face_id == face_id]
        covered = [index for block in own for index in range(block.first_frame + block.overlap, block.last_frame + 1)]
        assert covered == list(range(first, first + length))
        assert [block.number for block in own] == list(range(len(own)))
        assert all(block.frames == block.last_frame - block.first_frame + 1 for block in own)
        assert all(block.overlap == 0 for block in own[:-1])
        assert all(block.frames == 20 for block in own if len(own) > 1)


@pytest.mark.parametrize("phase", range(4))
def test_each_group_of_frames_has_the_crop_of_its_own_picture(phase: int) -> None:
    """The pictures of every fourth frame are known, beginning with frame ``phase``."""
    contract, pictures = Contract(crop_size_px=4, frame_stride=4), []
    for index in range(24):
        latest = max(phase, index - (index - phase) % 4)
        shown_us = None if index == latest else latest * FRAME_MS * 1000
        pictures.append(replace(frame(index), image=frame(latest).image, shown_us=shown_us))
    events: list[TrackedFace | TrackEnd] = [TrackedFace(0, each, Box(0, 0, 4, 4), 1.0, True) for each in pictures]
    first, last = cut_blocks([*events, TrackEnd(0)], contract, 5, BlockReport())
    own = [np.unique(pictures[index].image).item() for index in range(phase, 24, 4)]
    shades = [round(16 + float(np.mean(crop)) * 219 / 255) for crop in (*first.pixels[::4], last.pixels[-1])]
    assert shades == own
