"""What the report page tells of an archive: its videos in numbers, and what failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from annotate.analytics.read import Batch, Report, read_reports
from annotate.analytics.summary import Summary, Tally
from annotate.archive.discover import Obstacle, walk
from annotate.archive.find_reports import check_apart, find_reports, identity
from annotate.archive.layout import name_outputs
from annotate.archive.output_tree import mirror
from annotate.storage.s3.path import ObjectPath, is_remote
from annotate.text import printable

Progress = Callable[[Sequence[Path]], Iterable[Path]]

LEFT_OUT = "left out"
"""The kind of problem by which a report counts as failed."""

BINS = 20
"""Of the distribution of confidence, from 0 to 1."""

_PARTS = 10_000
_BUCKET_PARTS = 2


@dataclass(frozen=True, order=True)
class Problem:
    """A video, or a directory, of which the page shows nothing, or not all: ``path`` as it is shown, and why."""

    path: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Contents:
    """An archive's whole reports, ordered by their videos, in numbers.

    ``videos`` has a row a report; ``confidence`` has milliseconds of faces by emotion (rows) and bin (columns, `BINS`);
    ``left_out`` are reports that cannot be used, as ``obstacles`` has them by their paths, ``missing`` videos without one;
    ``root`` is the directory below which all lies.
    """

    reports: list[Report]
    videos: Summary
    folders: Summary
    confidence: pd.DataFrame
    obstacles: list[Obstacle]
    left_out: list[Problem]
    missing: list[Problem]
    empty: list[Path]
    root: Path

    @property
    def names(self) -> list[str]:
        """The reports' videos as the page shows them: by their paths below the root."""
        return [shown_below(report.video_path, self.root) for report in self.reports]

    @property
    def folder_names(self) -> dict[str, str]:
        """The same for the folders of the summary."""
        parents = {os.path.dirname(report.video) or os.curdir: report.video_path.parent for report in self.reports}
        return {folder: shown_below(path, self.root) for folder, path in parents.items()}


def collect(paths: Iterable[Path], progress: Progress = iter, videos: Path | None = None) -> Contents:
    """Reads the reports below ``paths``; what comes of it does not depend on their order.

    ``videos`` is the tree in which the videos lie, where the one path given is the tree of their outputs.

    Raises:
        SettingsError: with ``videos``, there is not one path alone, or one of both is no directory.
    """
    given = sorted(paths)
    check_apart(given, videos)
    found = find_reports(given)
    ordered = sorted(found.reports)
    by_video, by_folder, confidence = Tally("video"), Tally("folder"), _Confidence()
    reports: dict[int, Report] = {}
    obstacles = list(found.obstacles)
    for read in read_reports(progress(ordered)):
        if isinstance(read, Obstacle):
            obstacles.append(read)
            continue
        reports.update(read.reports)
        for tally in (by_video, by_folder, confidence):
            tally.add(read)
    if videos is not None:
        reports = {number: _apart(report, given[0], videos) for number, report in reports.items()}
    missing = _without_report(given, videos, ordered, obstacles)
    seen = [*(report.video_path for report in reports.values()), *(problem.path for problem in (*obstacles, *missing))]
    root = common_folder(seen or given)
    return Contents(
        reports=[reports[number] for number in sorted(reports)],
        videos=by_video.summary(),
        folders=by_folder.summary(),
        confidence=confidence.table(),
        obstacles=obstacles,
        left_out=_problems(obstacles, LEFT_OUT, root),
        missing=_problems(missing, "missing", root),
        empty=found.empty,
        root=root,
    )


def common_folder(paths: Iterable[Path]) -> Path:
    """The innermost directory that all paths lie in."""
    paths = list(paths)
    if any(is_remote(path) for path in paths):
        inner = [path if len(path.parts) == _BUCKET_PARTS else path.parent for path in paths]
        return ObjectPath(os.path.commonpath([os.path.join(*folder.parts) for folder in inner]))
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
    return Path(os.path.commonpath(folders)) if folders else Path()


def shown_below(path: Path, root: Path) -> str:
    """A path below a directory as text that can be shown; the directory itself by its name."""
    if is_remote(path):
        way = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    else:
        way = os.path.relpath(os.path.abspath(path), root)
    return printable(root.name if way == os.curdir and root.name else way)


@dataclass
class _Confidence:
    """Adds up the time of faces by emotion and confidence."""

    _sums: list[pd.Series[int]] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        pieces = batch.pieces
        parts = (pieces["confidence"] * _PARTS).round().astype(int)
        keys = [pieces["emotion"].astype(str), (parts * BINS // _PARTS).clip(0, BINS - 1).rename("bin")]
        self._sums.append((pieces["end_ms"] - pieces["start_ms"]).groupby(keys).sum())

    def table(self) -> pd.DataFrame:
        if not self._sums:
            return pd.DataFrame(columns=range(BINS), dtype=int)
        sums = pd.concat(self._sums).groupby(level=[0, 1]).sum().unstack(fill_value=0)
        return sums.reindex(columns=range(BINS), fill_value=0)


def _apart(report: Report, outputs: Path, videos: Path) -> Report:
    """A report whose video lies in a tree of its own."""
    return replace(report, video_path=videos / report.video_path.relative_to(outputs))


def _without_report(
    paths: Sequence[Path], videos: Path | None, reports: Iterable[Path], obstacles: Iterable[Obstacle]
) -> list[Obstacle]:
    """Videos that have no report, and what stood in the way of looking for them; each that is not listed yet."""
    known = {identity(path) for path in reports}
    listed = {_whole(obstacle.path) for obstacle in obstacles}
    found = list(walk(paths if videos is None else [videos]))
    entries = [entry for entry in found if isinstance(entry, Path)]
    names = name_outputs(entries, None if videos is None else mirror(entries, [videos], paths[0]))
    missing = [entry for entry in found if isinstance(entry, Obstacle)]
    for video, outputs in names.items():
        if identity(outputs.csv) not in known:
            reason = "its report is gone; annotate the video again" if outputs.meta.exists() else "not annotated yet"
            missing.append(Obstacle(video, reason))
    return [obstacle for obstacle in missing if _whole(obstacle.path) not in listed]


def _whole(path: Path) -> str:
    return str(path) if is_remote(path) else os.path.abspath(path)


def _problems(obstacles: Iterable[Obstacle], kind: str, root: Path) -> list[Problem]:
    problems = []
    for obstacle in obstacles:
        reason = obstacle.reason.removeprefix(f"{obstacle.path}: ")
        problems.append(Problem(shown_below(obstacle.path, root), kind, printable(reason)))
    return sorted(problems)
