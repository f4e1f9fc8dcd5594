"""Decoding: the frames of a video with their presentation times, by one ffmpeg process that one generator owns."""

from __future__ import annotations

import functools
import re
import statistics
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.media.channels import line_channel
from annotate.media.ffmpeg import command_line, ffmpeg_process, memory_options, open_input, plain_line, wait_for_output
from annotate.media.packets import Packets
from annotate.media.probe import Video
from annotate.settings import NO_HWACCEL, ONE_CORE, Limits
from annotate.span import MS_PER_S, Span

DISTINCT_WARNINGS = 20
"""Number of different warnings of a decoder that are kept; the rest is counted."""

_PLANAR_8_BIT = "yuv420p|yuv422p|yuv444p|gray"
_US_PER_MS, _US_PER_S = 1000, 1_000_000
_TIMING = {"fps_mode": "passthrough", "enc_time_base": "1:1000000"}
_OWN_OUTPUTS = ("rawvideo", "framecrc", "null")
"""Components of ffmpeg whose warnings are about our outputs' clocks, not about the video."""

_COMPONENT = re.compile(r"^\[([^\]@]+)")
_STREAM_NUMBER = re.compile(r"\bstream (?:= |#?(?:0:)?)(\d+)\b", re.IGNORECASE)

_WITHOUT_DURATIONS = ("mov,mp4,m4a,3gp,3g2,mj2",)
"""Containers that tell how far packets are apart in the order of decoding, and not how long each frame is shown."""

SEEKABLE_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers with an index of their frames, so that decoding can begin anywhere."""

_LEAD_S = 1
"""Decoding begins so much earlier, in whole seconds, which are exact in every clock: a time may be rounded up, and a frame
may need the one before it to be deinterlaced."""

_MIN_DEINTERLACED_PX = 16
"""Smaller frames are not deinterlaced: the filter takes none."""

_PIPE_BYTES = 1 << 20
_FALLBACK_FRAME_MS = 40
_LAST_INTERVALS = 25


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
    """Counts and warnings of a decoding, filled in while frames are delivered.

    ``warnings`` are ffmpeg's lines about the frames. ``packets_end_ms`` is where the last packet ends, of frames or sound.
    """

    frames: int = 0
    end_ms: int = 0
    packets_end_ms: int = field(default=0, compare=False)
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
    sought_s = max(0, start_s - _LEAD_S)
    for copied in dict.fromkeys(((video.stream, *(stream.index for stream in video.sound)), (video.stream,), ())):
        report.warnings.clear()
        report.warning_count = 0
        yield from _decode(video, size_px, limits, report, sought_s, copied)
        if report.frames:
            return
    reason = next(iter(report.warnings), "no frames in it")
    problem = f"no frame could be decoded ({reason})"
    raise DecodingError(problem, "the file is damaged or its codec unknown", path=video.shown_as)


def _decode(
    video: Video, size_px: tuple[int, int], limits: Limits, report: DecodingReport, sought_s: int, copied: Sequence[int]
) -> Generator[Frame, None, None]:
    """Yield the frames of one decoding, beside which the packets of the streams ``copied`` are read."""
    width, height = size_px
    packets = Packets()
    with line_channel() as stamps, line_channel() as stored:
        command = _command(video, size_px, limits, stamps.target, stored.target, copied, sought_s)
        read_stderr = functools.partial(collect_warnings, report=report, video=video)
        with ffmpeg_process(command, read_stderr, inherited=stamps.inherited + stored.inherited) as process:
            packets_read = stored.pass_to(packets.add, process)
            times = filter(None, map(_parse_stamp, stamps.queued(process)))
            assert process.stdout is not None
            _widen_pipe(process.stdout)
            images = _images(process.stdout, width, height, video.shown_as, limits.stall_timeout_s)
            yield from _spanned(images, times, report, _Clock.of(video, sought_s), packets, packets_read)
            process.wait()
            packets_read()
    report.packets_end_ms = max(report.packets_end_ms, packets.end_us // _US_PER_MS + sought_s * MS_PER_S)


def deinterlaced(source: Any, video: Video) -> Any:
    """Return the video stream of an input, one image per frame: deinterlaced where it is interlaced."""
    stream = source[str(video.stream)]
    if video.short_side_px < _MIN_DEINTERLACED_PX:
        return stream
    return stream.filter("bwdif", mode="send_frame", deint="interlaced")


def _command(
    video: Video,
    size_px: tuple[int, int],
    limits: Limits,
    stamp_target: str,
    packet_target: str = "",
    copied: Sequence[int] = (),
    sought_s: int = 0,
) -> list[str]:
    """Return a command of one chain of filters whose result goes to two outputs, so that every image has its own stamp.

    Stamps come first: an ffmpeg that works its outputs in turn has then told a frame's time before it hands it over.
    ``framecrc`` of frames passed by reference costs nothing and tells time and duration. A third output tells of packets as
    the file stores them; sound among them keeps the container's start as zero, which MPEG-TS otherwise forgets.
    """
    width, height = size_px
    further: dict[str, str | int] = {} if limits.hwaccel == NO_HWACCEL else {"hwaccel": limits.hwaccel}
    if sought_s:
        further["ss"] = sought_s
    source = open_input(threads=limits.threads, max_pixels=limits.max_pixels, **further)
    chain = deinterlaced(source, video).filter("scale", width, height, flags="area", out_range="limited")
    halves = chain.filter("format", _PLANAR_8_BIT).filter("extractplanes", "y").split()
    outputs = [
        halves[0].output(stamp_target, format="framecrc", vcodec="wrapped_avframe", flush_packets=1, **_TIMING),
        halves[1].output("pipe:1", format="rawvideo", vcodec="rawvideo", **_TIMING),
    ]
    if copied:
        streams = [source[str(number)] for number in copied]
        outputs.append(ffmpeg.output(*streams, packet_target, format="framecrc", codec="copy", copyinkf=None))
    options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+error", "-y", *memory_options(video.pixels))
    return command_line(ffmpeg.merge_outputs(*outputs).global_args(*options), video.path, video.ffmpeg.path)


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


@dataclass(frozen=True)
class _Clock:
    """Turns ffmpeg's times into those of a player's clock: decoding began at ``sought_ms``, ``zero_us`` is the clock's zero.

    Sound may begin before the clock does, since its first samples are only there to start the decoder; ffmpeg 5.1 counts
    from there, newer ones do not.
    """

    sought_ms: int
    zero_us: int
    is_by_stamps: bool

    @classmethod
    def of(cls, video: Video, sought_s: int) -> _Clock:
        by_stamps = video.container in _WITHOUT_DURATIONS
        return cls(sought_s * MS_PER_S, max(0, round(-video.start_s * _US_PER_S)), by_stamps)

    def ms(self, time_us: int) -> int:
        return self.sought_ms + (max(0, time_us - self.zero_us) + _US_PER_MS // 2) // _US_PER_MS


def _spanned(
    images: Iterator[NDArray[np.uint8]],
    stamps: Iterator[tuple[int, int]],
    report: DecodingReport,
    clock: _Clock,
    packets: Packets,
    packets_read: Callable[[], None],
) -> Iterator[Frame]:
    """Yield images with their spans: a frame lasts until the next one begins.

    The last one lasts for its packet's own duration or, where that is not to be trusted, as long as those before it usually
    did.
    """
    held: tuple[int, NDArray[np.uint8]] | None = None
    intervals_ms: deque[int] = deque(maxlen=_LAST_INTERVALS)
    start_us = duration_us = 0
    for image in images:
        stamp = next(stamps, None)
        if stamp is None:
            report.warnings["pictures without a time at the end were left out"] += 1
            report.warning_count += 1
            break
        start_us, duration_us = stamp
        start_ms = clock.ms(start_us)
        if held is not None:
            held_start_ms, held_image = held
            start_ms = max(start_ms, held_start_ms + 1)
            intervals_ms.append(start_ms - held_start_ms)
            yield _frame(report, Span(held_start_ms, start_ms), held_image)
        held = start_ms, image
    if held is not None:
        packets_read()
        held_start_ms, held_image = held
        own_us = packets.duration_us(start_us) or duration_us
        last_ms = max(1, clock.ms(start_us + own_us) - held_start_ms)
        if intervals_ms and (clock.is_by_stamps or own_us <= 0):
            last_ms = statistics.median_low(intervals_ms)
        elif own_us <= 0:
            last_ms = _FALLBACK_FRAME_MS
        yield _frame(report, Span(held_start_ms, held_start_ms + last_ms), held_image)


def _frame(report: DecodingReport, span: Span, image: NDArray[np.uint8]) -> Frame:
    index = report.frames
    report.frames += 1
    report.end_ms = span.end_ms
    return Frame(index, index, span, image)


def _parse_stamp(line: str) -> tuple[int, int] | None:
    """Return time and duration in microseconds from a line of framecrc: stream, dts, pts, duration, size, checksum."""
    if line.startswith("#"):
        return None
    fields = line.split(",")
    return (int(fields[2]), int(fields[3])) if len(fields) >= 4 else None


def collect_warnings(pipe: IO[bytes], report: DecodingReport, video: Video, path: Path | None = None) -> None:
    """Read stderr to its end: a full pipe would stop the decoder. Keep a bounded number of different lines about frames.

    Where lines name ``path``, that of the video if not given, they show how the video is called.
    """
    for raw in pipe:
        line = plain_line(raw.decode("utf-8", "replace"), path or video.path, video.shown_as)
        if line and is_about_frames(line, video):
            report.warning_count += 1
            if line in report.warnings or len(report.warnings) < DISTINCT_WARNINGS:
                report.warnings[line] += 1


def is_about_frames(line: str, video: Video) -> bool:
    """Return whether a line of ffmpeg's is about the video stream or the file, not about sound or our own outputs."""
    component = _COMPONENT.match(line)
    name = component[1].strip() if component else ""
    own = next((stream.codec for stream in video.streams if stream.index == video.stream), "")
    others = {stream.codec for stream in video.streams} - {own, ""}
    if name.startswith(_OWN_OUTPUTS) or (name and name.startswith(tuple(others))):
        return False
    number = _STREAM_NUMBER.search(line)
    return number is None or int(number[1]) == video.stream


def _widen_pipe(pipe: IO[bytes]) -> None:
    """Let a whole frame wait in the pipe, where the system can (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return
