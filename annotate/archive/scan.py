"""What lies in an archive: every video with the names of its outputs and what its sidecar says; where all work starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from annotate.archive.discover import Selection, walk
from annotate.archive.layout import Outputs, name_outputs, usual_outputs
from annotate.archive.output_tree import mirror
from annotate.results.meta import Meta, read_meta, read_metas
from annotate.storage.base import storage_for
from annotate.storage.values import FileStat, PathOrUrl, SkippedPath, sort_key

_VIDEOS_AT_ONCE = 128
"""Number of videos whose sidecars are read together."""


@dataclass(frozen=True)
class ArchiveItem:
    """A video as a scan found it.

    ``meta`` is what its sidecar says, None if there is no whole one; ``stat`` its size and time, None if it cannot be read.
    """

    video: PathOrUrl
    outputs: Outputs
    meta: Meta | None
    stat: FileStat | None

    @classmethod
    def read(cls, video: PathOrUrl, outputs: Outputs) -> ArchiveItem:
        """Return a video as it is now."""
        return cls(video, outputs, read_meta(outputs.meta), _stat(video))

    def again(self) -> ArchiveItem:
        """Return the same video as it is now: under a lock nobody else changes its outputs."""
        return self.read(self.video, self.outputs)

    def writing_to(self, outputs: Outputs) -> ArchiveItem:
        """Return the same video with other outputs."""
        return replace(self, outputs=outputs, meta=read_meta(outputs.meta))


class Sidecars:
    """Reads sidecars, each once."""

    def __init__(self) -> None:
        self._known: dict[PathOrUrl, Meta | None] = {}

    def load(self, paths: Sequence[PathOrUrl]) -> None:
        """Read many at a time."""
        new = [path for path in dict.fromkeys(paths) if path not in self._known]
        self._known.update(zip(new, read_metas(new), strict=True))

    def get(self, path: PathOrUrl) -> Meta | None:
        """Return what a sidecar says; None if there is no whole one.

        Raises:
            StorageError: object storage does not answer.
        """
        if path not in self._known:
            self._known[path] = read_meta(path)
        return self._known[path]

    def drop(self, paths: Iterable[PathOrUrl]) -> None:
        """Let go of what was read."""
        for path in paths:
            self._known.pop(path, None)


class Scan:
    """What a walk found; iterate it for every video with its outputs and its sidecar, which are read meanwhile.

    So that an archive of any size takes little memory, sidecars are let go of with their items.
    """

    def __init__(
        self, entries: Sequence[PathOrUrl | SkippedPath], paths: Sequence[PathOrUrl], output_dir: PathOrUrl | None
    ) -> None:
        self._entries = entries
        self._paths = paths
        self._output_dir = output_dir

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[ArchiveItem | SkippedPath]:
        return locate(self._entries, self._paths, self._output_dir)

    @property
    def videos(self) -> list[PathOrUrl]:
        """The videos."""
        return [entry for entry in self._entries if not isinstance(entry, SkippedPath)]

    def ordered(self) -> Scan:
        """Return the same with what is left out first, then the videos, each in order."""
        skipped = [entry for entry in self._entries if isinstance(entry, SkippedPath)]
        return Scan([*skipped, *sorted(self.videos, key=sort_key)], self._paths, self._output_dir)

    def sizes_bytes(self) -> dict[PathOrUrl, int]:
        """Return all paths with the sizes of the videos; 0 where that is not known."""
        sizes: dict[PathOrUrl, int] = {}
        for entry in self._entries:
            if isinstance(entry, SkippedPath):
                sizes[entry.path] = 0
            else:
                stat = _stat(entry)
                sizes[entry] = 0 if stat is None else stat.size_bytes
        return sizes


def scan(paths: Sequence[PathOrUrl], selection: Selection | None = None, output_dir: PathOrUrl | None = None) -> Scan:
    """Return every video below ``paths`` as `annotate.archive.discover.walk` finds it, with its outputs and its sidecar.

    Outputs lie beside the videos, or in a tree like the archive's below ``output_dir``. Sidecars are read once an iteration.
    Iterating raises:
        SettingsError: videos of two roots would have outputs at the same place.
        StorageError: object storage does not answer.
    """
    return Scan(list(walk(paths, selection)), paths, output_dir)


def locate(
    entries: Sequence[PathOrUrl | SkippedPath],
    paths: Sequence[PathOrUrl],
    output_dir: PathOrUrl | None = None,
    sidecars: Sidecars | None = None,
) -> Iterator[ArchiveItem | SkippedPath]:
    """Yield what a walk through ``paths`` found, videos with their outputs and sidecars. Errors as for `scan`."""
    sidecars = Sidecars() if sidecars is None else sidecars
    videos = [entry for entry in entries if not isinstance(entry, SkippedPath)]
    folders = {video: video.parent for video in videos} if output_dir is None else mirror(videos, paths, output_dir)
    items: dict[PathOrUrl, ArchiveItem] = {}
    groups = _groups(folders)
    for entry in entries:
        if isinstance(entry, SkippedPath):
            yield entry
            continue
        while entry not in items:
            items.update(_name_some(groups, sidecars))
        yield items.pop(entry)


def _groups(folders: Mapping[PathOrUrl, PathOrUrl]) -> Iterator[tuple[PathOrUrl, list[PathOrUrl]]]:
    """Yield the folders with outputs, each with the videos they are of."""
    groups: dict[PathOrUrl, list[PathOrUrl]] = {}
    for video, folder in folders.items():
        groups.setdefault(folder, []).append(video)
    yield from groups.items()


def _name_some(
    groups: Iterator[tuple[PathOrUrl, list[PathOrUrl]]], sidecars: Sidecars
) -> Iterator[tuple[PathOrUrl, ArchiveItem]]:
    """Yield the items of the next folders, of enough of them that reading sidecars together is worth it."""
    some: list[tuple[PathOrUrl, list[PathOrUrl]]] = []
    for group in groups:
        some.append(group)
        if sum(len(videos) for _, videos in some) >= _VIDEOS_AT_ONCE:
            break
    usual = [outputs.meta for folder, videos in some for video in videos for outputs in usual_outputs(video, folder)]
    sidecars.load(usual)
    for folder, videos in some:
        for video, outputs in name_outputs(videos, folder, sidecars.get).items():
            yield video, ArchiveItem(video, outputs, sidecars.get(outputs.meta), _stat(video))
    sidecars.drop(usual)


def _stat(video: PathOrUrl) -> FileStat | None:
    try:
        return storage_for(video).stat(video)
    except (OSError, ValueError):  # ValueError: a name that cannot be one
        return None
