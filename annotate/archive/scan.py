"""Scan of an archive: every video with its outputs and its sidecar; all commands start here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from annotate.archive.discover import Selection, walk
from annotate.archive.layout import Outputs, candidate_outputs, name_outputs
from annotate.archive.output_tree import map_output_folders
from annotate.results.meta import Meta, read_meta, read_metas
from annotate.storage.base import storage_for
from annotate.storage.values import FileStat, PathOrUrl, SkippedPath, sort_key

_SIDECAR_BATCH = 128
"""Number of videos whose sidecars are read together."""


@dataclass(frozen=True)
class ArchiveItem:
    """A video and its outputs at the time of the scan.

    ``meta`` is the content of its sidecar, None if it is missing or damaged; ``stat`` is None if the video cannot be read.
    """

    video: PathOrUrl
    outputs: Outputs
    meta: Meta | None
    stat: FileStat | None

    @property
    def is_older(self) -> bool:
        """Whether an older analysis version made its outputs."""
        return self.meta is not None and self.meta.is_older

    @classmethod
    def read(cls, video: PathOrUrl, outputs: Outputs) -> ArchiveItem:
        """Return the current state of a video."""
        return cls(video, outputs, read_meta(outputs.meta), _stat(video))

    def reread(self) -> ArchiveItem:
        """Return the current state of the same video; outputs cannot change afterwards if its lock is held."""
        return self.read(self.video, self.outputs)

    def with_outputs(self, outputs: Outputs) -> ArchiveItem:
        """Return the same video with other outputs."""
        return replace(self, outputs=outputs, meta=read_meta(outputs.meta))


class Sidecars:
    """Cache of sidecars: each is read once."""

    def __init__(self) -> None:
        self._known: dict[PathOrUrl, Meta | None] = {}

    def load(self, paths: Sequence[PathOrUrl]) -> None:
        """Read sidecars together."""
        new = [path for path in dict.fromkeys(paths) if path not in self._known]
        self._known.update(zip(new, read_metas(new), strict=True))

    def get(self, path: PathOrUrl) -> Meta | None:
        """Return the content of a sidecar, None if it is missing or damaged.

        Raises:
            StorageError: object storage does not answer.
        """
        if path not in self._known:
            self._known[path] = read_meta(path)
        return self._known[path]

    def drop(self, paths: Iterable[PathOrUrl]) -> None:
        """Drop sidecars from the cache."""
        for path in paths:
            self._known.pop(path, None)


class Scan:
    """The entries of an archive; iterating yields every video with its outputs and its sidecar, or a skipped path.

    Sidecars are read in batches during iteration, so that memory does not grow with the archive.
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
        """Paths of the videos."""
        return [entry for entry in self._entries if not isinstance(entry, SkippedPath)]

    def ordered(self) -> Scan:
        """Return the same scan with skipped paths first, then the videos sorted by path."""
        skipped = [entry for entry in self._entries if isinstance(entry, SkippedPath)]
        return Scan([*skipped, *sorted(self.videos, key=sort_key)], self._paths, self._output_dir)

    def sizes_bytes(self) -> dict[PathOrUrl, int]:
        """Return the size of every video by path; 0 for skipped paths and unreadable videos."""
        sizes: dict[PathOrUrl, int] = {}
        for entry in self._entries:
            if isinstance(entry, SkippedPath):
                sizes[entry.path] = 0
            else:
                stat = _stat(entry)
                sizes[entry] = 0 if stat is None else stat.size_bytes
        return sizes


def scan(paths: Sequence[PathOrUrl], selection: Selection | None = None, output_dir: PathOrUrl | None = None) -> Scan:
    """Find every video below ``paths`` with `annotate.archive.discover.walk`.

    Outputs are beside the videos, or in the same tree below ``output_dir``.

    Iterating raises:
        StorageError: object storage does not answer.
    """
    return Scan(list(walk(paths, selection)), paths, output_dir)


def locate(
    entries: Sequence[PathOrUrl | SkippedPath],
    paths: Sequence[PathOrUrl],
    output_dir: PathOrUrl | None = None,
    sidecars: Sidecars | None = None,
) -> Iterator[ArchiveItem | SkippedPath]:
    """Yield the entries of a walk through ``paths``, videos with outputs and sidecars. Raise as `scan` does."""
    sidecars = Sidecars() if sidecars is None else sidecars
    videos = [entry for entry in entries if not isinstance(entry, SkippedPath)]
    folders = {video: video.parent for video in videos}
    refused: dict[PathOrUrl, SkippedPath] = {}
    if output_dir is not None:
        mapped = map_output_folders(videos, paths, output_dir)
        refused = {video: entry for video, entry in mapped.items() if isinstance(entry, SkippedPath)}
        folders = {video: entry for video, entry in mapped.items() if not isinstance(entry, SkippedPath)}
    items: dict[PathOrUrl, ArchiveItem] = {}
    groups = _groups(folders)
    for entry in entries:
        if isinstance(entry, SkippedPath) or entry in refused:
            yield entry if isinstance(entry, SkippedPath) else refused[entry]
            continue
        while entry not in items:
            items.update(_next_items(groups, sidecars))
        yield items.pop(entry)


def _groups(folders: Mapping[PathOrUrl, PathOrUrl]) -> Iterator[tuple[PathOrUrl, list[PathOrUrl]]]:
    """Yield each output folder with the videos whose outputs it contains."""
    groups: dict[PathOrUrl, list[PathOrUrl]] = {}
    for video, folder in folders.items():
        groups.setdefault(folder, []).append(video)
    yield from groups.items()


def _next_items(
    groups: Iterator[tuple[PathOrUrl, list[PathOrUrl]]], sidecars: Sidecars
) -> Iterator[tuple[PathOrUrl, ArchiveItem]]:
    """Yield the items of the next folders, with at least `_SIDECAR_BATCH` videos if there are as many."""
    batch: list[tuple[PathOrUrl, list[PathOrUrl]]] = []
    for group in groups:
        batch.append(group)
        if sum(len(videos) for _, videos in batch) >= _SIDECAR_BATCH:
            break
    sidecar_paths = [
        outputs.meta for folder, videos in batch for video in videos for outputs in candidate_outputs(video, folder)
    ]
    sidecars.load(sidecar_paths)
    for folder, videos in batch:
        for video, outputs in name_outputs(videos, folder, sidecars.get).items():
            yield video, ArchiveItem(video, outputs, sidecars.get(outputs.meta), _stat(video))
    sidecars.drop(sidecar_paths)


def _stat(video: PathOrUrl) -> FileStat | None:
    try:
        return storage_for(video).stat(video)
    except (OSError, ValueError):  # ValueError: an invalid name, such as one with a null byte
        return None
