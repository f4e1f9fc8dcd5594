"""Turn the head of a frontal photograph, with its landmarks.

The photograph is laid on a coarse model of a head, an ellipsoid with a nose, whose measures are averages of adults in
millimetres; the model is turned and seen from far away. Good to about 50 degrees, where hidden skin comes into view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

HALF_WIDTH_MM, HALF_HEIGHT_MM, DEPTH_MM = 78.0, 115.0, 85.0
"""Semiaxes of the ellipsoid."""

EYE_DISTANCE_MM = 63.0
NOSE_MM = 22.0
"""How far the tip of the nose stands out of the ellipsoid."""

_EDGE = 0.97
_DETAIL = 3
_HOLE_PX = 5


@dataclass(frozen=True)
class Anatomy:
    """Where the parts of a face are in a photograph, in pixels: x, y of the center, and heights of eyes and nose."""

    center: tuple[float, float]
    eyes_y: float
    nose_y: float
    px_per_mm: float

    def depth_mm(self, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the depth of the head's surface at points relative to the center, towards the viewer."""
        radius = (x_mm / HALF_WIDTH_MM) ** 2 + (y_mm / HALF_HEIGHT_MM) ** 2
        depth = DEPTH_MM * np.sqrt(np.clip(1 - radius, 0, 1))
        eyes_mm, tip_mm = ((y - self.center[1]) / self.px_per_mm for y in (self.eyes_y, self.nose_y))
        down = np.clip((y_mm - eyes_mm + 5) / (tip_mm - eyes_mm + 5), 0, 1)
        ridge = np.where(y_mm <= tip_mm, down, np.clip(1 - (y_mm - tip_mm) / 14, 0, 1))
        result: NDArray[np.float64] = depth + NOSE_MM * ridge * np.exp(-((x_mm / (9 + 5 * ridge)) ** 2))
        return result


def render_head(
    image: NDArray[np.uint8], landmarks: NDArray[np.float64], anatomy: Anatomy, yaw_deg: float, pitch_deg: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float64]]:
    """Return the picture (height, width) of a turned head, where the head is in it, and its landmarks (n, 2).

    Positive yaw turns the face to the viewer's right, positive pitch downwards.
    """
    height, width = image.shape
    rows, columns = np.mgrid[0 : height * _DETAIL, 0 : width * _DETAIL] / _DETAIL
    points = np.column_stack([columns.ravel(), rows.ravel()])
    offsets = (points - anatomy.center) / anatomy.px_per_mm
    inside = (offsets[:, 0] / HALF_WIDTH_MM) ** 2 + (offsets[:, 1] / HALF_HEIGHT_MM) ** 2 < _EDGE
    placed, depth = _turn(offsets[inside], anatomy, yaw_deg, pitch_deg)
    pixels = np.rint(placed).astype(int)
    visible = (pixels >= 0).all(1) & (pixels < (width, height)).all(1)
    order = np.argsort(depth[visible], kind="stable")
    x, y = pixels[visible][order].T
    detailed = cv2.resize(image, (width * _DETAIL, height * _DETAIL)).ravel()[inside][visible][order]
    turned, covered = np.zeros_like(image), np.zeros_like(image)
    turned[y, x], covered[y, x] = detailed, 1
    head = np.asarray(cv2.morphologyEx(covered, cv2.MORPH_CLOSE, np.ones((_HOLE_PX, _HOLE_PX), np.uint8)), np.uint8)
    filled = np.asarray(cv2.inpaint(turned, head - covered, 2, cv2.INPAINT_TELEA), np.uint8)
    placed_landmarks, _ = _turn((landmarks - anatomy.center) / anatomy.px_per_mm, anatomy, yaw_deg, pitch_deg)
    return filled, head > 0, placed_landmarks


def _turn(
    offsets: NDArray[np.float64], anatomy: Anatomy, yaw_deg: float, pitch_deg: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pixels (n, 2) and depths (n,) of points of the head, given relative to its center in millimetres."""
    x, y = offsets.T
    z = anatomy.depth_mm(x, y)
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    x, z = x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw)
    y, z = y * math.cos(pitch) + z * math.sin(pitch), z * math.cos(pitch) - y * math.sin(pitch)
    return np.column_stack([x, y]) * anatomy.px_per_mm + anatomy.center, z
