"""What a file holds, as ffmpeg itself says it: ffprobe is not needed."""

from __future__ import annotations

import math
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from annotate.errors import NotAVideoError, NoVideoStreamError, TooLargeError, UnreadableError
from annotate.media.ffmpeg import MAX_STREAMS, command_line, memory_options, open_input, runnable, without_addresses
from annotate.settings import Limits

_STREAM = re.compile(r"^\s+Stream #0:(?P<index>\d+)\S*: (?P<kind>\w+): (?P<details>.*)$")
_PICTURE = re.compile(r", (?P<width>\d+)x(?P<height>\d+)(?: \[?SAR (?P<across>\d+):(?P<down>\d+))?")
_FRAME_RATE = re.compile(r"(?P<rate>[\d.]+)(?P<thousand>k?) fps")
_ROTATION = re.compile(r"rotation of (?P<degrees>-?[\d.]+) degrees")
_DURATION = re.compile(r"^\s+Duration: (?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>[\d.]+)")
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
    """One stream of a file: its number, what it holds (``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``) and
    how that is coded, in ffmpeg's words, or of data what its tag says. ``is_cover`` are still pictures for shelves."""

    index: int
    kind: str
    codec: str
    is_cover: bool = False


@dataclass(frozen=True)
class Video:
    """A file's first real video stream.

    ``width_px`` and ``height_px`` are those of the displayed picture: turned upright, and stretched so that its pixels
    are square. ``duration_s`` is the container's word, None if it has none; so is ``frame_rate``. ``container`` is what
    ffmpeg calls its kind. ``streams`` are all that the file holds.
    """

    path: Path
    stream: int
    width_px: int
    height_px: int
    duration_s: float | None
    frame_rate: float | None
    container: str = ""
    streams: tuple[Stream, ...] = ()

    @property
    def short_side_px(self) -> int:
        """The shorter side of the displayed picture."""
        return min(self.width_px, self.height_px)

    @property
    def pixels(self) -> int:
        """How many the displayed picture has."""
        return self.width_px * self.height_px


def probe(path: Path, max_pixels: int = Limits.max_pixels) -> Video:
    """Asks ffmpeg what ``path`` holds.

    Raises:
        UnreadableError: the file cannot be opened or is empty.
        NotAVideoError: ffmpeg knows no container like it.
        NoVideoStreamError: there are streams, but none with pictures (cover art does not count).
        TooLargeError: its pictures have more than ``max_pixels`` pixels, or it has more than ``MAX_STREAMS`` streams.
        FFmpegError: there is no usable ffmpeg.
    """
    check_readable(path)
    command = command_line(open_input(max_pixels=max_pixels).output("pipe:"), path)
    asking = [*command[: command.index("-i") + 2], "-hide_banner", "-nostdin", *memory_options()]
    try:
        with runnable(asking):
            answer = subprocess.run(  # noqa: S603
                asking,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise NotAVideoError(f"{path}: ffmpeg found no end reading its header; try to convert it first") from None
    text = answer.stderr.decode("utf-8", "replace")
    if _TOO_LARGE in text:
        raise _too_large(path, max_pixels)
    if _TOO_MANY in text:
        raise TooLargeError(f"{path}: has more than {MAX_STREAMS} streams; copy the one with pictures to a file of its own")
    video = parse_description(path, text)
    if video.pixels > max_pixels:
        raise _too_large(path, max_pixels)
    return video


def check_readable(path: Path) -> None:
    """Opens the file once, so that what is wrong with it as a file is said plainly.

    Raises:
        UnreadableError: it does not exist, is no file, may not be read or is empty.
    """
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise UnreadableError(f"{path}: is no file but a device or a pipe; leave it out with --exclude")
        with path.open("rb") as file:
            first = file.read(1)
    except FileNotFoundError:
        raise UnreadableError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise UnreadableError(f"{path}: is a directory, not a video file") from None
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({os.strerror(error.errno or 0)}); check its permissions") from None
    if not first:
        raise UnreadableError(f"{path}: the file is empty; copy it again from its source")


def parse_description(path: Path, text: str) -> Video:
    """Reads the text that ``ffmpeg -i`` writes on stderr; errors as for `probe`."""
    duration_s: float | None = None
    streams: list[Stream] = []
    pictures: dict[str, str] | None = None
    degrees = 0.0
    in_pictures = False
    for line in text.splitlines():
        if match := _DURATION.match(line):
            duration_s = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + float(match["seconds"])
        elif match := _STREAM.match(line):
            streams.append(_stream(match))
            in_pictures = pictures is None and _holds_pictures(match)
            if in_pictures:
                pictures = match.groupdict()
        elif in_pictures and (match := _ROTATION.search(line)):
            degrees = float(match["degrees"])
    if pictures is None:
        raise _no_pictures(path, text, [stream.kind for stream in streams])
    width_px, height_px = _displayed_size(pictures["details"], degrees)
    rate = _FRAME_RATE.search(pictures["details"])
    frame_rate = float(rate["rate"]) * (1000 if rate["thousand"] else 1) if rate else None
    opened = _OPENED.search(text)
    container = opened["container"] if opened else ""
    return Video(path, int(pictures["index"]), width_px, height_px, duration_s, frame_rate, container, tuple(streams))


def _too_large(path: Path, max_pixels: int) -> TooLargeError:
    return TooLargeError(f"{path}: its pictures have more than {max_pixels} pixels; allow more with --max-pixels")


def _stream(match: re.Match[str]) -> Stream:
    tag = _TAG.search(match["details"]) if match["kind"] == "Data" else None
    codec = tag["tag"] if tag else re.split(r"[\s,]", match["details"], maxsplit=1)[0]
    return Stream(int(match["index"]), match["kind"].lower(), codec, _COVER in match["details"])


def _holds_pictures(stream: re.Match[str]) -> bool:
    if stream["kind"] != "Video" or _COVER in stream["details"]:
        return False
    size = _PICTURE.search(stream["details"])
    return size is not None and int(size["width"]) > 0 and int(size["height"]) > 0


def _displayed_size(details: str, degrees: float) -> tuple[int, int]:
    """Width and height as players show them: pixels of other shapes are stretched along their longer side."""
    size = _PICTURE.search(details)
    assert size is not None
    width, height = int(size["width"]), int(size["height"])
    across, down = int(size["across"] or 1), int(size["down"] or 1)
    if across > down > 0:
        width = round(width * across / down)
    elif down > across > 0:
        height = round(height * down / across)
    quarter_turned = math.isclose(abs(degrees) % 180, 90, abs_tol=1)
    return (height, width) if quarter_turned else (width, height)


def _no_pictures(path: Path, text: str, kinds: list[str]) -> NotAVideoError | NoVideoStreamError:
    if "audio" in kinds:
        return NoVideoStreamError(f"{path}: holds sound but no pictures; leave it out with --exclude")
    if kinds or _OPENED.search(text):
        return NoVideoStreamError(f"{path}: holds no readable video stream; it may be damaged or not a video")
    lines = [_COMPONENT.sub("", without_addresses(line)) for line in text.splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_UNINFORMATIVE)]
    reason = reasons[-1] if reasons else "no known format"
    return NotAVideoError(f"{path}: not a video that can be opened ({reason}); check that the file is whole")
