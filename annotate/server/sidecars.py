"""Cache of sidecars for periodic scans: a sidecar is read again only when its file has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from annotate.archive.scan import Sidecars
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


def stat_or_none(path: PathOrUrl) -> FileStat | None:
    """Return size and modification time of a file; None if it cannot be accessed."""
    try:
        return storage_for(path).stat(path)
    except OSError:
        return None
