"""Cropping a face from an image as the model expects it.

Models are trained on crops of exactly this geometry, so it is frozen by a test: the square around the center of the box
whose side is the box's longer side plus the margin on both sides; beyond the image its edge pixels go on; every pixel
of the crop is the mean over a window as wide as its own share of the square, and at least one source pixel wide, which
for enlarged faces is linear interpolation.
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


@dataclass(frozen=True)
class Patch:
    """The source of a crop: the part of an image that it needs, and its windows (2, size_px) along both axes."""

    part: NDArray[np.uint8]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def crop(self) -> NDArray[np.uint8]:
        """Return the face as (size_px, size_px) uint8 in full range."""
        full = (self.resampled() - BLACK) * (FULL_RANGE / (WHITE - BLACK))
        pixels: NDArray[np.uint8] = np.rint(full).clip(0, FULL_RANGE).astype(np.uint8)
        return pixels

    def resampled(self) -> NDArray[np.float64]:
        """Return the same square with the image's own range of values, (size_px, size_px)."""
        return _means(_means(self.part, self.rows).T, self.columns).T


def take_patch(image: NDArray[np.uint8], box: Box, margin: float, size_px: int) -> Patch:
    """Return what the crop of a face needs of an image (height, width) uint8 in limited range; the image can go then.

    ``margin`` is the part of the box's longer side that is added on each side.
    """
    side = max(box.width, box.height) * (1 + 2 * margin)
    left = box.x + box.width / 2 - side / 2
    top = box.y + box.height / 2 - side / 2
    part, rows, columns = _needed(image, _windows(top, side, size_px), _windows(left, side, size_px))
    return Patch(part.copy(), rows, columns)


def crop(image: NDArray[np.uint8], box: Box, margin: float, size_px: int) -> NDArray[np.uint8]:
    """Return a face as (size_px, size_px) uint8 in full range; see `take_patch`."""
    return take_patch(image, box, margin, size_px).crop()


def _windows(start: float, length: float, size_px: int) -> NDArray[np.float64]:
    """Return where the window of each crop pixel begins and ends, (2, size_px), in source pixels along one axis."""
    pitch = length / size_px
    centers = start + (np.arange(size_px) + 0.5) * pitch
    reach = max(pitch, 1.0) / 2
    return np.stack([centers - reach, centers + reach])


def _needed(
    image: NDArray[np.uint8], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """Return the part of the image that the windows cover, and the windows in its own pixels."""
    slices, shifted = [], []
    for windows, limit in zip((rows, columns), image.shape, strict=True):
        first = min(max(math.floor(windows[0, 0]), 0), limit - 1)
        last = min(max(math.ceil(windows[1, -1]), first + 1), limit)
        slices.append(slice(first, last))
        shifted.append(windows - first)
    return image[slices[0], slices[1]], shifted[0], shifted[1]


def _means(values: NDArray[Any], windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means of ``values`` (n, m) along the first axis over windows (2, k): (k, m).

    Differences of running sums, which take the same time for windows of any width, and are the same on every machine.
    """
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, 0, out=sums[1:])
    whole = np.floor(windows).astype(int).clip(0, len(values) - 1)
    rest = (windows - whole)[..., None]
    low, high = sums[whole] + rest * values[whole]
    result: NDArray[np.float64] = (high - low) / (windows[1] - windows[0])[:, None]
    return result
