"""Finding the videos of an archive."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from annotate.archive.layout import is_output
from annotate.errors import StorageError
from annotate.storage.s3 import listing
from annotate.storage.s3.path import UNUSABLE, ObjectPath, is_remote

VIDEO_ENDINGS = frozenset(
    (
        "3g2 3gp amv asf avi divx dv f4v flv gif gxf h264 hevc ivf m1v m2p m2t m2ts m2v m4v mjpeg mjpg mkv mod mov mp4 mpe "
        "mpeg mpg mpv mts mxf nut ogm ogv qt rm rmvb tod ts vob webm wmv wtv y4m"
    ).split()
)
"""Endings by which files of a directory are taken for videos, in any case."""


_TYPESCRIPT_ENDING = "ts"
_TRANSPORT_PACKETS = ((0, 188), (4, 192))
"""Where the sync byte stands in a packet, and a packet's length, in plain and in time-stamped transport streams."""

_SYNC_BYTE = b"\x47"
_SNIFFED_BYTES = 400


@dataclass(frozen=True)
class Selection:
    """Which files of a directory are taken.

    ``include`` and ``exclude`` are shell patterns, matched against a file's name and against its path below the
    directory; with ``include`` a file must match one of them, and may match none of ``exclude``.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow_links: bool = False

    def takes(self, relative: PurePath) -> bool:
        """Whether the patterns let a file through."""
        names = (relative.name, relative.as_posix())
        wanted = not self.include or _matches(names, self.include)
        return wanted and not _matches(names, self.exclude)


@dataclass(frozen=True)
class Obstacle:
    """A path that could not be walked, with a sentence that says why."""

    path: Path
    reason: str


def walk(paths: Iterable[Path], selection: Selection | None = None) -> Iterator[Path | Obstacle]:
    """Videos below ``paths``, each once: in the order given, sorted by name within a directory.

    A path that is a file is taken whatever its ending, unless it is an output of this program. Hidden files and
    directories are left out, links to files are followed, links to directories only if the selection says so.
    """
    selection = selection or Selection()
    seen: set[str] = set()
    listing.forget()
    for path in paths:
        for found in _walk_one(path, selection):
            key = _identity(found)
            if key not in seen:
                seen.add(key)
                yield found


def folders_below(tree: Path) -> Iterator[Path]:
    """``tree`` and the directories below it, hidden and linked ones left out, as when walking for videos."""
    if isinstance(tree, ObjectPath):
        yield from _prefixes_below(tree)
        return
    for folder, below, _ in os.walk(tree):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(folder)


def _identity(found: Path | Obstacle) -> str:
    """What is the same for what is met twice."""
    path = found.path if isinstance(found, Obstacle) else found
    if is_remote(path):
        return found.reason if isinstance(found, Obstacle) else str(path)
    return os.path.abspath(path)


def _walk_one(path: Path, selection: Selection) -> Iterator[Path | Obstacle]:
    if isinstance(path, ObjectPath):
        yield from _walk_store(path, selection)
        return
    try:
        is_directory = path.is_dir()
        exists = path.exists() or path.is_symlink()
    except (OSError, ValueError) as error:
        yield Obstacle(path, f"{path}: cannot be looked at ({error})")
        return
    if is_directory:
        yield from _walk_directory(path, path, selection, set())
    elif not exists:
        yield Obstacle(path, f"{path}: no such file or directory; check the name")
    elif not is_output(path.name) and selection.takes(Path(path.name)):
        yield path


def _walk_directory(
    root: Path, folder: Path, selection: Selection, above: set[tuple[int, int]]
) -> Iterator[Path | Obstacle]:
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Obstacle(folder, f"{folder}: the directory cannot be read ({error.strerror}); check its permissions")
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if _is_directory(entry):
            if selection.follow_links or not entry.is_symlink():
                yield from _walk_directory(root, path, selection, above | {here})
        elif _is_video_name(entry.name) and _is_usable(path) and selection.takes(path.relative_to(root)):
            yield path


def _walk_store(path: ObjectPath, selection: Selection) -> Iterator[Path | Obstacle]:
    """The same of object storage, which is listed once, whatever the number of its folders."""
    from annotate.storage.s3.client import remember_tree

    try:
        try:
            unusable = remember_tree(path)
        except FileNotFoundError:
            if not path.is_file():
                yield Obstacle(path, f"{path}: no such file or directory; check the name")
            elif not is_output(path.name) and selection.takes(PurePath(path.name)):
                yield path
            return
        for key in unusable:
            if _is_video_name(key) and selection.takes(PurePath(key.removeprefix(f"{path.key}/"))):
                yield Obstacle(path, f"s3://{path.bucket}/{key}: {UNUSABLE}")
        yield from _walk_prefix(path, path, selection)
    except StorageError as error:
        yield Obstacle(path, str(error))


def _walk_prefix(root: ObjectPath, folder: ObjectPath, selection: Selection) -> Iterator[Path]:
    entries = listing.listed(folder) or {}
    for name in sorted(entries, key=os.fsencode):
        if name.startswith("."):
            continue
        path = ObjectPath(folder / name)
        if (
            entries[name].status is not None
            and _is_video_name(name)
            and selection.takes(path.relative_to(root))
            and _is_usable(path)
        ):
            yield path
        if entries[name].is_folder:
            yield from _walk_prefix(root, path, selection)


def _prefixes_below(folder: ObjectPath) -> Iterator[Path]:
    from annotate.storage.s3.client import entries, remember_tree

    if listing.listed(folder) is None:
        try:
            remember_tree(folder)
        except FileNotFoundError:
            return
    yield folder
    for name, entry in sorted(entries(folder).items()):
        if entry.is_folder and not name.startswith("."):
            yield from _prefixes_below(ObjectPath(folder / name))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """A link that leads nowhere, or round in a circle, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_video_name(name: str) -> bool:
    return os.path.splitext(name)[1][1:].lower() in VIDEO_ENDINGS and not is_output(name)


def _is_usable(path: Path) -> bool:
    """Leaves out sockets and pipes, and TypeScript sources, which share their ending with MPEG transport streams."""
    if path.is_symlink() and not path.exists():
        return True
    if not path.is_file():
        return False
    if path.suffix[1:].lower() != _TYPESCRIPT_ENDING:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED_BYTES)
    except OSError:
        return True
    if not start or b"\0" in start:
        return True
    return any(start[at : at + length + 1 : length] == _SYNC_BYTE * 2 for at, length in _TRANSPORT_PACKETS)


def _matches(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns for name in names)
