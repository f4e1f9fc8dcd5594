"""Write rendered videos in which regions of the frames are blurred beyond recovery.

Every frame is decoded, blurred here, and only then passed to the encoder, which never has the frames of the source.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.media.containers import codec_option
from annotate.media.decode import BLACK, Frame, MediaProgress, decode
from annotate.media.decoding_command import clock_output
from annotate.media.decoding_report import DecodingReport, collect_warnings
from annotate.media.encode import (
    PRESET,
    QUALITY,
    STRICTLY_INCREASING,
    codec_options,
    encoding_error,
    h264_options,
    muxer_options,
)
from annotate.media.ffmpeg import (
    LOG_LEVEL,
    build_command,
    ffmpeg_process,
    memory_options,
    restricted_input,
    write_input,
)
from annotate.media.probe import Stream, Video
from annotate.media.sizing import Sizing
from annotate.media.timed_frames import frame_header, header
from annotate.settings import ONE_CORE, Limits

CELLS = 4
"""A region is reduced to this many cells along each side, or fewer: a face in it, to about three."""

MIN_CELL_PX = 4
"""Small regions have fewer cells, so that no pixel remains."""

_NEUTRAL_CHROMA = 128
_US_PER_MS, _US_PER_S = 1000, 1_000_000
DISPLAYED_SIZE = Sizing(1 << 30, 1 << 30, 0.0)
"""Size of frames as they are displayed, with square pixels."""

_IMAGE_TAGS = ("coverart", "coverartmime", "metadata_block_picture")
"""Tags that contain images."""

_INPUT = "pipe:0"

Region = tuple[float, float, float, float]
"""x and y of the upper left corner, width and height, as fractions of the frame; it may lie beyond the frame in part."""

WHOLE_FRAME: Region = (0.0, 0.0, 1.0, 1.0)

RegionsAt = Callable[[Frame], Sequence[Region] | None]
"""Returns the regions of a frame to blur; None to blur the whole frame."""


@dataclass(frozen=True)
class Kept:
    """What a blurred video keeps of its source besides subtitles: audio; chapters and metadata."""

    sound: bool = True
    metadata: bool = True


def blur(
    video: Video,
    regions_at: RegionsAt,
    target: Path,
    *,
    kept: Kept | None = None,
    limits: Limits = ONE_CORE,
    progress: MediaProgress | None = None,
) -> DecodingReport:
    """Write the video to ``target``, .mp4 or .mkv in an empty folder, with regions of the frames blurred.

    Frames have the displayed size and square pixels, are upright, deinterlaced, encoded as H.264, and keep their times;
    those of another shape than the first get black bars. Audio, subtitles, chapters and metadata are copied as by
    `annotate.media.encode.burn`; covers, attachments and other streams are not. ``video`` should be probed by the ffmpeg
    that encodes, so that both have one clock. Return the decoder's warnings.

    Raises:
        DecodingError: no frame can be decoded, or the decoder or encoder hung or failed.
        OutputError: the disk is full.
        FFmpegError: no ffmpeg with libass and libx264 was found.
    """
    report, encoding = DecodingReport(), DecodingReport()
    frames = decode(video, DISPLAYED_SIZE, limits=limits, report=report)
    with contextlib.closing(frames):
        first = next(frames)
        command = _command(video, first.start_us, target, kept or Kept(), limits)
        read_stderr = functools.partial(collect_warnings, report=encoding, video=video, path=video.path.absolute())
        with ffmpeg_process(command, read_stderr, folder=target.parent, takes_input=True) as process:
            assert process.stdin is not None
            write = functools.partial(write_input, name=video.display_path, stall_timeout_s=limits.stall_timeout_s)
            with contextlib.suppress(BrokenPipeError):
                write(process.stdin, header(video.width_px, video.height_px, video.frame_rate))
                for frame in _chain(first, frames):
                    write_frame(process.stdin, write, frame, regions_at(frame), first.start_us, video)
                    if progress is not None:
                        progress(frame.span.end_s)
            process.stdin.close()
            process.wait()
    if process.returncode:
        raise encoding_error(video, target, encoding, process.returncode)
    return report


def blur_region(planes: Sequence[NDArray[np.uint8]], region: Region) -> None:
    """Blur a region of the planes (height, width) of a picture, in place.

    Each is reduced to the means of at most ``CELLS`` x ``CELLS`` cells, between which it is then interpolated.
    """
    x, y, width, height = region
    for plane in planes:
        rows, columns = plane.shape
        left, right = _limits_px(x, width, columns)
        top, bottom = _limits_px(y, height, rows)
        if left < right and top < bottom:
            part = plane[top:bottom, left:right]
            cells = _cell_count(right - left, width * columns), _cell_count(bottom - top, height * rows)
            means = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(means, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)


def _limits_px(start: float, length: float, size_px: int) -> tuple[int, int]:
    """Return the first pixel and the end of an interval in fractions of a size, rounded outwards."""
    return max(0, math.floor(start * size_px)), min(size_px, math.ceil((start + length) * size_px))


def _cell_count(visible_px: int, whole_px: float) -> int:
    """Return the number of cells of the visible part of a region, which are as large as if all of it were visible."""
    return max(1, int(visible_px / max(MIN_CELL_PX, whole_px / CELLS)))


def _chain(first: Frame, others: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from others


def write_frame(
    pipe: IO[bytes],
    write: Callable[[IO[bytes], bytes | memoryview], None],
    frame: Frame,
    regions: Sequence[Region] | None,
    zero_us: int,
    video: Video,
) -> None:
    """Blur a frame and write it, in the size of the video; its time counts from ``zero_us``."""
    planes = [frame.image, *frame.chroma]
    for region in (WHOLE_FRAME,) if regions is None else regions:
        blur_region(planes, region)
    planes = _fitted(planes, video.width_px, video.height_px)
    size_bytes = sum(plane.size for plane in planes)
    write(pipe, frame_header(max(0, frame.start_us - zero_us), frame.span.duration_ms * _US_PER_MS, size_bytes))
    for plane in planes:
        write(pipe, plane.data.cast("B"))


def _fitted(planes: list[NDArray[np.uint8]], width_px: int, height_px: int) -> list[NDArray[np.uint8]]:
    """Return planes in the size of the video; a picture of another shape gets black bars."""
    height, width = planes[0].shape
    if (width, height) == (width_px, height_px):
        return planes
    factor = min(width_px / width, height_px / height)
    size = tuple(max(2, int(side * factor) // 2 * 2) for side in (width, height))
    fitted = []
    for number, plane in enumerate(planes):
        step, fill = (2, _NEUTRAL_CHROMA) if number else (1, BLACK)
        inner = cv2.resize(plane, (size[0] // step, size[1] // step), interpolation=cv2.INTER_AREA)
        whole = np.full((-(-height_px // step), -(-width_px // step)), fill, np.uint8)
        top, left = ((outer - side) // 4 * 2 // step for outer, side in ((height_px, size[1]), (width_px, size[0])))
        whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        fitted.append(whole)
    return fitted


def _command(video: Video, start_us: int, target: Path, kept: Kept, limits: Limits) -> list[str]:
    """Return the command that encodes frames from its stdin and copies the rest from the source.

    A copy of the source's video and audio to nowhere makes times count from the container's start.
    """
    container = target.suffix[1:]
    source = restricted_input(threads=limits.threads, max_pixels=limits.max_pixels)
    start = {"itsoffset": f"{start_us / _US_PER_S:.6f}"}
    frames = ffmpeg.input(_INPUT, format="matroska", protocol_whitelist="pipe", fpsprobesize=0, **start)["v"]
    colors = video.colors
    named = {"colorspace": colors.matrix, "color_primaries": colors.primaries, "color_trc": colors.transfer}
    frames = frames.filter("setpts", STRICTLY_INCREASING).filter("setparams", range="limited", **named)
    is_odd = (video.width_px | video.height_px) & 1
    frames = frames.filter("format", "yuv444p" if is_odd else "yuv420p")
    streams = [stream for stream in video.streams if _is_kept(stream, container, kept)]
    options: dict[str, Any] = {
        **h264_options(QUALITY, PRESET),
        **codec_options(streams, container),
        **muxer_options(container),
    }
    del options["map_metadata"]
    copied = (source[str(stream.index)] for stream in streams)
    outputs = ffmpeg.merge_outputs(ffmpeg.output(frames, *copied, target.name, **options), clock_output(source, video))
    global_options = ("-hide_banner", "-nostats", "-loglevel", LOG_LEVEL, "-y", *memory_options(video.pixels))
    command = build_command(outputs.global_args(*global_options), video.path.absolute(), video.ffmpeg.renderer.path)
    before_target = command.index(target.name)
    return [*command[:before_target], *_metadata_options(command, kept), *command[before_target:]]


def _metadata_options(command: Sequence[str], kept: Kept) -> list[str]:
    """Return the options for chapters and metadata: those of the input that is no pipe, without images, or none."""
    if not kept.metadata:
        return ["-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1"]
    inputs = [command[number + 1] for number, argument in enumerate(command) if argument == "-i"]
    source = str(1 - inputs.index(_INPUT))
    tags = [part for tag in _IMAGE_TAGS for part in ("-metadata", f"{tag}=")]
    return ["-map_metadata", source, "-map_chapters", source, *tags]


def _is_kept(stream: Stream, container: str, kept: Kept) -> bool:
    if stream.kind == "audio":
        return kept.sound and stream.is_usable
    return stream.kind == "subtitle" and codec_option(stream, container) != ""
