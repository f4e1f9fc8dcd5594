from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.faces.box import Box, overlaps
from annotate.faces.detect import Detection
from annotate.faces.search import SAME_FACE_OVERLAP, Observation, observe
from annotate.media.decode import Frame
from annotate.settings import Settings
from annotate.span import Span

SETTINGS = Settings(detection_interval_ms=200, search_interval_ms=1000)

HERE, THERE = Box(10, 10, 20, 20), Box(60, 10, 20, 20)
Truth = Callable[[int], Sequence[Box]]


def frames_at(times_ms: Iterable[int], shot_length_ms: int = 10**9) -> list[Frame]:
    """Frames at those times; each shot has a picture of its own, and each picture holds its time in its corner."""
    stamps = [*times_ms]
    random = np.random.default_rng(0)
    shots = [random.integers(16, 235, (60, 100)).astype(np.uint8) for _ in range(stamps[-1] // shot_length_ms + 1)]
    frames = []
    for index, (start, end) in enumerate(zip(stamps, [*stamps[1:], stamps[-1] + 40], strict=True)):
        image = shots[start // shot_length_ms].copy()
        image[0, :2] = divmod(start // 10, 256)
        frames.append(Frame(index, index, Span(start, end), image))
    return frames


class Oracle:
    """Finds the faces of a given truth, and notes when the whole image and when surroundings are searched."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self.searched: list[int] = []
        self.near_passes: list[int] = []

    def __call__(self, image: NDArray[np.uint8]) -> tuple[Detection, ...]:
        self.searched.append(self._time_ms(image))
        return self._faces(image)

    def near(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> tuple[Detection, ...]:
        assert boxes
        self.near_passes.append(self._time_ms(image))
        return tuple(face for face in self._faces(image) if overlaps([face.box], list(boxes)).max() >= SAME_FACE_OVERLAP / 2)

    def _faces(self, image: NDArray[np.uint8]) -> tuple[Detection, ...]:
        return tuple(Detection(box, 1.0) for box in self._truth(self._time_ms(image)))

    def _time_ms(self, image: NDArray[np.uint8]) -> int:
        return (int(image[0, 0]) * 256 + int(image[0, 1])) * 10


def observed(frames: Sequence[Frame], truth: Truth) -> tuple[list[Observation], Oracle]:
    """Return the observations of frames in which a truth is shown."""
    oracle = Oracle(truth)
    observations = list(observe(frames, oracle, SETTINGS))
    assert [observation.frame.index for observation in observations] == [frame.index for frame in frames]
    return observations, oracle


def boxes(observations: Iterable[Observation]) -> dict[int, list[Box]]:
    """Return the boxes by time, of the frames with a detection pass."""
    return {
        observation.frame.span.start_ms: [face.box for face in observation.faces]
        for observation in observations
        if observation.faces is not None
    }


@pytest.mark.parametrize(
    ("times", "moments"),
    [
        (range(0, 1001, 40), [0, 200, 400, 600, 800, 1000]),
        (range(0, 1000, 30), [0, 210, 420, 600, 810, 990]),
        (range(0, 1500, 250), [0, 250, 500, 750, 1000, 1250]),
    ],
)
def test_moments_lie_on_a_grid_of_time(times: range, moments: list[int]) -> None:
    observations, _ = observed(frames_at(times), lambda time_ms: [HERE])
    assert list(boxes(observations)) == moments


def test_the_whole_picture_is_searched_once_a_second_and_at_both_ends() -> None:
    observations, oracle = observed(frames_at(range(0, 2500, 40)), lambda time_ms: [HERE])
    assert oracle.searched == [0, 1000, 2000, 2480]
    assert oracle.near_passes == [200, 400, 600, 800, 1200, 1400, 1600, 1800, 2200, 2400]
    assert set(map(tuple, boxes(observations).values())) == {(HERE,)}


def test_where_no_face_is_known_nothing_is_searched_but_the_moment_counts() -> None:
    observations, oracle = observed(frames_at(range(0, 1001, 40)), lambda time_ms: [])
    assert oracle.near_passes == []
    assert boxes(observations) == {moment: [] for moment in range(0, 1001, 200)}


def test_a_face_is_followed_back_to_where_it_appeared() -> None:
    observations, _ = observed(frames_at(range(0, 2001, 40)), lambda time_ms: [HERE, *([THERE] if time_ms >= 500 else [])])
    found = boxes(observations)
    assert [moment for moment, here in found.items() if THERE in here] == list(range(600, 2001, 200))
    assert all(HERE in here for here in found.values())
    assert all(here == sorted(here, key=lambda box: box.x) for here in found.values())


def test_a_face_that_moves_is_followed_both_ways() -> None:
    def moving(time_ms: int) -> list[Box]:
        return [Box(10 + time_ms / 50, 10, 20, 20)] if 300 <= time_ms < 1700 else []

    observations, _ = observed(frames_at(range(0, 2001, 40)), moving)
    assert boxes(observations) == {moment: moving(moment) for moment in range(0, 2001, 200)}


def test_a_face_that_hides_is_found_in_its_place_again() -> None:
    def hiding(time_ms: int) -> list[Box]:
        return [] if 300 <= time_ms < 500 else [HERE]

    observations, _ = observed(frames_at(range(0, 1001, 40)), hiding)
    assert boxes(observations) == {moment: hiding(moment) for moment in range(0, 1001, 200)}


def test_both_ends_of_every_shot_are_searched() -> None:
    observations, oracle = observed(frames_at(range(0, 600, 40), 280), lambda time_ms: [HERE] if time_ms < 280 else [THERE])
    assert [observation.frame.span.start_ms for observation in observations if observation.begins_shot] == [0, 280, 560]
    assert oracle.searched == [0, 240, 280, 520, 560]
    assert list(boxes(observations)) == [0, 200, 240, 280, 400, 520, 560]


def test_what_is_found_in_a_shot_does_not_depend_on_what_was_before() -> None:
    def truth(time_ms: int) -> list[Box]:
        return [Box(10 + time_ms / 100, 10, 20, 20), *([THERE] if time_ms % 700 < 350 else [])]

    whole = frames_at(range(0, 4000, 40), 2000)
    part = [replace(frame) for frame in whole if frame.span.start_ms >= 2000]
    found = boxes(observed(whole, truth)[0])
    assert boxes(observed(part, truth)[0]) == {moment: here for moment, here in found.items() if moment >= 2000}


def test_a_weak_face_is_kept_where_one_is_known_and_not_found_elsewhere() -> None:
    """The oracle finds THERE only near by, as the detector does with a face below its threshold."""

    class Weak(Oracle):
        def __call__(self, image: NDArray[np.uint8]) -> tuple[Detection, ...]:
            return tuple(face for face in super().__call__(image) if self._time_ms(image) < 200 or face.box != THERE)

    weak = Weak(lambda time_ms: [HERE, THERE])
    found = boxes(observe(frames_at(range(0, 3001, 40)), weak, SETTINGS))
    assert found == {moment: [HERE, THERE] for moment in range(0, 3001, 200)}
    later = Weak(lambda time_ms: [HERE, *([THERE] if time_ms >= 400 else [])])
    assert set(map(tuple, boxes(observe(frames_at(range(0, 3001, 40)), later, SETTINGS)).values())) == {(HERE,)}


def test_a_lost_face_is_looked_for_over_a_search_and_no_longer_than_its_track_lasts() -> None:
    def hiding(time_ms: int) -> list[Box]:
        return [] if time_ms > 600 else [HERE]

    _, oracle = observed(frames_at(range(0, 3001, 40)), hiding)
    assert oracle.near_passes == [200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800]


def test_frames_are_held_for_a_second_only() -> None:
    given: list[int] = []

    def feed() -> Iterable[Frame]:
        for frame in frames_at(range(0, 5000, 40)):
            given.append(frame.span.start_ms)
            yield frame

    for observation in observe(feed(), Oracle(lambda time_ms: [HERE]), SETTINGS):
        assert given[-1] - observation.frame.span.start_ms <= SETTINGS.search_interval_ms
