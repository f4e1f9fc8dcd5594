"""Crop faces from images as the model expects them.

Models are trained on crops of exactly this geometry, so a test freezes it. A crop is a square around the center of the
box, turned by the face's roll so that the face stands upright; its side is the box's longer side plus the margin on both
sides. Beyond the image its edge pixels are repeated. How its pixels are made says `annotate.faces.picture.View`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box
from annotate.faces.picture import View
from annotate.media.decode import BLACK, FULL_RANGE, WHITE


@dataclass(frozen=True)
class Patch:
    """The source of a crop: a part of the image, and the view of it that the crop is."""

    pixels: NDArray[np.uint8]
    view: View

    @cached_property
    def cropped(self) -> NDArray[np.uint8]:
        """The face as (size_px, size_px) uint8 in full range, computed once for all blocks that it is in."""
        return to_full_range(self.view.of(self.pixels))


def extract_patch(image: NDArray[np.uint8], box: Box, roll_deg: float, margin: float, size_px: int) -> Patch:
    """Return the part of an image (height, width) uint8 in limited range that the crop of a face needs.

    The patch is a copy, so the image can be released. ``margin`` is added on each side, as a fraction of the box's longer
    side.
    """
    view = View.around(box, roll_deg, 1 + 2 * margin, size_px)
    roll = math.radians(roll_deg)
    reach_px = view.side_px / 2 * (abs(math.cos(roll)) + abs(math.sin(roll))) + 1
    rows, columns = (
        _slice(center - reach_px, center + reach_px, limit)
        for center, limit in zip((view.y, view.x), image.shape, strict=True)
    )
    return Patch(image[rows, columns].copy(), replace(view, x=view.x - columns.start, y=view.y - rows.start))


def crop(image: NDArray[np.uint8], box: Box, margin: float, size_px: int, roll_deg: float = 0.0) -> NDArray[np.uint8]:
    """Return a face as (size_px, size_px) uint8 in full range; see `extract_patch`."""
    return extract_patch(image, box, roll_deg, margin, size_px).cropped


def to_full_range(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return luma in full range, 0..255, of luma in limited range."""
    full: NDArray[np.uint8] = _FULL[pixels]
    return full


def to_limited_range(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return luma in limited range, 16..235, of luma in full range."""
    limited: NDArray[np.uint8] = _LIMITED[pixels]
    return limited


def _slice(start: float, end: float, limit: int) -> slice:
    """Return the pixels from ``start`` to ``end`` along an axis of ``limit`` pixels, at least one."""
    first = min(max(math.floor(start), 0), limit - 1)
    return slice(first, min(max(math.ceil(end), first + 1), limit))


_FULL = np.rint((np.arange(256) - BLACK) * (FULL_RANGE / (WHITE - BLACK))).clip(0, FULL_RANGE).astype(np.uint8)
"""Luma in full range for each value in limited range."""

_LIMITED = np.rint(np.arange(FULL_RANGE + 1) * ((WHITE - BLACK) / FULL_RANGE) + BLACK).astype(np.uint8)
"""Luma in limited range for each value in full range."""
