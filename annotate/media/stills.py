"""Single frames of a video in color, as they are shown at a time: one seek each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.media.decode import SEEKABLE_CONTAINERS, deinterlaced
from annotate.media.ffmpeg import command_line, ffmpeg_process, memory_options, open_input, wait_for_output
from annotate.media.probe import Video, probe
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S

_CHANNELS = 3
_HALF_MS_S = 0.5 / MS_PER_S

_LEAD_S, _BLIND_LEAD_S = 1, 12
"""Decoding begins so much earlier, in whole seconds, which are exact in every clock: where the container knows its key
frames, and where it does not, so that one has to come by."""


def read_still(
    path: Path, time_ms: int, *, height_px: int | None = None, limits: Limits = ONE_CORE, video: Video | None = None
) -> NDArray[np.uint8]:
    """Return the frame of ``path`` that is shown at a presentation time: (height, width, 3) uint8 RGB, with square pixels.

    Of frames whose times are rounded to milliseconds it is the last that begins no later; before the first frame it is that
    one, after the last one it is that. Images are upright, and as large as they are displayed, or of ``height_px``.
    ``video`` is what `annotate.media.probe.probe` returned for the file, if that is known.

    Only the frames between a key frame and the frame itself are decoded, where the file can be entered anywhere; a file that
    cannot be, or was entered at a wrong place, is decoded from the start.

    Raises:
        MediaError: the file is no video that can be used, or no frame could be decoded.
        FFmpegError: there is no usable ffmpeg.
    """
    video = probe(path, limits.max_pixels) if video is None else video
    size_px = _size_px(video, height_px)
    for strategy in _strategies(video, max(0, time_ms)):
        command = _command(video, size_px, limits, strategy)
        image = _last_image(command, video, size_px, strategy.takes_first, limits.stall_timeout_s)
        if image is not None:
            return image
    problem = f"no frame could be decoded at {time_ms / MS_PER_S:g} s"
    raise DecodingError(problem, "the file is damaged", path=video.shown_as)


@dataclass(frozen=True)
class _Strategy:
    """A way to seek: where decoding begins, the filters that choose frames, and whether the first or the last is taken."""

    sought_s: int
    filters: tuple[tuple[str, dict[str, Any]], ...] = ()
    takes_first: bool = True


def _strategies(video: Video, time_ms: int) -> Iterator[_Strategy]:
    """Yield strategies for the frame at a time; each is for where the one before finds none.

    A frame is told from its successors by a clock of milliseconds that repeats the shown frame at every tick, begun at the
    time asked for. At the end there is no successor, and the last of all frames serves. A place that was entered too late
    has no frame that begins early enough.
    """
    lead_s = _LEAD_S if video.container in SEEKABLE_CONTAINERS else _BLIND_LEAD_S
    for sought_s in dict.fromkeys((max(0, time_ms // MS_PER_S - lead_s), 0)):
        time_s = time_ms / MS_PER_S - sought_s
        begun = ("trim", {"end": f"{time_s + _HALF_MS_S:.4f}"})
        yield _Strategy(sought_s, (begun, ("fps", {"fps": MS_PER_S, "start_time": f"{time_s:.3f}"})))
        yield _Strategy(sought_s, (begun,), takes_first=False)
    yield _Strategy(0)


def _size_px(video: Video, height_px: int | None) -> tuple[int, int]:
    """Return width and height of the image."""
    if height_px is None:
        return video.width_px, video.height_px
    return max(1, round(video.width_px * height_px / video.height_px)), height_px


def _command(video: Video, size_px: tuple[int, int], limits: Limits, strategy: _Strategy) -> list[str]:
    """Return a command for raw images to a pipe; copying sound into nothing keeps the container's start as zero.

    Frames between a key frame and the time sought are shown to the filters, which need them.
    """
    place: dict[str, int | None] = {"noaccurate_seek": None, "ss": strategy.sought_s} if strategy.sought_s else {}
    source = open_input(threads=limits.threads, max_pixels=limits.max_pixels, **place)
    chain = deinterlaced(source, video)
    for name, options in strategy.filters:
        chain = chain.filter(name, **options)
    chain = chain.filter("scale", *size_px, flags="area").filter("format", "rgb24")
    images = chain.output("pipe:1", format="rawvideo", vcodec="rawvideo", fps_mode="passthrough")
    clock = ffmpeg.output(source["v"], source["a?"], "pipe:2", format="null", codec="copy")
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "quiet", "-y", *memory_options(video.pixels))
    outputs = ffmpeg.merge_outputs(images, clock).global_args(*global_options)
    return command_line(outputs, video.path, video.ffmpeg.path)


def _last_image(
    command: list[str], video: Video, size_px: tuple[int, int], takes_first: bool, stall_timeout_s: float
) -> NDArray[np.uint8] | None:
    """Return the first whole image that a command writes, or the last one; None if there is none."""
    width, height = size_px
    content, last = bytearray(), None
    image_bytes = width * height * _CHANNELS
    with ffmpeg_process(command) as process:
        assert process.stdout is not None
        while last is None or not takes_first:
            wait_for_output(process.stdout, video.shown_as, stall_timeout_s, option="")
            read = process.stdout.read(image_bytes - len(content))
            if not read:
                break
            content += read
            if len(content) == image_bytes:
                content, last = bytearray(), content
    return None if last is None else np.frombuffer(bytes(last), np.uint8).reshape(height, width, _CHANNELS)
