"""Discovery of the videos of an archive."""

from __future__ import annotations

import fnmatch
import functools
import os
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath

from annotate.archive.layout import is_output
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

VIDEO_EXTENSIONS = frozenset(
    (
        "264 265 3g2 3gp amv asf avi divx dv f4v flv gif gxf h264 h265 hevc ivf m1v m2p m2t m2ts m2v m4v mjpeg mjpg mkv "
        "mod mov mp4 mpe mpeg mpg mpv mts mxf nut ogm ogv qt rm rmvb tod ts vob webm wmv wtv y4m"
    ).split()
)
"""File extensions of videos, compared without case."""

_TYPESCRIPT_EXTENSION = "ts"
_TRANSPORT_PACKETS = ((0, 188), (4, 192))
"""Offset of the sync byte and packet length in bytes, of plain and of timestamped transport streams."""

_SYNC_BYTE = b"\x47"
_SNIFFED_BYTES = 400


@dataclass(frozen=True)
class Selection:
    """Which files of a directory are taken.

    ``include`` and ``exclude`` are shell patterns. A pattern matches a file by its name, its path below the directory or
    that path with the directory in front, and everything in a folder by that folder's name or path; one that is an absolute
    path matches absolute paths. Upper and lower case are one. With ``include`` a file must match one of them, and may match
    none of ``exclude``.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow_links: bool = False

    @property
    def has_patterns(self) -> bool:
        """Whether the patterns can leave out files."""
        return bool(self.include or self.exclude)

    @property
    def without_patterns(self) -> Selection:
        """The same selection without its patterns."""
        return replace(self, include=(), exclude=())

    def takes(self, relative: PurePath, root: PathOrUrl | None = None) -> bool:
        """Return whether the patterns let a file through, given by its path below ``root``."""
        if not self.has_patterns:
            return True
        places = (relative, *relative.parents[:-1])
        names = {name for place in places for name in (place.name, place.as_posix())}
        absolute: set[str] = set()
        if root is not None:
            names.update(str(root / place) for place in places)
            if any(map(os.path.isabs, (*self.include, *self.exclude))):
                absolute.update(storage_for(root).absolute(root / place) for place in places)
        names, absolute = ({name.casefold() for name in some} for some in (names, absolute))
        wanted = not self.include or _matches(names, absolute, self.include)
        return wanted and not _matches(names, absolute, self.exclude)


def walk(paths: Iterable[PathOrUrl], selection: Selection | None = None) -> Iterator[PathOrUrl | SkippedPath]:
    """Yield the videos below ``paths``, each once, in the given order, sorted by name within a directory.

    A path to a file is accepted with any extension, unless it is an output of annotate. Hidden files and directories are
    skipped. Links to files are followed, links to directories only with ``selection.follow_links``.
    """
    selection = selection or Selection()
    seen: set[str] = set()
    paths = list(paths)
    for storage in {storage_for(path) for path in paths}:
        storage.refresh()
    for root in paths:
        storage = storage_for(root)
        for entry in storage.walk(root, follow_links=selection.follow_links):
            path = entry.path if isinstance(entry, SkippedPath) else entry
            key = storage.absolute(path)
            if key not in seen and _is_wanted(entry, root, selection):
                seen.add(key)
                yield entry


def _is_wanted(entry: PathOrUrl | SkippedPath, root: PathOrUrl, selection: Selection) -> bool:
    """Return whether an entry is a selected video, or a skipped path that may contain or be one."""
    if isinstance(entry, SkippedPath) and entry.is_folder:
        return True
    path = entry.path if isinstance(entry, SkippedPath) else entry
    if path == root:
        return not is_output(path.name) and selection.takes(PurePath(path.name), root.parent)
    if not _is_video_name(path.name) or not selection.takes(storage_for(root).subpath(path, root), root):
        return False
    return isinstance(entry, SkippedPath) or not _is_typescript(entry)


def _is_video_name(name: str) -> bool:
    return os.path.splitext(name)[1][1:].lower() in VIDEO_EXTENSIONS and not is_output(name)


def _is_typescript(path: PathOrUrl) -> bool:
    """Return whether a file is TypeScript source, which has the same extension as MPEG transport streams."""
    if path.suffix[1:].lower() != _TYPESCRIPT_EXTENSION:
        return False
    try:
        with storage_for(path).open_range(path) as file:
            start = file.read(_SNIFFED_BYTES)
    except OSError:
        return False
    if not start or b"\0" in start:
        return False
    return not any(start[at : at + length + 1 : length] == _SYNC_BYTE * 2 for at, length in _TRANSPORT_PACKETS)


def _matches(names: Iterable[str], absolute: Iterable[str], patterns: Iterable[str]) -> bool:
    """Return whether a pattern matches one of some names, or one that is an absolute path one of ``absolute``.

    Both are case-folded.
    """
    return any(
        fnmatch.fnmatchcase(name, form)
        for pattern in patterns
        for form in _forms(pattern)
        for name in (absolute if os.path.isabs(form) else names)
    )


@functools.lru_cache
def _forms(pattern: str) -> tuple[str, ...]:
    """Return a pattern in the forms that `fnmatch` knows: case-folded, as a path has it, without ``**/``.

    >>> _forms("./Misc/"), _forms("**/misc")
    (('misc',), ('**/misc', 'misc'))
    """
    plain = pattern.casefold()
    plain = posixpath.normpath(plain) if plain and "://" not in plain else plain
    return tuple(dict.fromkeys((plain, plain.replace("**/", ""))))


def without_extension(name: str) -> str:
    """Return a file name without a video extension: ``a.b`` for both ``a.b.mp4`` and ``a.b``."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix[1:].lower() in VIDEO_EXTENSIONS else str(path)
