"""Decoding: the frames of a video with their presentation times, by one ffmpeg process that one generator owns."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.media.ffmpeg import command_line, ffmpeg_process, memory_options, open_input, plain_line, wait_for_output
from annotate.media.probe import Video
from annotate.settings import NO_HWACCEL, ONE_CORE, Limits
from annotate.span import MS_PER_S, Span

DISTINCT_WARNINGS = 20
"""Number of different warnings of a decoder that are kept; the rest is counted."""

_PLANAR_8_BIT = "yuv420p|yuv422p|yuv444p|gray"
_TIMING = {"fps_mode": "passthrough", "enc_time_base": "1:1000"}
_OWN_OUTPUTS = ("[rawvideo", "[framecrc", "[null")
"""Warnings that begin with one of these are about our outputs' clocks, not about the video."""

SEEKABLE_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers with an index of their frames, so that decoding can begin anywhere."""

_LEAD_S = 1
"""Decoding begins so much earlier, in whole seconds, which are exact in every clock: a time may be rounded up, and a frame
may need the one before it to be deinterlaced."""

_MIN_DEINTERLACED_PX = 16
"""Smaller frames are not deinterlaced: the filter takes none."""

_PIPE_BYTES = 1 << 20
_FALLBACK_FRAME_MS = 40
_TERMINATE_TIMEOUT_S = 5


@dataclass(frozen=True)
class Frame:
    """One image and the time for which it is shown.

    ``index`` counts the frames ffmpeg delivers, from 0; ``last_index`` is the last of those that this one stands for (the
    same, unless faster frames were left out after it). ``image`` is (height, width) uint8 luma in limited range, 16..235.
    ``span`` ends where the next frame begins.
    """

    index: int
    last_index: int
    span: Span
    image: NDArray[np.uint8]


@dataclass
class DecodingReport:
    """Counts and warnings of a decoding, filled in while frames are delivered; ``warnings`` are lines of ffmpeg's."""

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

    With ``start_s``, from there on and a little before: in `SEEKABLE_CONTAINERS` with the times, and as a rule the images,
    that a decoding from the start would give; indices count from 0 all the same.

    Two outputs of one process are read: raw images, and one line per frame with its presentation time and duration in
    milliseconds. Nothing is duplicated or dropped to make a constant rate. The process is gone when the generator is.
    Errors and warnings name the video as it is ``shown_as``.

    Raises:
        DecodingError: not one frame could be decoded, or the decoder hung. Lesser damage is told by ``report``.
        FFmpegError: ffmpeg is gone since it was found.
    """
    report = DecodingReport() if report is None else report
    width, height = size_px
    with _stamp_channel() as (stamp_target, inherited, stamp_lines):
        sought_s = max(0, start_s - _LEAD_S)
        command = _command(video, size_px, limits, stamp_target, sought_s)
        read_stderr = functools.partial(collect_warnings, report=report, path=video.path, shown_as=video.shown_as)
        with ffmpeg_process(command, read_stderr, inherited=inherited) as process:
            stamps = stamp_lines(process)
            assert process.stdout is not None
            _widen_pipe(process.stdout)
            images = _images(process.stdout, width, height, video.shown_as, limits.stall_timeout_s)
            yield from _spanned(images, stamps, report, sought_s * MS_PER_S)
            process.wait()
    if not report.frames:
        reason = next(iter(report.warnings), f"ffmpeg ended with status {process.returncode}")
        problem = f"no frame could be decoded ({reason})"
        raise DecodingError(problem, "the file is damaged or its codec unknown", path=video.shown_as)


def deinterlaced(source: Any, video: Video) -> Any:
    """Return the video stream of an input, one image per frame: deinterlaced where it is interlaced."""
    stream = source[str(video.stream)]
    if video.short_side_px < _MIN_DEINTERLACED_PX:
        return stream
    return stream.filter("bwdif", mode="send_frame", deint="interlaced")


def _command(video: Video, size_px: tuple[int, int], limits: Limits, stamp_target: str, sought_s: int = 0) -> list[str]:
    """Return a command of one chain of filters whose result goes to two outputs, so that every image has its own stamp.

    Stamps come first: an ffmpeg that works its outputs in turn has then told a frame's time before it hands it over.
    ``framecrc`` of frames passed by reference costs nothing and tells time and duration; the copy of sound into nothing
    keeps the container's start as zero, which MPEG-TS otherwise forgets.
    """
    width, height = size_px
    further: dict[str, str | int] = {} if limits.hwaccel == NO_HWACCEL else {"hwaccel": limits.hwaccel}
    if sought_s:
        further["ss"] = sought_s
    source = open_input(threads=limits.threads, max_pixels=limits.max_pixels, **further)
    chain = deinterlaced(source, video).filter("scale", width, height, flags="area", out_range="limited")
    halves = chain.filter("format", _PLANAR_8_BIT).filter("extractplanes", "y").split()
    stamps = halves[0].output(stamp_target, format="framecrc", vcodec="wrapped_avframe", flush_packets=1, **_TIMING)
    images = halves[1].output("pipe:1", format="rawvideo", vcodec="rawvideo", **_TIMING)
    clock = ffmpeg.output(source["v"], source["a?"], "pipe:2", format="null", codec="copy")
    outputs = ffmpeg.merge_outputs(stamps, images, clock)
    options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", "-y", *memory_options(video.pixels))
    return command_line(outputs.global_args(*options), video.path, video.ffmpeg.path)


def _images(pipe: IO[bytes], width: int, height: int, name: object, stall_timeout_s: float) -> Iterator[NDArray[np.uint8]]:
    """Yield whole images (height, width) from the pipe; a killed decoder leaves a rest shorter than one."""
    while True:
        image = np.empty((height, width), np.uint8)
        room = memoryview(image.data).cast("B")
        filled = 0
        while filled < len(room):
            wait_for_output(pipe, name, stall_timeout_s)
            count = pipe.readinto(room[filled:])  # type: ignore[attr-defined]
            if not count:
                return
            filled += count
        yield image


def _spanned(
    images: Iterator[NDArray[np.uint8]], stamps: Iterator[tuple[int, int]], report: DecodingReport, sought_ms: int
) -> Iterator[Frame]:
    """Yield images with their spans; stamps count from ``sought_ms``.

    A frame lasts until the next, the last one for its own duration.
    """
    held: tuple[int, NDArray[np.uint8]] | None = None
    interval_ms = duration_ms = 0
    for image in images:
        stamp = next(stamps, None)
        if stamp is None:
            report.warnings["pictures without a time at the end were left out"] += 1
            report.warning_count += 1
            break
        start_ms, duration_ms = stamp[0] + sought_ms, stamp[1]
        if held is not None:
            held_start_ms, held_image = held
            start_ms = max(start_ms, held_start_ms + 1)
            interval_ms = start_ms - held_start_ms
            yield _frame(report, Span(held_start_ms, start_ms), held_image)
        held = start_ms, image
    if held is not None:
        held_start_ms, held_image = held
        last_ms = duration_ms if duration_ms > 0 else interval_ms or _FALLBACK_FRAME_MS
        yield _frame(report, Span(held_start_ms, held_start_ms + last_ms), held_image)


def _frame(report: DecodingReport, span: Span, image: NDArray[np.uint8]) -> Frame:
    index = report.frames
    report.frames += 1
    report.end_ms = span.end_ms
    return Frame(index, index, span, image)


def _parse_stamp(line: str) -> tuple[int, int] | None:
    """Return time and duration in ms from a line of framecrc: stream, dts, pts, duration, size, checksum."""
    if line.startswith("#"):
        return None
    fields = line.split(",")
    return (int(fields[2]), int(fields[3])) if len(fields) >= 4 else None


@contextlib.contextmanager
def _stamp_channel() -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Open a channel for stamps: a pipe of its own, or a temporary file where processes inherit no descriptors.

    Yield ffmpeg's name for it, the descriptors to inherit, and a function from the running process to the stamps.
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


def collect_warnings(pipe: IO[bytes], report: DecodingReport, path: Path, shown_as: object) -> None:
    """Read stderr to its end: a full pipe would stop the decoder. Keep a bounded number of different lines.

    Where they name ``path`` they show ``shown_as``.
    """
    for raw in pipe:
        line = plain_line(raw.decode("utf-8", "replace"), path, shown_as)
        if line and not line.startswith(_OWN_OUTPUTS):
            report.warning_count += 1
            if line in report.warnings or len(report.warnings) < DISTINCT_WARNINGS:
                report.warnings[line] += 1


def _widen_pipe(pipe: IO[bytes]) -> None:
    """Let a whole frame wait in the pipe, where the system can (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return
