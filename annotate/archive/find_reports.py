"""Finding the reports of an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from annotate.archive.layout import REPORT_ENDING, outputs_of_report
from annotate.errors import SettingsError, StorageError
from annotate.results.meta import is_named, read_meta
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath, sort_key


@dataclass
class Found:
    """The reports below paths, what was left out, and the directories without any."""

    reports: list[PathOrUrl] = field(default_factory=list)
    skipped: list[SkippedPath] = field(default_factory=list)
    empty: list[PathOrUrl] = field(default_factory=list)


def check_apart(paths: Sequence[PathOrUrl], videos: PathOrUrl | None) -> None:
    """Make sure that reports below ``paths`` can have their videos in a tree of their own, ``videos`` if it is given.

    Raises:
        SettingsError: there is not one path alone, or one of both is no directory.
    """
    if videos is not None and not (len(paths) == 1 and all(storage_for(path).is_dir(path) for path in (*paths, videos))):
        raise SettingsError("videos that lie apart need one path, the directory with their outputs", path=videos)


def find_reports(paths: Iterable[PathOrUrl]) -> Found:
    """Return the CSV reports below ``paths``, in the order given, sorted within a directory; a video stands for its own.

    Each counts once, however often and by whichever links it is met. Hidden files and directories are left out, and links
    to directories are not followed, unless they are given by name.
    """
    found = Found()
    seen: set[str] = set()
    paths = list(paths)
    for storage in {storage_for(path) for path in paths}:
        storage.refresh()
    for path in paths:
        entries = list(_find_in(path))
        if not entries:
            found.empty.append(path)
        for entry in entries:
            if isinstance(entry, SkippedPath):
                found.skipped.append(entry)
            elif (key := storage_for(entry).identity(entry)) not in seen:
                seen.add(key)
                found.reports.append(entry)
    return found


def _find_in(path: PathOrUrl) -> Iterator[PathOrUrl | SkippedPath]:
    storage = storage_for(path)
    try:
        if storage.is_dir(path):
            yield from _find_below(path)
        elif path.name.endswith(REPORT_ENDING):
            yield path if storage.exists(path) else SkippedPath(path, "no such report", "check the name")
        else:
            beside = [path.with_name(base + REPORT_ENDING) for base in (path.name, path.stem)]
            own = [report for report in beside if storage.exists(report) and _may_be_of(report, path)]
            yield own[0] if own else SkippedPath(path, "no report", f"make one with `annotate {path}`")
    except StorageError as error:
        yield SkippedPath(path, error.problem, error.remedy)


def _find_below(root: PathOrUrl) -> Iterator[PathOrUrl | SkippedPath]:
    reports, skipped = list[PathOrUrl](), list[SkippedPath]()
    for entry in storage_for(root).walk(root):
        if isinstance(entry, SkippedPath):
            skipped += [entry] if entry.is_folder else []
        elif entry.name.endswith(REPORT_ENDING):
            reports.append(entry)
    yield from sorted(reports, key=sort_key)
    yield from skipped


def _may_be_of(report: PathOrUrl, video: PathOrUrl) -> bool:
    meta = read_meta(outputs_of_report(report).meta)
    return meta is None or is_named(meta.source, video)
