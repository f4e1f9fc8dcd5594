"""Rows of the table in the HTML report, one per video."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.analytics.read import ReportSummary
from annotate.emotions.palette import color
from annotate.html_report.charts import emotion_columns
from annotate.html_report.contents import Contents, display_path
from annotate.html_report.files import relative_url
from annotate.text import printable

NOTABLE_SHARE = 0.1
"""Share of face time from which the search finds a video by an emotion that is not its dominant one."""

_KEY_DIGITS = 12
_NUMBERS = ("duration_s", "face_s", "faces", "confidence", "changes_per_minute")


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

    @property
    def is_older(self) -> bool:
        """Whether an older analysis version made the report."""
        return self.report.is_older

    @property
    def shares_text(self) -> str:
        """Shares as text: the dominant emotion, then the others, largest first."""
        by_share = sorted(self.shares.items(), key=lambda item: (printable(item[0]) != self.dominant, -item[1]))
        return ", ".join(f"{printable(emotion)} {share:.0%}" for emotion, share in by_share if share >= 0.005)

    @property
    def notable_shares(self) -> dict[str, float]:
        """Shares by printable name of the emotions by which the search finds the video: dominant, or at least notable."""
        shares = {printable(emotion): share for emotion, share in self.shares.items()}
        return {name: share for name, share in shares.items() if name == self.dominant or share >= NOTABLE_SHARE}

    @property
    def gradient(self) -> str:
        """Shares as a CSS gradient that looks like a stacked bar."""
        stops, end = [], 0.0
        for emotion, share in self.shares.items():
            start, end = end, end + share
            stops.append(f"{color(emotion)} {start:.1%} {end:.1%}")
        return f"linear-gradient(90deg,{','.join(stops)})" if stops else "none"


def make_rows(contents: Contents, folder: Path) -> list[Row]:
    """Return the rows of an archive, ordered by folder and name, for a page in ``folder``."""
    columns = emotion_columns(contents.videos.rows)
    folders = contents.folder_names
    rows = []
    for report, statistics in zip(contents.reports, contents.videos.rows.to_dict("records"), strict=True):
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
            )
        )
    return sorted(rows, key=lambda row: (row.folder, row.name, row.key))


def _number(value: Any) -> float | None:
    return None if value != value else float(value)
