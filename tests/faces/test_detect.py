from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.faces import detect
from annotate.faces.detect import FaceDetector
from annotate.media.decode import decode
from annotate.media.probe import probe


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


def test_of_too_many_faces_the_surest_are_kept(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    face = picture(face_clip, (320, 240))
    both = np.hstack([face, 126 + (face.astype(int) - 126) // 3]).astype(np.uint8)
    detector = FaceDetector(0.15)
    faces = detector(both)
    assert len(faces) == 2
    monkeypatch.setattr(detect, "MAX_FACES", 1)
    assert detector(both) == (max(faces, key=lambda found: found.score),)
