"""Measure how well a face can be seen: sharpness, brightness and size, and whether its emotion can be relied on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.faces.pose import Pose

GOOD_SHARPNESS, GOOD_SIZE_PX = 0.01, 24
"""Sharpness and size from which more is not better."""

DARK, BRIGHT = 0.1, 0.88
"""Brightness below or above which details are lost."""

MAX_RELIABLE_YAW_DEG, MAX_RELIABLE_PITCH_DEG, MIN_RELIABLE_QUALITY = 35, 25, 0.4
"""Limits of the pose and quality of a face whose emotion can be relied on, from `annotate.training.recipe.reliability`."""

_FULL_RANGE = 255
_INNER = 8
"""Edges of this part of a crop show background, and do not count."""

_CONTRAST_FLOOR = 25.0


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a face looks in a block: its pose, and how well it can be seen.

    ``sharpness`` is the energy of the finest details of the crop over that of all, 0..1; ``brightness`` is the mean of the
    crop, 0 black to 1 white; ``face_px`` is the side of the face's box in pixels of the displayed frame.
    """

    pose: Pose = Pose()
    sharpness: float = 0.0
    brightness: float = 0.0
    face_px: float = 0.0

    @property
    def quality(self) -> float:
        """How well the face can be seen, 0..1: the product of sharpness, light and size, each relative to what is enough."""
        margin = min(self.brightness / DARK, (1 - self.brightness) / (1 - BRIGHT))
        parts = self.sharpness / GOOD_SHARPNESS, margin, self.face_px / GOOD_SIZE_PX
        return float(np.prod([min(1.0, max(0.0, part)) for part in parts]))

    @property
    def is_reliable(self) -> bool:
        """Whether faces of such a pose and quality are recognized about as well as others."""
        pose = self.pose
        is_frontal = abs(pose.yaw_deg) <= MAX_RELIABLE_YAW_DEG and abs(pose.pitch_deg) <= MAX_RELIABLE_PITCH_DEG
        return is_frontal and self.quality >= MIN_RELIABLE_QUALITY


def measure_crops(crops: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the mean sharpness and brightness of crops (n, size, size) uint8 in full range; see `Appearance`."""
    margin = crops.shape[1] // _INNER
    inner = crops[:, margin : crops.shape[1] - margin, margin : crops.shape[2] - margin]
    sharpness = [_sharpness(crop) for crop in inner]
    return float(np.mean(sharpness)), float(inner.mean()) / _FULL_RANGE


def _sharpness(crop: NDArray[np.uint8]) -> float:
    values = crop.astype(np.float32)
    details = values - cv2.GaussianBlur(values, (0, 0), 1)
    return float(details.var() / (values.var() + _CONTRAST_FLOOR))
