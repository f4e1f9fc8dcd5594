"""Frames of a video with their true times: one ffmpeg process, owned by one generator."""

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
from annotate.media.ffmpeg import command_line, memory_options, open_input, wait_for_output, without_addresses, working
from annotate.media.probe import Video
from annotate.settings import NO_HWACCEL, ONE_CORE, Limits
from annotate.span import MS_PER_S, Span

DISTINCT_WARNINGS = 20
"""How many different complaints of a decoder are kept; the rest is counted."""

_PLANAR_8_BIT = "yuv420p|yuv422p|yuv444p|gray"
_TIMING = {"fps_mode": "passthrough", "enc_time_base": "1:1000"}
_OWN_OUTPUTS = ("[rawvideo", "[framecrc", "[null")
"""Complaints of these are about our outputs' clocks, not about the video."""

SOUGHT_IN = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers that know where their frames are, so that decoding can begin anywhere."""

_LEAD_S = 1
"""So much earlier decoding begins, in whole seconds, which are exact in every clock: a time may be rounded up, and a picture
may need the one before it to be deinterlaced."""

_MIN_DEINTERLACED_PX = 16
"""Smaller pictures are not deinterlaced: the filter takes none."""

_PIPE_BYTES = 1 << 20
_FALLBACK_FRAME_MS = 40
_TERMINATE_TIMEOUT_S = 5


@dataclass(frozen=True)
class Frame:
    """One picture as it was shown.

    ``index`` counts the frames ffmpeg delivers, from 0; ``last_index`` is the last of those that this picture stands
    for (the same, unless faster frames were left out after it). ``image`` is (height, width) uint8 luma in limited
    range, 16..235. ``span`` ends where the next frame begins.
    """

    index: int
    last_index: int
    span: Span
    image: NDArray[np.uint8]


@dataclass
class DecodingReport:
    """What is known of a decoding when it has ended: filled in while frames are delivered."""

    frames: int = 0
    end_ms: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    warning_count: int = 0

    @property
    def end_s(self) -> float:
        """Where the last delivered frame ends, in seconds."""
        return self.end_ms / MS_PER_S


def decode(
    video: Video,
    size_px: tuple[int, int],
    *,
    limits: Limits = ONE_CORE,
    report: DecodingReport | None = None,
    start_s: int = 0,
) -> Generator[Frame, None, None]:
    """Delivers every frame of ``video`` as luma of ``size_px`` (width, height), upright, deinterlaced where needed.

    From ``start_s`` on and a little before, if it is given: in containers of ``SOUGHT_IN`` with the times, and as a rule
    the pictures, that a decoding from the start would give; indices count from 0 all the same.

    Two outputs of one process are read: raw pictures, and one line a frame with its presentation time and duration in
    milliseconds. Nothing is duplicated or dropped to make a constant rate. The process is gone when the generator is.

    Raises:
        DecodingError: not one frame could be decoded, or the decoder hung. What else is missing is told by ``report``.
        FFmpegError: there is no usable ffmpeg.
    """
    report = DecodingReport() if report is None else report
    width, height = size_px
    with _stamp_channel() as (stamp_target, inherited, stamp_lines):
        sought_s = max(0, start_s - _LEAD_S)
        command = _command(video, size_px, limits, stamp_target, sought_s)
        with working(command, functools.partial(collect_complaints, report=report), inherited=inherited) as process:
            stamps = stamp_lines(process)
            assert process.stdout is not None
            _widen_pipe(process.stdout)
            pictures = _pictures(process.stdout, width, height, video.path, limits.stall_timeout_s)
            yield from _spanned(pictures, stamps, report, sought_s * MS_PER_S)
            process.wait()
    if not report.frames:
        reason = next(iter(report.warnings), f"ffmpeg ended with status {process.returncode}")
        raise DecodingError(f"{video.path}: no frame could be decoded ({reason}); the file is damaged or its codec unknown")


def pictures_of(source: Any, video: Video) -> Any:
    """The stream of a video's pictures in an input, one a frame: deinterlaced where they are interlaced."""
    stream = source[str(video.stream)]
    if video.short_side_px < _MIN_DEINTERLACED_PX:
        return stream
    return stream.filter("bwdif", mode="send_frame", deint="interlaced")


def _command(video: Video, size_px: tuple[int, int], limits: Limits, stamp_target: str, sought_s: int = 0) -> list[str]:
    """One chain of filters, whose result goes two ways, so that every picture has its own stamp.

    Stamps come first: an ffmpeg that works its outputs in turn has then told a frame's time before it hands it over.
    ``framecrc`` of frames passed by reference costs nothing and tells time and duration; the copy of sound into nothing
    keeps the container's start as zero, which MPEG-TS otherwise forgets.
    """
    width, height = size_px
    further: dict[str, str | int] = {} if limits.hwaccel == NO_HWACCEL else {"hwaccel": limits.hwaccel}
    if sought_s:
        further["ss"] = sought_s
    source = open_input(threads=limits.threads, max_pixels=limits.max_pixels, **further)
    chain = pictures_of(source, video).filter("scale", width, height, flags="area", out_range="limited")
    ways = chain.filter("format", _PLANAR_8_BIT).filter("extractplanes", "y").split()
    stamps = ways[0].output(stamp_target, format="framecrc", vcodec="wrapped_avframe", flush_packets=1, **_TIMING)
    pictures = ways[1].output("pipe:1", format="rawvideo", vcodec="rawvideo", **_TIMING)
    clock = ffmpeg.output(source["v"], source["a?"], "pipe:2", format="null", codec="copy")
    both = ffmpeg.merge_outputs(stamps, pictures, clock)
    options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", "-y", *memory_options(video.pixels))
    return command_line(both.global_args(*options), video.path)


def _pictures(pipe: IO[bytes], width: int, height: int, path: Path, stall_timeout_s: float) -> Iterator[NDArray[np.uint8]]:
    """Whole pictures (height, width) from the pipe; a rest shorter than one is what a killed decoder leaves."""
    while True:
        picture = np.empty((height, width), np.uint8)
        room = memoryview(picture.data).cast("B")
        filled = 0
        while filled < len(room):
            wait_for_output(pipe, path, stall_timeout_s)
            count = pipe.readinto(room[filled:])  # type: ignore[attr-defined]
            if not count:
                return
            filled += count
        yield picture


def _spanned(
    pictures: Iterator[NDArray[np.uint8]], stamps: Iterator[tuple[int, int]], report: DecodingReport, sought_ms: int
) -> Iterator[Frame]:
    """Pairs pictures with their stamps, which count from ``sought_ms``; a frame lasts until the next, the last one for its
    own duration."""
    held: tuple[int, NDArray[np.uint8]] | None = None
    interval_ms = duration_ms = 0
    for picture in pictures:
        stamp = next(stamps, None)
        if stamp is None:
            report.warnings["pictures without a time at the end were left out"] += 1
            report.warning_count += 1
            break
        start_ms, duration_ms = stamp[0] + sought_ms, stamp[1]
        if held is not None:
            held_start_ms, held_picture = held
            start_ms = max(start_ms, held_start_ms + 1)
            interval_ms = start_ms - held_start_ms
            yield _frame(report, Span(held_start_ms, start_ms), held_picture)
        held = start_ms, picture
    if held is not None:
        held_start_ms, held_picture = held
        last_ms = duration_ms if duration_ms > 0 else interval_ms or _FALLBACK_FRAME_MS
        yield _frame(report, Span(held_start_ms, held_start_ms + last_ms), held_picture)


def _frame(report: DecodingReport, span: Span, picture: NDArray[np.uint8]) -> Frame:
    index = report.frames
    report.frames += 1
    report.end_ms = span.end_ms
    return Frame(index, index, span, picture)


def _parse_stamp(line: str) -> tuple[int, int] | None:
    """Time and duration in ms from a line of framecrc: stream, dts, pts, duration, size, checksum."""
    if line.startswith("#"):
        return None
    parts = line.split(",")
    return (int(parts[2]), int(parts[3])) if len(parts) >= 4 else None


@contextlib.contextmanager
def _stamp_channel() -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Where ffmpeg writes stamps: a pipe of its own, or a temporary file where processes inherit no descriptors.

    Gives ffmpeg's name for it, the descriptors to inherit, and a function from the running process to the stamps.
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


def collect_complaints(pipe: IO[bytes], report: DecodingReport) -> None:
    """Reads stderr to its end: a full pipe would stop the decoder. Keeps a bounded number of different lines."""
    for raw in pipe:
        line = without_addresses(raw.decode("utf-8", "replace"))
        if line and not line.startswith(_OWN_OUTPUTS):
            report.warning_count += 1
            if line in report.warnings or len(report.warnings) < DISTINCT_WARNINGS:
                report.warnings[line] += 1


def _widen_pipe(pipe: IO[bytes]) -> None:
    """Lets a whole frame wait in the pipe, where the system can (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return
