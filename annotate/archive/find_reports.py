"""Finding the reports of an archive."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annotate.archive.discover import Obstacle, folders_below
from annotate.archive.layout import META_ENDING, REPORT_ENDING
from annotate.errors import SettingsError, StorageError
from annotate.results.meta import is_named, read_meta
from annotate.storage.s3 import listing
from annotate.storage.s3.path import ObjectPath, is_remote


@dataclass
class Found:
    """The reports below paths, what stood in the way, and the directories without any."""

    reports: list[Path] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)


def check_apart(paths: Sequence[Path], videos: Path | None) -> None:
    """Sees to it that reports below ``paths`` can have their videos in a tree of their own, ``videos`` if it is given.

    Raises:
        SettingsError: there is not one path alone, or one of both is no directory.
    """
    if videos is not None and not (len(paths) == 1 and paths[0].is_dir() and videos.is_dir()):
        raise SettingsError(f"{videos}: videos that lie apart need one path, the directory with their outputs")


def find_reports(paths: Iterable[Path]) -> Found:
    """The CSV reports below ``paths``, in the order given, sorted within a directory; a video stands for its own report.

    Each counts once, however often and by whichever links it is met. Hidden files and directories are left out, and links
    to directories are not followed, unless they are given by name.
    """
    found = Found()
    seen: set[str] = set()
    listing.forget()
    for path in paths:
        entries = list(_find_in(path))
        if not entries:
            found.empty.append(path)
        for entry in entries:
            if isinstance(entry, Obstacle):
                found.obstacles.append(entry)
            elif (key := identity(entry)) not in seen:
                seen.add(key)
                found.reports.append(entry)
    return found


def identity(path: Path) -> str:
    """What is the same for a file however it is reached."""
    return str(path) if is_remote(path) else os.path.realpath(path)


def meta_beside(report: Path) -> Path:
    """Where the meta file of a report lies."""
    return report.with_name(report.name.removesuffix(REPORT_ENDING) + META_ENDING)


def _find_in(path: Path) -> Iterator[Path | Obstacle]:
    try:
        yield from _find_at(path)
    except StorageError as error:
        yield Obstacle(path, str(error))


def _find_at(path: Path) -> Iterator[Path | Obstacle]:
    if isinstance(path, ObjectPath) and path.is_dir():
        yield from _find_in_store(path)
    elif path.is_dir():
        yield from _find_below(path)
    elif path.name.endswith(REPORT_ENDING):
        yield path if path.exists() else Obstacle(path, f"{path}: no such report; check the name")
    else:
        beside = [path.with_name(base + REPORT_ENDING) for base in (path.name, path.stem)]
        own = [report for report in beside if report.exists() and _may_be_of(report, path)]
        yield own[0] if own else Obstacle(path, f"{path}: no report; make one with `annotate {path}`")


def _find_below(root: Path) -> Iterator[Path | Obstacle]:
    obstacles: list[Obstacle] = []

    def unreadable(error: OSError) -> None:
        reason = f"{error.filename}: the directory cannot be read ({error.strerror}); check its permissions"
        obstacles.append(Obstacle(Path(error.filename), reason))

    reports = []
    for folder, below, names in os.walk(root, onerror=unreadable):
        below[:] = [name for name in below if not name.startswith(".")]
        reports += [Path(folder, name) for name in names if name.endswith(REPORT_ENDING) and not name.startswith(".")]
    yield from sorted(reports)
    yield from obstacles


def _find_in_store(root: ObjectPath) -> Iterator[Path]:
    reports: list[Path] = []
    for folder in folders_below(root):
        reports += [path for path in folder.iterdir() if path.name.endswith(REPORT_ENDING) and not path.name.startswith(".")]
    yield from sorted(reports)


def _may_be_of(report: Path, video: Path) -> bool:
    meta = read_meta(meta_beside(report))
    return meta is None or is_named(meta.source, video)
