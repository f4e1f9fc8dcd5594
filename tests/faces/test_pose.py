from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.faces.align import LANDMARK_NAMES
from annotate.faces.pose import _HEAD_MM, _LANDMARKS, Pose, difference_deg, estimate_pose, mean_pose

OPPOSITE = [name.replace("left", "?").replace("right", "left").replace("?", "right") for name in LANDMARK_NAMES]
MIRRORED = [LANDMARK_NAMES.index(name) for name in OPPOSITE]
"""The landmark that each becomes in a mirrored picture."""

TURNS = st.floats(-60, 60)


def landmarks(yaw_deg: float, pitch_deg: float, roll_deg: float, px_per_mm: float = 1.0) -> NDArray[np.float64]:
    """Return the landmarks of a head that is turned to the viewer's right, then down, then leans clockwise."""
    yaw, pitch, roll = map(math.radians, (yaw_deg, pitch_deg, roll_deg))
    x, y, z = _HEAD_MM.T
    x, z = x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw)
    y = y * math.cos(pitch) + z * math.sin(pitch)
    x, y = x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)
    points = np.zeros((len(LANDMARK_NAMES), 2))
    points[list(_LANDMARKS)] = np.column_stack([x, y]) * px_per_mm + (300, 200)
    return points


def angles(pose: Pose) -> tuple[float, float, float]:
    return pose.yaw_deg, pose.pitch_deg, pose.roll_deg


@given(TURNS, TURNS, st.floats(-179, 179), st.floats(0.1, 10))
def test_angles_of_a_turned_head_are_found(yaw_deg: float, pitch_deg: float, roll_deg: float, px_per_mm: float) -> None:
    found = estimate_pose(landmarks(yaw_deg, pitch_deg, roll_deg, px_per_mm))
    assert angles(found) == pytest.approx((yaw_deg, pitch_deg, roll_deg), abs=1)


def test_signs() -> None:
    """The tip of the nose moves to the right of the eyes' middle, down, and the right end of the eyes' line falls."""
    tip = LANDMARK_NAMES.index("nose_tip")
    front, right, down = (landmarks(*each)[tip] for each in ((0, 0, 0), (30, 0, 0), (0, 30, 0)))
    assert right[0] > front[0] + 10
    assert down[1] > front[1] + 10
    leaning = landmarks(0, 0, 30)
    assert leaning[LANDMARK_NAMES.index("left_eye_outer"), 1] > leaning[LANDMARK_NAMES.index("right_eye_outer"), 1] + 10


@given(TURNS, TURNS, st.floats(-80, 80), st.integers(0, 2**32 - 1))
def test_a_mirrored_face_has_the_negative_yaw_and_roll(yaw_deg: float, pitch_deg: float, roll_deg: float, seed: int) -> None:
    """Also of faces that are not quite those of the model."""
    points = landmarks(yaw_deg, pitch_deg, roll_deg) + np.random.default_rng(seed).normal(0, 2, (len(LANDMARK_NAMES), 2))
    mirrored = (points * (-1, 1))[MIRRORED]
    found = estimate_pose(points)
    assert angles(estimate_pose(mirrored)) == pytest.approx((-found.yaw_deg, found.pitch_deg, -found.roll_deg), abs=1e-6)


@given(TURNS, TURNS, st.floats(-80, 80), st.integers(0, 2**32 - 1))
def test_small_errors_of_landmarks_are_small_errors_of_angles(
    yaw_deg: float, pitch_deg: float, roll_deg: float, seed: int
) -> None:
    """Landmarks are wrong by half a millimetre, a hundredth of the distance of the eyes."""
    errors = np.random.default_rng(seed).normal(0, 0.5, (len(LANDMARK_NAMES), 2))
    found = estimate_pose(landmarks(yaw_deg, pitch_deg, roll_deg) + errors)
    assert angles(found) == pytest.approx((yaw_deg, pitch_deg, roll_deg), abs=8)


def test_the_points_of_the_model_are_symmetric() -> None:
    names = [LANDMARK_NAMES[number] for number in _LANDMARKS]
    mirrored = [names.index(OPPOSITE[LANDMARK_NAMES.index(name)]) for name in names]
    assert np.array_equal(_HEAD_MM[mirrored] * (-1, 1, 1), _HEAD_MM)


@given(st.floats(-720, 720), st.floats(-720, 720))
def test_differences_of_angles_are_at_most_half_a_turn(angle_deg: float, other_deg: float) -> None:
    difference = difference_deg(angle_deg, other_deg)
    assert -180 <= difference <= 180
    assert math.cos(math.radians(difference)) == pytest.approx(math.cos(math.radians(angle_deg - other_deg)), abs=1e-9)


def test_the_mean_of_poses() -> None:
    assert angles(mean_pose([Pose(10, -4, 30), Pose(20, 8, 50)])) == pytest.approx((15, 2, 40))
    assert angles(mean_pose([Pose(3, 2, 1)])) == pytest.approx((3, 2, 1))
    assert abs(mean_pose([Pose(roll_deg=roll_deg) for roll_deg in (179, -179)]).roll_deg) == pytest.approx(180)
