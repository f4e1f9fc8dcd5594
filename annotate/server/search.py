"""The archive as a tree of folders, and queries for videos, over a snapshot of the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from annotate.server.catalog import CatalogVideo, Snapshot

UNDONE, GIVEN_UP = ("missing", "stale"), ("failed", "cancelled")
"""States of videos that can be annotated: not tried as they are, and tried."""


@dataclass
class Folder:
    """A folder of the archive: what lies in it, and how many videos below it are in which state."""

    name: str
    folders: list[str] = field(default_factory=list)
    videos: list[CatalogVideo] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class FolderTree:
    """All folders by their path, the archive's own as the empty one, with the snapshot and states they were made of."""

    snapshot: Snapshot
    states: dict[str, tuple[str, str]]
    folders: dict[str, Folder]

    def below(self, folder: str) -> Iterable[CatalogVideo]:
        """Yield the videos in and below a folder, by path."""
        start = f"{folder}/" if folder else ""
        for video in self.snapshot.videos.values():
            if not video.is_upload and (not folder or f"{video.folder}/".startswith(start)):
                yield video


@dataclass(frozen=True)
class VideoQuery:
    """Which videos are searched for; what is empty does not matter.

    ``folder`` is the one below which to search, ``words`` are those in path and name, ``emotion`` is one that occurs.
    """

    folder: str = ""
    words: str = ""
    emotion: str = ""
    state: str = ""
    video_id: str = ""
    origin: str = ""

    @property
    def is_search(self) -> bool:
        """Whether more is asked for than the content of a folder."""
        return bool(self.words.strip() or self.emotion or self.state or self.video_id or self.origin)

    def find(self, videos: Iterable[CatalogVideo], states: dict[str, tuple[str, str]]) -> Sequence[CatalogVideo]:
        """Return those of the folder's ``videos`` that fit: with an emotion by its share, the largest first, or in order."""
        words = self.words.casefold().split()
        found = [
            video
            for video in videos
            if all(word in f"{video.folder}/{video.name}".casefold() for word in words)
            and (not self.emotion or (video.figures is not None and self.emotion in video.figures.shares))
            and (not self.state or states.get(video.id, ("",))[0] == self.state)
            and self.video_id in ("", video.id)
            and self.origin in ("", video.origin.value)
        ]
        if self.emotion:
            found.sort(key=lambda video: video.figures.shares[self.emotion] if video.figures else 0, reverse=True)
        return found


def make_tree(snapshot: Snapshot, states: dict[str, tuple[str, str]]) -> FolderTree:
    """Return the tree of an archive's videos; folders without any are left out."""
    folders = {"": Folder("")}
    for video in snapshot.videos.values():
        if video.is_upload:
            continue
        state = states.get(video.id, (video.annotation_state.value, ""))[0]
        _folder(folders, video.folder).videos.append(video)
        path = video.folder
        folders[path].states[state] += 1
        while path:
            path = path.rpartition("/")[0]
            folders[path].states[state] += 1
    for folder in folders.values():
        folder.folders.sort()
    return FolderTree(snapshot, states, folders)


def _folder(folders: dict[str, Folder], path: str) -> Folder:
    if path not in folders:
        above, _, name = path.rpartition("/")
        folders[path] = Folder(name)
        _folder(folders, above).folders.append(path)
    return folders[path]
