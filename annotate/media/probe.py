"""Probe video files with ``ffmpeg -i``; ffprobe is not needed."""

from __future__ import annotations

import math
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from annotate.errors import MediaError, NotAVideoError, NoVideoStreamError, TooLargeError, UnreadableError
from annotate.media.cropping import Cropping, read_cropping
from annotate.media.ffmpeg import (
    MAX_STREAMS,
    FFmpeg,
    build_command,
    clean_line,
    find_ffmpeg,
    is_passing,
    memory_options,
    restricted_input,
    run_command,
)
from annotate.media.kinds import kind_of
from annotate.settings import Limits
from annotate.storage.local.files import check_readable

_STREAM = re.compile(r"^\s+Stream #0:(?P<index>\d+)\S*: (?P<kind>\w+): (?P<details>.*)$")
_SIZE = re.compile(r", (?P<width>\d+)x(?P<height>\d+)(?: \[?SAR (?P<across>\d+):(?P<down>\d+))?")
_FRAME_RATE = re.compile(r"(?P<rate>[\d.]+)(?P<thousand>k?) fps")
_INTERLACED = re.compile(r"\b(?:top|bottom)(?: coded)? first\b")
_FULL_RANGE = re.compile(r" yuvj\w+| yuva?\d\w+\((?:\d+ bpc, )?pc[,)]")
_COLORS = re.compile(r" \w+\((?:\d+ bpc, )?(?:(?:tv|pc), )?(?P<colors>[\w-]+(?:/[\w-]+/[\w-]+)?)[,)]")
_ROTATION = re.compile(r"rotation of (?P<degrees>-?[\d.]+) degrees")
_DURATION = re.compile(r"^\s+Duration: (?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>[\d.]+)")
_START = re.compile(r"^\s+Duration: [^,]+, start: (?P<start>-?[\d.]+)")
_TIMECODE = re.compile(r"^\s+timecode\s*: (?P<timecode>\d{2}:\d{2}:\d{2}[:;.]\d{2})\s*$", re.IGNORECASE)
_SAMPLE_RATE = re.compile(r", \d+ Hz")
_COMPONENT = re.compile(r"^\[[^\]]*\] ")
_OPENED = re.compile(r"^Input #0, (?P<container>.*), from ", re.MULTILINE)
_UNINFORMATIVE = ("At least one output file", "Error opening input", "Format not on whitelist", "file:")
_TOO_LARGE = "exceeds specified max pixel count"
_TAG = re.compile(r"\((?P<tag>\w+) / 0x")
_COLOR_NAMES = frozenset(
    "bt709 bt470m bt470bg smpte170m smpte240m fcc film bt2020 bt2020nc bt2020c bt2020-10 bt2020-12 smpte2084 arib-std-b67 "
    "smpte428 smpte431 smpte432 iec61966-2-1 iec61966-2-4".split()
)
_COVER = "(attached pic)"
_TOO_MANY = "exceeds max_streams"
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Stream:
    """One stream of a file.

    ``kind`` is ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``; ``codec`` is ffmpeg's name of the codec, or
    the tag of a data stream. ``is_cover`` marks cover art, ``is_usable`` is false for audio with unknown parameters.
    """

    index: int
    kind: str
    codec: str
    is_cover: bool = False
    is_usable: bool = True


class Colors(NamedTuple):
    """ffmpeg's names of the matrix, primaries and transfer function of a video; ``unknown`` where not stated."""

    matrix: str = "unknown"
    primaries: str = "unknown"
    transfer: str = "unknown"


@dataclass(frozen=True)
class Video:
    """A video file and its first video stream that is not cover art.

    ``width_px`` and ``height_px`` are those of the displayed frame: upright, with square pixels. ``duration_s`` and
    ``frame_rate`` are as stated by the container, or None. ``container`` is ffmpeg's name of the format. ``streams`` are all
    streams of the file, ``stream`` is the index of the video stream. ``start_s`` is the container's start time;
    ``has_square_pixels`` tells whether pixels are displayed as stored. ``cropping`` is that of the upright frame, if the
    container states any. ``colors`` tell how frames are to be shown, ``is_full_range`` that luma and chroma are stated to
    use all values of a byte, ``is_interlaced`` that frames are stated to consist of two fields. ``timecode`` is that of the
    first frame, as the file states it, else empty.
    """

    path: Path
    stream: int
    width_px: int
    height_px: int
    duration_s: float | None
    frame_rate: float | None
    container: str = ""
    streams: tuple[Stream, ...] = ()
    start_s: float = 0.0
    has_square_pixels: bool = True
    cropping: Cropping | None = None
    colors: Colors = field(default_factory=Colors)
    is_full_range: bool = False
    is_interlaced: bool = False
    timecode: str = ""
    ffmpeg: FFmpeg = field(default_factory=find_ffmpeg, compare=False, repr=False)
    """The ffmpeg that decodes it; searched for if not given."""
    display_path: object = None
    """The path or URL in errors and warnings, for a local copy of an object; ``path`` if not given."""

    def __post_init__(self) -> None:
        if self.display_path is None:
            object.__setattr__(self, "display_path", self.path)

    @property
    def short_side_px(self) -> int:
        """The shorter side of the displayed frame."""
        return min(self.width_px, self.height_px)

    @property
    def zero_s(self) -> float:
        """ffmpeg's time at which a player's clock is zero.

        Priming samples of audio may precede it: ffmpeg 5.1 counts from them, newer versions do not.
        """
        return max(0.0, -self.start_s)

    @property
    def codec(self) -> str:
        """ffmpeg's name of the codec of the video stream; empty if unknown."""
        return next((stream.codec for stream in self.streams if stream.index == self.stream), "")

    @property
    def audio(self) -> tuple[Stream, ...]:
        """The usable audio streams."""
        return tuple(stream for stream in self.streams if stream.kind == "audio" and stream.is_usable)

    @property
    def pixels(self) -> int:
        """The number of pixels of the displayed frame."""
        return self.width_px * self.height_px


def probe(
    path: Path, max_pixels: int = Limits.max_pixels, *, ffmpeg: FFmpeg | None = None, display_path: object = None
) -> Video:
    """Return the video in ``path``; an ``ffmpeg`` is searched for if none is given.

    ``display_path`` replaces ``path`` in errors, and in warnings of later decodings, for a local copy of an object.

    Raises:
        UnreadableError: the file cannot be opened or is empty.
        NotAVideoError: ffmpeg cannot open the file in any of the allowed formats.
        NoVideoStreamError: the file has no video stream (cover art does not count).
        TooLargeError: its frames have more than ``max_pixels`` pixels, or it has more than ``MAX_STREAMS`` streams.
        FFmpegError: no usable ffmpeg was found.
    """
    display_path = path if display_path is None else display_path
    try:
        check_readable(path)
    except UnreadableError as error:
        raise error.with_path(display_path) from None
    ffmpeg = find_ffmpeg() if ffmpeg is None else ffmpeg
    command = build_command(restricted_input(max_pixels=max_pixels).output("pipe:"), path, ffmpeg.path)
    command = [*command[: command.index("-i") + 2], "-hide_banner", "-nostdin", *memory_options()]
    try:
        completed = run_command(command, _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        problem = f"not a readable video (ffmpeg did not finish reading its header in {_TIMEOUT_S} s)"
        raise NotAVideoError(problem, "convert it to another format", path=display_path).passing() from None
    text = completed.stderr.decode("utf-8", "replace")
    if _TOO_LARGE in text:
        raise _too_large(display_path, max_pixels)
    if _TOO_MANY in text:
        problem = f"the file has more than {MAX_STREAMS} streams"
        raise TooLargeError(problem, "copy the video stream to a new file", path=display_path)
    try:
        video = parse_description(path, text, ffmpeg, display_path)
    except MediaError as error:
        raise error.passing() if is_passing(completed.returncode, text.splitlines()) else error from None
    if video.pixels > max_pixels:
        raise _too_large(display_path, max_pixels)
    return video


def parse_description(path: Path, text: str, ffmpeg: FFmpeg | None = None, display_path: object = None) -> Video:
    """Parse ``text``, the stderr of ``ffmpeg -i``; parameters and errors are those of `probe`."""
    duration_s: float | None = None
    start_s = 0.0
    streams: list[Stream] = []
    chosen: dict[str, str] | None = None
    degrees = 0.0
    in_chosen = False
    timecode = ""
    for line in text.splitlines():
        if match := _DURATION.match(line):
            duration_s = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + float(match["seconds"])
            start = _START.match(line)
            start_s = float(start["start"]) if start else 0.0
        elif match := _STREAM.match(line):
            streams.append(_stream(match))
            in_chosen = chosen is None and _has_frames(match)
            if in_chosen:
                chosen = match.groupdict()
        elif not timecode and (match := _TIMECODE.match(line)):
            timecode = match["timecode"]
        elif in_chosen and (match := _ROTATION.search(line)):
            degrees = float(match["degrees"])
    if chosen is None:
        raise _no_video_error(
            path, text, [stream.kind for stream in streams], path if display_path is None else display_path
        )
    rate = _FRAME_RATE.search(chosen["details"])
    opened = _OPENED.search(text)
    cropping = _cropping(path, opened["container"] if opened else "", chosen["details"])
    width_px, height_px = _displayed_size(chosen["details"], degrees, cropping)
    return Video(
        path,
        int(chosen["index"]),
        width_px,
        height_px,
        duration_s,
        frame_rate=float(rate["rate"]) * (1000 if rate["thousand"] else 1) if rate else None,
        container=opened["container"] if opened else "",
        streams=tuple(streams),
        start_s=start_s,
        has_square_pixels=_has_square_pixels(chosen["details"]),
        cropping=None if cropping is None else cropping.rotated(round(-degrees / 90)),
        colors=_colors(chosen["details"]),
        is_full_range=_FULL_RANGE.search(chosen["details"]) is not None,
        is_interlaced=_INTERLACED.search(chosen["details"]) is not None,
        timecode=timecode,
        ffmpeg=find_ffmpeg() if ffmpeg is None else ffmpeg,
        display_path=display_path,
    )


def _too_large(name: object, max_pixels: int) -> TooLargeError:
    return TooLargeError(f"its frames have more than {max_pixels:,} pixels", "raise --max-pixels", path=name)


def _stream(match: re.Match[str]) -> Stream:
    tag = _TAG.search(match["details"]) if match["kind"] == "Data" else None
    codec = tag["tag"] if tag else re.split(r"[\s,]", match["details"], maxsplit=1)[0]
    is_usable = match["kind"] != "Audio" or _SAMPLE_RATE.search(match["details"]) is not None
    return Stream(int(match["index"]), match["kind"].lower(), codec, _COVER in match["details"], is_usable)


def _has_frames(stream: re.Match[str]) -> bool:
    if stream["kind"] != "Video" or _COVER in stream["details"]:
        return False
    size = _SIZE.search(stream["details"])
    return size is not None and int(size["width"]) > 0 and int(size["height"]) > 0


def _has_square_pixels(details: str) -> bool:
    size = _SIZE.search(details)
    assert size is not None
    return size["across"] == size["down"] or "0" in (size["across"], size["down"])


def _colors(details: str) -> Colors:
    """Return the colors that a line states: one name for all three, or three.

    >>> _colors("h264 (High), yuv420p(tv, smpte170m/unknown/bt709, progressive), 640x360")
    Colors(matrix='smpte170m', primaries='unknown', transfer='bt709')
    """
    match = _COLORS.search(details)
    names = match["colors"].split("/") if match else ["unknown"]
    return Colors(*(name if name in _COLOR_NAMES else "unknown" for name in (names * 3)[:3]))


def _cropping(path: Path, container: str, details: str) -> Cropping | None:
    """Return the cropping that the container states for frames of the stored size."""
    size, cropping = _SIZE.search(details), read_cropping(path, container)
    assert size is not None
    is_of_frame = cropping is not None and (cropping.width_px, cropping.height_px) == (
        int(size["width"]),
        int(size["height"]),
    )
    return cropping if is_of_frame else None


def _displayed_size(details: str, degrees: float, cropping: Cropping | None) -> tuple[int, int]:
    """Return width and height as displayed, with square pixels: other pixels are stretched along their longer side."""
    size = _SIZE.search(details)
    assert size is not None
    width, height = (int(size["width"]), int(size["height"])) if cropping is None else cropping.remaining_px
    across, down = int(size["across"] or 1), int(size["down"] or 1)
    if across > down > 0:
        width = round(width * across / down)
    elif down > across > 0:
        height = round(height * down / across)
    is_sideways = math.isclose(abs(degrees) % 180, 90, abs_tol=1)
    return (height, width) if is_sideways else (width, height)


def _no_video_error(path: Path, text: str, kinds: list[str], display_path: object) -> NotAVideoError | NoVideoStreamError:
    if "audio" in kinds:
        return NoVideoStreamError("the file has audio but no video", "skip it with --exclude", path=display_path)
    if kinds or _OPENED.search(text):
        problem = "the file has no readable video stream"
        return NoVideoStreamError(problem, "check whether it is damaged, or skip it with --exclude", path=display_path)
    if kind := kind_of(path):
        return NotAVideoError(f"not a video ({kind})", "copy it again from its source, or skip it", path=display_path)
    lines = [_COMPONENT.sub("", clean_line(line, path, display_path)) for line in text.splitlines()]
    causes = [line for line in lines if line and not line.startswith(_UNINFORMATIVE)]
    cause = causes[-1] if causes else "unknown format"
    return NotAVideoError(f"not a readable video ({cause})", "check whether the file is complete", path=display_path)
