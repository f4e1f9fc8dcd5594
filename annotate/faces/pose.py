"""Estimate how a head is turned, from the landmarks of its face.

A head of average measures is turned, scaled and seen from far away so that its landmarks come closest to those found
(weak perspective; DeMenthon & Davis, "Model-based object pose in 25 lines of code", IJCV 1995).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pose:
    """How a head is turned, in degrees; all are 0 if it faces the camera upright.

    ``yaw_deg`` is positive if the face looks to the viewer's right, ``pitch_deg`` if it looks down, ``roll_deg`` if the head
    leans clockwise as the viewer sees it.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0

    def interpolate(self, other: Pose, fraction: float) -> Pose:
        """Return the pose between this one (``fraction`` 0) and ``other`` (1); the head leans over the shorter way.

        >>> Pose(0, 0, 170).interpolate(Pose(8, 4, -170), 0.75)
        Pose(yaw_deg=6.0, pitch_deg=3.0, roll_deg=-175.0)
        """
        roll_deg = self.roll_deg + difference_deg(other.roll_deg, self.roll_deg) * fraction
        return Pose(
            self.yaw_deg + (other.yaw_deg - self.yaw_deg) * fraction,
            self.pitch_deg + (other.pitch_deg - self.pitch_deg) * fraction,
            difference_deg(roll_deg, 0),
        )


def difference_deg(angle_deg: float, other_deg: float) -> float:
    """Return how far ``angle_deg`` lies clockwise of ``other_deg``, at least -180 and less than 180.

    >>> difference_deg(-170, 170)
    20
    """
    return (angle_deg - other_deg + 180) % 360 - 180


def mean_pose(poses: Sequence[Pose]) -> Pose:
    """Return the mean of at least one pose; the mean roll is the direction of the mean of unit vectors.

    >>> round(mean_pose([Pose(roll_deg=170), Pose(roll_deg=-160)]).roll_deg)
    -175
    """
    yaw_deg, pitch_deg, _ = np.mean([(pose.yaw_deg, pose.pitch_deg, 0) for pose in poses], 0).tolist()
    rolls = np.radians([pose.roll_deg for pose in poses])
    return Pose(yaw_deg, pitch_deg, math.degrees(math.atan2(np.sin(rolls).sum(), np.cos(rolls).sum())))


_HEAD_MM = np.array(
    [
        *((-46, -1, -9), (-17, 1, 9), (17, 1, 9), (46, -1, -9)),
        *((0, -1, 14), (0, 32, 42), (-18, 37, 20), (18, 37, 20)),
        *((-25, 67, 17), (25, 67, 17)),
    ],
    np.float64,
)
"""Corners of the eyes, root, tip and wings of the nose and corners of the mouth: x to the right, y down, z to the viewer.

They are means of neutral faces, on the head of `annotate.training.head_render`.
"""

_TO_ROWS = np.linalg.pinv(_HEAD_MM - _HEAD_MM.mean(0))
"""Times points, least squares: the transposed first two rows of the scaled rotation that turns the head."""

_LANDMARKS = (6, 7, 8, 9, 10, 11, 12, 13, 14, 16)
"""The same points among `annotate.faces.align.LANDMARK_NAMES`."""


def estimate_pose(landmarks: NDArray[np.float64]) -> Pose:
    """Return the pose of a head from its landmarks (n, 2) in pixels."""
    left, _, right = np.linalg.svd((_TO_ROWS @ landmarks[list(_LANDMARKS)]).T, full_matrices=False)
    across, down = left @ right
    forward = np.cross(across, down)
    yaw, pitch = math.atan2(-forward[0], forward[2]), math.asin(np.clip(-forward[1], -1, 1))
    return Pose(math.degrees(yaw), math.degrees(pitch), math.degrees(math.atan2(-across[1], down[1])))
