"""Contents of a video file as ffmpeg itself tells them: ffprobe is not needed."""

from __future__ import annotations

import math
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from annotate.errors import NotAVideoError, NoVideoStreamError, TooLargeError, UnreadableError
from annotate.media.ffmpeg import (
    MAX_STREAMS,
    FFmpeg,
    command_line,
    find_ffmpeg,
    memory_options,
    open_input,
    plain_line,
    run_to_end,
)
from annotate.settings import Limits
from annotate.storage.local.files import check_readable

_STREAM = re.compile(r"^\s+Stream #0:(?P<index>\d+)\S*: (?P<kind>\w+): (?P<details>.*)$")
_SIZE = re.compile(r", (?P<width>\d+)x(?P<height>\d+)(?: \[?SAR (?P<across>\d+):(?P<down>\d+))?")
_FRAME_RATE = re.compile(r"(?P<rate>[\d.]+)(?P<thousand>k?) fps")
_ROTATION = re.compile(r"rotation of (?P<degrees>-?[\d.]+) degrees")
_DURATION = re.compile(r"^\s+Duration: (?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>[\d.]+)")
_START = re.compile(r"^\s+Duration: [^,]+, start: (?P<start>-?[\d.]+)")
_SAMPLE_RATE = re.compile(r", \d+ Hz")
_COMPONENT = re.compile(r"^\[[^\]]*\] ")
_OPENED = re.compile(r"^Input #0, (?P<container>.*), from ", re.MULTILINE)
_UNINFORMATIVE = ("At least one output file", "Error opening input", "file:")
_TOO_LARGE = "exceeds specified max pixel count"
_TAG = re.compile(r"\((?P<tag>\w+) / 0x")
_COVER = "(attached pic)"
_TOO_MANY = "exceeds max_streams"
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Stream:
    """One stream of a file.

    ``kind`` is ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``, ``codec`` its coding in ffmpeg's words, or
    the tag of data. ``is_cover`` marks still images for shelves, ``is_usable`` sound whose coding is known.
    """

    index: int
    kind: str
    codec: str
    is_cover: bool = False
    is_usable: bool = True


@dataclass(frozen=True)
class Video:
    """A file's first real video stream.

    ``width_px`` and ``height_px`` are those of the displayed frame: turned upright, and stretched so that its pixels are
    square. ``duration_s`` is the container's word, None if it has none; so is ``frame_rate``. ``container`` is what ffmpeg
    calls its kind. ``streams`` are all that the file holds. ``start_s`` is where the container's own clock begins.
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
    ffmpeg: FFmpeg = field(default_factory=find_ffmpeg, compare=False, repr=False)
    """The program that decodes it; looked for if not given."""
    shown_as: object = None
    """The path or address that errors and warnings name, if ``path`` is a copy; ``path`` itself if not given."""

    def __post_init__(self) -> None:
        if self.shown_as is None:
            object.__setattr__(self, "shown_as", self.path)

    @property
    def short_side_px(self) -> int:
        """The shorter side of the displayed frame."""
        return min(self.width_px, self.height_px)

    @property
    def sound(self) -> tuple[Stream, ...]:
        """The streams of sound whose coding is known."""
        return tuple(stream for stream in self.streams if stream.kind == "audio" and stream.is_usable)

    @property
    def pixels(self) -> int:
        """The number of pixels of the displayed frame."""
        return self.width_px * self.height_px


def probe(
    path: Path, max_pixels: int = Limits.max_pixels, *, ffmpeg: FFmpeg | None = None, shown_as: object = None
) -> Video:
    """Return what ``path`` holds, which ffmpeg is asked for; one is looked for if none is given.

    ``shown_as`` is what errors, and warnings of later decodings, name in place of ``path``, if that is a copy.

    Raises:
        UnreadableError: the file cannot be opened or is empty.
        NotAVideoError: ffmpeg knows no container like it.
        NoVideoStreamError: there are streams, but none with frames (cover art does not count).
        TooLargeError: its frames have more than ``max_pixels`` pixels, or it has more than ``MAX_STREAMS`` streams.
        FFmpegError: there is no usable ffmpeg.
    """
    shown_as = path if shown_as is None else shown_as
    try:
        check_readable(path)
    except UnreadableError as error:
        raise error.about(shown_as) from None
    ffmpeg = find_ffmpeg() if ffmpeg is None else ffmpeg
    command = command_line(open_input(max_pixels=max_pixels).output("pipe:"), path, ffmpeg.path)
    command = [*command[: command.index("-i") + 2], "-hide_banner", "-nostdin", *memory_options()]
    try:
        text = run_to_end(command, _TIMEOUT_S).stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        problem = "ffmpeg found no end reading its header"
        raise NotAVideoError(problem, "try to convert it first", path=shown_as) from None
    if _TOO_LARGE in text:
        raise _too_large(shown_as, max_pixels)
    if _TOO_MANY in text:
        problem = f"has more than {MAX_STREAMS} streams"
        raise TooLargeError(problem, "copy the one with pictures to a file of its own", path=shown_as)
    video = parse_description(path, text, ffmpeg, shown_as)
    if video.pixels > max_pixels:
        raise _too_large(shown_as, max_pixels)
    return video


def parse_description(path: Path, text: str, ffmpeg: FFmpeg | None = None, shown_as: object = None) -> Video:
    """Return what the text says that ``ffmpeg -i`` writes on stderr; parameters and errors as for `probe`."""
    duration_s: float | None = None
    start_s = 0.0
    streams: list[Stream] = []
    chosen: dict[str, str] | None = None
    degrees = 0.0
    in_chosen = False
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
        elif in_chosen and (match := _ROTATION.search(line)):
            degrees = float(match["degrees"])
    if chosen is None:
        raise _no_frames(path, text, [stream.kind for stream in streams], path if shown_as is None else shown_as)
    width_px, height_px = _displayed_size(chosen["details"], degrees)
    rate = _FRAME_RATE.search(chosen["details"])
    opened = _OPENED.search(text)
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
        ffmpeg=find_ffmpeg() if ffmpeg is None else ffmpeg,
        shown_as=shown_as,
    )


def _too_large(name: object, max_pixels: int) -> TooLargeError:
    return TooLargeError(f"its pictures have more than {max_pixels} pixels", "allow more with --max-pixels", path=name)


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


def _displayed_size(details: str, degrees: float) -> tuple[int, int]:
    """Return width and height as players show them: pixels of other shapes are stretched along their longer side."""
    size = _SIZE.search(details)
    assert size is not None
    width, height = int(size["width"]), int(size["height"])
    across, down = int(size["across"] or 1), int(size["down"] or 1)
    if across > down > 0:
        width = round(width * across / down)
    elif down > across > 0:
        height = round(height * down / across)
    quarter_turned = math.isclose(abs(degrees) % 180, 90, abs_tol=1)
    return (height, width) if quarter_turned else (width, height)


def _no_frames(path: Path, text: str, kinds: list[str], shown_as: object) -> NotAVideoError | NoVideoStreamError:
    if "audio" in kinds:
        return NoVideoStreamError("holds sound but no pictures", "leave it out with --exclude", path=shown_as)
    if kinds or _OPENED.search(text):
        problem = "holds no readable video stream"
        return NoVideoStreamError(problem, "it may be damaged or not a video", path=shown_as)
    lines = [_COMPONENT.sub("", plain_line(line, path, shown_as)) for line in text.splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_UNINFORMATIVE)]
    reason = reasons[-1] if reasons else "no known format"
    return NotAVideoError(f"not a video that can be opened ({reason})", "check that the file is whole", path=shown_as)
