"""Cache of listings of object storage, so that planning a run takes no request per file.

The listing of a folder is dropped when something in it is written, deleted or locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from annotate.storage.address import S3Address
from annotate.storage.values import FileStat


@dataclass(frozen=True)
class Entry:
    """An entry of a folder: an object if it has a ``stat``, a folder, or both."""

    stat: FileStat | None
    is_folder: bool


_NO_ENTRY = Entry(None, False)


class Listings:
    """Listed folders by address, each with its entries by name.

    The cache of s3fs is not used: it searches the whole list of a folder for every name.
    """

    def __init__(self) -> None:
        self._folders: dict[S3Address, Mapping[str, Entry]] = {}

    def folder(self, folder: S3Address) -> Mapping[str, Entry] | None:
        """Return the entries of a folder by name, None if it is not cached."""
        return self._folders.get(folder)

    def entry(self, path: S3Address) -> Entry | None:
        """Return the entry of a path, None if its folder is not cached."""
        folder = self._folders.get(path.parent)
        return None if folder is None else folder.get(path.name, _NO_ENTRY)

    def forget(self, folder: S3Address | None = None) -> None:
        """Drop one folder, or all."""
        if folder is None:
            self._folders.clear()
        else:
            self._folders.pop(folder, None)

    def add(self, tree: TreeListing) -> None:
        """Add all folders of a tree."""
        self._folders.update(tree.folders())


def is_valid_name(name: str) -> bool:
    """Return whether a part of a key is a valid file name."""
    return name not in ("", ".", "..") and "/" not in name


class TreeListing:
    """Collects a listing of everything below ``root``; ``invalid`` are relative paths with invalid parts."""

    def __init__(self, root: S3Address) -> None:
        self._root = root
        self._folders: dict[str, dict[str, Entry]] = {"": {}}
        self.invalid: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been added."""
        return not self._folders[""] and not self.invalid

    def add(self, relative_path: str, stat: FileStat) -> None:
        """Add an object; a key that ends with a slash is a folder."""
        *above, name = relative_path.split("/")
        if not all(is_valid_name(part) for part in above) or not (is_valid_name(name) or not name):
            self.invalid.append(relative_path)
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
        """Return all folders by address."""
        return {self._root / path if path else self._root: entries for path, entries in self._folders.items()}
