"""The ffmpeg command that decodes a video: its filters, and its outputs for pictures, times, packets and thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from annotate.media.ffmpeg import LOG_LEVEL, build_command, memory_options, restricted_input
from annotate.media.probe import Video
from annotate.media.sampling import THUMBNAIL_PX, Sampling, print_times
from annotate.media.sizing import Sizing, Stamp
from annotate.media.skipping import SKIPPED_FRAMES, UNREFERENCED, leaves_out
from annotate.settings import ALL_FRAMES, KEY, NO_HWACCEL, Limits, available_cores

_PIXEL_FORMAT = "yuv420p"
_FULL_RANGE = "yuvj420p"
_LIMITED_LUMA, _LIMITED_CHROMA = "floor(16.5+val*219/255)", "floor(128.5+(val-128)*224/255)"
_US_PER_S = 1_000_000
_RAW = {"vcodec": "rawvideo", "fps_mode": "passthrough", "enc_time_base": f"1:{_US_PER_S}", "noautoscale": None}
_STAMPS = {"format": "framecrc", "flush_packets": 1}

_MIN_DEINTERLACED_PX = 16
"""Smaller frames are not deinterlaced, since the filter does not support them."""

_MIN_AUTOMATIC_THREADS, _MAX_AUTOMATIC_THREADS = 8, 16
"""Limits of the number of decoding threads on several cores, if it is automatic."""


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a video are decoded, which of them with an image of their own, and how exactly.

    In a ``mode`` that leaves frames out (`annotate.media.skipping.leaves_out`), these are yielded too, with the image of the
    last one that was decoded; without ``repeats`` they are not, and no other process is needed. With ``sampling``, unless
    only key frames are decoded, frames have the image of the last one in the sample. Unless ``is_smoothed``, frames of H.264
    and HEVC that no other is predicted from are decoded without the filter that smooths the edges of their blocks: that
    takes 6 to 10 % less time, and people would see it, but a detector does not.
    """

    mode: str = ALL_FRAMES
    repeats: bool = True
    sampling: Sampling | None = None
    is_smoothed: bool = True


WHOLE = FrameChoice()
"""All frames, each with an image of its own, as they are meant to look."""


@dataclass(frozen=True)
class Delivery:
    """How the frames of a video are delivered; see `annotate.media.decode.decode`. Decoding starts at ``sought_s``."""

    size: Sizing | tuple[int, int]
    choice: FrameChoice
    sought_s: int = 0

    @property
    def sampling(self) -> Sampling | None:
        """The sample of frames with images; None if all that are decoded have one."""
        return None if self.choice.mode == KEY else self.choice.sampling

    def size_px(self, stamp: Stamp) -> tuple[int, int]:
        """Return width and height of a picture."""
        return self.size if isinstance(self.size, tuple) else self.size.size_px(stamp.width_px, stamp.height_px)


def shown_part(source: Any, video: Video) -> Any:
    """Return the video stream of an input, cropped where the container says so and ffmpeg has not done it."""
    stream = source[str(video.stream)]
    return stream if video.cropping is None else stream.filter("crop", exact=1, **video.cropping.expressions)


def deinterlace(stream: Any, video: Video) -> Any:
    """Return a stream of frames with interlaced ones deinterlaced to one image each."""
    if video.short_side_px < _MIN_DEINTERLACED_PX:
        return stream
    return stream.filter("bwdif", mode="send_frame", deint="interlaced")


def _automatic_threads(cores: int) -> int:
    """Return the number of decoding threads that keep ``cores`` busy.

    They wait for each other: decoding 720p with three keeps two cores busy for 0.82 of the time, with eight for 0.91. With
    many cores there is one more than cores, and at most sixteen, as ffmpeg has by itself.

    >>> _automatic_threads(1), _automatic_threads(2), _automatic_threads(11), _automatic_threads(64)
    (1, 8, 12, 16)
    """
    return 1 if cores == 1 else min(max(_MIN_AUTOMATIC_THREADS, cores + 1), _MAX_AUTOMATIC_THREADS)


def decoding_command(
    video: Video,
    delivery: Delivery,
    limits: Limits,
    targets: Sequence[str],
    copied: Sequence[int],
) -> list[str]:
    """Return a command with one filter chain and up to six outputs: stamps, images, packets and thumbnails.

    The stamps are ``framecrc`` lines of one row of pixels, which costs almost nothing: as wide as the frame, for every frame
    as decoded, and as wide as the frame is high, for every frame behind the deinterlacer (see `read_stamps`). They come
    before the images: an ffmpeg that serves its outputs in turn then writes the stamps of a frame before its image. Without
    ``noautoscale`` ffmpeg would squeeze all images into the shape of the first. The last output lists the packets of the
    streams ``copied``; audio among them makes times count from the container's start, which for MPEG-TS they otherwise do
    not.

    With a sample, the rows as wide as the frame are those of the sample, and the times of all frames as decoded are written
    by a filter: an output of every frame takes 4 % of the time that decoding 720p takes. Filters have one thread: by default
    each scaler starts one for every core, and to wake them takes 3 % of ffmpeg's time. The deinterlacer is fast enough with
    one: it takes 2 ms for a frame of 1080p, a seventh of decoding it.
    """
    options: dict[str, str | int] = {} if limits.hwaccel == NO_HWACCEL else {"hwaccel": limits.hwaccel}
    if delivery.sought_s:
        options["ss"] = delivery.sought_s
    if leaves_out(video, delivery.choice.mode):
        options["skip_frame"] = SKIPPED_FRAMES[delivery.choice.mode]
    if not delivery.choice.is_smoothed:
        options["skip_loop_filter"] = UNREFERENCED
    options["threads"] = 1 if delivery.choice.mode == KEY else limits.threads or _automatic_threads(available_cores())
    source = restricted_input(max_pixels=limits.max_pixels, **options)
    as_decoded = shown_part(source, video)
    if delivery.sampling is None:
        both = as_decoded.split()
        frames = deinterlace(both[1], video).split()
        widths, shown = both[0], frames[1]
    else:
        frames = deinterlace(print_times(as_decoded, targets[3]), video).split()
        selected = frames[1].filter("select", delivery.sampling.expression(delivery.sought_s - video.zero_s)).split()
        widths, shown = selected[0], selected[1]
    outputs = [
        _row(widths, "iw").output(targets[0], **_STAMPS, **_RAW),
        _row(frames[0], "ih").output(targets[1], **_STAMPS, **_RAW),
    ]
    if delivery.sampling is not None:
        side = str(THUMBNAIL_PX)
        thumbnails = _scaled(frames[2], video, (side, side), "neighbor")  # single pixels of the picture
        outputs.append(thumbnails.output(targets[4], format="rawvideo", **_RAW))
    sides = delivery.size if isinstance(delivery.size, tuple) else delivery.size.expressions
    outputs.append(_scaled(shown, video, sides, "area").output("pipe:1", format="rawvideo", **_RAW))
    if copied:
        streams = [source[str(number)] for number in copied]
        outputs.append(ffmpeg.output(*streams, targets[2], format="framecrc", codec="copy", copyinkf=None))
    limited = ("-filter_complex_threads", "1", *memory_options(video.pixels))
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", LOG_LEVEL, "-y", *limited)
    return build_command(ffmpeg.merge_outputs(*outputs).global_args(*global_options), video.path, video.ffmpeg.path)


def _scaled(frames: Any, video: Video, sides: Sequence[int | str], flags: str) -> Any:
    """Return frames of a size in limited range, as ``yuv420p``.

    Versions of ffmpeg convert full range differently when they scale, by one level.
    """
    if not video.is_full_range:
        return frames.filter("scale", *sides, flags=flags, out_range="limited").filter("format", _PIXEL_FORMAT)
    scaled = frames.filter("scale", *sides, flags=flags, in_range="full", out_range="full").filter("format", _FULL_RANGE)
    return scaled.filter("lutyuv", y=_LIMITED_LUMA, u=_LIMITED_CHROMA, v=_LIMITED_CHROMA)


def _row(frames: Any, length: str) -> Any:
    """Return frames as one row of gray pixels; its ``length`` is an expression."""
    return frames.filter("scale", length, 1, flags="neighbor").filter("format", "gray")


def shift_clock(stream: Any, shift_s: float) -> Any:
    """Return a stream of frames that come later by a number of seconds, in ffmpeg's time."""
    return stream.filter("setpts", f"PTS+({shift_s:.6f})/TB") if shift_s else stream


def clock_output(source: Any, video: Video) -> Any:
    """Return a null output with copies of the video and audio streams: times then count from the container's start."""
    streams = [source[str(number)] for number in (video.stream, *(stream.index for stream in video.audio))]
    return ffmpeg.output(*streams, "pipe:2", format="null", codec="copy")
