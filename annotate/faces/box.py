"""Bounding boxes of faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MIN_AREA = 1e-9


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in (fractional) pixels; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def center(self) -> tuple[float, float]:
        """x and y of the center."""
        return self.x + self.width / 2, self.y + self.height / 2

    def scaled(self, scale_x: float, scale_y: float | None = None) -> Box:
        """Return the rectangle scaled horizontally by ``scale_x`` and vertically by ``scale_y``, by default the same.

        >>> Box(1, 2, 3, 4).scaled(2)
        Box(x=2, y=4, width=6, height=8)
        """
        scale_y = scale_x if scale_y is None else scale_y
        return Box(self.x * scale_x, self.y * scale_y, self.width * scale_x, self.height * scale_y)

    def interpolate(self, other: Box, fraction: float) -> Box:
        """Return the linear interpolation between this rectangle (``fraction`` 0) and ``other`` (1).

        >>> Box(0, 0, 10, 10).interpolate(Box(10, 20, 30, 10), 0.5)
        Box(x=5.0, y=10.0, width=20.0, height=10.0)
        """
        return Box(
            self.x + (other.x - self.x) * fraction,
            self.y + (other.y - self.y) * fraction,
            self.width + (other.width - self.width) * fraction,
            self.height + (other.height - self.height) * fraction,
        )

    def widened(self, factor: float) -> Box:
        """Return the rectangle with the same center and sides that are ``factor`` times as long.

        >>> Box(10, 10, 20, 10).widened(2)
        Box(x=0.0, y=5.0, width=40, height=20)
        """
        width, height = self.width * factor, self.height * factor
        return Box(self.x - (width - self.width) / 2, self.y - (height - self.height) / 2, width, height)

    def __or__(self, other: Box) -> Box:
        """Return the smallest rectangle that contains both.

        >>> Box(0, 0, 2, 2) | Box(5, 1, 2, 2)
        Box(x=0, y=0, width=7, height=3)
        """
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        lower = max(self.y + self.height, other.y + other.height)
        return Box(x, y, right - x, lower - y)


def pairwise_iou(boxes: list[Box], others: list[Box]) -> NDArray[np.float64]:
    """Return the intersection over union of each of ``boxes`` with each of ``others``, (len(boxes), len(others)).

    >>> pairwise_iou([Box(0, 0, 2, 2)], [Box(1, 0, 2, 2), Box(5, 5, 1, 1)]).round(3).tolist()
    [[0.333, 0.0]]
    """
    intersections = _intersections(boxes, others)
    unions = _areas(boxes)[:, None] + _areas(others) - intersections
    result: NDArray[np.float64] = intersections / np.maximum(unions, _MIN_AREA)
    return result


def pairwise_containment(boxes: list[Box], others: list[Box]) -> NDArray[np.float64]:
    """Return the fraction of each of ``boxes`` that lies within each of ``others``, (len(boxes), len(others)).

    >>> pairwise_containment([Box(0, 0, 2, 2)], [Box(1, 0, 9, 9), Box(0, 0, 3, 3)]).tolist()
    [[0.5, 1.0]]
    """
    result: NDArray[np.float64] = _intersections(boxes, others) / np.maximum(_areas(boxes)[:, None], _MIN_AREA)
    return result


def _intersections(boxes: list[Box], others: list[Box]) -> NDArray[np.float64]:
    first, second = _corners(boxes)[:, None], _corners(others)[None, :]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    areas: NDArray[np.float64] = np.clip(sides, 0, None).prod(-1)
    return areas


def _areas(boxes: list[Box]) -> NDArray[np.float64]:
    return np.array([box.width * box.height for box in boxes], np.float64)


def _corners(boxes: list[Box]) -> NDArray[np.float64]:
    corners = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    return np.array(corners, np.float64).reshape(-1, 4)
