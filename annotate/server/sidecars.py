"""Sidecars that are looked at every few seconds, and read again only when they have changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from annotate.archive.scan import Sidecars
from annotate.results.meta import Meta, read_meta
from annotate.storage.base import storage_for
from annotate.storage.values import FileStat, PathOrUrl


class StampedSidecars(Sidecars):
    """Keeps what sidecars say from scan to scan, as long as their size and time stay the same."""

    def __init__(self) -> None:
        super().__init__()
        self._stats: dict[PathOrUrl, FileStat] = {}

    def load(self, paths: Sequence[PathOrUrl]) -> None:
        """Do nothing: files of this machine are read one by one as they are asked for."""

    def get(self, path: PathOrUrl) -> Meta | None:
        """Return what a sidecar says now; None if there is no whole one."""
        stat = find_stat(path)
        if stat is None:
            self._forget(path)
            return None
        if self._stats.get(path) != stat:
            self._known[path], self._stats[path] = read_meta(path), stat
        return self._known[path]

    def drop(self, paths: Iterable[PathOrUrl]) -> None:
        """Do nothing: they are kept for the next scan."""

    def keep_only(self, paths: Collection[PathOrUrl]) -> None:
        """Let go of all others."""
        for path in self._stats.keys() - set(paths):
            self._forget(path)

    def _forget(self, path: PathOrUrl) -> None:
        self._known.pop(path, None)
        self._stats.pop(path, None)


def find_stat(path: PathOrUrl) -> FileStat | None:
    """Return size and time of a file; None if it is not there."""
    try:
        return storage_for(path).stat(path)
    except OSError:
        return None
