"""TextGrid for Praat: one interval tier per face or person, written with praatio."""

from __future__ import annotations

from praatio.utilities.textgrid_io import getTextgridAsStr

from annotate.results.report import Report
from annotate.span import MS_PER_S


def write(report: Report, language: str) -> str | None:
    """Return a report as a long TextGrid, None without faces: Praat cannot read a TextGrid without tiers."""
    bounds = {"xmin": 0.0, "xmax": report.end_ms / MS_PER_S}
    labels = {lane: [(block.span, block.emotion) for block in blocks] for lane, blocks in report.blocks_by_lane.items()}
    tiers = [
        {
            "class": "IntervalTier",
            "name": name.replace('"', "'"),
            **bounds,
            "entries": [(span.start_s, span.end_s, text) for span, text in entries],
        }
        for name, entries in (*labels.items(), *report.source_tiers.items())
    ]
    if not tiers:
        return None
    text: str = getTextgridAsStr({**bounds, "tiers": tiers}, "long_textgrid", includeBlankSpaces=True)
    return text
