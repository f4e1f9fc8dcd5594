from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from annotate.faces.align import Aligner
from annotate.faces.box import Box
from annotate.faces.pose import estimate_pose
from annotate.training.head_render import HALF_WIDTH_MM, Anatomy, render_head
from tests.faces.frames import sample_frames

ANATOMY = Anatomy((110.0, 125.0), 60.0, 103.0, 1.25)
"""The parts of the face in the middle of portrait.mp4's first frame."""


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """A gray picture, 220x240, of a face that looks into the camera, and its landmarks."""
    (frame,) = sample_frames("portrait.mp4", count=1)
    image = np.ascontiguousarray(frame.image[100:340, 204:424])
    landmarks = Aligner()(image, Box(27, 11, 167, 167), 0).landmarks
    assert landmarks is not None
    return image, landmarks


def test_a_head_that_is_not_turned_stays_as_it_is(face: tuple[np.ndarray, np.ndarray]) -> None:
    image, landmarks = face
    rendered, head, placed = render_head(image, landmarks, ANATOMY, 0, 0)
    assert placed == pytest.approx(landmarks)
    inner = cv2.erode(head.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert inner.mean() > 0.5
    errors = np.abs(rendered.astype(int) - image)[inner]
    assert errors.mean() < 3


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(30, 0), (-45, 10), (0, -20)])
def test_the_mirrored_picture_turned_the_other_way_is_mirrored(
    face: tuple[np.ndarray, np.ndarray], yaw_deg: float, pitch_deg: float
) -> None:
    image, landmarks = face
    last = image.shape[1] - 1
    mirrored = replace(ANATOMY, center=(last - ANATOMY.center[0], ANATOMY.center[1]))
    flipped = np.column_stack([last - landmarks[:, 0], landmarks[:, 1]])
    rendered, head, placed = render_head(image, landmarks, ANATOMY, yaw_deg, pitch_deg)
    other, other_head, other_placed = render_head(
        np.ascontiguousarray(image[:, ::-1]), flipped, mirrored, -yaw_deg, pitch_deg
    )
    assert np.column_stack([last - other_placed[:, 0], other_placed[:, 1]]) == pytest.approx(placed)
    both = head & other_head[:, ::-1]
    assert both.sum() > 0.95 * head.sum()
    assert np.abs(rendered.astype(int) - other[:, ::-1])[both].mean() < 8


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(25, 0), (-25, 0), (0, 20), (0, -20), (30, 10)])
def test_the_rendered_head_is_turned_by_the_angles(
    face: tuple[np.ndarray, np.ndarray], yaw_deg: float, pitch_deg: float
) -> None:
    """The pose of its landmarks changes by them."""
    image, landmarks = face
    before, after = (
        estimate_pose(render_head(image, landmarks, ANATOMY, *angles)[2]) for angles in ((0, 0), (yaw_deg, pitch_deg))
    )
    assert after.yaw_deg - before.yaw_deg == pytest.approx(yaw_deg, abs=10)
    assert after.pitch_deg - before.pitch_deg == pytest.approx(pitch_deg, abs=10)


def test_the_nose_stands_out_and_the_head_ends_at_its_width() -> None:
    x = np.array([0.0, 0.0, 30.0, HALF_WIDTH_MM])
    y = np.array([(ANATOMY.nose_y - ANATOMY.center[1]) / ANATOMY.px_per_mm, 40.0, 0.0, 0.0])
    tip, chin, cheek, side = ANATOMY.depth_mm(x, y).tolist()
    assert tip > chin + 15
    assert tip > cheek + 15
    assert side == pytest.approx(0, abs=1e-6)
