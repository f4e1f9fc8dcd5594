from __future__ import annotations

import numpy as np
import pytest

from annotate.faces.box import Box
from annotate.faces.detect import Detection
from annotate.faces.search import Observation
from annotate.faces.track import TrackedFace, TrackEnd, follow
from annotate.media.decode import Frame
from annotate.settings import Settings
from annotate.span import Span

IMAGE = np.zeros((2, 2), np.uint8)
FRAME_MS = 40


def face(x: float, y: float = 0, size: float = 100, score: float = 1) -> Detection:
    return Detection(Box(x, y, size, size), score)


def observations(faces: dict[int, tuple[Detection, ...]], count: int, cuts: tuple[int, ...] = (0,)) -> list[Observation]:
    """``count`` frames, of which those in ``faces`` were looked at."""
    return [
        Observation(
            Frame(index, index, Span(index * FRAME_MS, (index + 1) * FRAME_MS), IMAGE), index in cuts, faces.get(index)
        )
        for index in range(count)
    ]


def frames_by_track(events: list[TrackedFace | TrackEnd]) -> dict[int, list[int]]:
    result: dict[int, list[int]] = {}
    for event in events:
        if isinstance(event, TrackedFace):
            result.setdefault(event.track, []).append(event.frame.index)
    return result


def test_boxes_between_detections_are_interpolated() -> None:
    events = list(follow(observations({0: (face(0),), 5: (face(20, 10, 120, 2),)}, 8), Settings()))
    sightings = [event for event in events if isinstance(event, TrackedFace)]
    assert [seen.frame.index for seen in sightings] == [0, 1, 2, 3, 4, 5]
    assert [seen.box.x for seen in sightings] == pytest.approx([0, 4, 8, 12, 16, 20])
    assert [seen.box.width for seen in sightings] == pytest.approx([100, 104, 108, 112, 116, 120])
    assert [seen.score for seen in sightings] == pytest.approx([1, 1.2, 1.4, 1.6, 1.8, 2])
    assert [seen.detected for seen in sightings] == [True, False, False, False, False, True]
    assert events[-1] == TrackEnd(0)


def test_the_last_box_is_not_drawn_out() -> None:
    events = list(follow(observations({0: (face(0),), 5: (face(0),), 10: (), 15: ()}, 20), Settings()))
    assert frames_by_track(events) == {0: [0, 1, 2, 3, 4, 5]}


def test_assignment_maximises_the_whole() -> None:
    """Taken greedily, the first track's best match would leave the second one nothing."""
    events = list(follow(observations({0: (face(0), face(60)), 1: (face(30), face(85))}, 2), Settings()))
    ends = {event.track: event.box.x for event in events if isinstance(event, TrackedFace)}
    assert ends == {0: 30, 1: 85}


def test_a_face_elsewhere_is_another_track() -> None:
    events = list(follow(observations({0: (face(0),), 5: (face(200),)}, 6), Settings()))
    assert frames_by_track(events) == {0: [0], 1: [5]}


def test_missing_for_a_second_is_bridged_and_for_longer_is_not() -> None:
    looks = dict.fromkeys(range(0, 100, 5), ())
    bridged = {**looks, 0: (face(0),), 25: (face(0),)}
    broken = {**looks, 0: (face(0),), 30: (face(0),)}
    assert frames_by_track(list(follow(observations(bridged, 100), Settings()))) == {0: list(range(26))}
    assert frames_by_track(list(follow(observations(broken, 100), Settings()))) == {0: [0], 1: [30]}


def test_slow_video_joins_neighbouring_looks() -> None:
    """Two seconds from frame to frame: nothing was missed in between."""
    slow = [
        Observation(Frame(index, index, Span(index * 2000, (index + 1) * 2000), IMAGE), index == 0, (face(index * 5),))
        for index in range(6)
    ]
    assert frames_by_track(list(follow(slow, Settings()))) == {0: [0, 1, 2, 3, 4, 5]}


def test_a_cut_ends_all_tracks() -> None:
    looks = {0: (face(0), face(300)), 4: (face(0), face(300)), 5: (face(0),), 10: (face(0),)}
    events = list(follow(observations(looks, 11, cuts=(0, 5)), Settings()))
    assert frames_by_track(events) == {0: [0, 1, 2, 3, 4], 1: [0, 1, 2, 3, 4], 2: [5, 6, 7, 8, 9, 10]}
    assert {event.track for event in events if isinstance(event, TrackEnd)} == {0, 1, 2}


def test_a_mouth_is_no_second_face() -> None:
    whole, mouth, beside = face(0, size=200), face(50, 100, size=90), face(150, 100, size=90)
    found = {0: (whole, mouth), 5: (mouth,), 10: (whole, mouth), 15: (whole, beside)}
    assert frames_by_track(list(follow(observations(found, 16), Settings()))) == {0: list(range(16)), 1: [15]}


def test_what_was_within_a_face_is_followed_once_that_has_gone() -> None:
    found = {0: (face(0, size=200),), **{index: (face(50, 50, size=90),) for index in range(5, 60, 5)}}
    tracks = frames_by_track(list(follow(observations(found, 60), Settings())))
    assert tracks == {0: [0], 1: list(range(30, 56))}


def test_tracks_are_numbered_from_left_to_right() -> None:
    events = list(follow(observations({0: (face(0), face(300), face(600))}, 1), Settings()))
    assert [event.box.x for event in events if isinstance(event, TrackedFace)] == [0, 300, 600]
