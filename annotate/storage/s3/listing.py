"""What listings of object storage told, so that a run need not ask for each file again while it finds out what to do.

A folder is forgotten when something in it is written, deleted or claimed: from then on the store is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from annotate.storage.s3.path import ObjectPath


class Status(NamedTuple):
    """An object's size, the time it was written and its ETag; two of the first as `os.stat` calls them."""

    st_size: int
    st_mtime_ns: int
    etag: str


@dataclass(frozen=True)
class Entry:
    """A name in a folder: an object if it has a status, a folder, or both."""

    status: Status | None
    is_folder: bool


_NOTHING = Entry(None, False)
_listed: dict[str, Mapping[str, Entry]] = {}
_contents: dict[str, dict[str, bytes | None]] = {}


def listed(folder: ObjectPath) -> Mapping[str, Entry] | None:
    """What lies in a folder by name, if that is known."""
    return _listed.get(str(folder))


def look_up(path: ObjectPath) -> Entry | None:
    """What is known of a path; None if nothing is."""
    folder = _listed.get(str(path.parent))
    return None if folder is None else folder.get(path.name, _NOTHING)


def forget(folder: ObjectPath | None = None) -> None:
    """Forgets one folder, or all."""
    if folder is None:
        _listed.clear()
        _contents.clear()
    else:
        _listed.pop(str(folder), None)
        _contents.pop(str(folder), None)


def keep_content(path: ObjectPath, content: bytes | None) -> None:
    """Keeps what an object holds, or that there is none."""
    _contents.setdefault(str(path.parent), {})[path.name] = content


def kept_content(path: ObjectPath) -> tuple[bytes | None] | None:
    """What was kept of an object; None if nothing was."""
    kept = _contents.get(str(path.parent), {})
    return (kept[path.name],) if path.name in kept else None


def drop_content(path: ObjectPath) -> None:
    """Keeps it no longer."""
    kept = _contents.get(str(path.parent))
    if kept is not None:
        kept.pop(path.name, None)
        if not kept:
            _contents.pop(str(path.parent), None)


def is_name(name: str) -> bool:
    """Whether a part of a key can be a name."""
    return name not in ("", ".", "..") and "/" not in name


class Tree:
    """Gathers a listing of all below ``root``; ``unusable`` are ways below it that are no paths."""

    def __init__(self, root: ObjectPath) -> None:
        self._root = root
        self._folders: dict[str, dict[str, Entry]] = {"": {}}
        self.unusable: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._folders[""] and not self.unusable

    def add(self, way: str, status: Status) -> None:
        """Adds an object; one whose key ends with a slash stands for a folder."""
        *above, name = way.split("/")
        if not all(is_name(part) for part in above) or not (is_name(name) or not name):
            self.unusable.append(way)
            return
        folder = ""
        for part in above:
            here = self._folders[folder]
            if part not in here or not here[part].is_folder:
                here[part] = Entry(here[part].status if part in here else None, True)
            folder = f"{folder}/{part}" if folder else part
            self._folders.setdefault(folder, {})
        if name:
            here = self._folders[folder]
            here[name] = Entry(status, name in here and here[name].is_folder)

    def remember(self) -> None:
        """Makes it known."""
        for way, entries in self._folders.items():
            _listed[f"{self._root}/{way}" if way else str(self._root)] = entries
