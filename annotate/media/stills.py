"""Read single frames of a video in color, with one seek each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.media.decode import SEEKABLE_CONTAINERS
from annotate.media.decoding_command import clock_output, deinterlace, shift_clock, shown_part
from annotate.media.ffmpeg import build_command, ffmpeg_process, memory_options, restricted_input, wait_for_output
from annotate.media.probe import Video, probe
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S

_CHANNELS = 3
_HALF_MS_S = 0.5 / MS_PER_S

_LEAD_S, _BLIND_LEAD_S = 1, 12
"""Decoding starts this much earlier than requested, in containers with and without an index of their key frames.

Without one, a key frame has to be found by reading. Whole seconds are exact in every time base."""


def read_still(
    path: Path, time_ms: int, *, height_px: int | None = None, limits: Limits = ONE_CORE, video: Video | None = None
) -> NDArray[np.uint8]:
    """Return the frame displayed at a presentation time as (height, width, 3) uint8 RGB, with square pixels.

    It is the last frame that starts, in rounded milliseconds, no later than ``time_ms``, or the first frame if there is
    none. The image is upright, of the displayed size or scaled to ``height_px``. ``video`` is the result of
    `annotate.media.probe.probe`, if the file has been probed.

    Where the file is seekable, only the frames from a key frame on are decoded; if it is not, or a seek ends at a wrong
    place, it is decoded from the start.

    Raises:
        MediaError: the video cannot be used, or no frame could be decoded.
        FFmpegError: no usable ffmpeg was found.
    """
    video = probe(path, limits.max_pixels) if video is None else video
    size_px = _size_px(video, height_px)
    for strategy in _strategies(video, max(0, time_ms)):
        command = _command(video, size_px, limits, strategy)
        image = _read_image(command, video, size_px, strategy.takes_first, limits.stall_timeout_s)
        if image is not None:
            return image
    problem = f"no frame could be decoded at {time_ms / MS_PER_S:g} s"
    raise DecodingError(problem, "check whether the file is damaged", path=video.display_path)


@dataclass(frozen=True)
class _Strategy:
    """A seek strategy: where decoding starts, filters that select frames, and whether to take the first or the last."""

    sought_s: int
    filters: tuple[tuple[str, dict[str, Any]], ...] = ()
    takes_first: bool = True


def _strategies(video: Video, time_ms: int) -> Iterator[_Strategy]:
    """Yield strategies for the frame at a time; each is for the case that those before find no frame.

    The first one starts a clock of milliseconds at the requested time, which repeats the displayed frame at every tick, and
    takes its first frame. At the end of the video that clock may yield nothing, so the next one takes the last frame that
    starts early enough. A seek that ended too late has no such frame, so both are repeated from the start of the file. The
    last one takes the first frame of the video.
    """
    lead_s = _LEAD_S if video.container in SEEKABLE_CONTAINERS else _BLIND_LEAD_S
    for sought_s in dict.fromkeys((max(0, time_ms // MS_PER_S - lead_s), 0)):
        time_s = time_ms / MS_PER_S - sought_s
        started = ("trim", {"end": f"{time_s + _HALF_MS_S:.4f}"})
        yield _Strategy(sought_s, (started, ("fps", {"fps": MS_PER_S, "start_time": f"{time_s:.3f}"})))
        yield _Strategy(sought_s, (started,), takes_first=False)
    yield _Strategy(0)


def _size_px(video: Video, height_px: int | None) -> tuple[int, int]:
    """Return width and height of the image, in pixels."""
    if height_px is None:
        return video.width_px, video.height_px
    return max(1, round(video.width_px * height_px / video.height_px)), height_px


def _command(video: Video, size_px: tuple[int, int], limits: Limits, strategy: _Strategy) -> list[str]:
    """Return a command that writes raw images to a pipe.

    Copying the audio to a null output makes times count from the container's start. ``noaccurate_seek`` passes the frames
    from the key frame on to the filters, which need them.
    """
    seek: dict[str, int | None] = {"noaccurate_seek": None, "ss": strategy.sought_s} if strategy.sought_s else {}
    source = restricted_input(threads=limits.threads, max_pixels=limits.max_pixels, **seek)
    chain = shift_clock(deinterlace(shown_part(source, video), video), -video.zero_s)
    for name, options in strategy.filters:
        chain = chain.filter(name, **options)
    if strategy.takes_first:  # or the frames behind it, such as the clock's repetitions, are scaled too
        chain = chain.filter("trim", end_frame=1)
    chain = chain.filter("scale", *size_px, flags="area").filter("format", "rgb24")
    images = chain.output("pipe:1", format="rawvideo", vcodec="rawvideo", fps_mode="passthrough")
    clock = clock_output(source, video)
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "quiet", "-y", *memory_options(video.pixels))
    outputs = ffmpeg.merge_outputs(images, clock).global_args(*global_options)
    return build_command(outputs, video.path, video.ffmpeg.path)


def _read_image(
    command: list[str], video: Video, size_px: tuple[int, int], takes_first: bool, stall_timeout_s: float
) -> NDArray[np.uint8] | None:
    """Return the first or the last complete image that a command writes; None if there is none."""
    width, height = size_px
    content, last = bytearray(), None
    image_bytes = width * height * _CHANNELS
    with ffmpeg_process(command) as process:
        assert process.stdout is not None
        while last is None or not takes_first:
            wait_for_output(process.stdout, video.display_path, stall_timeout_s, option="")
            read = process.stdout.read(image_bytes - len(content))
            if not read:
                break
            content += read
            if len(content) == image_bytes:
                content, last = bytearray(), content
    return None if last is None else np.frombuffer(bytes(last), np.uint8).reshape(height, width, _CHANNELS)
