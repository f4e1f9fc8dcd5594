"""Small color pictures of frames, and upright views of faces in pictures.

OpenCV runs in the calling thread only, so that the number of cores changes neither results nor the load of a machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box
from annotate.media.decode import BLACK, FULL_RANGE, WHITE, Frame

cv2.setNumThreads(1)

MAX_LONG_SIDE_PX = 8192
"""Maximum longer side of a color picture: OpenCV makes no views of pictures of 32,767 pixels and more."""

MAX_PITCH_PX = 2
"""Maximum distance of samples in pixels of the image: linear interpolation then still sees nearly all of them."""

MAX_SAMPLES = 16
"""Maximum number of samples along each axis for a pixel of a view."""

MIN_CONTRAST, CONTRAST, MAX_GAIN = 40, 110, 12
"""Luma that spans less than the first, of 255, as in dark or faded videos, is stretched to the second, by no more than the
third: below about 40, YuNet misses faces. Of 62 clips of people, none spans less than 120."""

_ENDS = (0.01, 0.99)
"""The quantiles of luma that it spans."""

_LUMA_GAIN = FULL_RANGE / (WHITE - BLACK)
_MIDDLE = _NEUTRAL_CHROMA = 128


def color_picture(frame: Frame, short_side_px: int) -> NDArray[np.uint8]:
    """Return a frame as blue, green, red (height, width, 3) uint8, scaled to ``short_side_px`` along its shorter side.

    Extremely long pictures are scaled to `MAX_LONG_SIDE_PX` along the other side.

    The conversion is that of ITU-R BT.601 for every frame: what it makes of a picture in another standard differs in hue by
    less than light does. If there is little contrast, it is stretched.
    """
    height, width = frame.image.shape
    factor = min(short_side_px / min(height, width), MAX_LONG_SIDE_PX / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    planes = [cv2.resize(plane, size) for plane in (frame.image, *frame.chroma)]
    luma = cv2.convertScaleAbs(np.maximum(planes[0], BLACK), alpha=_LUMA_GAIN, beta=-BLACK * _LUMA_GAIN)
    blue, red = planes[1:] if len(planes) == 3 else [np.full_like(luma, _NEUTRAL_CHROMA)] * 2
    planes = _stretched(luma, red, blue)
    return np.asarray(cv2.cvtColor(cv2.merge(planes), cv2.COLOR_YCrCb2BGR), np.uint8)


def _stretched(luma: NDArray[Any], *chroma: NDArray[Any]) -> list[NDArray[Any]]:
    """Return luma in full range, and chroma, stretched if luma spans little."""
    shares = cv2.calcHist([luma], [0], None, [FULL_RANGE + 1], [0, FULL_RANGE + 1]).ravel().cumsum() / luma.size
    low, high = np.searchsorted(shares, _ENDS).tolist()
    if not 0 < high - low < MIN_CONTRAST:
        return [luma, *chroma]
    gain = min(CONTRAST / (high - low), MAX_GAIN)
    planes = [(luma, (low + high) / 2), *((plane, _NEUTRAL_CHROMA) for plane in chroma)]
    return [_scaled_around(middle, gain)[plane] for plane, middle in planes]


def _scaled_around(middle: float, gain: float) -> NDArray[np.uint8]:
    """Return new values of 0 to 255, whose distance from ``middle`` grows, and which have their middle at 128."""
    scaled = _MIDDLE + gain * (np.arange(FULL_RANGE + 1) - middle)
    values: NDArray[np.uint8] = np.clip(scaled, 0, FULL_RANGE).astype(np.uint8)
    return values


@dataclass(frozen=True)
class View:
    """A square view of an image, turned so that a face of roll ``roll_deg`` stands upright.

    The view shows ``side_px`` pixels of the image around (``x``, ``y``) in ``size_px`` pixels of its own.
    """

    x: float
    y: float
    side_px: float
    roll_deg: float
    size_px: int

    @classmethod
    def around(cls, box: Box, roll_deg: float, times: float, size_px: int) -> View:
        """Return the view of a face, ``times`` as wide as its box."""
        side_px = max(box.width, box.height) * times
        return cls(*box.center, side_px, roll_deg, size_px)

    def of(self, image: NDArray[np.uint8], max_samples: int = MAX_SAMPLES) -> NDArray[np.uint8]:
        """Return the view of an image (height, width) or (height, width, 3) uint8, whose edges are repeated beyond it.

        Each pixel is the mean of evenly spaced, linearly interpolated samples: of at least two along each axis where the
        view is smaller than what it shows, and of so many that they are at most `MAX_PITCH_PX` apart, up to ``max_samples``.
        """
        ratio = self.side_px / self.size_px
        times = min(max(1, min(math.ceil(ratio), 2), math.ceil(ratio / MAX_PITCH_PX)), max_samples)
        size = self.size_px * times
        pitch = self.side_px / size
        right, down = self._axes()
        corner = np.array([self.x, self.y]) + (right + down) * (pitch - self.side_px) / 2 - 0.5
        matrix = np.column_stack([right * pitch, down * pitch, corner])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        pixels = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        if times > 1:
            pixels = cv2.resize(pixels, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA)
        return np.asarray(pixels, np.uint8)

    def to_image(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (n, 2) of the view, x and y in its pixels, in pixels of the image."""
        offsets = (points - self.size_px / 2) * (self.side_px / self.size_px)
        right, down = self._axes()
        placed: NDArray[np.float64] = offsets[:, :1] * right + offsets[:, 1:] * down + (self.x, self.y)
        return placed

    def from_image(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (n, 2) of the image in pixels of the view; the inverse of `to_image`."""
        offsets = points - (self.x, self.y)
        turned: NDArray[np.float64] = np.column_stack([offsets @ axis for axis in self._axes()])
        return turned * (self.size_px / self.side_px) + self.size_px / 2

    def _axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the view's unit vectors to the right and downwards, in the image."""
        cosine, sine = math.cos(math.radians(self.roll_deg)), math.sin(math.radians(self.roll_deg))
        return np.array([cosine, sine]), np.array([-sine, cosine])
