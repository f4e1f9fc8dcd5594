"""Praat's TextGrid: one tier of intervals per face, by praatio."""

from __future__ import annotations

from praatio.utilities.textgrid_io import getTextgridAsStr

from annotate.results.report import Report
from annotate.span import MS_PER_S


def write(report: Report, language: str) -> str | None:
    """Return a report as a TextGrid in its long form, None without faces: Praat reads none without tiers."""
    bounds = {"xmin": 0.0, "xmax": report.end_ms / MS_PER_S}
    tiers = [
        {
            "class": "IntervalTier",
            "name": f"face {face_id}",
            **bounds,
            "entries": [(piece.span.start_s, piece.span.end_s, piece.emotion) for piece in pieces],
        }
        for face_id, pieces in report.pieces_by_face.items()
    ]
    if not tiers:
        return None
    text: str = getTextgridAsStr({**bounds, "tiers": tiers}, "long_textgrid", includeBlankSpaces=True)
    return text
