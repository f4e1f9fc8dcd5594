"""Probabilities as a TextGrid for Praat: a tier of points for each face or person and emotion."""

from __future__ import annotations

from annotate.results.formats.textgrid import tier_name, write_tiers
from annotate.results.report import Report
from annotate.results.table import class_names_of
from annotate.span import MS_PER_S


def write(report: Report, language: str) -> str | None:
    """Return a long TextGrid, None without faces; a point is in the middle of a block, its text is the probability."""
    tiers = [
        {
            "class": "TextTier",
            "name": tier_name(f"{lane} {name}"),
            "entries": [
                ((block.span.start_ms + block.span.end_ms) / 2 / MS_PER_S, f"{block.probabilities[name]:.4f}")
                for block in blocks
            ],
        }
        for lane, blocks in report.blocks_by_lane.items()
        for name in class_names_of(report.columns)
    ]
    return write_tiers(report, tiers)
