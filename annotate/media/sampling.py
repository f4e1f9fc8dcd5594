"""Decode the pictures of frames at regular times only, and a thumbnail of every frame.

Pictures are large: to convert and pipe them takes a good part of the time that decoding takes. Where an analysis looks at
every fourth one, the others stay in the decoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from annotate.media.sizing import Row, Stamp

THUMBNAIL_PX = 64
"""Width and height of thumbnails; those of oblong pictures are squeezed."""

THUMBNAIL_BYTES = THUMBNAIL_PX**2 * 3 // 2
"""Size of a thumbnail with its chroma, in the pixel format of pictures."""

_US_PER_S = 1_000_000
_PRINTED = re.compile(r"frame:\d+ +pts:(?P<us>-?\d+)\s")

Picture = TypeVar("Picture")


@dataclass(frozen=True)
class Sampling:
    """Of every interval of time, the picture of the first frame is delivered.

    Intervals of ``interval_s`` begin ``lead_s`` before its multiples: half a frame, so that no frame of a steady rate is
    near the limit of two. They depend on the time in the video alone, not on where decoding starts.
    """

    interval_s: float
    lead_s: float

    def expression(self, shift_s: float) -> str:
        """Return ffmpeg's expression for the frames to select; ``shift_s`` turns its times into those in the video."""
        this, last = (f"floor(({time}+({shift_s + self.lead_s!r}))/{self.interval_s!r})" for time in ("t", "prev_t"))
        return f"isnan(prev_t)+not(eq({this},{last}))"


def luma_of(thumbnail: bytes) -> NDArray[np.uint8]:
    """Return the luma of a thumbnail, (64, 64) uint8 in limited range."""
    return np.frombuffer(thumbnail, np.uint8, THUMBNAIL_PX**2).reshape(THUMBNAIL_PX, THUMBNAIL_PX)


def print_times(frames: Any, target: str) -> Any:
    """Return frames whose times are also written to ``target``, in microseconds: without an output of its own.

    Only frames with metadata are printed, so they get some.
    """
    timed = frames.filter("settb", f"1/{_US_PER_S}").filter("metadata", "add", key="t", value="1")
    return timed.filter("metadata", "print", file=target, direct=1)


def printed_times(lines: Iterator[str]) -> Iterator[Row]:
    """Yield rows of no length from lines as ``frame:0    pts:40000   pts_time:0.04``."""
    for line in lines:
        if found := _PRINTED.match(line):
            yield Row(int(found["us"]), 0, 0)


def read_sampled(
    stamps: Iterator[Stamp], selected: Iterator[Row], read_picture: Callable[[Stamp], Picture | None]
) -> Iterator[tuple[Stamp, Picture]]:
    """Yield every frame with its picture, or with that before it, whose time is then in its stamp.

    ``selected`` are the frames whose pictures are delivered, as rows of their width: when the size changes, ffmpeg begins
    anew, with a selected frame. ``read_picture`` returns None at the end.
    """
    following = next(selected, None)
    shown: tuple[Stamp, Picture] | None = None
    for stamp in stamps:
        if following is not None and (stamp.start_us == following.start_us or shown is None):
            stamp = replace(stamp, width_px=following.length_px)
            picture = read_picture(stamp)
            if picture is None:
                return
            shown = stamp, picture
            following = next(selected, None)
            yield shown
        elif shown is not None:
            yield replace(stamp, width_px=shown[0].width_px, shown_us=shown[0].start_us), shown[1]
