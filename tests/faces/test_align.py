from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import dlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.faces.align import LANDMARK_NAMES, MAX_GROWTH, VIEW_PX, Aligner, frame_face
from annotate.faces.box import Box
from annotate.faces.hog import HogDetector
from annotate.faces.pose import Pose, difference_deg
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame
from tests.faces.frames import SIDE_PX, sample_frames, turned

PLACES = {
    "right_eye_outer": (263, 155),
    "right_eye_inner": (293, 161),
    "left_eye_inner": (337, 164),
    "left_eye_outer": (375, 160),
    "nose_tip": (314, 203),
    "mouth_right": (281, 224),
    "mouth_left": (353, 226),
    "chin": (312, 290),
}
"""Landmarks of the first frame of portrait.mp4, read off the picture; brows are found less well, and are not used."""

FACE, FACE_PX = (314.0, 194.0), 167.0
"""Center and side of the face's box in this frame."""

UPRIGHT = np.array(
    [
        *((-64, -54), (-40, -62), (-15, -52), (15, -52), (40, -62), (64, -54)),
        *((-52, -40), (-20, -34), (20, -34), (52, -40)),
        *((0, -30), (0, 9), (-18, 12), (18, 12)),
        *((-36, 32), (0, 30), (36, 32), (0, 50), (0, 95)),
    ],
    np.float64,
)
"""Landmarks of a symmetric face."""


@pytest.fixture(scope="module")
def align() -> Aligner:
    return Aligner()


def square(x: float, y: float, side: float) -> Box:
    """Return a square box around a point."""
    return Box(x - side / 2, y - side / 2, side, side)


def center(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def test_landmarks_of_a_frontal_face(align: Aligner, portrait: Frame) -> None:
    face = align(portrait.image, square(*FACE, FACE_PX), 0)
    assert face.landmarks is not None
    for name, place in PLACES.items():
        assert face.landmarks[LANDMARK_NAMES.index(name)] == pytest.approx(place, abs=9), name


def test_frames_are_on_average_those_of_dlibs_detector(yunet: YuNetDetector) -> None:
    """The model was trained on crops of its boxes."""
    hog = HogDetector(0.2)
    rows = []
    for name in ("portrait.mp4", "two_faces.mp4", "cut.mp4"):
        for frame in sample_frames(name, every=20):
            found = yunet.search(frame)
            for expected in (detection.box for detection in hog.search(frame)):
                x, y = center(expected)
                for box in (detection.box for detection in found):
                    right, down = center(box)[0] - x, center(box)[1] - y
                    if math.hypot(right, down) < expected.width / 2:
                        rows.append((box.width / expected.width - 1, right / expected.width, down / expected.width))
    assert len(rows) > 30
    side, right, down = np.mean(rows, 0)
    assert abs(side) < 0.06
    assert abs(right) < 0.04
    assert abs(down) < 0.04


@pytest.mark.parametrize(("shift", "growth", "roll_deg"), [(0.03, 1.05, 5), (0.05, 1.08, 10)])
def test_the_frame_depends_little_on_the_given_box(
    align: Aligner, portrait: Frame, shift: float, growth: float, roll_deg: float
) -> None:
    found = []
    for right, down, larger, leans in itertools.product((-1, 0, 1), repeat=4):
        side = FACE_PX * growth**larger
        rough = square(FACE[0] + right * shift * FACE_PX, FACE[1] + down * shift * FACE_PX, side)
        face = align(portrait.image, rough, leans * roll_deg)
        found.append((*center(face.box), face.box.width, face.pose.roll_deg))
    x, y, side, roll = np.std(found, 0).tolist()
    assert max(x, y, side) < 0.05 * FACE_PX
    assert roll < 3


def test_a_leaning_face_is_framed_as_an_upright_one(align: Aligner, portrait: Frame) -> None:
    upright, leaning = (
        align(turned(portrait, FACE, roll_deg).image, square(SIDE_PX / 2, SIDE_PX / 2, FACE_PX), roll_deg)
        for roll_deg in (0, 140)
    )
    assert difference_deg(leaning.pose.roll_deg, upright.pose.roll_deg) == pytest.approx(140, abs=4)
    assert leaning.box.width == pytest.approx(upright.box.width, rel=0.05)
    assert (leaning.pose.yaw_deg, leaning.pose.pitch_deg) == pytest.approx(
        (upright.pose.yaw_deg, upright.pose.pitch_deg), abs=8
    )


def test_landmarks_elsewhere_are_not_believed(portrait: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    """The given box is kept, and has no landmarks."""
    align, box = Aligner(), square(*FACE, FACE_PX)
    for shift_px, is_believed in ((2, True), (40, False)):
        points = [dlib.point(round(x) + shift_px, round(y)) for x, y in (UPRIGHT * 0.35 + VIEW_PX / 2).tolist()]
        monkeypatch.setattr(align, "_predictors", [lambda view, face: SimpleNamespace(parts=lambda: points)])  # noqa: B023
        face = align(portrait.image, box, 10)
        assert (face.landmarks is not None) is is_believed
        if not is_believed:
            assert (face.box, face.pose) == (box, Pose(roll_deg=10))


@pytest.mark.parametrize("given_side", [130, 190])
def test_the_side_is_that_of_the_given_box_within_limits(align: Aligner, portrait: Frame, given_side: float) -> None:
    face = align(portrait.image, square(*FACE, given_side), 0)
    assert face.landmarks is not None
    assert given_side / MAX_GROWTH - 1e-6 <= face.box.width <= given_side * MAX_GROWTH + 1e-6


@given(st.floats(-179, 179), st.floats(0.2, 5), st.floats(-500, 500), st.floats(-500, 500))
def test_the_frame_turns_scales_and_moves_with_the_landmarks(roll_deg: float, scale: float, x: float, y: float) -> None:
    points = np.random.default_rng(0).normal(0, 5, (len(LANDMARK_NAMES), 2)) + UPRIGHT
    roll = math.radians(roll_deg)
    turn = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    before, after = frame_face(points), frame_face(points @ turn * scale + (x, y))
    moved = np.array(center(before.box)) @ turn * scale + (x, y)
    assert center(after.box) == pytest.approx(moved.tolist(), abs=1e-6)
    assert after.box.width == pytest.approx(before.box.width * scale)
    assert difference_deg(after.pose.roll_deg, before.pose.roll_deg + roll_deg) == pytest.approx(0, abs=1e-6)
    assert (after.pose.yaw_deg, after.pose.pitch_deg) == pytest.approx((before.pose.yaw_deg, before.pose.pitch_deg))


def test_landmarks_are_ordered_from_the_viewers_left_to_right() -> None:
    """An upright face: its own right is the viewer's left."""
    face = frame_face(UPRIGHT)
    assert face.pose.roll_deg == pytest.approx(0)
    assert center(face.box)[0] == pytest.approx(UPRIGHT[:, 0].mean(), abs=1)
