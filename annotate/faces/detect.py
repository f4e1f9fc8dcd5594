"""dlib's frontal face detector on pictures scaled so that the smallest face wanted just fills its window.

The detector is a linear classifier over histograms of oriented gradients in a sliding window (Dalal & Triggs, CVPR
2005; King, "Max-Margin Object Detection", 2015). It finds frontal faces within about 30 degrees.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box

WINDOW_PX = 80
"""Side of the smallest face the detector can find."""

MAX_FACES = 200
"""Of more detections in one picture the surest are kept: noise must not take all memory."""

_MIN_PICTURE_PX = 32


@dataclass(frozen=True, slots=True)
class Face:
    """A detection: its box in pixels of the picture looked at, and the detector's score (0 is its threshold)."""

    box: Box
    score: float


def looking_short_side_px(min_face: float) -> int:
    """Shorter side of the picture on which a face of ``min_face`` of it is as large as the detector's window.

    >>> looking_short_side_px(0.15)
    534
    """
    return math.ceil(WINDOW_PX / min_face)


@functools.cache
def _load_detector() -> Any:
    """Loaded once a process: unpacking it takes half a second."""
    return dlib.get_frontal_face_detector()


class FaceDetector:
    """Finds faces of at least ``min_face`` of the picture's shorter side."""

    def __init__(self, min_face: float) -> None:
        self._short_side_px = looking_short_side_px(min_face)
        self._detector = _load_detector()

    def __call__(self, image: NDArray[np.uint8]) -> tuple[Face, ...]:
        """Faces in a gray picture (height, width) uint8, from left to right."""
        height, width = image.shape
        if min(height, width) < 2:
            return ()
        factor = self._short_side_px / min(height, width)
        rows, columns = (max(_MIN_PICTURE_PX, round(side * factor)) for side in (height, width))
        scaled = image if (rows, columns) == (height, width) else dlib.resize_image(image, rows, columns)
        rectangles, scores, _ = self._detector.run(scaled, 0, 0.0)
        across, down = width / columns, height / rows
        faces = [
            Face(Box(found.left() * across, found.top() * down, found.width() * across, found.height() * down), score)
            for found, score in zip(rectangles, scores, strict=True)
        ]
        surest = sorted(faces, key=lambda face: -face.score)[:MAX_FACES]
        return tuple(sorted(surest, key=lambda face: (face.box.x, face.box.y)))
