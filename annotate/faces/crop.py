"""Cutting a face out of a picture the way the model expects it.

Models are trained on crops of exactly this geometry, so it is frozen by a test: the square around the centre of the box
whose side is the box's longer side plus the margin on both sides; beyond the picture its edge pixels go on; every pixel
of the crop is the mean over a window as wide as its own share of the square, and at least one source pixel wide, which
for enlarged faces is linear interpolation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box

BLACK, WHITE = 16, 235
"""Luma of black and white in limited range (ITU-R BT.601, BT.709)."""

FULL_RANGE = 255


def crop(image: NDArray[np.uint8], box: Box, margin: float, size_px: int) -> NDArray[np.uint8]:
    """A face as (size_px, size_px) uint8 in full range, from limited-range luma (height, width) uint8.

    ``margin`` is the part of the box's longer side that is added on each side.
    """
    side = max(box.width, box.height) * (1 + 2 * margin)
    left = box.x + box.width / 2 - side / 2
    top = box.y + box.height / 2 - side / 2
    height, width = image.shape
    first_column, columns = _averaging(left, side, width, size_px)
    first_row, rows = _averaging(top, side, height, size_px)
    part = image[first_row : first_row + rows.shape[1], first_column : first_column + columns.shape[1]]
    luma = rows @ part.astype(np.float32) @ columns.T
    full = (luma - BLACK) * np.float32(FULL_RANGE / (WHITE - BLACK))
    pixels: NDArray[np.uint8] = np.rint(full).clip(0, FULL_RANGE).astype(np.uint8)
    return pixels


def _averaging(start: float, length: float, limit: int, size_px: int) -> tuple[int, NDArray[np.float32]]:
    """First source pixel and weights (size_px, n) that average ``length`` pixels from ``start`` into ``size_px``."""
    pitch = length / size_px
    centres = start + (np.arange(size_px) + 0.5) * pitch
    reach = max(pitch, 1.0) / 2
    low, high = centres[:, None] - reach, centres[:, None] + reach
    first = min(max(int(np.floor(low[0, 0])), 0), limit - 1)
    last = min(max(int(np.ceil(high[-1, 0])), first + 1), limit)
    edges = np.arange(first, last + 1, dtype=np.float64)
    edges[0], edges[-1] = min(edges[0], low[0, 0]), max(edges[-1], high[-1, 0])
    weights = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
    return first, (weights / weights.sum(1, keepdims=True)).astype(np.float32)
