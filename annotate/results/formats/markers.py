"""Markers of a video as CSV, with the columns of Premiere Pro's and DaVinci Resolve's lists of markers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from annotate.results.cues import Cue
from annotate.results.report import Report

_PREMIERE = ("Marker Name", "Description", "In", "Out", "Duration", "Marker Type")
_RESOLVE = ("Name", "Start TC", "End TC", "Duration", "Color", "Notes")

RESOLVE_COLORS = {
    "anger": "Red",
    "disgust": "Green",
    "fear": "Purple",
    "happiness": "Yellow",
    "neutral": "Cream",
    "sadness": "Blue",
    "surprise": "Cyan",
}
"""Marker color of each emotion, of those that Resolve knows; others are sand."""

_OTHER_COLOR = "Sand"


def write_premiere(report: Report, language: str) -> str | None:
    """Return one line per cue of a face, with tabs between cells as Premiere Pro exports them; None without faces."""
    rows = [(_name(report, cue), "", *_times(report, cue), "Comment") for cue in report.face_cues]
    return _to_csv(_PREMIERE, rows, "\t") if rows else None


def write_resolve(report: Report, language: str) -> str | None:
    """Return one line per cue of a face, with a color; None without faces."""
    rows = [
        (_name(report, cue), *_times(report, cue), RESOLVE_COLORS.get(cue.lines[0].emotion, _OTHER_COLOR), "")
        for cue in report.face_cues
    ]
    return _to_csv(_RESOLVE, rows, ",") if rows else None


def _times(report: Report, cue: Cue) -> tuple[str, str, str]:
    """Return the timecodes of start and end, from the start timecode of the video, and that of the length."""
    clock = report.clock
    first, end = clock.frame_at(cue.span.start_ms), clock.frame_at(cue.span.end_ms)
    end = max(first + 1, end)
    return clock.timecode(first), clock.timecode(end), clock.timecode(end - first)


def _name(report: Report, cue: Cue) -> str:
    return f"{report.lane(cue.lines[0].face_id)}: {cue.lines[0].emotion}"


def _to_csv(header: Iterable[str], rows: Iterable[Iterable[str]], delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
