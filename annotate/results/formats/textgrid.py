"""TextGrids for Praat, written with praatio: tiers of intervals or points for each face or person."""

from __future__ import annotations

from typing import Any

from praatio.utilities.textgrid_io import getTextgridAsStr

from annotate.results.report import Report
from annotate.span import MS_PER_S


def write(report: Report, language: str) -> str | None:
    """Return a report as a long TextGrid, None without faces: Praat cannot read a TextGrid without tiers."""
    return write_tiers(report, interval_tiers(report))


def write_merged(report: Report, language: str) -> str | None:
    """Return a report as `write` does, with one interval for as long as the emotion stays the same."""
    return write_tiers(report, interval_tiers(report, merged=True))


def interval_tiers(report: Report, *, merged: bool = False) -> list[dict[str, Any]]:
    """Return tiers of intervals as praatio knows them, but for their bounds."""
    return [
        {
            "class": "IntervalTier",
            "name": tier_name(lane),
            "entries": [(span.start_s, span.end_s, label) for span, label in labels],
        }
        for lane, labels in (*report.labels_by_lane(merged=merged).items(), *report.review_tiers.items())
    ]


def tier_name(name: str) -> str:
    """Return a name without the characters that break TextGrids."""
    return name.replace('"', "'")


def write_tiers(report: Report, tiers: list[dict[str, Any]]) -> str | None:
    """Return tiers as a long TextGrid of the video, None without any."""
    if not tiers:
        return None
    bounds = {"xmin": 0.0, "xmax": report.end_ms / MS_PER_S}
    document = {**bounds, "tiers": [{**tier, **bounds} for tier in tiers]}
    text: str = getTextgridAsStr(document, "long_textgrid", includeBlankSpaces=True)
    return text
