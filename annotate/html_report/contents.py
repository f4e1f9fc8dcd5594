"""Collect the contents of the HTML report: statistics of an archive, and problems."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from annotate.analytics.face_filter import NO_FILTER, FaceFilter
from annotate.analytics.persons import PersonKeys
from annotate.analytics.read import ReportBatch, ReportSummary, read_reports
from annotate.analytics.summary import Summary, Tally
from annotate.analytics.trial_baseline import check_baseline_trial, needs_probabilities, select_trials
from annotate.analytics.trials import GROUPS, Trial
from annotate.archive.find_reports import check_videos_folder, find_reports
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.status import State, status_of
from annotate.archive.stored_report import ANNOTATE_AGAIN
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath, sort_key
from annotate.text import printable

ProgressWrapper = Callable[[Sequence[PathOrUrl]], Iterable[PathOrUrl]]
"""Yields the paths it is given, and shows progress meanwhile."""

SKIPPED_KIND = "skipped"
"""Kind of problem that keeps a report off the page; it counts as a failure."""

DAMAGED_KIND = "damaged"
"""Kind of problem of videos with missing or damaged frames; with its reason it reads as `Damage.statement`."""

OUTDATED_KIND = "outdated"
"""Kind of problem of videos that changed since they were annotated."""

NO_TABLE_KIND = "no table"
"""Kind of problem of videos without a report."""

FAILED_KIND = "failed"
"""Kind of problem of videos without a report that could not be annotated, with the reason that was recorded."""

BINS = 20
"""Number of bins of the confidence histogram, from 0 to 1."""

_CONFIDENCE_SCALE = 10_000
"""Tables have probabilities with four decimals."""


@dataclass(frozen=True, order=True)
class Problem:
    """A problem listed on the page: ``path`` as displayed, the kind in a few words, and the reason."""

    path: str
    kind: str
    reason: str

    @property
    def statement(self) -> str:
        """Kind and reason, for a page about the video."""
        return f"{self.kind}: {self.reason}"


@dataclass(frozen=True)
class Contents:
    """Intact reports of an archive, ordered by path, with their statistics and the problems found.

    ``videos`` and ``folders`` are summaries by video (one row per report) and by folder. ``confidence`` has milliseconds of
    face time by emotion (rows) and bin (columns, `BINS`). ``skipped`` are the reports that cannot be used, and
    ``skipped_problems`` the same for display; ``missing`` are videos without a report. ``empty`` are given directories
    without reports. ``root`` is the common directory of all.
    """

    reports: list[ReportSummary]
    videos: Summary
    folders: Summary
    confidence: pd.DataFrame
    skipped: list[SkippedPath]
    skipped_problems: list[Problem]
    missing: list[Problem]
    empty: list[PathOrUrl]
    root: PathOrUrl
    trials: dict[str, Summary] = field(default_factory=dict)
    """Summaries by trial, condition and participant, if trials were given."""

    trial_remarks: list[str] = field(default_factory=list)
    """Sentences on trials that are missing, overlap, or end after their video."""

    trial_spans: dict[PathOrUrl, list[Trial]] = field(default_factory=dict)
    """The trials of each table, by its path."""

    persons: Summary | None = None
    """A summary by person, if persons were told apart."""

    persons_of: list[dict[int, int]] = field(default_factory=list)
    """For each report, the rows in ``persons`` of the known persons of face tracks, by ``face_id``."""

    trials_missing: bool = False
    """Whether there are trials of videos without a table."""

    @property
    def names(self) -> list[str]:
        """Displayed paths of the videos, relative to the root, in the order of the reports."""
        return [display_path(report.video_path, self.root) for report in self.reports]

    @property
    def folder_names(self) -> dict[str, str]:
        """Folder in the summary -> its displayed path."""
        parents = {os.path.dirname(report.video) or os.curdir: report.video_path.parent for report in self.reports}
        return {folder: display_path(path, self.root) for folder, path in parents.items()}


def collect(
    paths: Iterable[PathOrUrl],
    progress: ProgressWrapper = iter,
    videos: PathOrUrl | None = None,
    faces: FaceFilter = NO_FILTER,
    trials: PathOrUrl | None = None,
    baseline_trial: str | None = None,
    *,
    is_corrected: bool = True,
) -> Contents:
    """Read the reports below ``paths``; the result does not depend on their order.

    Blocks that do not pass the filter ``faces`` are left out. ``videos`` is the folder of the videos, if ``paths`` is the
    one folder to which their outputs were written. ``trials`` is a table of trials, to which only ``Contents.trials`` is
    restricted, with emotions relative to ``baseline_trial`` if it is given. Corrections by people are applied if
    ``is_corrected``.

    Raises:
        CodingError: the table of trials cannot be used.
        SettingsError: ``videos`` is given, but ``paths`` is not a single directory, or ``videos`` is not a directory.
    """
    given = sorted(paths, key=sort_key)
    check_videos_folder(given, videos)
    found = find_reports(given)
    ordered = sorted(found.reports, key=sort_key)
    by_video, by_folder, by_person, confidence = Tally("video"), Tally("folder"), Tally("person"), _ConfidenceHistogram()
    persons, seen = PersonKeys(), set[int]()
    reports: dict[int, ReportSummary] = {}
    skipped = list(found.skipped)
    check_baseline_trial(baseline_trial, has_trials=trials is not None, relative=False)
    selection = None if trials is None else select_trials(trials, baseline_trial, ordered, faces, is_corrected=is_corrected)
    matched = None if selection is None else selection.matched
    by_trial = {} if matched is None else {by: Tally(by, matched) for by in GROUPS}
    remarks = [] if matched is None else list(matched.remarks)
    needed = needs_probabilities(selection)
    for batch in read_reports(progress(ordered), faces, probabilities=needed, is_corrected=is_corrected):
        if isinstance(batch, SkippedPath):
            skipped.append(batch)
            continue
        reports.update(batch.reports)
        for tally in (by_video, by_folder, by_person, confidence):
            tally.add(batch)
        if any(report.persons for report in batch.reports.values()):
            seen.update(persons.assign(batch)["person"].tolist())
        if selection is not None:
            remarks += selection.matched.late(batch)
            restricted = selection.apply(batch)
            for trial_tally in by_trial.values():
                trial_tally.add(restricted)
    if videos is not None:
        reports = {number: _with_video_in(report, given[0], videos) for number, report in reports.items()}
    missing, failed = _find_missing(given, videos, ordered, skipped)
    shown = [*(report.video_path for report in reports.values()), *(entry.path for entry in (*skipped, *missing, *failed))]
    root = _common_folder(shown or given)
    person_rows = {number: row for row, number in enumerate(sorted(seen))}
    return Contents(
        reports=[reports[number] for number in sorted(reports)],
        videos=by_video.summary(),
        folders=by_folder.summary(),
        confidence=confidence.table(),
        skipped=skipped,
        skipped_problems=_problems(skipped, SKIPPED_KIND, root),
        missing=_problems(missing, NO_TABLE_KIND, root) + _problems(failed, FAILED_KIND, root),
        empty=found.empty,
        root=root,
        trials={by: summary for by, tally in by_trial.items() if _has_names(summary := tally.summary(), by)},
        trial_remarks=remarks,
        trial_spans={} if matched is None else matched.by_report,
        persons=by_person.summary() if seen else None,
        persons_of=[
            {face_id: person_rows[own] for face_id, own in persons.of(reports[number]).items() if own in person_rows}
            for number in sorted(reports)
        ],
        trials_missing=bool(matched is not None and matched.missing),
    )


def _has_names(summary: Summary, by: str) -> bool:
    return bool((summary.rows[by] != "").any())


def display_path(path: PathOrUrl, root: PathOrUrl) -> str:
    """Return a path relative to ``root`` as printable text; for the root itself, its name."""
    relative = storage_for(path).relative(path, root)
    return printable(root.name if relative == os.curdir and root.name else relative)


def _common_folder(paths: Sequence[PathOrUrl]) -> PathOrUrl:
    """Return the common folder of paths; if outputs and videos are in two storages, of those in that of the first path."""
    if not paths:
        return Path()
    storage = storage_for(paths[0])
    return storage.common_folder([path for path in paths if storage_for(path) == storage])


@dataclass
class _ConfidenceHistogram:
    """Adds up face time by emotion and confidence."""

    _sums: list[pd.Series[int]] = field(default_factory=list)

    def add(self, batch: ReportBatch) -> None:
        """Add the blocks of a batch."""
        blocks = batch.blocks
        scaled = (blocks["confidence"] * _CONFIDENCE_SCALE).round().astype(int)
        keys = [blocks["emotion"].astype(str), (scaled * BINS // _CONFIDENCE_SCALE).clip(0, BINS - 1).rename("bin")]
        self._sums.append((blocks["end_ms"] - blocks["start_ms"]).groupby(keys).sum())

    def table(self) -> pd.DataFrame:
        """Return milliseconds: one row per emotion, one column per bin of confidence."""
        if not self._sums:
            return pd.DataFrame(columns=range(BINS), dtype=int)
        sums = pd.concat(self._sums).groupby(level=[0, 1]).sum().unstack(fill_value=0)
        return sums.reindex(columns=range(BINS), fill_value=0)


def _with_video_in(report: ReportSummary, outputs: PathOrUrl, videos: PathOrUrl) -> ReportSummary:
    """Return a report with the path of its video below ``videos`` instead of ``outputs``."""
    return replace(report, video_path=videos / storage_for(outputs).subpath(report.video_path, outputs))


def _find_missing(
    paths: Sequence[PathOrUrl],
    videos: PathOrUrl | None,
    reports: Iterable[PathOrUrl],
    listed: Iterable[SkippedPath],
) -> tuple[list[SkippedPath], list[SkippedPath]]:
    """Return videos without a report and paths skipped in the search for them, without those in ``listed``.

    The videos that failed when they were annotated are apart.
    """
    known = {storage_for(path).canonical(path) for path in reports}
    listed_paths = {storage_for(entry.path).absolute(entry.path) for entry in listed}
    missing, failed = list[SkippedPath](), list[SkippedPath]()
    for entry in scan(paths) if videos is None else scan([videos], output_dir=paths[0]):
        if not isinstance(entry, ArchiveItem):
            missing.append(entry)
        elif storage_for(entry.outputs.csv).canonical(entry.outputs.csv) not in known:
            status = status_of(entry)
            if status.state is State.FAILED:
                failed.append(SkippedPath(entry.video, status.reason))
                continue
            was_annotated = storage_for(entry.outputs.meta).exists(entry.outputs.meta)
            problem, remedy = ("its table was deleted", ANNOTATE_AGAIN) if was_annotated else ("not annotated yet", "")
            missing.append(SkippedPath(entry.video, problem, remedy))
    missing, failed = (
        [entry for entry in entries if storage_for(entry.path).absolute(entry.path) not in listed_paths]
        for entries in (missing, failed)
    )
    return missing, failed


def _problems(skipped: Iterable[SkippedPath], kind: str, root: PathOrUrl) -> list[Problem]:
    return sorted(Problem(display_path(entry.path, root), kind, printable(entry.reason)) for entry in skipped)
