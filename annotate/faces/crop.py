"""Crop faces from images as the model expects them.

Models are trained on crops of exactly this geometry, so a test freezes it. A crop is a square around the center of the
box; its side is the box's longer side plus the margin on both sides. Beyond the image its edge pixels are repeated. Each
pixel of the crop is the mean over its part of the square, but at least over one source pixel, so that enlarging is linear
interpolation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box

BLACK, WHITE = 16, 235
"""Luma of black and white in limited range (ITU-R BT.601, BT.709)."""

FULL_RANGE = 255
"""Luma of white in full range; black is 0."""


@dataclass(frozen=True)
class Patch:
    """The source of a crop: a part of the image, and along each axis the windows that are averaged.

    ``rows`` and ``columns`` are (2, size_px): the starts and ends of the windows, in pixels of ``pixels``.
    """

    pixels: NDArray[np.uint8]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def crop(self) -> NDArray[np.uint8]:
        """Return the face as (size_px, size_px) uint8 in full range."""
        full = (self.resampled() - BLACK) * (FULL_RANGE / (WHITE - BLACK))
        pixels: NDArray[np.uint8] = np.rint(full).clip(0, FULL_RANGE).astype(np.uint8)
        return pixels

    def resampled(self) -> NDArray[np.float64]:
        """Return the face as (size_px, size_px) float64 in the image's own range of values."""
        return _window_means(_window_means(self.pixels, self.rows).T, self.columns).T


def extract_patch(image: NDArray[np.uint8], box: Box, margin: float, size_px: int) -> Patch:
    """Return the part of an image (height, width) uint8 in limited range that the crop of a face needs.

    The patch is a copy, so the image can be released. ``margin`` is added on each side, as a fraction of the box's longer
    side.
    """
    side = max(box.width, box.height) * (1 + 2 * margin)
    left = box.x + box.width / 2 - side / 2
    top = box.y + box.height / 2 - side / 2
    pixels, rows, columns = _cut_out(image, _windows(top, side, size_px), _windows(left, side, size_px))
    return Patch(pixels.copy(), rows, columns)


def crop(image: NDArray[np.uint8], box: Box, margin: float, size_px: int) -> NDArray[np.uint8]:
    """Return a face as (size_px, size_px) uint8 in full range; see `extract_patch`."""
    return extract_patch(image, box, margin, size_px).crop()


def _windows(start: float, length: float, size_px: int) -> NDArray[np.float64]:
    """Return the start and end of each crop pixel's window, (2, size_px), in source pixels along one axis."""
    pitch = length / size_px
    centers = start + (np.arange(size_px) + 0.5) * pitch
    half_width = max(pitch, 1.0) / 2
    return np.stack([centers - half_width, centers + half_width])


def _cut_out(
    image: NDArray[np.uint8], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """Return the part of the image that the windows cover, and the windows in pixels of that part."""
    slices, shifted = [], []
    for windows, limit in zip((rows, columns), image.shape, strict=True):
        first = min(max(math.floor(windows[0, 0]), 0), limit - 1)
        last = min(max(math.ceil(windows[1, -1]), first + 1), limit)
        slices.append(slice(first, last))
        shifted.append(windows - first)
    return image[slices[0], slices[1]], shifted[0], shifted[1]


def _window_means(values: NDArray[Any], windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of ``values`` (n, m) along the first axis over windows (2, k): (k, m).

    They are differences of cumulative sums, whose cost does not depend on the width of windows and whose result is the same
    on every machine.
    """
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, 0, out=sums[1:])
    whole = np.floor(windows).astype(int).clip(0, len(values) - 1)
    fractions = (windows - whole)[..., None]
    low, high = sums[whole] + fractions * values[whole]
    result: NDArray[np.float64] = (high - low) / (windows[1] - windows[0])[:, None]
    return result
