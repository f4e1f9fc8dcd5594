"""dlib's frontal face detector on images scaled so that the smallest face to find just fills its window.

The detector is a linear classifier over histograms of oriented gradients in a sliding window (Dalal & Triggs, CVPR
2005; King, "Max-Margin Object Detection", 2015). It finds frontal faces within about 30 degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box, overlaps

WINDOW_PX = 80
"""Side of the smallest face the detector can find."""

MAX_FACES = 200
"""Of more detections in one image the surest are kept: noise must not take all memory."""

NEAR_FACE_PX = 96
"""Least size of a known face in the image in which it is searched for again: it may have become a sixth smaller."""

WEAK_SCORE = -0.3
"""Least score of a detection where a face is known to be: the detector's own threshold is for places anywhere."""

WEAK_OVERLAP = 0.5
"""Least intersection over union of such a detection with the known face."""

REACH = 0.7
"""How far around a known face it is searched for, as a share of its size."""

UNSCALED = 0.03
"""An image that is this near to the wanted size is not scaled."""

_MIN_IMAGE_PX = 32
_LEVEL_PARTS = 6
_LEVEL_RATIO = _LEVEL_PARTS / (_LEVEL_PARTS - 1)
"""Each level of the detector's pyramid is a sixth smaller than the one before."""

_CELL_PX = 8


@dataclass(frozen=True, slots=True)
class Detection:
    """A detection: its box in pixels of the image, and the detector's score (0 is its threshold)."""

    box: Box
    score: float

    def moved(self, across_px: float, down_px: float) -> Detection:
        """Return the same face in a larger image, of which this one's begins at that point."""
        box = self.box
        return Detection(Box(box.x + across_px, box.y + down_px, box.width, box.height), self.score)


def detection_short_side_px(min_face: float) -> int:
    """Return the shorter side of the image in which a face of ``min_face`` of it is as large as the detector's window.

    >>> detection_short_side_px(0.15)
    534
    """
    return math.ceil(WINDOW_PX / min_face)


def load_detector() -> Any:
    """Return dlib's detector, which keeps the image it searches: it is for one thread at a time."""
    return dlib.get_frontal_face_detector()


class FaceDetector:
    """Finds faces of at least ``min_face`` of the image's shorter side, by dlib's ``detector``, loaded if not given."""

    def __init__(self, min_face: float, detector: Any = None) -> None:
        self._short_side_px = detection_short_side_px(min_face)
        self._detector = load_detector() if detector is None else detector

    def __call__(self, image: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Return faces in a gray image (height, width) uint8, from left to right."""
        if min(image.shape) < 2:
            return ()
        return _surest(self._search(image, self._factor(image)))

    def near(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> tuple[Detection, ...]:
        """Return faces in the surroundings of ``boxes`` (at least one), from left to right.

        A region is searched from that level of the detector's pyramid on at which its smallest box is a little larger
        than the window, and aligned with the cells there, so that a search of the whole image finds the same boxes.
        In the place of one of ``boxes`` a detection may be weak, so that a face that turns or laughs is not lost.
        """
        factor = self._factor(image)
        found: list[Detection] = []
        for region in merged_surroundings(boxes, image.shape):
            levels = max(0, math.floor(math.log(region.smallest_px * factor / NEAR_FACE_PX, _LEVEL_RATIO)))
            cell_px = _CELL_PX * _LEVEL_RATIO**levels / factor
            top, left = (round(side.start // cell_px * cell_px) for side in (region.rows, region.columns))
            cut = image[top : region.rows.stop, left : region.columns.stop]
            if min(cut.shape) >= 2:
                found += (face.moved(left, top) for face in self._search(cut, factor, levels, WEAK_SCORE))
        return _surest([face for face in found if face.score >= 0 or _is_at(face.box, boxes)])

    def _factor(self, image: NDArray[np.uint8]) -> float:
        factor = self._short_side_px / min(image.shape)
        return 1.0 if abs(factor - 1) < UNSCALED else factor

    def _search(self, image: NDArray[np.uint8], factor: float, levels: int = 0, min_score: float = 0.0) -> list[Detection]:
        """Return faces in an image scaled by ``factor``, without the finest ``levels`` of its pyramid."""
        height, width = image.shape
        coarse = _shrunk(image, max(1, int(1 / factor)))
        rows, columns = (max(_MIN_IMAGE_PX, round(side * factor)) for side in (height, width))
        scaled = coarse if (rows, columns) == coarse.shape else dlib.resize_image(coarse, rows, columns)
        across, down = width / columns, height / rows
        pyramid = dlib.pyramid_down(_LEVEL_PARTS)
        for _ in range(levels):
            scaled = pyramid(scaled)
        rectangles, scores, _ = self._detector.run(scaled, 0, min_score)
        faces = []
        for found, score in zip(rectangles, scores, strict=True):
            place = pyramid.rect_up(dlib.drectangle(found), levels)
            box = Box(place.left() * across, place.top() * down, place.width() * across, place.height() * down)
            faces.append(Detection(box, score))
        return faces


def _is_at(box: Box, places: Sequence[Box]) -> bool:
    return bool(overlaps([box], list(places)).max() >= WEAK_OVERLAP)


@dataclass(frozen=True)
class Region:
    """A region of an image, as slices of its rows and columns, and the side of the smallest face expected in it."""

    rows: slice
    columns: slice
    smallest_px: float


def merged_surroundings(boxes: Sequence[Box], shape: tuple[int, int]) -> list[Region]:
    """Return the surroundings of boxes in an image of ``shape`` (height, width); those that overlap become one region.

    >>> merged_surroundings([Box(100, 100, 80, 80), Box(150, 100, 100, 100)], (400, 400))
    [Region(rows=slice(30, 270, None), columns=slice(44, 320, None), smallest_px=80)]
    """
    height, width = shape
    regions: list[Region] = []
    for box in boxes:
        side = max(box.width, box.height)
        reach = REACH * side
        grown = Region(
            _within(box.y - reach, box.y + box.height + reach, height),
            _within(box.x - reach, box.x + box.width + reach, width),
            side,
        )
        while touching := [region for region in regions if _overlap(region, grown)]:
            regions = [region for region in regions if region not in touching]
            for region in touching:
                grown = Region(
                    _union(region.rows, grown.rows),
                    _union(region.columns, grown.columns),
                    min(region.smallest_px, grown.smallest_px),
                )
        regions.append(grown)
    return regions


def _within(start: float, end: float, limit: int) -> slice:
    return slice(min(max(math.floor(start), 0), limit), min(max(math.ceil(end), 0), limit))


def _overlap(first: Region, second: Region) -> bool:
    return all(
        one.start < other.stop and other.start < one.stop
        for one, other in ((first.rows, second.rows), (first.columns, second.columns))
    )


def _union(first: slice, second: slice) -> slice:
    return slice(min(first.start, second.start), max(first.stop, second.stop))


def _shrunk(image: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Return an image at a whole fraction of its size, each pixel the mean of ``times`` x ``times``."""
    if times == 1:
        return np.ascontiguousarray(image)
    rows, columns = (side // times * times for side in image.shape)
    sums = np.zeros((rows // times, columns // times), np.uint32)
    for row in range(times):
        for column in range(times):
            sums += image[row:rows:times, column:columns:times]
    return (sums // times**2).astype(np.uint8)


def _surest(faces: Sequence[Detection]) -> tuple[Detection, ...]:
    surest = sorted(faces, key=lambda face: -face.score)[:MAX_FACES]
    return tuple(sorted(surest, key=lambda face: (face.box.x, face.box.y)))
