"""Thinning of frames to those that are analyzed, and detection of shots."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotate.media.decode import Frame
from annotate.span import MS_PER_S, Span

THUMBNAIL_SHORT_SIDE_PX = 48
CUT_DISTANCE = 0.45
"""Least structural distance between neighbouring frames of two shots."""

CUT_RATIO = 3.0
"""A cut differs this many times more than the frames before it did; steady fast motion does not."""

_CONTRAST_FLOOR = (0.03 * 219) ** 2
_RECENT_FRAMES = 8
USUAL_FRAMES = 25
_GAP_INTERVALS = 3


def thin(frames: Iterable[Frame], frame_rate: float | None, max_frame_rate: float) -> Iterator[Frame]:
    """Yield frames but those that follow the last kept one too soon; a kept frame's span and last index cover them.

    Sources whose ``frame_rate`` is up to one frame a second above ``max_frame_rate`` pass whole, however uneven their
    frames: thinning evens out a rate that is too fast everywhere, not frames that come in bursts.
    """
    if frame_rate is not None and frame_rate <= max_frame_rate + 1:
        yield from frames
        return
    min_interval_ms = int(MS_PER_S / (max_frame_rate + 1))
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


def mark_shots(frames: Iterable[Frame], gap_ms: int) -> Iterator[tuple[Frame, bool]]:
    """Yield each frame with whether it begins a shot: at the start, at a cut, after an unusual gap in time."""
    differences: deque[float] = deque(maxlen=_RECENT_FRAMES)
    intervals: deque[int] = deque(maxlen=USUAL_FRAMES)
    last_start_ms, last_thumbnail = 0, None
    for frame in frames:
        thumbnail = _Thumbnail.of(frame.image)
        if last_thumbnail is None:
            begins = True
        else:
            interval_ms = frame.span.start_ms - last_start_ms
            difference = last_thumbnail.distance(thumbnail)
            usual_difference = sum(differences) / len(differences) if differences else 0.0
            is_cut = difference >= max(CUT_DISTANCE, CUT_RATIO * usual_difference)
            begins = is_cut or is_gap(interval_ms, intervals, gap_ms)
            intervals.append(interval_ms)
            if begins:
                differences.clear()
            else:
                differences.append(difference)
        yield frame, begins
        last_start_ms, last_thumbnail = frame.span.start_ms, thumbnail


def is_gap(interval_ms: int, earlier_ms: Collection[int], gap_ms: int) -> bool:
    """Return whether an interval between frames is a gap in time: long, and unusual after the ones before it."""
    return bool(earlier_ms) and interval_ms > max(gap_ms, _GAP_INTERVALS * statistics.median(earlier_ms))


def until_gap(frame: Frame, following: Frame, earlier_ms: Collection[int], gap_ms: int) -> Frame:
    """Return a frame as it is, or before a gap in time as shown for as long as usual: the gap is nobody's time."""
    if not is_gap(following.span.start_ms - frame.span.start_ms, earlier_ms, gap_ms):
        return frame
    return replace(frame, span=Span(frame.span.start_ms, frame.span.start_ms + statistics.median_low(earlier_ms)))


def continues(last: Frame, frame: Frame, gap_ms: int) -> bool:
    """Return whether a frame continues the shot of the one before it, as far as these two alone tell."""
    is_near = frame.span.start_ms - last.span.start_ms <= gap_ms
    return is_near and structural_distance(last.image, frame.image) < CUT_DISTANCE


def structural_distance(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return 0 for images (height, width) of the same structure, 1 for unrelated, up to 2 for opposite ones.

    One minus the contrast-structure term of SSIM (Wang et al., IEEE TIP 2004) over the whole of their thumbnails: a flash
    changes it little, and images without contrast differ in nothing.
    """
    return _Thumbnail.of(first).distance(_Thumbnail.of(second))


@dataclass(frozen=True, slots=True)
class _Thumbnail:
    """A few thousand of an image's pixels, less their mean, in one row; ``variance`` is theirs."""

    pixels: NDArray[np.float32]
    variance: float

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> _Thumbnail:
        step = max(1, min(image.shape) // THUMBNAIL_SHORT_SIDE_PX)
        pixels = image[step // 2 :: step, step // 2 :: step].astype(np.float32).ravel()
        pixels -= pixels.mean()
        return cls(pixels, _mean_product(pixels, pixels))

    def distance(self, other: _Thumbnail) -> float:
        shared = 2 * _mean_product(self.pixels, other.pixels) + _CONTRAST_FLOOR
        return 1 - shared / (self.variance + other.variance + _CONTRAST_FLOOR)


def _mean_product(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the mean product, by einsum, which starts no threads as a matrix product may."""
    return float(np.einsum("i,i->", first, second)) / len(first)
