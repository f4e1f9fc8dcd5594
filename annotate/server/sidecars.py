"""Caches for periodic scans: sidecars and files of persons are read again only when they have changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from annotate.archive.persons import PersonFiles
from annotate.archive.scan import Sidecars
from annotate.errors import ReportError
from annotate.results.meta import Meta, read_meta
from annotate.storage.base import storage_for
from annotate.storage.values import FileStat, PathOrUrl


class CachedSidecars(Sidecars):
    """Sidecars cached between scans, as long as size and modification time of the file do not change."""

    def __init__(self) -> None:
        super().__init__()
        self._stats: dict[PathOrUrl, FileStat] = {}

    def load(self, paths: Sequence[PathOrUrl]) -> None:
        """Do nothing: local files are read one by one on demand."""

    def get(self, path: PathOrUrl) -> Meta | None:
        """Return the current content of a sidecar; None if it is missing or damaged."""
        stat = stat_or_none(path)
        if stat is None:
            self._forget(path)
            return None
        if self._stats.get(path) != stat:
            self._known[path], self._stats[path] = read_meta(path), stat
        return self._known[path]

    def drop(self, paths: Iterable[PathOrUrl]) -> None:
        """Do nothing: sidecars are kept for the next scan."""

    def keep_only(self, paths: Collection[PathOrUrl]) -> None:
        """Remove all other sidecars from the cache."""
        for path in self._stats.keys() - set(paths):
            self._forget(path)

    def _forget(self, path: PathOrUrl) -> None:
        self._known.pop(path, None)
        self._stats.pop(path, None)


@dataclass(frozen=True)
class _PersonsFile:
    """A file of persons as it was when it had a size and time, and the versions of what it says on tables."""

    stat: FileStat
    files: PersonFiles = field(default_factory=PersonFiles)
    versions: dict[tuple[PathOrUrl, str, str], int] = field(default_factory=dict)


class PersonsVersions:
    """Tells when what files say on the persons of a video has changed, however often they say something on others."""

    def __init__(self) -> None:
        self._files: dict[PathOrUrl, _PersonsFile] = {}

    def get(self, csv: PathOrUrl, meta: Meta) -> int:
        """Return a number that changes with what files of persons say on a table; 0 if they say nothing."""
        return sum(self._version(storage_for(csv).resolve(csv.parent, path), csv, meta) for path in meta.persons)

    def _version(self, path: PathOrUrl, csv: PathOrUrl, meta: Meta) -> int:
        stat = stat_or_none(path)
        if stat is None:
            self._files.pop(path, None)
            return 0
        file = self._files.get(path)
        if file is None or file.stat != stat:
            file = self._files[path] = _PersonsFile(stat)
        key = csv, meta.source.name, meta.source.hash
        if key not in file.versions:
            try:
                rows = file.files.rows_in(path, csv, meta)
                file.versions[key] = hash(tuple(rows)) if rows else 0
            except ReportError:
                file.versions[key] = stat.mtime_ns
        return file.versions[key]


def stat_or_none(path: PathOrUrl) -> FileStat | None:
    """Return size and modification time of a file; None if it cannot be accessed."""
    try:
        return storage_for(path).stat(path)
    except OSError:
        return None
