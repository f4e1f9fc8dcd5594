from __future__ import annotations

from pathlib import Path
from typing import Any

import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.faces import hog
from annotate.faces.box import Box, pairwise_iou
from annotate.faces.detection import Detection
from annotate.faces.hog import MAX_SIDE_PX, MIN_WEAK_IOU, MIN_WEAK_SCORE, HogDetector
from annotate.media.decode import Frame, decode
from annotate.media.probe import probe
from annotate.span import Span

ONE_LEVEL = 0.65
"""Boxes that differ by one level of the detector's pyramid overlap by (5/6)^2."""


def first_image(path: Path, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    return next(decode(probe(path), size_px)).image


@pytest.fixture(scope="module")
def loaded() -> Any:
    """dlib's detector, which takes a third of a second to load."""
    return dlib.get_frontal_face_detector()


def frame(image: NDArray[np.uint8]) -> Frame:
    return Frame(0, 0, Span(0, 40), image)


def at(box: Box) -> Detection:
    return Detection(box, 1.0)


def test_boxes_are_in_pixels_of_the_given_image(face_clip: Path, loaded: Any) -> None:
    """Images of other sizes are scaled for the detector."""
    detector = HogDetector(0.15, loaded)
    boxes = []
    for factor in (0.5, 1, 2):
        (detection,) = detector.search(frame(first_image(face_clip, (round(320 * factor), round(240 * factor)))))
        boxes.append(detection.box.scaled(1 / factor))
        assert detection.score > 0
    for box in boxes:
        assert (box.x, box.y) == pytest.approx((boxes[1].x, boxes[1].y), abs=8)
        assert box.width == pytest.approx(boxes[1].width, rel=0.15)


def test_min_face_sets_the_smallest_face(face_clip: Path, loaded: Any) -> None:
    small = np.full((720, 960), 100, np.uint8)
    small[300:420, 400:560] = first_image(face_clip, (160, 120))
    assert HogDetector(0.5, loaded).search(frame(small)) == ()
    assert len(HogDetector(0.06, loaded).search(frame(small))) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (40, 900)])
def test_tiny_and_narrow_images_have_no_faces(shape: tuple[int, int], loaded: Any) -> None:
    assert HogDetector(0.15, loaded).search(frame(np.zeros(shape, np.uint8))) == ()


@pytest.mark.parametrize("shape", [(180, 65_535), (65_535, 180), (20_000, 600)])
def test_the_long_side_of_a_searched_image_is_bounded(shape: tuple[int, int]) -> None:
    """dlib's detector corrupts memory on images some 90,000 pixels wide."""

    class Recorder:
        def run(self, image: NDArray[np.uint8], upsample: int, threshold: float) -> tuple[list[object], ...]:
            searched.append(image.shape)
            return [], [], []

    searched: list[tuple[int, ...]] = []
    assert HogDetector(0.15, Recorder()).search(frame(np.zeros(shape, np.uint8))) == ()
    assert max(searched[0]) == MAX_SIDE_PX


@pytest.mark.parametrize("scale", [0.8, 1, 3])
def test_searching_near_a_known_face_finds_it_as_searching_the_whole_image(
    face_clip: Path, scale: float, loaded: Any
) -> None:
    large = np.full((720, 1280), 100, np.uint8)
    image = first_image(face_clip, (round(320 * scale), round(240 * scale)))
    large[: image.shape[0], 200 : 200 + image.shape[1]] = image[:720]
    detector = HogDetector(0.1, loaded)
    (whole,) = detector.search(frame(large))
    moved = Box(whole.box.x + 0.4 * whole.box.width, whole.box.y, whole.box.width, whole.box.height)
    for known in (whole.box, moved):
        (near,) = detector.look_near(frame(large), [at(known)])
        assert pairwise_iou([near.box], [whole.box])[0, 0] > ONE_LEVEL
    elsewhere = Box(whole.box.x + 3 * whole.box.width, 500, whole.box.width, whole.box.height)
    assert detector.look_near(frame(large), [at(elsewhere)]) == ()
    assert detector.look_near(frame(large), [at(Box(5000, 5000, 50, 50))]) == ()
    assert detector.look(frame(large), []) == ()
    assert detector.look(frame(large), [whole]) == detector.look_near(frame(large), [whole])


def test_two_adjacent_known_faces_are_found_once_each(face_clip: Path, loaded: Any) -> None:
    image = first_image(face_clip, (320, 240))
    both = np.hstack([image, image])
    detector = HogDetector(0.15, loaded)
    detections = detector.search(frame(both))
    assert len(detections) == len(detector.look_near(frame(both), detections)) == 2


def test_of_too_many_detections_those_of_the_highest_scores_are_kept(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch, loaded: Any
) -> None:
    image = first_image(face_clip, (320, 240))
    both = np.hstack([image, 126 + (image.astype(int) - 126) // 3]).astype(np.uint8)
    detector = HogDetector(0.15, loaded)
    detections = detector.search(frame(both))
    assert len(detections) == 2
    monkeypatch.setattr(hog, "MAX_FACES", 1)
    assert detector.search(frame(both)) == (max(detections, key=lambda detection: detection.score),)


def test_a_weak_detection_counts_only_at_a_known_face(face_clip: Path, loaded: Any) -> None:
    """As noise grows, the score falls below 0: the face is still found where it was, and only there."""
    image = first_image(face_clip, (640, 480))
    detector = HogDetector(0.15, loaded)
    (known,) = detector.search(frame(image))
    noise = np.random.default_rng(0).integers(0, 256, image.shape)
    noisy = ((image * share + noise * (1 - share)).astype(np.uint8) for share in np.arange(1.0, 0.0, -0.02))
    pairs = ((each, detection) for each in noisy for detection in detector.look_near(frame(each), [known]))
    weakened, weak = next((each, detection) for each, detection in pairs if detection.score < 0)
    assert weak.score >= MIN_WEAK_SCORE
    assert pairwise_iou([weak.box], [known.box])[0, 0] >= MIN_WEAK_IOU
    beside = Box(known.box.x + known.box.width / 2, known.box.y, known.box.width, known.box.height)
    assert all(detection.score >= 0 for detection in detector.look_near(frame(weakened), [at(beside)]))
