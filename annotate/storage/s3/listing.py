"""What listings of object storage told, so that a run need not ask for each file again while it finds out what to do.

A folder is forgotten when something in it is written, deleted or locked: from then on the store is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from annotate.storage.address import S3Address
from annotate.storage.values import FileStat


@dataclass(frozen=True)
class Entry:
    """A name in a folder: an object if it has a ``stat``, a folder, or both."""

    stat: FileStat | None
    is_folder: bool


_NOTHING = Entry(None, False)


class Listings:
    """Folders by their address, each with what lies in it by name.

    s3fs keeps listings too, but looks through the whole list of a folder for each name in it.
    """

    def __init__(self) -> None:
        self._folders: dict[S3Address, Mapping[str, Entry]] = {}

    def folder(self, folder: S3Address) -> Mapping[str, Entry] | None:
        """Return what lies in a folder by name, if that is known."""
        return self._folders.get(folder)

    def entry(self, path: S3Address) -> Entry | None:
        """Return what is known of a path; None if nothing is."""
        folder = self._folders.get(path.parent)
        return None if folder is None else folder.get(path.name, _NOTHING)

    def forget(self, folder: S3Address | None = None) -> None:
        """Forget one folder, or all."""
        if folder is None:
            self._folders.clear()
        else:
            self._folders.pop(folder, None)

    def remember(self, tree: Tree) -> None:
        """Take in all folders of a tree."""
        self._folders.update(tree.folders())


def is_name(name: str) -> bool:
    """Return whether a part of a key can be a name."""
    return name not in ("", ".", "..") and "/" not in name


class Tree:
    """Gathers a listing of all below ``root``; ``unusable`` are ways below it that cannot be taken apart as paths."""

    def __init__(self, root: S3Address) -> None:
        self._root = root
        self._folders: dict[str, dict[str, Entry]] = {"": {}}
        self.unusable: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._folders[""] and not self.unusable

    def add(self, way: str, stat: FileStat) -> None:
        """Add an object; one whose key ends with a slash stands for a folder."""
        *above, name = way.split("/")
        if not all(is_name(part) for part in above) or not (is_name(name) or not name):
            self.unusable.append(way)
            return
        folder = ""
        for part in above:
            here = self._folders[folder]
            if part not in here or not here[part].is_folder:
                here[part] = Entry(here[part].stat if part in here else None, True)
            folder = f"{folder}/{part}" if folder else part
            self._folders.setdefault(folder, {})
        if name:
            here = self._folders[folder]
            here[name] = Entry(stat, name in here and here[name].is_folder)

    def folders(self) -> dict[S3Address, Mapping[str, Entry]]:
        """Return all folders by their address."""
        return {self._root / way if way else self._root: entries for way, entries in self._folders.items()}
