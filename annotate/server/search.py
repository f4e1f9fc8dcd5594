"""The archive as a tree, and searching it, from what the server knows at a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from annotate.server.catalog import Snapshot, Video

UNDONE, GIVEN_UP = ("missing", "stale"), ("failed", "cancelled")
"""States of videos that can be annotated: not tried as they are, and tried."""


@dataclass
class Folder:
    """What lies in a folder of the archive, and how many videos below it are in which state."""

    name: str
    folders: list[str] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Tree:
    """All folders by their path, the archive's own as the empty one; and what it was made of."""

    snapshot: Snapshot
    states: dict[str, tuple[str, str]]
    folders: dict[str, Folder]

    def below(self, folder: str) -> Iterable[Video]:
        """The videos in and below a folder, by path."""
        start = f"{folder}/" if folder else ""
        for video in self.snapshot.videos.values():
            if not video.is_upload and (not folder or f"{video.folder}/".startswith(start)):
                yield video


@dataclass(frozen=True)
class Search:
    """What is looked for: words in path and name, an emotion that occurs, a state."""

    words: str = ""
    emotion: str = ""
    state: str = ""

    def __bool__(self) -> bool:
        return bool(self.words.strip() or self.emotion or self.state)

    def find(self, videos: Iterable[Video], states: dict[str, tuple[str, str]]) -> Sequence[Video]:
        """The videos that fit: with an emotion those first where it has the largest share, else in their order."""
        words = self.words.casefold().split()
        found = [
            video
            for video in videos
            if all(word in f"{video.folder}/{video.name}".casefold() for word in words)
            and (not self.emotion or (video.figures is not None and self.emotion in video.figures.shares))
            and (not self.state or states.get(video.id, ("",))[0] == self.state)
        ]
        if self.emotion:
            found.sort(key=lambda video: video.figures.shares[self.emotion] if video.figures else 0, reverse=True)
        return found


def make_tree(snapshot: Snapshot, states: dict[str, tuple[str, str]]) -> Tree:
    """The tree of an archive's videos; folders without any are left out."""
    folders = {"": Folder("")}
    for video in snapshot.videos.values():
        if video.is_upload:
            continue
        state = states.get(video.id, (video.standing.value, ""))[0]
        _folder(folders, video.folder).videos.append(video)
        place = video.folder
        folders[place].states[state] += 1
        while place:
            place = place.rpartition("/")[0]
            folders[place].states[state] += 1
    for folder in folders.values():
        folder.folders.sort()
    return Tree(snapshot, states, folders)


def _folder(folders: dict[str, Folder], path: str) -> Folder:
    if path not in folders:
        above, _, name = path.rpartition("/")
        folders[path] = Folder(name)
        _folder(folders, above).folders.append(path)
    return folders[path]
