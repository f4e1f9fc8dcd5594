"""Read the data that the page shows when a video is opened, for many videos at a time."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from annotate.analytics.face_filter import NO_FILTER, FaceFilter
from annotate.analytics.read import ReportSummary
from annotate.archive.persons import PersonFiles
from annotate.archive.stored_report import ANNOTATE_AGAIN, read_report
from annotate.errors import ReportError, format_error, remedy_for
from annotate.html_report.contents import DAMAGED_KIND, OUTDATED_KIND, SKIPPED_KIND, Problem, ProgressWrapper, display_path
from annotate.html_report.moment_data import Run, runs_of
from annotate.player.player import player_data
from annotate.player.thumbnails import thumbnail_urls
from annotate.results.corrections import shorten
from annotate.results.damage import NO_DAMAGE, Damage
from annotate.results.meta import Meta, is_unchanged
from annotate.results.report import Report
from annotate.storage.base import require_local, storage_for
from annotate.storage.values import PathOrUrl
from annotate.text import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoDetails:
    """Data of a video for the player (None if its report cannot be read), its damage and its problems.

    ``is_playable`` is whether the page can play the video: it is a local file at the expected path. ``runs`` are those of
    `runs_of`, with indexes of ``data["emotions"]``.
    """

    data: dict[str, Any] | None
    problems: tuple[Problem, ...]
    is_playable: bool
    damage: Damage = NO_DAMAGE
    runs: Sequence[Run] = ()

    @property
    def is_outdated(self) -> bool:
        """Whether the video changed since it was annotated."""
        return any(problem.kind == OUTDATED_KIND for problem in self.problems)


def read_details(
    reports: Sequence[ReportSummary],
    root: PathOrUrl,
    *,
    thumbnails: bool,
    jobs: int,
    progress: ProgressWrapper = iter,
    faces: FaceFilter = NO_FILTER,
    is_corrected: bool = True,
) -> Generator[VideoDetails, None, None]:
    """Yield the details of reports in order, without the blocks that do not pass the filter ``faces``.

    Problems have paths relative to ``root``. Close the generator to stop early.
    """
    executor, stopped = ThreadPoolExecutor(jobs), threading.Event()
    read = functools.partial(read_report, persons=PersonFiles(), is_corrected=is_corrected)
    take_thumbnails = functools.partial(thumbnail_urls, should_stop=stopped.is_set) if thumbnails else None
    try:
        details = executor.map(lambda report: _read_one(report, root, take_thumbnails, faces, read), reports)
        for _ in progress([report.path for report in reports]):
            yield next(details)
    finally:
        stopped.set()
        executor.shutdown(cancel_futures=True)


def _read_one(
    report: ReportSummary,
    root: PathOrUrl,
    take_thumbnails: Callable[[Path, Report], dict[int, str]] | None,
    faces: FaceFilter,
    read: Callable[..., Report],
) -> VideoDetails:
    problems: list[tuple[str, str]] = []
    try:
        full_report = _read(report.path, problems, read)
    except ReportError as error:
        full_report, problems = None, [(SKIPPED_KIND, error.reason)]
    storage = storage_for(report.video_path)
    exists = storage.exists(report.video_path)
    data, runs, damage = None, list[Run](), NO_DAMAGE
    if full_report is not None:
        if full_report.meta.damage:
            problems.append((DAMAGED_KIND, full_report.meta.damage.details()))
        if full_report.problems:
            problems.append(("corrections", f"{shorten(full_report.problems)}; the rest applies"))
        full_report = replace(full_report, columns=faces.select(full_report.table))
        is_current = exists and _is_current(full_report.meta, report.video_path, problems)
        thumbnails: dict[int, str] = {}
        if take_thumbnails is not None and is_current and storage.is_local:
            thumbnails = take_thumbnails(require_local(report.video_path), full_report)
        data = player_data(full_report, thumbnails)
        runs = runs_of(full_report, report.excluded, [each["name"] for each in data["emotions"]].index)
        damage = full_report.meta.damage
    name = display_path(report.video_path, root)
    is_playable = exists and storage.is_local
    listed = tuple(Problem(name, kind, printable(reason)) for kind, reason in problems)
    return VideoDetails(data, listed, is_playable, damage, runs)


def _read(path: PathOrUrl, problems: list[tuple[str, str]], read: Callable[..., Report]) -> Report:
    """Return a report with its face boxes; if those are damaged, add that to ``problems`` and leave them out."""
    try:
        return read(path)
    except ReportError as error:
        logger.info("%s", path, exc_info=True)
        report = read(path, with_boxes=False)
        problems.append(("incomplete", f"subtitles are not placed at the faces: {error.reason}"))
        return report


def _is_current(meta: Meta, video: PathOrUrl, problems: list[tuple[str, str]]) -> bool:
    try:
        if is_unchanged(meta.source, video):
            return True
        problems.append((OUTDATED_KIND, format_error("the video changed since it was annotated", ANNOTATE_AGAIN)))
    except OSError as error:
        reason = format_error(f"the video cannot be read ({error.strerror})", remedy_for(error))
        problems.append(("unreadable", reason))
    return False
