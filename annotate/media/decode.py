"""Decode the frames of a video with their presentation times; one generator owns one ffmpeg process."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.media.ffmpeg import (
    build_command,
    clean_line,
    ffmpeg_process,
    memory_options,
    restricted_input,
    wait_for_output,
)
from annotate.media.probe import Video
from annotate.settings import NO_HWACCEL, ONE_CORE, Limits
from annotate.span import MS_PER_S, Span

DISTINCT_WARNINGS = 20
"""Number of distinct decoder warnings that are kept; further ones are only counted."""

_PLANAR_8_BIT = "yuv420p|yuv422p|yuv444p|gray"
_TIMING = {"fps_mode": "passthrough", "enc_time_base": "1:1000"}
_OWN_OUTPUTS = ("[rawvideo", "[framecrc", "[null")
"""Prefixes of warnings about the timestamps of our own outputs, not about the video."""

SEEKABLE_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers with an index of their frames, so that decoding can start anywhere."""

_LEAD_S = 1
"""Decoding starts this much earlier than requested: times are rounded, and deinterlacing may need the frame before.
Whole seconds are exact in every time base."""

_MIN_DEINTERLACED_PX = 16
"""Smaller frames are not deinterlaced, since the filter does not support them."""

_PIPE_BYTES = 1 << 20
_FALLBACK_FRAME_MS = 40
_TERMINATE_TIMEOUT_S = 5

MediaProgress = Callable[[float], None]
"""Progress callback, called with the seconds of video done so far."""


@dataclass(frozen=True)
class Frame:
    """An image and the time span for which it is shown.

    ``index`` counts the decoded frames from 0; ``last_index`` is the index of the last frame that was dropped in favor of
    this one, or ``index`` itself. ``image`` is (height, width) uint8 luma in limited range, 16..235. ``span`` ends where the
    next frame begins.
    """

    index: int
    last_index: int
    span: Span
    image: NDArray[np.uint8]


@dataclass
class DecodingReport:
    """Counts and warnings of a decoding, filled in during iteration; ``warnings`` counts lines of ffmpeg's stderr."""

    frames: int = 0
    end_ms: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    warning_count: int = 0

    @property
    def end_s(self) -> float:
        """The end of the last delivered frame, in seconds."""
        return self.end_ms / MS_PER_S


def decode(
    video: Video,
    size_px: tuple[int, int],
    *,
    limits: Limits = ONE_CORE,
    report: DecodingReport | None = None,
    start_s: int = 0,
) -> Generator[Frame, None, None]:
    """Yield every frame of ``video`` as luma of ``size_px`` (width, height), upright, deinterlaced where needed.

    With ``start_s``, decoding starts shortly before that time. In `SEEKABLE_CONTAINERS` the times, and usually the images,
    are those of a decoding from the start, but indices count from 0.

    Two outputs of one process are read: raw images, and one line per frame with its presentation time and duration in
    milliseconds. No frame is duplicated or dropped to make a constant rate. Closing the generator ends the process. Errors
    and warnings name the video's ``display_path``.

    Raises:
        DecodingError: no frame could be decoded, or the decoder hung. ``report`` records lesser damage.
        FFmpegError: ffmpeg could not be started.
    """
    report = DecodingReport() if report is None else report
    width, height = size_px
    with _stamp_channel() as (stamp_target, inherited, stamp_lines):
        sought_s = max(0, start_s - _LEAD_S)
        command = _command(video, size_px, limits, stamp_target, sought_s)
        read_stderr = functools.partial(collect_warnings, report=report, path=video.path, display_path=video.display_path)
        with ffmpeg_process(command, read_stderr, inherited=inherited) as process:
            stamps = stamp_lines(process)
            assert process.stdout is not None
            _widen_pipe(process.stdout)
            images = _read_images(process.stdout, width, height, video.display_path, limits.stall_timeout_s)
            yield from _with_spans(images, stamps, report, sought_s * MS_PER_S)
            process.wait()
    if not report.frames:
        cause = next(iter(report.warnings), f"ffmpeg exited with status {process.returncode}")
        problem = f"no frame could be decoded ({cause})"
        raise DecodingError(problem, "check whether the file is damaged or its codec unknown", path=video.display_path)


def deinterlace(source: Any, video: Video) -> Any:
    """Return the video stream of an input, with interlaced frames deinterlaced to one image each."""
    stream = source[str(video.stream)]
    if video.short_side_px < _MIN_DEINTERLACED_PX:
        return stream
    return stream.filter("bwdif", mode="send_frame", deint="interlaced")


def _command(video: Video, size_px: tuple[int, int], limits: Limits, stamp_target: str, sought_s: int = 0) -> list[str]:
    """Return a command with one filter chain and two outputs, so that every image has its timestamp.

    The output of timestamps comes first: an ffmpeg that serves its outputs in turn then writes a frame's timestamp before
    its image. ``framecrc`` of frames passed by reference costs nothing and gives time and duration. Copying the audio to a
    null output makes times count from the container's start, which for MPEG-TS they otherwise do not.
    """
    width, height = size_px
    options: dict[str, str | int] = {} if limits.hwaccel == NO_HWACCEL else {"hwaccel": limits.hwaccel}
    if sought_s:
        options["ss"] = sought_s
    source = restricted_input(threads=limits.threads, max_pixels=limits.max_pixels, **options)
    chain = deinterlace(source, video).filter("scale", width, height, flags="area", out_range="limited")
    halves = chain.filter("format", _PLANAR_8_BIT).filter("extractplanes", "y").split()
    stamps = halves[0].output(stamp_target, format="framecrc", vcodec="wrapped_avframe", flush_packets=1, **_TIMING)
    images = halves[1].output("pipe:1", format="rawvideo", vcodec="rawvideo", **_TIMING)
    clock = ffmpeg.output(source["v"], source["a?"], "pipe:2", format="null", codec="copy")
    outputs = ffmpeg.merge_outputs(stamps, images, clock)
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", "-y", *memory_options(video.pixels))
    return build_command(outputs.global_args(*global_options), video.path, video.ffmpeg.path)


def _read_images(
    pipe: IO[bytes], width: int, height: int, name: object, stall_timeout_s: float
) -> Iterator[NDArray[np.uint8]]:
    """Yield images (height, width) from the pipe; an incomplete one at the end, from a killed decoder, is discarded."""
    while True:
        image = np.empty((height, width), np.uint8)
        buffer = memoryview(image.data).cast("B")
        filled = 0
        while filled < len(buffer):
            wait_for_output(pipe, name, stall_timeout_s)
            count = pipe.readinto(buffer[filled:])  # type: ignore[attr-defined]
            if not count:
                return
            filled += count
        yield image


def _with_spans(
    images: Iterator[NDArray[np.uint8]], stamps: Iterator[tuple[int, int]], report: DecodingReport, sought_ms: int
) -> Iterator[Frame]:
    """Yield a frame for each image and its (time, duration) in milliseconds, where times count from ``sought_ms``.

    A frame lasts until the next one starts, the last one for its own duration.
    """
    previous: tuple[int, NDArray[np.uint8]] | None = None
    interval_ms = duration_ms = 0
    for image in images:
        stamp = next(stamps, None)
        if stamp is None:
            report.warnings["frames without a timestamp at the end were skipped"] += 1
            report.warning_count += 1
            break
        start_ms, duration_ms = stamp[0] + sought_ms, stamp[1]
        if previous is not None:
            previous_ms, previous_image = previous
            start_ms = max(start_ms, previous_ms + 1)
            interval_ms = start_ms - previous_ms
            yield _frame(report, Span(previous_ms, start_ms), previous_image)
        previous = start_ms, image
    if previous is not None:
        previous_ms, previous_image = previous
        last_ms = duration_ms if duration_ms > 0 else interval_ms or _FALLBACK_FRAME_MS
        yield _frame(report, Span(previous_ms, previous_ms + last_ms), previous_image)


def _frame(report: DecodingReport, span: Span, image: NDArray[np.uint8]) -> Frame:
    index = report.frames
    report.frames += 1
    report.end_ms = span.end_ms
    return Frame(index, index, span, image)


def _parse_stamp(line: str) -> tuple[int, int] | None:
    """Return time and duration in ms from a framecrc line (stream, dts, pts, duration, ...), None from other lines."""
    if line.startswith("#"):
        return None
    fields = line.split(",")
    return (int(fields[2]), int(fields[3])) if len(fields) >= 4 else None


@contextlib.contextmanager
def _stamp_channel() -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Open a channel for timestamps: a pipe, or a temporary file where processes cannot inherit descriptors.

    Yield ffmpeg's name of the channel, the descriptors to inherit, and a function that takes the running process and returns
    an iterator of (time, duration) in milliseconds.
    """
    if os.name == "posix":
        reading, writing = os.pipe()
        with os.fdopen(reading, encoding="ascii", errors="replace") as lines, os.fdopen(writing, "wb") as kept_open:
            drains: list[threading.Thread] = []

            def from_pipe(_: subprocess.Popen[bytes]) -> Iterator[tuple[int, int]]:
                kept_open.close()
                stamps: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
                drains.append(threading.Thread(target=_drain, args=(lines, stamps), daemon=True))
                drains[0].start()
                return iter(stamps.get, None)

            try:
                yield f"pipe:{writing}", (writing,), from_pipe
            finally:
                for thread in drains:
                    thread.join(_TERMINATE_TIMEOUT_S)
    else:  # pragma: no cover
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stamps"
            yield str(path), (), lambda process: _from_file(path, process)


def _drain(lines: IO[str], stamps: queue.SimpleQueue[tuple[int, int] | None]) -> None:
    for line in lines:
        if stamp := _parse_stamp(line):
            stamps.put(stamp)
    stamps.put(None)


def _from_file(path: Path, process: subprocess.Popen[bytes]) -> Iterator[tuple[int, int]]:  # pragma: no cover
    while not path.exists() and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    with path.open(encoding="ascii", errors="replace") as lines:
        partial = ""
        while True:
            ended = process.poll() is not None
            partial += lines.readline()
            if partial.endswith("\n"):
                if stamp := _parse_stamp(partial):
                    yield stamp
                partial = ""
            elif ended:
                return
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.005)


def collect_warnings(pipe: IO[bytes], report: DecodingReport, path: Path, display_path: object) -> None:
    """Read stderr to its end, since a full pipe would block the decoder, and keep a bounded number of distinct lines.

    In these lines ``path`` is replaced by ``display_path``.
    """
    for raw in pipe:
        line = clean_line(raw.decode("utf-8", "replace"), path, display_path)
        if line and not line.startswith(_OWN_OUTPUTS):
            report.warning_count += 1
            if line in report.warnings or len(report.warnings) < DISTINCT_WARNINGS:
                report.warnings[line] += 1


def _widen_pipe(pipe: IO[bytes]) -> None:
    """Enlarge the pipe's buffer, so that it holds a whole frame, where the system supports it (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return
