from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from annotate.faces.box import Box
from annotate.faces.detection import Detection
from annotate.faces.pose import Pose
from annotate.faces.search import Observation
from annotate.faces.track import TrackedFace, TrackEnd, link_detections
from annotate.media.decode import Frame
from annotate.settings import Settings
from annotate.span import Span

IMAGE = np.zeros((2, 2), np.uint8)
FRAME_MS = 40
ONE_SECOND = Settings(track_timeout_ms=1000)


def detection(x: float, y: float = 0, size: float = 100, score: float = 1) -> Detection:
    return Detection(Box(x, y, size, size), score)


def observations(passes: dict[int, tuple[Detection, ...]], count: int, cuts: tuple[int, ...] = (0,)) -> list[Observation]:
    """Return observations of ``count`` frames; ``passes`` are the detections of those with a detection pass."""
    return [
        Observation(
            Frame(index, index, Span(index * FRAME_MS, (index + 1) * FRAME_MS), IMAGE), index in cuts, passes.get(index)
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
    events = list(link_detections(observations({0: (detection(0),), 5: (detection(20, 10, 120, 2),)}, 8), Settings()))
    faces = [event for event in events if isinstance(event, TrackedFace)]
    assert [face.frame.index for face in faces] == [0, 1, 2, 3, 4, 5]
    assert [face.box.x for face in faces] == pytest.approx([0, 4, 8, 12, 16, 20])
    assert [face.box.width for face in faces] == pytest.approx([100, 104, 108, 112, 116, 120])
    assert [face.score for face in faces] == pytest.approx([1, 1.2, 1.4, 1.6, 1.8, 2])
    assert [face.detected for face in faces] == [True, False, False, False, False, True]
    assert events[-1] == TrackEnd(0)


def test_poses_between_detections_are_interpolated() -> None:
    """A head that leans from 170 to -170 degrees turns by 20 degrees, not by 340."""
    first, last = (replace(detection(0), pose=Pose(*angles)) for angles in ((0, 10, 170), (40, -10, -170)))
    faces = list(link_detections(observations({0: (first,), 4: (last,)}, 5), Settings()))
    poses = [face.pose for face in faces if isinstance(face, TrackedFace)]
    assert [pose.yaw_deg for pose in poses] == pytest.approx([0, 10, 20, 30, 40])
    assert [pose.pitch_deg for pose in poses] == pytest.approx([10, 5, 0, -5, -10])
    assert [pose.roll_deg for pose in poses] == pytest.approx([170, 175, -180, -175, -170])


def test_a_track_ends_with_its_last_detection() -> None:
    events = list(link_detections(observations({0: (detection(0),), 5: (detection(0),), 10: (), 15: ()}, 20), Settings()))
    assert frames_by_track(events) == {0: [0, 1, 2, 3, 4, 5]}


def test_assignment_maximizes_the_total_overlap() -> None:
    """A greedy assignment to the first track would leave the second one without a match."""
    events = list(
        link_detections(observations({0: (detection(0), detection(60)), 1: (detection(30), detection(85))}, 2), Settings())
    )
    ends = {event.track: event.box.x for event in events if isinstance(event, TrackedFace)}
    assert ends == {0: 30, 1: 85}


def test_a_face_elsewhere_is_another_track() -> None:
    events = list(link_detections(observations({0: (detection(0),), 5: (detection(200),)}, 6), Settings()))
    assert frames_by_track(events) == {0: [0], 1: [5]}


def test_gaps_up_to_the_timeout_are_bridged() -> None:
    empty_passes = dict.fromkeys(range(0, 100, 5), ())
    bridged = {**empty_passes, 0: (detection(0),), 35: (detection(0),)}
    broken = {**empty_passes, 0: (detection(0),), 45: (detection(0),)}
    assert frames_by_track(list(link_detections(observations(bridged, 100), Settings()))) == {0: list(range(36))}
    assert frames_by_track(list(link_detections(observations(broken, 100), Settings()))) == {0: [0], 1: [45]}


def test_a_low_frame_rate_does_not_split_tracks() -> None:
    """Frames are two seconds apart, but no detection pass missed the face."""
    slow = [
        Observation(Frame(index, index, Span(index * 2000, (index + 1) * 2000), IMAGE), index == 0, (detection(index * 5),))
        for index in range(6)
    ]
    assert frames_by_track(list(link_detections(slow, Settings()))) == {0: [0, 1, 2, 3, 4, 5]}


def looking_like(person: int, x: float) -> Detection:
    """Return a detection of one of a few people, of whom no two look alike."""
    return replace(detection(x), features=np.eye(4, dtype=np.float32)[person])


def people_by_track(passes: dict[int, tuple[Detection, ...]], count: int, *cuts: int) -> dict[int, set[int]]:
    """Return the people in each track at the detections."""
    people: dict[int, set[int]] = {}
    for event in link_detections(observations(passes, count, (0, *cuts)), ONE_SECOND):
        if isinstance(event, TrackedFace) and event.detected:
            (seen,) = (each for each in passes[event.frame.index] if each.box == event.box)
            people.setdefault(event.track, set()).add(int(seen.features.argmax()))
    return people


def test_two_people_who_cross_keep_their_tracks() -> None:
    """They pass each other between two passes: boxes overlap most with those of the other."""
    places = {0: (0, 200), 5: (40, 160), 10: (80, 120), 15: (120, 80), 20: (160, 40)}
    passes = {frame: (looking_like(0, left), looking_like(1, right)) for frame, (left, right) in places.items()}
    assert people_by_track(passes, 21) == {0: {0}, 1: {1}}


def test_a_face_that_moves_fast_continues_its_track_if_it_looks_alike() -> None:
    """Its boxes overlap by a seventh."""
    same, other = ({0: (looking_like(0, 0),), 5: (looking_like(person, 75),)} for person in (0, 1))
    assert people_by_track(same, 6) == {0: {0}}
    assert people_by_track(other, 6) == {0: {0}, 1: {1}}


def test_a_moving_face_is_expected_where_it_goes() -> None:
    """It moves by nine tenths of its width from pass to pass, after a first step of half of it."""
    passes = {5 * number: (detection(x),) for number, x in enumerate((0, 50, 140, 230, 320))}
    assert frames_by_track(list(link_detections(observations(passes, 21), Settings()))) == {0: list(range(21))}


def test_a_face_that_returns_within_the_shot_continues_its_track() -> None:
    gone = dict.fromkeys(range(15, 60, 5), ())
    before = {index: (looking_like(2, 0),) for index in (0, 5, 10)}
    same, other = {60: (looking_like(2, 400),)}, {60: (looking_like(1, 400),)}
    assert people_by_track({**before, **gone, **same}, 61) == {0: {2}}
    assert people_by_track({**before, **gone, **other}, 61) == {0: {2}, 1: {1}}
    assert people_by_track({**before, **gone, **same}, 61, 58) == {0: {2}, 1: {2}}


def test_a_face_that_returns_is_not_interpolated_while_it_was_away() -> None:
    passes = {**dict.fromkeys(range(0, 60, 5), ()), **{index: (looking_like(2, 0),) for index in (0, 5, 10, 55, 60)}}
    events = list(link_detections(observations(passes, 61), ONE_SECOND))
    assert frames_by_track(events) == {0: [*range(11), *range(55, 61)]}
    assert sum(isinstance(event, TrackEnd) for event in events) == 2


def test_a_cut_ends_all_tracks() -> None:
    passes = {0: (detection(0), detection(300)), 4: (detection(0), detection(300)), 5: (detection(0),), 10: (detection(0),)}
    events = list(link_detections(observations(passes, 11, cuts=(0, 5)), Settings()))
    assert frames_by_track(events) == {0: [0, 1, 2, 3, 4], 1: [0, 1, 2, 3, 4], 2: [5, 6, 7, 8, 9, 10]}
    assert {event.track for event in events if isinstance(event, TrackEnd)} == {0, 1, 2}


def test_a_detection_within_a_face_starts_no_track() -> None:
    whole, mouth, beside = detection(0, size=200), detection(50, 100, size=90), detection(150, 100, size=90)
    passes = {0: (whole, mouth), 5: (mouth,), 10: (whole, mouth), 15: (whole, beside)}
    assert frames_by_track(list(link_detections(observations(passes, 16), Settings()))) == {0: list(range(16)), 1: [15]}


def test_a_detection_within_a_face_starts_a_track_after_the_face_is_lost() -> None:
    passes = {0: (detection(0, size=200),), **{index: (detection(50, 50, size=90),) for index in range(5, 60, 5)}}
    tracks = frames_by_track(list(link_detections(observations(passes, 60), Settings())))
    assert tracks == {0: [0], 1: list(range(40, 56))}


def test_tracks_are_numbered_from_left_to_right() -> None:
    events = list(link_detections(observations({0: (detection(0), detection(300), detection(600))}, 1), Settings()))
    assert [event.box.x for event in events if isinstance(event, TrackedFace)] == [0, 300, 600]


def test_a_lost_face_holds_no_frames() -> None:
    """Those of a crowd would fill the memory before the shot ends."""
    seen: list[weakref.ref[Frame]] = []

    def watched() -> Iterator[Observation]:
        for observation in observations({**dict.fromkeys(range(0, 100, 5), ()), 0: (looking_like(0, 0),)}, 100):
            frame = replace(observation.frame)
            seen.append(weakref.ref(frame))
            yield replace(observation, frame=frame)

    events = link_detections(watched(), ONE_SECOND)
    assert isinstance(next(events), TrackedFace)
    assert isinstance(next(events), TrackEnd)
    gc.collect()
    assert len(seen) > 25
    assert sum(each() is not None for each in seen) < 5
