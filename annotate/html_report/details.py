"""What a page shows of each video when it is opened; many are looked into at once."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.analytics.read import Report
from annotate.archive.stored_report import read_whole
from annotate.errors import ReportError
from annotate.html_report.contents import LEFT_OUT, Problem, Progress, shown_below
from annotate.player.player import player_data
from annotate.player.thumbnails import face_thumbnails
from annotate.results.meta import Meta, is_unchanged
from annotate.results.report import Report as TrackReport
from annotate.storage.s3.path import is_remote
from annotate.text import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Detail:
    """A video's data for the player, None if its report is not whole any more, and what is wrong with it.

    ``is_there`` tells whether the video was found beside its report, on this machine.
    """

    data: dict[str, Any] | None
    problems: tuple[Problem, ...]
    is_there: bool


def look_into(
    reports: Sequence[Report], root: Path, *, thumbnails: bool, jobs: int, progress: Progress = iter
) -> Generator[Detail, None, None]:
    """The details of reports, in their order; ``root`` is what paths are shown below. Close it to end early."""
    executor, over = ThreadPoolExecutor(jobs), threading.Event()
    pictures = functools.partial(face_thumbnails, is_over=over.is_set) if thumbnails else None
    try:
        details = executor.map(lambda report: _look_into(report, root, pictures), reports)
        for _ in progress([report.path for report in reports]):
            yield next(details)
    finally:
        over.set()
        executor.shutdown(cancel_futures=True)


def _look_into(report: Report, root: Path, pictures: Callable[[Path, TrackReport], dict[int, str]] | None) -> Detail:
    problems: list[tuple[str, str]] = []
    try:
        whole = _read(report.path, problems)
    except ReportError as error:
        whole, problems = None, [(LEFT_OUT, _reason(error, report.path))]
    is_there = report.video_path.exists()
    data = None
    if whole is not None:
        if whole.meta.shortfall:
            problems.append(("incomplete", whole.meta.shortfall))
        is_same = is_there and _is_same(whole.meta, report.video_path, problems)
        is_here = is_same and not is_remote(report.video_path)
        data = player_data(whole, pictures(report.video_path, whole) if pictures and is_here else {})
    name = shown_below(report.video_path, root)
    is_playable = is_there and not is_remote(report.video_path)
    return Detail(data, tuple(Problem(name, kind, printable(reason)) for kind, reason in problems), is_playable)


def _read(path: Path, problems: list[tuple[str, str]]) -> TrackReport:
    """A report with its boxes, or else without them, which is noted."""
    try:
        return read_whole(path)
    except ReportError as error:
        logger.info("%s", path, exc_info=True)
        whole = read_whole(path, with_boxes=False)
        problems.append(("incomplete", f"cues have no places: {_reason(error, path)}"))
        return whole


def _is_same(meta: Meta, video: Path, problems: list[tuple[str, str]]) -> bool:
    try:
        if is_unchanged(meta.source, video):
            return True
        problems.append(("stale", "the video has changed since it was annotated; annotate it again"))
    except OSError as error:
        problems.append(("unreadable", f"the video cannot be read ({error.strerror}); check its permissions"))
    return False


def _reason(error: Exception, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")
