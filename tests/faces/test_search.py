from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from annotate.faces.box import Box, pairwise_iou
from annotate.faces.detection import Detection
from annotate.faces.pose import Pose
from annotate.faces.search import MIN_SAME_FACE_IOU, Observation, detect_faces
from annotate.media.decode import Frame
from annotate.settings import Settings
from annotate.span import Span

SETTINGS = Settings(detection_interval_ms=200, search_interval_ms=1000)

LEFT, RIGHT = Box(10, 10, 20, 20), Box(60, 10, 20, 20)
Truth = Callable[[int], Sequence[Box]]
"""Time in milliseconds -> the boxes of the faces that are visible then."""


def frames_at(times_ms: Iterable[int], shot_length_ms: int = 10**9) -> list[Frame]:
    """Return frames at these times; each shot has its own image."""
    stamps = [*times_ms]
    random = np.random.default_rng(0)
    shots = [random.integers(16, 235, (60, 100)).astype(np.uint8) for _ in range(stamps[-1] // shot_length_ms + 1)]
    frames = []
    for index, (start, end) in enumerate(zip(stamps, [*stamps[1:], stamps[-1] + 40], strict=True)):
        frames.append(Frame(index, index, Span(start, end), shots[start // shot_length_ms]))
    return frames


def moving(time_ms: int) -> list[Box]:
    """Return a face that moves by a fifth of its width in a detection interval."""
    return [Box(10 + time_ms / 50, 10, 20, 20)]


class Oracle:
    """A detector that finds the faces of the truth, and records the times of searches and of looks at known faces."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self.searches: list[int] = []
        self.looks: list[int] = []

    def search(self, frame: Frame, known: Sequence[Detection] = ()) -> tuple[Detection, ...]:
        self.searches.append(frame.span.start_ms)
        return self._detections(frame)

    def look(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        return self.look_near(frame, known) if known else ()

    def look_near(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        assert known
        self.looks.append(frame.span.start_ms)
        known_boxes = [face.box for face in known]
        return tuple(
            detection
            for detection in self._detections(frame)
            if pairwise_iou([detection.box], known_boxes).max() >= MIN_SAME_FACE_IOU / 2
        )

    def _detections(self, frame: Frame) -> tuple[Detection, ...]:
        return tuple(Detection(box, 1.0) for box in self._truth(frame.span.start_ms))


def observed(frames: Sequence[Frame], truth: Truth) -> tuple[list[Observation], Oracle]:
    """Return the observations of frames that show a truth, and the detector."""
    oracle = Oracle(truth)
    observations = list(detect_faces(frames, oracle, SETTINGS))
    assert [observation.frame.index for observation in observations] == [frame.index for frame in frames]
    return observations, oracle


def boxes(observations: Iterable[Observation]) -> dict[int, list[Box]]:
    """Return the boxes of each frame with a detection pass, by time in milliseconds."""
    return {
        observation.frame.span.start_ms: [detection.box for detection in observation.detections]
        for observation in observations
        if observation.detections is not None
    }


@pytest.mark.parametrize(
    ("times", "pass_times"),
    [
        (range(0, 1001, 40), [0, 200, 400, 600, 800, 1000]),
        (range(0, 1000, 30), [0, 210, 420, 600, 810, 990]),
        (range(0, 1500, 250), [0, 250, 500, 750, 1000, 1250]),
    ],
)
def test_the_first_frame_of_every_interval_has_a_detection_pass(times: range, pass_times: list[int]) -> None:
    observations, _ = observed(frames_at(times), moving)
    assert list(boxes(observations)) == pass_times


def test_the_whole_image_is_searched_once_per_second_and_at_both_ends() -> None:
    observations, oracle = observed(frames_at(range(0, 2500, 40)), moving)
    assert oracle.searches == [0, 1000, 2000, 2480]
    assert oracle.looks == [200, 400, 600, 800, 1200, 1400, 1600, 1800, 2200, 2400]
    assert boxes(observations) == {time_ms: moving(time_ms) for time_ms in [*range(0, 2401, 200), 2480]}


def test_a_face_that_hardly_moves_is_looked_at_in_every_other_pass() -> None:
    observations, oracle = observed(frames_at(range(0, 2500, 40)), lambda time_ms: [LEFT])
    assert oracle.searches == [0, 1000, 2000, 2480]
    assert oracle.looks == [200, 400, 800, 1200, 1600, 2400]
    assert boxes(observations) == {time_ms: [LEFT] for time_ms in [0, 200, 400, 800, 1000, 1200, 1600, 2000, 2400, 2480]}


@pytest.mark.parametrize("moved", [Box(13, 10, 20, 20), Box(10, 8, 24, 24)])
def test_a_pass_that_was_left_out_is_made_up_for_if_a_face_has_moved(moved: Box) -> None:
    def truth(time_ms: int) -> list[Box]:
        return [LEFT if time_ms < 600 else moved, RIGHT]

    observations, oracle = observed(frames_at(range(0, 1001, 40)), truth)
    assert oracle.looks == [200, 400, 800, 600]
    assert boxes(observations) == {time_ms: truth(time_ms) for time_ms in range(0, 1001, 200)}


def test_a_pass_that_was_left_out_is_made_up_for_if_a_face_has_leaned() -> None:
    class Leaning(Oracle):
        def _detections(self, frame: Frame) -> tuple[Detection, ...]:
            roll_deg = 0 if frame.span.start_ms < 600 else 6
            return tuple(replace(face, pose=Pose(roll_deg=roll_deg)) for face in super()._detections(frame))

    leaning = Leaning(lambda time_ms: [LEFT])
    list(detect_faces(frames_at(range(0, 1001, 40)), leaning, SETTINGS))
    assert leaning.looks == [200, 400, 800, 600]


def test_a_pass_that_was_left_out_is_made_up_for_if_a_face_has_come_or_gone() -> None:
    for truth in (
        lambda time_ms: [LEFT, *([RIGHT] if time_ms >= 600 else [])],
        lambda time_ms: [LEFT] if time_ms <= 600 else [],
    ):
        found = boxes(detect_faces(frames_at(range(0, 1001, 40)), Quick(truth), SETTINGS))
        assert found == {time_ms: truth(time_ms) for time_ms in range(0, 1001, 200)}


def test_the_pass_of_a_frame_that_ends_the_shot_is_a_search() -> None:
    observations, oracle = observed(frames_at(range(0, 601, 40)), lambda time_ms: [LEFT])
    assert oracle.searches == [0, 600]
    assert boxes(observations) == {time_ms: [LEFT] for time_ms in [0, 200, 400, 600]}


def test_a_look_without_known_faces_finds_none() -> None:
    observations, oracle = observed(frames_at(range(0, 1001, 40)), lambda time_ms: [])
    assert oracle.looks == []
    assert boxes(observations) == {time_ms: [] for time_ms in range(0, 1001, 200)}


def test_a_new_face_is_searched_backwards_to_where_it_appeared() -> None:
    observations, _ = observed(frames_at(range(0, 2001, 40)), lambda time_ms: [LEFT, *([RIGHT] if time_ms >= 500 else [])])
    found = boxes(observations)
    assert [time_ms for time_ms, visible in found.items() if RIGHT in visible] == [600, 800, 1000, 1200, 1600, 2000]
    assert all(LEFT in visible for time_ms, visible in found.items() if time_ms != 600)  # whose pass was left out for LEFT
    assert all(visible == sorted(visible, key=lambda box: box.x) for visible in found.values())


def test_a_moving_face_is_found_forwards_and_backwards() -> None:
    def crossing(time_ms: int) -> list[Box]:
        return moving(time_ms) if 300 <= time_ms < 1700 else []

    observations, _ = observed(frames_at(range(0, 2001, 40)), crossing)
    assert boxes(observations) == {time_ms: crossing(time_ms) for time_ms in range(0, 2001, 200)}


class Quick(Oracle):
    """A detector that finds all faces in a look at the whole image, and records the times of such looks."""

    def __init__(self, truth: Truth) -> None:
        super().__init__(truth)
        self.whole_looks: list[int] = []

    def look(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        self.whole_looks.append(frame.span.start_ms)
        return self._detections(frame)


def test_a_new_face_that_a_look_finds_is_searched_backwards_and_known_from_then_on() -> None:
    quick = Quick(lambda time_ms: [RIGHT] if 100 <= time_ms < 900 else [])
    found = boxes(detect_faces(frames_at(range(0, 1001, 40)), quick, SETTINGS))
    assert found == {0: [], 200: [RIGHT], 400: [RIGHT], 600: [RIGHT], 800: [RIGHT], 1000: []}


def test_every_second_look_is_at_the_surroundings_of_known_faces_unless_they_are_many() -> None:
    one, many = Quick(moving), Quick(lambda time_ms: [Box(20 * x, 10, 10, 10) for x in range(4)])
    for quick, whole_looks in ((one, [400, 800, 1200, 1600]), (many, [200, 400, 600, 800, 1200, 1400, 1600, 1800])):
        list(detect_faces(frames_at(range(0, 2001, 40)), quick, SETTINGS))
        assert quick.whole_looks == whole_looks


def test_a_face_that_is_hidden_for_a_moment_is_found_again() -> None:
    def hiding(time_ms: int) -> list[Box]:
        return [] if 300 <= time_ms < 500 else [LEFT]

    observations, _ = observed(frames_at(range(0, 1001, 40)), hiding)
    assert boxes(observations) == {time_ms: hiding(time_ms) for time_ms in range(0, 1001, 200)}


def test_the_whole_image_is_searched_at_both_ends_of_every_shot() -> None:
    observations, oracle = observed(frames_at(range(0, 600, 40), 280), lambda time_ms: [LEFT] if time_ms < 280 else [RIGHT])
    assert [observation.frame.span.start_ms for observation in observations if observation.begins_shot] == [0, 280, 560]
    assert oracle.searches == [0, 240, 280, 520, 560]
    assert list(boxes(observations)) == [0, 200, 240, 280, 400, 520, 560]


def test_detections_in_a_shot_do_not_depend_on_the_frames_before() -> None:
    def truth(time_ms: int) -> list[Box]:
        return [Box(10 + time_ms / 100, 10, 20, 20), *([RIGHT] if time_ms % 700 < 350 else [])]

    whole = frames_at(range(0, 4000, 40), 2000)
    part = [replace(frame) for frame in whole if frame.span.start_ms >= 2000]
    found = boxes(observed(whole, truth)[0])
    expected = {time_ms: visible for time_ms, visible in found.items() if time_ms >= 2000}
    assert boxes(observed(part, truth)[0]) == expected


def test_a_weak_face_is_found_only_where_one_is_known() -> None:
    """The oracle finds RIGHT only in near searches, as the detector does with a face below its threshold."""

    class Weak(Oracle):
        def search(self, frame: Frame, known: Sequence[Detection] = ()) -> tuple[Detection, ...]:
            is_early = frame.span.start_ms < 200
            return tuple(detection for detection in super().search(frame) if is_early or detection.box != RIGHT)

    weak = Weak(lambda time_ms: [LEFT, RIGHT])
    found = boxes(detect_faces(frames_at(range(0, 3001, 40)), weak, SETTINGS))
    assert set(map(tuple, found.values())) == {(LEFT, RIGHT)}
    later = Weak(lambda time_ms: [LEFT, *([RIGHT] if time_ms >= 400 else [])])
    assert set(map(tuple, boxes(detect_faces(frames_at(range(0, 3001, 40)), later, SETTINGS)).values())) == {(LEFT,)}


def test_a_missed_face_stays_known_until_its_track_times_out() -> None:
    def hiding(time_ms: int) -> list[Box]:
        return [] if time_ms > 600 else [LEFT]

    _, oracle = observed(frames_at(range(0, 3001, 40)), hiding)
    assert oracle.looks == [200, 400, 800, 600, *range(1000, 2201, 200)]


def test_frames_are_buffered_for_at_most_one_search_interval() -> None:
    given: list[int] = []

    def feed() -> Iterable[Frame]:
        for frame in frames_at(range(0, 5000, 40)):
            given.append(frame.span.start_ms)
            yield frame

    for observation in detect_faces(feed(), Oracle(lambda time_ms: [LEFT]), SETTINGS):
        assert given[-1] - observation.frame.span.start_ms <= SETTINGS.search_interval_ms
