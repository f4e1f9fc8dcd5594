"""The archive as a tree of folders, and search for videos, based on a snapshot of the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from annotate.emotions.labels import resolve_emotion
from annotate.server.catalog import CatalogVideo, Snapshot

TODO_STATES, RETRY_STATES = ("missing", "stale"), ("failed", "cancelled")
"""States of videos to annotate: those not tried in their current version, and those tried without a result."""


@dataclass
class Folder:
    """A folder of the archive; ``states`` counts the videos in it and its subfolders by state."""

    name: str
    folders: list[str] = field(default_factory=list)
    videos: list[CatalogVideo] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class FolderTree:
    """Folders of the archive by relative path (the archive itself is ``""``), with the underlying snapshot and states."""

    snapshot: Snapshot
    states: dict[str, tuple[str, str]]
    folders: dict[str, Folder]

    def videos_below(self, folder: str) -> Iterable[CatalogVideo]:
        """Yield the videos in a folder and its subfolders, by path."""
        start = f"{folder}/" if folder else ""
        for video in self.snapshot.videos.values():
            if not video.is_upload and (not folder or f"{video.folder}/".startswith(start)):
                yield video


@dataclass(frozen=True)
class VideoQuery:
    """Criteria of a search for videos; empty ones match everything.

    ``folder`` is the folder to search with its subfolders, ``words`` must all occur in path or name, and ``emotion``, a name
    or a common synonym, in the results.
    """

    folder: str = ""
    words: str = ""
    emotion: str = ""
    state: str = ""
    video_id: str = ""
    origin: str = ""

    @property
    def is_search(self) -> bool:
        """Whether there are criteria beyond the folder."""
        return bool(self.words.strip() or self.emotion or self.state or self.video_id or self.origin)

    def find(self, videos: Iterable[CatalogVideo], states: dict[str, tuple[str, str]]) -> Sequence[CatalogVideo]:
        """Return the matching ``videos``, sorted by share of ``emotion`` if given; ``folder`` is not checked."""
        words = self.words.casefold().split()
        found = [
            video
            for video in videos
            if all(word in f"{video.folder}/{video.name}".casefold() for word in words)
            and (not self.emotion or self._share(video) > 0)
            and (not self.state or states.get(video.id, ("",))[0] == self.state)
            and self.video_id in ("", video.id)
            and self.origin in ("", video.origin.value)
        ]
        if self.emotion:
            found.sort(key=self._share, reverse=True)
        return found

    def _share(self, video: CatalogVideo) -> float:
        """Return the share of face time with the emotion, as the classes of the video's own table name it."""
        shares = video.stats.shares if video.stats else {}
        return shares.get(resolve_emotion(self.emotion, shares) or "", 0.0)


def build_tree(snapshot: Snapshot, states: dict[str, tuple[str, str]]) -> FolderTree:
    """Return the tree of the folders that contain videos, directly or in subfolders."""
    folders = {"": Folder("")}
    for video in snapshot.videos.values():
        if video.is_upload:
            continue
        state = states.get(video.id, (video.annotation_state.value, ""))[0]
        _ensure_folder(folders, video.folder).videos.append(video)
        path = video.folder
        folders[path].states[state] += 1
        while path:
            path = path.rpartition("/")[0]
            folders[path].states[state] += 1
    for folder in folders.values():
        folder.folders.sort()
    return FolderTree(snapshot, states, folders)


def _ensure_folder(folders: dict[str, Folder], path: str) -> Folder:
    if path not in folders:
        parent, _, name = path.rpartition("/")
        folders[path] = Folder(name)
        _ensure_folder(folders, parent).folders.append(path)
    return folders[path]
