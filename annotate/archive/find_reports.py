"""Discovery of the tables of an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from annotate.archive.layout import REPORT_ENDING, candidate_outputs, outputs_of_report
from annotate.errors import SettingsError, StorageError
from annotate.results.meta import has_same_name, read_meta
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath, sort_key


@dataclass
class FoundReports:
    """The tables below paths, skipped paths, and directories without tables (``empty``)."""

    reports: list[PathOrUrl] = field(default_factory=list)
    skipped: list[SkippedPath] = field(default_factory=list)
    empty: list[PathOrUrl] = field(default_factory=list)


def check_videos_folder(paths: Sequence[PathOrUrl], videos: PathOrUrl | None) -> None:
    """Check that ``paths`` can be combined with a separate folder of videos, if ``videos`` is given.

    Raises:
        SettingsError: there is more than one path, or the path or ``videos`` is not a directory.
    """
    if videos is not None and not (len(paths) == 1 and all(storage_for(path).is_dir(path) for path in (*paths, videos))):
        raise SettingsError(
            "a separate folder of videos needs exactly one directory of outputs", "give one directory as PATH", path=videos
        )


def find_reports(paths: Iterable[PathOrUrl]) -> FoundReports:
    """Return the tables below ``paths``, in the given order, sorted within a directory; a video selects its own table.

    Each table is returned once, also if several paths or links lead to it. Hidden files and directories are skipped, and
    links to directories are not followed, unless they are given as a path.
    """
    found = FoundReports()
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
            elif (key := storage_for(entry).canonical(entry)) not in seen:
                seen.add(key)
                found.reports.append(entry)
    return found


def _find_in(path: PathOrUrl) -> Iterator[PathOrUrl | SkippedPath]:
    storage = storage_for(path)
    try:
        if storage.is_dir(path):
            yield from _find_below(path)
        elif path.name.endswith(REPORT_ENDING):
            yield path if storage.exists(path) else SkippedPath(path, "no such file", "check the name")
        else:
            candidates = [outputs.csv for outputs in candidate_outputs(path, path.parent)]
            reports = [report for report in candidates if storage.exists(report) and _may_belong_to(report, path)]
            yield reports[0] if reports else SkippedPath(path, "not annotated yet", f"run `annotate {path}` first")
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


def _may_belong_to(report: PathOrUrl, video: PathOrUrl) -> bool:
    """Return whether a table is of a video according to its sidecar, or has no readable sidecar."""
    meta = read_meta(outputs_of_report(report).meta)
    return meta is None or has_same_name(meta.source, video)
