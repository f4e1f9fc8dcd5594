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

ALIKE_CUT_DISTANCE, ALIKE_CUT_RATIO = 0.2, 20.0
"""The same between shots that look alike, as of two people in front of one wall."""

MIN_CHANGED_SHARE = 0.6
"""Minimum share of the picture that shows something else after a cut: less in a flash, or if the camera is jolted."""

_SETTLED_DISTANCES = 3
"""Minimum number of distances before a cut between shots that look alike."""
_STILL_DISTANCE = 0.004
"""A smaller mean distance counts as this: it is noise."""

_PATCH_PX = 8
_MIN_PATCH_VARIANCE = 36.0
"""A patch of a thumbnail shows something if the variance of its luma is larger."""
_MIN_PATCH_CORRELATION = 0.8
"""Minimum correlation of patches that show the same, be it brighter or of more contrast."""
_MIN_SHOWING_SHARE = 0.25
"""Minimum share of the patches that show something which do so in both thumbnails; else nothing of the first is left."""
_MAX_SHIFT_PX = 6
"""How far the picture of a jolted camera may be shifted, in pixels of a thumbnail."""

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
            is_cut = not is_repeated and _is_cut(last_thumbnail, thumbnail, distance, distances)
            begins = is_cut or is_gap(interval_ms, intervals, gap_ms)
            intervals.append(interval_ms)
            if begins:
                distances.clear()
            elif not is_repeated:
                distances.append(distance)
        yield frame, begins
        last_start_ms, last_image = frame.span.start_ms, frame.image
        last_thumbnail, last_size_px = thumbnail, frame.displayed_px


def _is_cut(last: _Thumbnail, thumbnail: _Thumbnail, distance: float, earlier: Collection[float]) -> bool:
    """Return whether there is a cut between two thumbnails at a distance; ``earlier`` are those in the shot before."""
    mean_distance = sum(earlier) / len(earlier) if earlier else 0.0
    is_far = distance >= max(CUT_DISTANCE, CUT_RATIO * mean_distance)
    is_sudden = distance >= max(ALIKE_CUT_DISTANCE, ALIKE_CUT_RATIO * max(mean_distance, _STILL_DISTANCE))
    is_candidate = is_far or (is_sudden and len(earlier) >= _SETTLED_DISTANCES)
    return is_candidate and last.changed_share(thumbnail) >= MIN_CHANGED_SHARE


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
    first, second = _Thumbnail.of_frame(last), _Thumbnail.of_frame(frame)
    is_cut = first.distance(second) >= CUT_DISTANCE and first.changed_share(second) >= MIN_CHANGED_SHARE
    return is_near and not is_cut


def structural_distance(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the distance of two images (height, width): 0 if of the same structure, 1 if unrelated, 2 if inverted.

    It is one minus the contrast-structure term of SSIM (Wang et al., IEEE TIP 2004), computed over whole thumbnails. A flash
    changes it little, and the distance of two images without contrast is 0.
    """
    return _Thumbnail.of(first).distance(_Thumbnail.of(second))


@dataclass(frozen=True, slots=True)
class _Thumbnail:
    """A few thousand pixels of an image (h, w), minus their mean, and their variance."""

    pixels: NDArray[np.float32]
    variance: float

    @classmethod
    def of_frame(cls, frame: Frame) -> _Thumbnail:
        return cls.of(frame.image if frame.thumbnail is None else frame.thumbnail)

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> _Thumbnail:
        step = max(1, min(image.shape) // THUMBNAIL_SHORT_SIDE_PX)
        pixels = image[step // 2 :: step, step // 2 :: step].astype(np.float32)
        pixels -= pixels.mean()
        return cls(pixels, _mean_product(pixels, pixels))

    def distance(self, other: _Thumbnail) -> float:
        covariance = _mean_product(self.pixels, other.pixels)
        return 1 - (2 * covariance + _CONTRAST_FLOOR) / (self.variance + other.variance + _CONTRAST_FLOOR)

    def changed_share(self, other: _Thumbnail) -> float:
        """Return the share of patches that show something else in another thumbnail, shifted as fits best."""
        padded = np.pad(other.pixels, _MAX_SHIFT_PX, "edge")
        rows, columns = self.pixels.shape
        patches, shifted = _patches(self.pixels), np.lib.stride_tricks.sliding_window_view(padded, columns, axis=1)
        downwards = (shifted[down : down + rows].swapaxes(0, 1) for down in range(2 * _MAX_SHIFT_PX + 1))
        return float(min(_changed_shares(patches, _patches(sideways)).min() for sideways in downwards))


def _patches(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pixels of patches (..., n, _PATCH_PX**2) of thumbnails (..., h, w), minus the mean of each patch."""
    rows, columns = (side // _PATCH_PX for side in pixels.shape[-2:])
    whole = pixels[..., : rows * _PATCH_PX, : columns * _PATCH_PX]
    squares = whole.reshape(*pixels.shape[:-2], rows, _PATCH_PX, columns, _PATCH_PX).swapaxes(-3, -2)
    patches = squares.reshape(*pixels.shape[:-2], rows * columns, _PATCH_PX**2)
    centered: NDArray[np.float32] = patches - patches.mean(-1, keepdims=True)
    return centered


def _changed_shares(first: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the shares (k,) of patches that are not correlated, of those that show something in both thumbnails.

    ``first`` are the patches (n, p) of a thumbnail, ``others`` those (k, n, p) of each one that it is compared with.
    """
    variances = (first**2).mean(-1), (others**2).mean(-1)
    in_both, in_either = (limit(*variances) > _MIN_PATCH_VARIANCE for limit in (np.minimum, np.maximum))
    correlations = (first * others).mean(-1) / np.sqrt(variances[0] * variances[1]).clip(_MIN_PATCH_VARIANCE)
    both = in_both.sum(-1)
    shares = (in_both & (correlations < _MIN_PATCH_CORRELATION)).sum(-1) / both.clip(1)
    is_little_left = both < np.maximum(1, _MIN_SHOWING_SHARE * in_either.sum(-1))
    return np.where(is_little_left, 1.0, shares)


def _mean_product(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the mean of the products; einsum, unlike a matrix product, starts no threads."""
    return float(np.einsum("ij,ij->", first, second)) / first.size
