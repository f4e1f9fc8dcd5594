"""Rectangles around faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MIN_AREA = 1e-9


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, fractions allowed; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def scaled(self, across: float, down: float | None = None) -> Box:
        """Return the same rectangle in an image ``across`` times as wide and ``down`` times as high, or as much.

        >>> Box(1, 2, 3, 4).scaled(2)
        Box(x=2, y=4, width=6, height=8)
        """
        down = across if down is None else down
        return Box(self.x * across, self.y * down, self.width * across, self.height * down)

    def towards(self, other: Box, share: float) -> Box:
        """Return the rectangle ``share`` (0..1) of the distance to ``other`` from here.

        >>> Box(0, 0, 10, 10).towards(Box(10, 20, 30, 10), 0.5)
        Box(x=5.0, y=10.0, width=20.0, height=10.0)
        """
        return Box(
            self.x + (other.x - self.x) * share,
            self.y + (other.y - self.y) * share,
            self.width + (other.width - self.width) * share,
            self.height + (other.height - self.height) * share,
        )


def overlaps(boxes: list[Box], others: list[Box]) -> NDArray[np.float64]:
    """Return intersection over union of every box with every other one, (len(boxes), len(others)).

    >>> overlaps([Box(0, 0, 2, 2)], [Box(1, 0, 2, 2), Box(5, 5, 1, 1)]).round(3).tolist()
    [[0.333, 0.0]]
    """
    shared = _shared(boxes, others)
    result: NDArray[np.float64] = shared / np.maximum(_areas(boxes)[:, None] + _areas(others) - shared, _MIN_AREA)
    return result


def shares_within(boxes: list[Box], others: list[Box]) -> NDArray[np.float64]:
    """Return the share (0..1) of every box that lies within every other one, (len(boxes), len(others)).

    >>> shares_within([Box(0, 0, 2, 2)], [Box(1, 0, 9, 9), Box(0, 0, 3, 3)]).tolist()
    [[0.5, 1.0]]
    """
    result: NDArray[np.float64] = _shared(boxes, others) / np.maximum(_areas(boxes)[:, None], _MIN_AREA)
    return result


def _shared(boxes: list[Box], others: list[Box]) -> NDArray[np.float64]:
    first, second = _corners(boxes)[:, None], _corners(others)[None, :]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared: NDArray[np.float64] = np.clip(sides, 0, None).prod(-1)
    return shared


def _areas(boxes: list[Box]) -> NDArray[np.float64]:
    return np.array([box.width * box.height for box in boxes], np.float64)


def _corners(boxes: list[Box]) -> NDArray[np.float64]:
    corners = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    return np.array(corners, np.float64).reshape(-1, 4)
