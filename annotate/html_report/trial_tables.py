"""Tables of trials, conditions and participants in the HTML report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from annotate.html_report.charts import emotion_columns
from annotate.html_report.contents import Contents
from annotate.text import clock, printable

_HEAD_KEYS = {
    **{name: f"by.{name}" for name in ("trial", "condition", "participant")},
    "trials": "trials",
    "video": "name",
}
"""Columns -> keys of texts."""


@dataclass(frozen=True)
class TrialTable:
    """A table as text: the grouping, headings and rows. A heading is the key of a text or an emotion, or a text as it is."""

    by: str
    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str]]


def make_trial_tables(contents: Contents) -> list[TrialTable]:
    """Return one table per grouping: condition, participant, then trial."""
    tables = []
    for by in reversed(contents.trials):
        rows = contents.trials[by].rows
        emotions = emotion_columns(rows)
        further = list(rows.columns[1 : rows.columns.get_loc("older")])
        given = [(_HEAD_KEYS.get(name, name), name in _HEAD_KEYS) for name in map(str, [by, *further])]
        known = ["length", "faceTime", "mostly", "confidence", "changes", *emotions.values()]
        cells = [_cells(row, [by, *further], list(emotions)) for row in rows.to_dict("records")]
        tables.append(TrialTable(by, [*given, *((printable(name), True) for name in known)], cells))
    return sorted(tables, key=lambda table: table.by == "trial")


def _cells(row: dict[Any, Any], keys: Sequence[str], emotions: Sequence[str]) -> list[str]:
    return [
        *(printable(PurePath(row[name]).name if name == "video" else row[name]) for name in keys),
        clock(row["duration_s"]),
        clock(row["face_s"]),
        printable(row["dominant"]),
        _text(row["confidence"], "{:.0%}"),
        _text(row["changes_per_minute"], "{:.1f}"),
        *(_text(row[name], "{:.0%}") for name in emotions),
    ]


def _text(value: float, form: str) -> str:
    return "" if value != value else form.format(value)
