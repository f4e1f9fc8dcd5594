"""Trials of an experiment: spans of videos with a condition and a participant, from a CSV table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from annotate.analytics.clipping import clip_to_spans
from annotate.analytics.csv_rows import read_rows
from annotate.analytics.read import ReportBatch
from annotate.analytics.video_names import VideoNames
from annotate.errors import CodingError, read_error
from annotate.results.table import Integers
from annotate.span import Span
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl
from annotate.text import counted

GROUPS = ("trial", "condition", "participant")
"""Groupings of figures."""

_COLUMN_NAMES = {
    **{name: name for name in ("video", "start", "end", *GROUPS)},
    "start_time": "start",
    "end_time": "end",
}
_NAMED = 3
"""Number of videos that a remark names at most."""


@dataclass(frozen=True)
class Trial:
    """A span of a video; ``number`` counts rows from 1, ``name`` is that of a column ``trial``, else the number.

    ``further`` are the other columns of the table.
    """

    number: int
    name: str
    video: str
    span: Span
    condition: str = ""
    participant: str = ""
    further: Mapping[str, str] = field(default_factory=dict)

    def group(self, by: str) -> str:
        """Return the name of the group, one of `GROUPS`, in which the trial is."""
        return {"trial": self.name, "condition": self.condition, "participant": self.participant}[by]

    @property
    def title(self) -> str:
        """The trial with its condition and participant as text.

        >>> Trial(1, "7", "a.mp4", Span(0, 40), "film", "P1").title
        'trial 7 (film, P1)'
        """
        groups = ", ".join(filter(None, (self.condition, self.participant)))
        return f"trial {self.name}" + (f" ({groups})" if groups else "")


@dataclass(frozen=True)
class Trials:
    """The trials of a table, in its order, and its further columns; ``groups`` are those of groups in lists of moments."""

    path: PathOrUrl
    trials: tuple[Trial, ...]
    further: tuple[str, ...] = ()
    groups: tuple[str, ...] = GROUPS


@dataclass
class MatchedTrials:
    """Trials by the path of the table of their video, ordered by start.

    ``missing`` are trials without a table; ``remarks`` say in sentences which are missing, overlap, or have no trial.
    """

    trials: Trials
    by_report: dict[PathOrUrl, list[Trial]] = field(default_factory=dict)
    missing: list[Trial] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def found(self) -> list[Trial]:
        """The trials whose video has a table, in the order of the table of trials."""
        return sorted((trial for own in self.by_report.values() for trial in own), key=lambda trial: trial.number)

    def restrict(self, batch: ReportBatch) -> ReportBatch:
        """Return the blocks during trials, clipped to them, with the column ``trial``, the number of the trial.

        Reports without trials are left out; a block in two trials is there twice. Rows are ordered by report, trial, face
        and time.
        """
        reports = {number: report for number, report in batch.reports.items() if report.path in self.by_report}
        blocks_of = dict(iter(batch.blocks.groupby("report")))
        parts = [batch.blocks.iloc[:0].assign(trial=np.zeros(0, np.int64))]
        for number, report in reports.items():
            trials = self.by_report[report.path]
            if number in blocks_of:
                clipped, positions = clip_to_spans(blocks_of[number], [trial.span for trial in trials])
                parts.append(clipped.assign(trial=np.array([trial.number for trial in trials])[positions]))
        blocks = pd.concat(parts) if len(parts) > 1 else parts[0]
        ordered = blocks.sort_values(["report", "trial", "face_id", "start_ms"], kind="stable", ignore_index=True)
        return ReportBatch(reports, ordered)

    def late(self, batch: ReportBatch) -> Iterator[str]:
        """Yield remarks on trials that end after their video."""
        for report in batch.reports.values():
            for trial in self.by_report.get(report.path, ()):
                if trial.span.end_ms > report.duration_ms:
                    length_s = f"{report.duration_ms / 1000:g} s"
                    yield f"{self.trials.path}: trial {trial.name} ends after {report.video} ({length_s}); the rest is empty"


def read_trials(path: PathOrUrl) -> Trials:
    """Return the trials of a CSV table with the columns video, start and end (seconds), and perhaps `GROUPS`.

    Raises:
        CodingError: it is no such table, or has no row.
        UnreadableError: it cannot be read.
    """
    try:
        content = storage_for(path).read(path)
    except OSError as error:
        raise read_error(path, error) from None
    rows = read_rows(content, path, ("video", "start", "end"), _COLUMN_NAMES)
    if not rows:
        raise CodingError("no trials", "write one row per trial: video,start,end,condition,participant", path=path)
    further = tuple(name for name in rows[0].values if name not in _COLUMN_NAMES)
    trials = []
    names: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        if not row.values["video"]:
            raise row.error("no video")
        name = row.values.get("trial", "") or str(number)
        names[name] = names.get(name, 0) + 1
        groups = (row.values.get("condition", ""), row.values.get("participant", ""))
        own = {column: row.values[column] for column in further}
        trials.append(Trial(number, name, row.values["video"], row.span(), *groups, own))
    if any(count > 1 for count in names.values()):  # numbered within each video or participant
        trials = [
            replace(trial, name=" ".join(filter(None, (trial.participant or trial.video, trial.name))))
            if names[trial.name] > 1
            else trial
            for trial in trials
        ]
    return Trials(path, tuple(trials), further)


def match_trials(trials: Trials, reports: Sequence[PathOrUrl]) -> MatchedTrials:
    """Return the trials of each of the tables ``reports``.

    Raises:
        CodingError: a name in the table fits several videos.
    """
    matched = MatchedTrials(trials)
    names = VideoNames(reports)
    for trial in trials.trials:
        try:
            report = names.find(trial.video)
        except CodingError as error:
            raise error.with_path(trials.path) from None
        if report is None:
            matched.missing.append(trial)
        else:
            matched.by_report.setdefault(report, []).append(trial)
    for own in matched.by_report.values():
        own.sort(key=lambda trial: (trial.span, trial.number))
        latest = own[0]
        for trial in own[1:]:
            if trial.span.start_ms < latest.span.end_ms:
                both = f"trials {latest.name} and {trial.name} of {trial.video} overlap"
                matched.remarks.append(f"{trials.path}: {both}; what they share counts in both")
            latest = max(latest, trial, key=lambda each: each.span.end_ms)
    if matched.missing:
        videos = list(dict.fromkeys(trial.video for trial in matched.missing))
        shown = ", ".join(videos[:_NAMED]) + (" ..." if len(videos) > _NAMED else "")
        which = f"{counted(len(matched.missing), 'trial')} of videos without a table left out ({shown})"
        matched.remarks.append(f"{trials.path}: {which}")
    without = len(reports) - len(matched.by_report)
    if without:
        matched.remarks.append(f"{trials.path}: {counted(without, 'video')} without a trial left out")
    return matched


def trial_numbers(blocks: pd.DataFrame) -> Integers:
    """Return the number of the trial of each block, 0 where blocks are not of trials."""
    return blocks["trial"].to_numpy(np.int64) if "trial" in blocks else np.zeros(len(blocks), np.int64)
