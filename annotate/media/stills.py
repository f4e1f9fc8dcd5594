"""Single pictures of a video in colour, as they are shown at a time: one seek each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.media.decode import SOUGHT_IN, pictures_of
from annotate.media.ffmpeg import command_line, memory_options, open_input, wait_for_output, working
from annotate.media.probe import Video, probe
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S

_CHANNELS = 3
_HALF_MS_S = 0.5 / MS_PER_S

_LEAD_S, _BLIND_LEAD_S = 1, 12
"""So much earlier decoding begins, in whole seconds, which are exact in every clock: where the container knows its key
frames, and where it does not, so that one has to come by."""


def read_still(
    path: Path, time_ms: int, *, height_px: int | None = None, limits: Limits = ONE_CORE, video: Video | None = None
) -> NDArray[np.uint8]:
    """The frame of ``path`` that is shown at a presentation time: (height, width, 3) uint8 RGB, upright, with square pixels.

    Of frames whose times are rounded to milliseconds it is the last that begins no later; before the first frame it is that
    one, after the last one it is that. Pictures are as large as they are displayed, or of ``height_px``. ``video`` is what
    `annotate.media.probe.probe` said of the file, if that is known.

    Only what lies between a key frame and the frame itself is decoded, where the file can be entered anywhere; what cannot
    be, or was entered at a wrong place, is decoded from the start.

    Raises:
        MediaError: the file is no video that can be used, or no frame could be decoded.
        FFmpegError: there is no usable ffmpeg.
    """
    video = probe(path, limits.max_pixels) if video is None else video
    size_px = _size_px(video, height_px)
    for way in _ways(video, max(0, time_ms)):
        picture = _last_picture(_command(video, size_px, limits, way), path, size_px, way.is_one, limits.stall_timeout_s)
        if picture is not None:
            return picture
    raise DecodingError(f"{path}: no frame could be decoded at {time_ms / MS_PER_S:g} s; the file is damaged")


@dataclass(frozen=True)
class _Way:
    """Where decoding begins, the filters that then choose frames, and whether the first of those or the last is meant."""

    sought_s: int
    filters: tuple[tuple[str, dict[str, Any]], ...] = ()
    is_one: bool = True


def _ways(video: Video, time_ms: int) -> Iterator[_Way]:
    """Ways to the frame at a time; each is for where the one before finds none.

    A frame is told from its successors by a clock of milliseconds that repeats what is shown at every tick, begun at the
    time asked for. At the end there is no successor, and the last of all frames serves. A place that was entered too late
    has no frame that begins early enough.
    """
    lead_s = _LEAD_S if video.container in SOUGHT_IN else _BLIND_LEAD_S
    for sought_s in dict.fromkeys((max(0, time_ms // MS_PER_S - lead_s), 0)):
        time_s = time_ms / MS_PER_S - sought_s
        begun = ("trim", {"end": f"{time_s + _HALF_MS_S:.4f}"})
        yield _Way(sought_s, (begun, ("fps", {"fps": MS_PER_S, "start_time": f"{time_s:.3f}"})))
        yield _Way(sought_s, (begun,), is_one=False)
    yield _Way(0)


def _size_px(video: Video, height_px: int | None) -> tuple[int, int]:
    """Width and height of the picture."""
    if height_px is None:
        return video.width_px, video.height_px
    return max(1, round(video.width_px * height_px / video.height_px)), height_px


def _command(video: Video, size_px: tuple[int, int], limits: Limits, way: _Way) -> list[str]:
    """Raw pictures to a pipe; the copy of sound into nothing keeps the container's start as zero, as in `decode`.

    Frames between a key frame and the time sought are shown to the filters, which need them.
    """
    place: dict[str, int | None] = {"noaccurate_seek": None, "ss": way.sought_s} if way.sought_s else {}
    source = open_input(threads=limits.threads, max_pixels=limits.max_pixels, **place)
    chain = pictures_of(source, video)
    for name, options in way.filters:
        chain = chain.filter(name, **options)
    chain = chain.filter("scale", *size_px, flags="area").filter("format", "rgb24")
    pictures = chain.output("pipe:1", format="rawvideo", vcodec="rawvideo", fps_mode="passthrough")
    clock = ffmpeg.output(source["v"], source["a?"], "pipe:2", format="null", codec="copy")
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "quiet", "-y", *memory_options(video.pixels))
    return command_line(ffmpeg.merge_outputs(pictures, clock).global_args(*global_options), video.path)


def _last_picture(
    command: list[str], path: Path, size_px: tuple[int, int], is_one: bool, stall_timeout_s: float
) -> NDArray[np.uint8] | None:
    """The first whole picture that a command writes, or the last one; None if there is none."""
    width, height = size_px
    content, last = bytearray(), None
    picture_bytes = width * height * _CHANNELS
    with working(command) as process:
        assert process.stdout is not None
        while last is None or not is_one:
            wait_for_output(process.stdout, path, stall_timeout_s, option="")
            part = process.stdout.read(picture_bytes - len(content))
            if not part:
                break
            content += part
            if len(content) == picture_bytes:
                content, last = bytearray(), content
    return None if last is None else np.frombuffer(bytes(last), np.uint8).reshape(height, width, _CHANNELS)
