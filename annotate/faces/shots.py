"""Limit the frame rate, and detect shots."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotate.media.decode import BLACK, Frame
from annotate.span import MS_PER_S, Span

THUMBNAIL_SHORT_SIDE_PX = 48
CUT_DISTANCE = 0.45
"""Minimum structural distance between consecutive frames of two shots."""

CUT_RATIO = 3.0
"""Minimum ratio of the distance at a cut to the mean distance before it, so that steady fast motion is not a cut."""

_CONTRAST_FLOOR = (0.03 * 219) ** 2
"""SSIM's constant C2, for luma in limited range."""

_DISTANCES_KEPT = 8
INTERVALS_KEPT = 25
_GAP_INTERVALS = 3
"""Minimum length of a gap, in median frame intervals."""


def limit_frame_rate(frames: Iterable[Frame], frame_rate: float | None, max_frame_rate: float) -> Iterator[Frame]:
    """Drop frames that follow the last kept one too soon, and yield the others.

    The span and last index of a kept frame cover the frames dropped after it. A source whose ``frame_rate`` is at most 1 fps
    above ``max_frame_rate`` is left as it is, even if its frames come in bursts: only a rate that is too high throughout is
    reduced.
    """
    if frame_rate is not None and frame_rate <= max_frame_rate + 1:
        yield from frames
        return
    min_interval_ms = shortest_interval_ms(max_frame_rate)
    kept: Frame | None = None
    for frame in frames:
        if kept is None:
            kept = frame
        elif frame.span.start_ms - kept.span.start_ms >= min_interval_ms:
            yield kept
            kept = frame
        else:
            kept = replace(kept, last_index=frame.last_index, span=Span(kept.span.start_ms, frame.span.end_ms))
    if kept is not None:
        yield kept


def shortest_interval_ms(max_frame_rate: float) -> int:
    """Return the least time in milliseconds between kept frames of a source that is reduced to ``max_frame_rate``."""
    return int(MS_PER_S / (max_frame_rate + 1))


def mark_shots(frames: Iterable[Frame], gap_ms: int) -> Iterator[tuple[Frame, bool]]:
    """Yield each frame and whether it begins a shot: at the start, at a cut, after a gap in time, or in another size.

    A frame that was not decoded, with the very image of the one before, is no cut, and does not count for the mean distance.
    """
    distances: deque[float] = deque(maxlen=_DISTANCES_KEPT)
    intervals: deque[int] = deque(maxlen=INTERVALS_KEPT)
    last_start_ms, last_image, last_thumbnail, last_size_px = 0, None, None, None
    for frame in frames:
        is_repeated = frame.thumbnail is None and frame.image is last_image
        thumbnail = last_thumbnail if is_repeated else _Thumbnail.of_frame(frame)
        if last_thumbnail is None or thumbnail is None:
            begins = True
        elif frame.displayed_px != last_size_px:
            begins = True
            distances.clear()
        else:
            interval_ms = frame.span.start_ms - last_start_ms
            distance = last_thumbnail.distance(thumbnail)
            mean_distance = sum(distances) / len(distances) if distances else 0.0
            is_cut = not is_repeated and distance >= max(CUT_DISTANCE, CUT_RATIO * mean_distance)
            begins = is_cut or is_gap(interval_ms, intervals, gap_ms)
            intervals.append(interval_ms)
            if begins:
                distances.clear()
            elif not is_repeated:
                distances.append(distance)
        yield frame, begins
        last_start_ms, last_image = frame.span.start_ms, frame.image
        last_thumbnail, last_size_px = thumbnail, frame.displayed_px


def show_own_shot(marked: Iterable[tuple[Frame, bool]]) -> Iterator[tuple[Frame, bool]]:
    """Yield frames as from `mark_shots`, none with an image from before its shot.

    The first frames of a shot may have no image of their own. They have the next one then, or are black if the shot ends
    before there is any.
    """
    waiting: list[tuple[Frame, bool]] = []
    for frame, begins in marked:
        if begins:
            yield from ((_in_black(earlier), began) for earlier, began in waiting)
            waiting = []
        if frame.shown_us is not None and (begins or waiting):
            waiting.append((frame, begins))
            continue
        for earlier, began in waiting:
            yield replace(earlier, image=frame.image, chroma=frame.chroma, shown_us=frame.start_us), began
        waiting = []
        yield frame, begins
    yield from ((_in_black(earlier), began) for earlier, began in waiting)


def _in_black(frame: Frame) -> Frame:
    return replace(frame.without_color(), image=np.full_like(frame.image, BLACK), shown_us=frame.start_us)


def is_gap(interval_ms: int, earlier_ms: Collection[int], gap_ms: int) -> bool:
    """Return whether an interval between frames is a gap in time: long, and unusual compared with earlier ones."""
    return interval_ms > gap_ms and bool(earlier_ms) and interval_ms > _GAP_INTERVALS * statistics.median(earlier_ms)


def end_before_gap(frame: Frame, interval_ms: int, earlier_ms: Collection[int], gap_ms: int) -> Frame:
    """Return a frame; one that is followed by a gap lasts for the median of earlier intervals, not until the gap ends."""
    if not is_gap(interval_ms, earlier_ms, gap_ms):
        return frame
    return replace(frame, span=Span(frame.span.start_ms, frame.span.start_ms + statistics.median_low(earlier_ms)))


def in_same_shot(last: Frame, frame: Frame, gap_ms: int) -> bool:
    """Return whether consecutive frames are in the same shot, judged by these two frames alone."""
    is_near = frame.span.start_ms - last.span.start_ms <= gap_ms and frame.displayed_px == last.displayed_px
    return is_near and _Thumbnail.of_frame(last).distance(_Thumbnail.of_frame(frame)) < CUT_DISTANCE


def structural_distance(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the distance of two images (height, width): 0 if of the same structure, 1 if unrelated, 2 if inverted.

    It is one minus the contrast-structure term of SSIM (Wang et al., IEEE TIP 2004), computed over whole thumbnails. A flash
    changes it little, and the distance of two images without contrast is 0.
    """
    return _Thumbnail.of(first).distance(_Thumbnail.of(second))


@dataclass(frozen=True, slots=True)
class _Thumbnail:
    """A few thousand pixels of an image, flattened, minus their mean, and their variance."""

    pixels: NDArray[np.float32]
    variance: float

    @classmethod
    def of_frame(cls, frame: Frame) -> _Thumbnail:
        return cls.of(frame.image if frame.thumbnail is None else frame.thumbnail)

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> _Thumbnail:
        step = max(1, min(image.shape) // THUMBNAIL_SHORT_SIDE_PX)
        pixels = image[step // 2 :: step, step // 2 :: step].astype(np.float32).ravel()
        pixels -= pixels.mean()
        return cls(pixels, _mean_product(pixels, pixels))

    def distance(self, other: _Thumbnail) -> float:
        covariance = _mean_product(self.pixels, other.pixels)
        return 1 - (2 * covariance + _CONTRAST_FLOOR) / (self.variance + other.variance + _CONTRAST_FLOOR)


def _mean_product(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the mean of the products; einsum, unlike a matrix product, starts no threads."""
    return float(np.einsum("i,i->", first, second)) / len(first)
