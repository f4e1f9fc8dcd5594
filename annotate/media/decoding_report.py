"""What a decoding counted, and which of ffmpeg's complaints are about the video."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from annotate.media.ffmpeg import clean_line
from annotate.media.probe import Video
from annotate.span import MS_PER_S

DISTINCT_WARNINGS = 20
"""Number of distinct decoder warnings that are kept; further ones are only counted."""

_OWN_OUTPUTS = ("rawvideo", "framecrc", "null")
"""ffmpeg components whose warnings are about the timestamps of our own outputs, not about the video."""

_COMPONENT = re.compile(r"^\[([^\]@]+)")
_STREAM_NUMBER = re.compile(r"\bstream (?:= |#?(?:0:)?)(\d+)\b", re.IGNORECASE)


@dataclass
class DecodingReport:
    """Counts and warnings of a decoding, filled in during iteration.

    ``warnings`` counts lines of ffmpeg's stderr about the frames. ``packets_end_ms`` is the end of the last packet that was
    read, of the video stream or of audio.
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


def collect_warnings(pipe: IO[bytes], report: DecodingReport, video: Video, path: Path | None = None) -> None:
    """Read stderr to its end, since a full pipe would block the decoder; keep a bounded number of distinct lines.

    Only lines about frames count. ``path``, or the video's if not given, is replaced by its ``display_path`` in them.
    """
    for raw in pipe:
        line = clean_line(raw.decode("utf-8", "replace"), path or video.path, video.display_path)
        if line and is_about_frames(line, video):
            report.warning_count += 1
            if line in report.warnings or len(report.warnings) < DISTINCT_WARNINGS:
                report.warnings[line] += 1


def is_about_frames(line: str, video: Video) -> bool:
    """Return whether a line of ffmpeg's stderr is about the video stream or the file, not about audio or our own outputs."""
    component = _COMPONENT.match(line)
    name = component[1].strip() if component else ""
    own = {stream.codec for stream in video.streams if stream.index == video.stream}
    others = {stream.codec for stream in video.streams} - own - {""}
    if name.startswith((*_OWN_OUTPUTS, *others)):
        return False
    number = _STREAM_NUMBER.search(line)
    return number is None or int(number[1]) == video.stream
