"""dlib's frontal face detector, on images scaled so that the smallest face to find just fills its window.

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

from annotate.faces.box import Box, pairwise_iou
from annotate.faces.detection import Detection, left_to_right
from annotate.media.decode import Frame

WINDOW_PX = 80
"""Side of the detector's window: the smallest face it can find."""

MAX_FACES = 200
"""Maximum number of detections per image, those of the highest scores: noise must not exhaust memory."""

MIN_KNOWN_FACE_PX = 96
"""Minimum size of a known face in the image in which it is searched for again: it may have become a sixth smaller."""

MIN_WEAK_SCORE = -0.3
"""Minimum score of a detection at a known face; elsewhere the detector's own threshold (0) applies."""

MIN_WEAK_IOU = 0.5
"""Minimum intersection over union of a detection with a score below 0 and the known face."""

SEARCH_MARGIN = 0.7
"""Margin around a known face in which it is searched for again, as a fraction of its size."""

SCALE_TOLERANCE = 0.03
"""An image whose size is this near to the required one, as a fraction, is not scaled."""

MAX_SIDE_PX = 16_384
"""Maximum side of a searched image: on images some 90,000 pixels wide, dlib's detector writes beyond its memory."""

_MIN_IMAGE_PX = 32
_LEVEL_PARTS = 6
_LEVEL_RATIO = _LEVEL_PARTS / (_LEVEL_PARTS - 1)
"""Each level of the detector's pyramid is a sixth smaller than the one before."""

_CELL_PX = 8
"""Side of the cells over which the detector makes histograms."""


def detection_short_side_px(min_face: float) -> int:
    """Return the shorter side of images in which a face of ``min_face`` (fraction of that side) fills the window.

    >>> detection_short_side_px(0.15)
    534
    """
    return math.ceil(WINDOW_PX / min_face)


class HogDetector:
    """Detects faces of at least ``min_face`` of an image's shorter side with dlib's ``detector``, loaded if None.

    dlib's detector holds the image it searches, so only one thread at a time may use it.
    """

    def __init__(self, min_face: float, detector: Any = None) -> None:
        self._short_side_px = detection_short_side_px(min_face)
        self._detector = dlib.get_frontal_face_detector() if detector is None else detector

    def search(self, frame: Frame, known: Sequence[Detection] = ()) -> tuple[Detection, ...]:
        """Return the detections in the whole image, from left to right; what is ``known`` changes nothing."""
        if min(frame.image.shape) < 2:
            return ()
        return _select(self._search(frame.image, self._factor(frame.image)))

    def look(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return the detections in the surroundings of ``known``, from left to right."""
        return self.look_near(frame, known) if known else ()

    def look_near(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return the detections in the surroundings of ``known`` (at least one), from left to right.

        The search of a region starts at the pyramid level at which its smallest box is a little larger than the window, and
        the region is aligned with the cells of that level, so that it finds the same boxes as a search of the whole image.
        A detection at one of ``known`` may have a score below 0, so that a face that turns or laughs is not lost.
        """
        image, boxes = frame.image, [face.box for face in known]
        factor = self._factor(image)
        detections: list[Detection] = []
        for region in search_regions(boxes, image.shape):
            levels = max(0, math.floor(math.log(region.smallest_px * factor / MIN_KNOWN_FACE_PX, _LEVEL_RATIO)))
            cell_px = _CELL_PX * _LEVEL_RATIO**levels / factor
            top, left = (round(side.start // cell_px * cell_px) for side in (region.rows, region.columns))
            cut = image[top : region.rows.stop, left : region.columns.stop]
            if min(cut.shape) >= 2:
                found = self._search(cut, factor, levels, MIN_WEAK_SCORE)
                detections += (detection.shifted(left, top) for detection in found)
        return _select([detection for detection in detections if detection.score >= 0 or _is_at(detection.box, boxes)])

    def smaller(self, frame: Frame) -> tuple[Detection, ...]:
        """Return nothing: the window is as large as the smallest face."""
        return ()

    def _factor(self, image: NDArray[np.uint8]) -> float:
        factor = min(self._short_side_px / min(image.shape), MAX_SIDE_PX / max(image.shape))
        return 1.0 if abs(factor - 1) < SCALE_TOLERANCE else factor

    def _search(self, image: NDArray[np.uint8], factor: float, levels: int = 0, min_score: float = 0.0) -> list[Detection]:
        """Scale an image by ``factor``, skip the finest ``levels`` of the pyramid, and return the detections."""
        height, width = image.shape
        coarse = _shrunk(image, max(1, int(1 / factor)))
        rows, columns = (max(_MIN_IMAGE_PX, round(side * factor)) for side in (height, width))
        scaled = coarse if (rows, columns) == coarse.shape else dlib.resize_image(coarse, rows, columns)
        scale_x, scale_y = width / columns, height / rows
        pyramid = dlib.pyramid_down(_LEVEL_PARTS)
        for _ in range(levels):
            scaled = pyramid(scaled)
        rectangles, scores, _ = self._detector.run(scaled, 0, min_score)
        detections = []
        for found, score in zip(rectangles, scores, strict=True):
            rectangle = pyramid.rect_up(dlib.drectangle(found), levels)
            left, top = rectangle.left() * scale_x, rectangle.top() * scale_y
            detections.append(Detection(Box(left, top, rectangle.width() * scale_x, rectangle.height() * scale_y), score))
        return detections


def _is_at(box: Box, known: Sequence[Box]) -> bool:
    return bool(pairwise_iou([box], list(known)).max() >= MIN_WEAK_IOU)


@dataclass(frozen=True)
class Region:
    """A region of an image, as slices of its rows and columns, and the size of the smallest face expected in it."""

    rows: slice
    columns: slice
    smallest_px: float


def search_regions(boxes: Sequence[Box], shape: tuple[int, int]) -> list[Region]:
    """Return the surroundings of boxes in an image of ``shape`` (height, width); overlapping ones are merged.

    >>> search_regions([Box(100, 100, 80, 80), Box(150, 100, 100, 100)], (400, 400))
    [Region(rows=slice(30, 270, None), columns=slice(44, 320, None), smallest_px=80)]
    """
    height, width = shape
    regions: list[Region] = []
    for box in boxes:
        side = max(box.width, box.height)
        margin = SEARCH_MARGIN * side
        merged = Region(
            _clipped_slice(box.y - margin, box.y + box.height + margin, height),
            _clipped_slice(box.x - margin, box.x + box.width + margin, width),
            side,
        )
        while overlapping := [region for region in regions if _overlap(region, merged)]:
            regions = [region for region in regions if region not in overlapping]
            for region in overlapping:
                merged = Region(
                    _union(region.rows, merged.rows),
                    _union(region.columns, merged.columns),
                    min(region.smallest_px, merged.smallest_px),
                )
        regions.append(merged)
    return regions


def _clipped_slice(start: float, end: float, limit: int) -> slice:
    return slice(min(max(math.floor(start), 0), limit), min(max(math.ceil(end), 0), limit))


def _overlap(first: Region, second: Region) -> bool:
    return all(
        one.start < other.stop and other.start < one.stop
        for one, other in ((first.rows, second.rows), (first.columns, second.columns))
    )


def _union(first: slice, second: slice) -> slice:
    return slice(min(first.start, second.start), max(first.stop, second.stop))


def _shrunk(image: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Return an image shrunk ``times`` times (an integer); each pixel is the mean of ``times`` x ``times`` pixels."""
    if times == 1:
        return np.ascontiguousarray(image)
    rows, columns = (side // times * times for side in image.shape)
    sums = np.zeros((rows // times, columns // times), np.uint32)
    for row in range(times):
        for column in range(times):
            sums += image[row:rows:times, column:columns:times]
    return (sums // times**2).astype(np.uint8)


def _select(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    """Return the ``MAX_FACES`` detections of the highest scores, from left to right."""
    best = sorted(detections, key=lambda detection: -detection.score)[:MAX_FACES]
    return left_to_right(best)
