"""How large pictures are decoded, and the sizes that the pictures of a video have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from annotate.media.probe import Video

_ROUNDING_US = 1


@dataclass(frozen=True)
class Sizing:
    """How large pictures are decoded, each in its own shape.

    The shorter side has ``short_side_px``, or less where the longer side would exceed ``long_side_px``. Pictures are never
    enlarged, and one that would shrink by less than ``tolerance`` (a fraction) keeps its size.
    """

    short_side_px: int
    long_side_px: int
    tolerance: float

    def size_px(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return width and height at which a picture is decoded.

        >>> Sizing(534, 16_384, 0.03).size_px(1920, 1080), Sizing(534, 16_384, 0.03).size_px(360, 640)
        ((949, 534), (360, 640))
        """
        short, long = sorted((width_px, height_px))
        factor = min(1.0, self.short_side_px / short, self.long_side_px / long)
        if factor > 1 - self.tolerance:
            factor = 1.0
        return max(1, round(width_px * factor)), max(1, round(height_px * factor))

    @property
    def expressions(self) -> tuple[str, str]:
        """The same as expressions of ffmpeg, which evaluates them when the size of pictures changes."""
        factor = f"min({self.short_side_px}/min(iw,ih),{self.long_side_px}/max(iw,ih))"
        stored = f"st(0,min(1,{factor}));st(0,if(gt(ld(0),{1 - self.tolerance!r}),1,ld(0)))"
        rounded = "floor(ld(0)+0.5)-eq(mod(ld(0),2),0.5)"  # as Python rounds: halves to the even number
        width, height = (f"{stored};st(0,{side}*ld(0));max(1,{rounded})" for side in ("iw", "ih"))
        return width, height


@dataclass(frozen=True, slots=True)
class Stamp:
    """Time and duration of a picture in microseconds, its size, and the number of frames lost before it.

    ``shown_us`` is the start of the frame whose picture it shows if that is another one (see `annotate.media.sampling`), and
    ``is_left_out`` tells that the frame itself was not even decoded (see `annotate.media.skipping`).
    """

    start_us: int
    duration_us: int
    width_px: int
    height_px: int
    lost: int = 0
    shown_us: int | None = None
    is_left_out: bool = False

    def displayed_px(self, video: Video) -> tuple[int, int]:
        """Return the displayed size.

        Where pixels are not square, it is that of the video: newer versions of ffmpeg repeat the pixel shape of the
        beginning for all pictures.
        """
        return (self.width_px, self.height_px) if video.has_square_pixels else (video.width_px, video.height_px)


class Row(NamedTuple):
    """Time and duration in microseconds, and length in pixels, of a frame that was made one row."""

    start_us: int
    duration_us: int
    length_px: int


def rows(lines: Iterator[str]) -> Iterator[Row]:
    """Yield rows from ``framecrc`` lines, which have (stream, dts, pts, duration, size, checksum)."""
    for line in lines:
        fields = line.split(",")
        if not line.startswith("#") and len(fields) >= 5:
            yield Row(int(fields[2]), int(fields[3]), int(fields[4]))


def read_stamps(decoded: Iterator[Row], delivered: Iterator[Row]) -> Iterator[Stamp]:
    """Yield the stamps of delivered pictures from rows of all frames, and of those behind the filters.

    The length is the width in the first and the height in the second. ffmpeg builds its filters anew when the size changes;
    the frame that the deinterlacer holds back is lost then.
    """
    for start_us, duration_us, height_px in delivered:
        lost = -1
        frame_us, width_px = start_us - _ROUNDING_US - 1, 0
        while frame_us < start_us - _ROUNDING_US:
            frame_us, _, width_px = next(decoded, Row(start_us, 0, width_px))
            lost += 1
        yield Stamp(start_us, duration_us, width_px, height_px, lost)
