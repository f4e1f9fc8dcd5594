"""The data that a page shows of one video when it is opened; many are read at a time."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.analytics.read import ReportSummary
from annotate.archive.stored_report import read_report
from annotate.errors import ReportError, remedy_for
from annotate.html_report.contents import LEFT_OUT, Problem, Progress, shown_below
from annotate.player.player import player_data
from annotate.player.thumbnails import face_thumbnails
from annotate.results.meta import Meta, is_unchanged
from annotate.results.report import Report
from annotate.storage.base import local_only, storage_for
from annotate.storage.values import PathOrUrl
from annotate.text import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Detail:
    """A video's data for the player, None if its report is not whole any more, and the problems with it.

    ``is_there`` tells whether the video was found beside its report, on this machine.
    """

    data: dict[str, Any] | None
    problems: tuple[Problem, ...]
    is_there: bool


def look_into(
    reports: Sequence[ReportSummary], root: PathOrUrl, *, thumbnails: bool, jobs: int, progress: Progress = iter
) -> Generator[Detail, None, None]:
    """Yield the details of reports, in their order; paths are shown below ``root``. Close it to end early."""
    executor, over = ThreadPoolExecutor(jobs), threading.Event()
    take_thumbnails = functools.partial(face_thumbnails, is_over=over.is_set) if thumbnails else None
    try:
        details = executor.map(lambda report: _look_into(report, root, take_thumbnails), reports)
        for _ in progress([report.path for report in reports]):
            yield next(details)
    finally:
        over.set()
        executor.shutdown(cancel_futures=True)


def _look_into(
    report: ReportSummary, root: PathOrUrl, take_thumbnails: Callable[[Path, Report], dict[int, str]] | None
) -> Detail:
    problems: list[tuple[str, str]] = []
    try:
        whole = _read(report.path, problems)
    except ReportError as error:
        whole, problems = None, [(LEFT_OUT, error.reason)]
    storage = storage_for(report.video_path)
    is_there = storage.exists(report.video_path)
    data = None
    if whole is not None:
        if whole.meta.shortfall:
            problems.append(("incomplete", whole.meta.shortfall))
        is_same = is_there and _is_same(whole.meta, report.video_path, problems)
        thumbnails: dict[int, str] = {}
        if take_thumbnails is not None and is_same and storage.in_place:
            thumbnails = take_thumbnails(local_only(report.video_path), whole)
        data = player_data(whole, thumbnails)
    name = shown_below(report.video_path, root)
    is_playable = is_there and storage.in_place
    return Detail(data, tuple(Problem(name, kind, printable(reason)) for kind, reason in problems), is_playable)


def _read(path: PathOrUrl, problems: list[tuple[str, str]]) -> Report:
    """Return a report with its boxes, or else without them, which is added to ``problems``."""
    try:
        return read_report(path)
    except ReportError as error:
        logger.info("%s", path, exc_info=True)
        whole = read_report(path, with_boxes=False)
        problems.append(("incomplete", f"cues have no places: {error.reason}"))
        return whole


def _is_same(meta: Meta, video: PathOrUrl, problems: list[tuple[str, str]]) -> bool:
    try:
        if is_unchanged(meta.source, video):
            return True
        problems.append(("stale", "the video has changed since it was annotated; annotate it again"))
    except OSError as error:
        reason = f"the video cannot be read ({error.strerror}); {remedy_for(error)}"
        problems.append(("unreadable", reason))
    return False
