from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.faces import detect
from annotate.faces.box import Box, overlaps
from annotate.faces.detect import WEAK_OVERLAP, WEAK_SCORE, FaceDetector
from annotate.media.decode import decode
from annotate.media.probe import probe

ONE_LEVEL = 0.65
"""Boxes that differ by one level of the detector's pyramid overlap by (5/6)^2."""


def picture(path: Path, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    return next(decode(probe(path), size_px)).image


def test_the_same_face_at_any_size_of_picture(face_clip: Path) -> None:
    """Boxes are in pixels of the picture given, found on one scaled to the detector's window."""
    detector = FaceDetector(0.15)
    boxes = []
    for factor in (0.5, 1, 2):
        (face,) = detector(picture(face_clip, (round(320 * factor), round(240 * factor))))
        boxes.append(face.box.scaled(1 / factor))
        assert face.score > 0
    for box in boxes:
        assert (box.x, box.y) == pytest.approx((boxes[1].x, boxes[1].y), abs=8)
        assert box.width == pytest.approx(boxes[1].width, rel=0.15)


def test_min_face_decides_what_is_small(face_clip: Path) -> None:
    small = np.full((720, 960), 100, np.uint8)
    small[300:420, 400:560] = picture(face_clip, (160, 120))
    assert FaceDetector(0.5)(small) == ()
    assert len(FaceDetector(0.06)(small)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (40, 900)])
def test_tiny_and_thin_pictures_have_no_faces(shape: tuple[int, int]) -> None:
    assert FaceDetector(0.15)(np.zeros(shape, np.uint8)) == ()


@pytest.mark.parametrize("scale", [0.8, 1, 3])
def test_a_known_face_is_found_again_near_by_as_in_the_whole_picture(face_clip: Path, scale: float) -> None:
    large = np.full((720, 1280), 100, np.uint8)
    face = picture(face_clip, (round(320 * scale), round(240 * scale)))
    large[: face.shape[0], 200 : 200 + face.shape[1]] = face[:720]
    detector = FaceDetector(0.1)
    (whole,) = detector(large)
    moved = Box(whole.box.x + 0.4 * whole.box.width, whole.box.y, whole.box.width, whole.box.height)
    for expected in (whole.box, moved):
        (near,) = detector.near(large, [expected])
        assert overlaps([near.box], [whole.box])[0, 0] > ONE_LEVEL
    assert detector.near(large, [Box(whole.box.x + 3 * whole.box.width, 500, whole.box.width, whole.box.height)]) == ()
    assert detector.near(large, [Box(5000, 5000, 50, 50)]) == ()


def test_two_known_faces_side_by_side_are_found_once_each(face_clip: Path) -> None:
    face = picture(face_clip, (320, 240))
    both = np.hstack([face, face])
    detector = FaceDetector(0.15)
    faces = detector(both)
    assert len(faces) == len(detector.near(both, [found.box for found in faces])) == 2


def test_of_too_many_faces_the_surest_are_kept(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    face = picture(face_clip, (320, 240))
    both = np.hstack([face, 126 + (face.astype(int) - 126) // 3]).astype(np.uint8)
    detector = FaceDetector(0.15)
    faces = detector(both)
    assert len(faces) == 2
    monkeypatch.setattr(detect, "MAX_FACES", 1)
    assert detector(both) == (max(faces, key=lambda found: found.score),)


def test_a_known_face_may_be_weaker_than_one_found_anywhere(face_clip: Path) -> None:
    """Under more and more noise the face is still found where it was, and there only."""
    image = picture(face_clip, (640, 480))
    detector = FaceDetector(0.15)
    (known,) = detector(image)
    noise = np.random.default_rng(0).integers(0, 256, image.shape)
    noisy = ((image * share + noise * (1 - share)).astype(np.uint8) for share in np.arange(1.0, 0.0, -0.02))
    pairs = ((picture, found) for picture in noisy for found in detector.near(picture, [known.box]))
    weakened, weak = next((picture, found) for picture, found in pairs if found.score < 0)
    assert weak.score >= WEAK_SCORE
    assert overlaps([weak.box], [known.box])[0, 0] >= WEAK_OVERLAP
    beside = Box(known.box.x + known.box.width / 2, known.box.y, known.box.width, known.box.height)
    assert all(face.score >= 0 for face in detector.near(weakened, [beside]))
