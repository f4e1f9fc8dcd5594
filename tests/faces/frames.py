"""Frames of sample videos, and frames that show them turned or scaled."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.media.decode import Frame, decode
from annotate.media.probe import probe
from annotate.span import Span
from tests.clips import SAMPLES

SIDE_PX = 560
"""Side of turned frames."""

SPAN = Span(0, 40)


def sample_frames(name: str, *, every: int = 1, count: int | None = None) -> Iterator[Frame]:
    """Yield frames of a sample video in its own size."""
    video = probe(SAMPLES / name)
    frames = decode(video, (video.width_px, video.height_px))
    try:
        yield from itertools.islice(frames, 0, None if count is None else (count - 1) * every + 1, every)
    finally:
        frames.close()


def gray_frame(image: NDArray[np.uint8]) -> Frame:
    """Return a frame without chroma."""
    return Frame(0, 0, SPAN, image)


def turned(frame: Frame, center: tuple[float, float], roll_deg: float, scale: float = 1.0) -> Frame:
    """Return a square frame that shows ``frame`` around a point, turned clockwise and scaled."""
    luma = _turned(frame.image, center, roll_deg, scale, SIDE_PX)
    halves = (center[0] / 2, center[1] / 2)
    chroma = [_turned(plane, halves, roll_deg, scale, SIDE_PX // 2) for plane in frame.chroma]
    return Frame(0, 0, SPAN, luma, None, np.stack(chroma))


def _turned(
    plane: NDArray[np.uint8], center: tuple[float, float], roll_deg: float, scale: float, side_px: int
) -> NDArray[np.uint8]:
    middle = np.subtract(center, 0.5)
    matrix = cv2.getRotationMatrix2D(middle.tolist(), -roll_deg, scale)
    matrix[:, 2] += side_px / 2 - 0.5 - middle
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(plane, matrix, (side_px, side_px), flags=method, borderMode=cv2.BORDER_REPLICATE))
