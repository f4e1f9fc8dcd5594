from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.faces.box import Box
from annotate.faces.detection import Detection, left_to_right
from annotate.faces.pose import Pose, difference_deg

FIRST, LAST = Detection(Box(0, 0, 10, 10), 1.0, Pose(0, 10, 170)), Detection(Box(8, 4, 20, 20), 0.5, Pose(40, -10, -150))
ANGLES = st.floats(-180, 179)


def test_the_head_leans_over_the_shorter_way() -> None:
    middle = FIRST.interpolate(LAST, 0.5)
    assert (middle.box, middle.score) == (Box(4, 2, 15, 15), 0.75)
    assert (middle.pose.yaw_deg, middle.pose.pitch_deg, middle.pose.roll_deg) == pytest.approx((20, 0, -170))
    back = LAST.interpolate(FIRST, 0.25)
    assert back.pose.roll_deg == pytest.approx(-160)


@given(ANGLES, ANGLES, st.floats(0, 1))
def test_roll_between_two_detections(first_deg: float, last_deg: float, fraction: float) -> None:
    first, last = (Detection(Box(0, 0, 1, 1), 1.0, Pose(roll_deg=roll_deg)) for roll_deg in (first_deg, last_deg))
    roll_deg = first.interpolate(last, fraction).pose.roll_deg
    assert -180 <= roll_deg < 180
    turn_deg = difference_deg(last_deg, first_deg)
    assert abs(difference_deg(roll_deg, first_deg + turn_deg * fraction)) < 1e-6


def test_a_shifted_detection_keeps_its_score_and_pose() -> None:
    assert LAST.shifted(-8, 6) == Detection(Box(0, 10, 20, 20), LAST.score, LAST.pose)


def test_detections_are_ordered_from_left_to_right_and_then_from_the_top() -> None:
    detections = [Detection(Box(*place, 5, 5), 1.0) for place in ((30, 0), (2, 9), (2, 1))]
    assert [(each.box.x, each.box.y) for each in left_to_right(detections)] == [(2, 1), (2, 9), (30, 0)]
