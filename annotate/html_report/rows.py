"""Rows of the table in the HTML report, one per video."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotate.analytics.read import ReportSummary
from annotate.html_report.charts import emotion_columns
from annotate.html_report.contents import Contents, display_path
from annotate.html_report.files import relative_url
from annotate.text import printable

_KEY_DIGITS = 12
_NUMBERS = ("duration_s", "face_s", "face_time_s", "faces", "confidence", "changes_per_minute")


@dataclass(frozen=True)
class Row:
    """A video on the page: ``key`` identifies it in URLs, ``url`` is the video relative to the page.

    ``numbers`` are columns of the summary, None where they need a face and there is none; ``shares`` are the shares of its
    emotions (0..1).
    """

    report: ReportSummary
    key: str
    name: str
    folder: str
    dominant: str
    numbers: Mapping[str, float | None]
    shares: Mapping[str, float]
    url: str
    persons: Mapping[int, int] = field(default_factory=dict)
    """Rows in `Contents.persons` of the known persons of face tracks, by ``face_id``."""

    @property
    def is_older(self) -> bool:
        """Whether an older analysis version made the report."""
        return self.report.is_older


def make_rows(contents: Contents, folder: Path) -> list[Row]:
    """Return the rows of an archive, ordered by folder and name, for a page in ``folder``."""
    columns = emotion_columns(contents.videos.rows)
    folders = contents.folder_names
    rows = []
    statistics_of = contents.videos.rows.to_dict("records")
    for report, statistics, persons in zip(contents.reports, statistics_of, contents.persons_of, strict=True):
        rows.append(
            Row(
                report=report,
                key=hashlib.sha256(os.fsencode(display_path(report.path, contents.root))).hexdigest()[:_KEY_DIGITS],
                name=printable(report.video_path.name),
                folder=folders[os.path.dirname(report.video) or os.curdir],
                dominant=printable(statistics["dominant"]),
                numbers={name: _number(statistics[name]) for name in _NUMBERS},
                shares={emotion: statistics[column] for column, emotion in columns.items() if statistics[column] > 0},
                url=relative_url(report.video_path, folder),
                persons=persons,
            )
        )
    return sorted(rows, key=lambda row: (row.folder, row.name, row.key))


def _number(value: Any) -> float | None:
    return None if value != value else float(value)
