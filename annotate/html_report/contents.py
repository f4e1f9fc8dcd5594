"""The contents of the HTML report: an archive's videos in numbers, and the problems with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from annotate.analytics.read import Batch, ReportSummary, read_reports
from annotate.analytics.summary import Summary, Tally
from annotate.archive.find_reports import check_apart, find_reports
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import AGAIN
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath, sort_key
from annotate.text import printable

Progress = Callable[[Sequence[PathOrUrl]], Iterable[PathOrUrl]]

LEFT_OUT = "left out"
"""The kind of problem by which a report counts as failed."""

BINS = 20
"""Bins of the distribution of confidence, from 0 to 1."""

_PARTS = 10_000


@dataclass(frozen=True, order=True)
class Problem:
    """A video or directory that the page shows not at all, or in part: ``path`` as it is shown, and why."""

    path: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Contents:
    """An archive's whole reports, ordered by their videos, in numbers.

    ``videos`` has one row per report; ``confidence`` has milliseconds of faces by emotion (rows) and bin (columns, `BINS`);
    ``left_out`` are reports that cannot be used, as ``skipped`` has them by their paths, ``missing`` videos without one;
    ``root`` is the directory below which all lies.
    """

    reports: list[ReportSummary]
    videos: Summary
    folders: Summary
    confidence: pd.DataFrame
    skipped: list[SkippedPath]
    left_out: list[Problem]
    missing: list[Problem]
    empty: list[PathOrUrl]
    root: PathOrUrl

    @property
    def names(self) -> list[str]:
        """The reports' videos as the page shows them: by their paths below the root."""
        return [shown_below(report.video_path, self.root) for report in self.reports]

    @property
    def folder_names(self) -> dict[str, str]:
        """The same for the folders of the summary."""
        parents = {os.path.dirname(report.video) or os.curdir: report.video_path.parent for report in self.reports}
        return {folder: shown_below(path, self.root) for folder, path in parents.items()}


def collect(paths: Iterable[PathOrUrl], progress: Progress = iter, videos: PathOrUrl | None = None) -> Contents:
    """Read the reports below ``paths``; the result does not depend on their order.

    ``videos`` is the tree in which the videos lie, where the one path given is the tree of their outputs.

    Raises:
        SettingsError: with ``videos``, there is not one path alone, or one of both is no directory.
    """
    given = sorted(paths, key=sort_key)
    check_apart(given, videos)
    found = find_reports(given)
    ordered = sorted(found.reports, key=sort_key)
    by_video, by_folder, confidence = Tally("video"), Tally("folder"), _Confidence()
    reports: dict[int, ReportSummary] = {}
    skipped = list(found.skipped)
    for read in read_reports(progress(ordered)):
        if isinstance(read, SkippedPath):
            skipped.append(read)
            continue
        reports.update(read.reports)
        for tally in (by_video, by_folder, confidence):
            tally.add(read)
    if videos is not None:
        reports = {number: _apart(report, given[0], videos) for number, report in reports.items()}
    missing = _without_report(given, videos, ordered, skipped)
    seen = [*(report.video_path for report in reports.values()), *(left_out.path for left_out in (*skipped, *missing))]
    root = _common_folder(seen or given)
    return Contents(
        reports=[reports[number] for number in sorted(reports)],
        videos=by_video.summary(),
        folders=by_folder.summary(),
        confidence=confidence.table(),
        skipped=skipped,
        left_out=_problems(skipped, LEFT_OUT, root),
        missing=_problems(missing, "missing", root),
        empty=found.empty,
        root=root,
    )


def shown_below(path: PathOrUrl, root: PathOrUrl) -> str:
    """Return a path below a directory as text that can be shown; the directory itself by its name."""
    relative = storage_for(path).relative(path, root)
    return printable(root.name if relative == os.curdir and root.name else relative)


def _common_folder(paths: Sequence[PathOrUrl]) -> PathOrUrl:
    """Return the innermost folder of paths; of those in the first one's storage, where outputs and videos lie in two."""
    if not paths:
        return Path()
    storage = storage_for(paths[0])
    return storage.common_folder([path for path in paths if storage_for(path) == storage])


@dataclass
class _Confidence:
    """Adds up the time of faces by emotion and confidence."""

    _sums: list[pd.Series[int]] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Add the pieces of a batch."""
        pieces = batch.pieces
        parts = (pieces["confidence"] * _PARTS).round().astype(int)
        keys = [pieces["emotion"].astype(str), (parts * BINS // _PARTS).clip(0, BINS - 1).rename("bin")]
        self._sums.append((pieces["end_ms"] - pieces["start_ms"]).groupby(keys).sum())

    def table(self) -> pd.DataFrame:
        """Return milliseconds: a row per emotion, a column per bin of confidence."""
        if not self._sums:
            return pd.DataFrame(columns=range(BINS), dtype=int)
        sums = pd.concat(self._sums).groupby(level=[0, 1]).sum().unstack(fill_value=0)
        return sums.reindex(columns=range(BINS), fill_value=0)


def _apart(report: ReportSummary, outputs: PathOrUrl, videos: PathOrUrl) -> ReportSummary:
    """Return a report whose video lies in a tree of its own."""
    return replace(report, video_path=videos / storage_for(outputs).below(report.video_path, outputs))


def _without_report(
    paths: Sequence[PathOrUrl],
    videos: PathOrUrl | None,
    reports: Iterable[PathOrUrl],
    listed: Iterable[SkippedPath],
) -> list[SkippedPath]:
    """Return videos that have no report, and what is left out in looking for them; each that is not listed yet."""
    known = {storage_for(path).identity(path) for path in reports}
    told = {storage_for(left_out.path).absolute(left_out.path) for left_out in listed}
    missing = []
    for entry in scan(paths) if videos is None else scan([videos], output_dir=paths[0]):
        if not isinstance(entry, ArchiveItem):
            missing.append(entry)
        elif storage_for(entry.outputs.csv).identity(entry.outputs.csv) not in known:
            is_there = storage_for(entry.outputs.meta).exists(entry.outputs.meta)
            problem, remedy = ("its report is gone", AGAIN) if is_there else ("not annotated yet", "")
            missing.append(SkippedPath(entry.video, problem, remedy))
    return [left_out for left_out in missing if storage_for(left_out.path).absolute(left_out.path) not in told]


def _problems(skipped: Iterable[SkippedPath], kind: str, root: PathOrUrl) -> list[Problem]:
    return sorted(Problem(shown_below(one.path, root), kind, printable(one.reason)) for one in skipped)
