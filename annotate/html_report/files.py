"""The files of a report page: the page itself, and the folder of its parts where there are many videos."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from annotate.results.meta import hash_content
from annotate.storage.local.files import make_folder, remove, write_whole
from annotate.storage.s3.path import is_remote

_PART_NAME = re.compile(r"[0-9a-f]{32}\.js")
_MARK = "/* a part of a page of annotate */"


def relative_url(path: Path, folder: Path) -> str:
    """The way from a folder to a file as a URL; what is no letter or digit is encoded, byte for byte.

    Its first part may hold a colon, so that it begins with where it starts from. Of an object, it is the address, which
    browsers do not play.

    >>> relative_url(Path("/films/a b/50%:#1.mp4"), Path("/films/page"))
    './../a%20b/50%25%3A%231.mp4'
    """
    if is_remote(path):
        return path.as_uri()
    way = os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
    return f"./{quote(os.fsencode(way))}"


def to_json(value: Any) -> str:
    """JSON as a script can hold it: no tag begins in it, and no line ends.

    >>> print(to_json({"name": "</script>"}))
    {"name":"\\u003c/script>"}
    """
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


class Parts:
    """A folder beside a page, for scripts that it loads when they are needed; each is named by what is in it.

    Parts of an earlier page stay until `sweep`, so that this one can be looked at until the new one is in its place.
    """

    def __init__(self, page: Path) -> None:
        self.folder = page.with_name(f"{page.stem}_files")
        self._written: set[str] = set()

    def add(self, script: str) -> str:
        """Writes a part, and gives its URL.

        Raises:
            OutputError: it cannot be written.
        """
        make_folder(self.folder)
        text = f"{_MARK}\n{script}"
        name = f"{hash_content(text.encode())}.js"
        path = self.folder / name
        if name not in self._written and not _holds(path, text):
            write_whole(path, text)
        self._written.add(name)
        return f"./{quote(os.fsencode(self.folder.name))}/{name}"

    def sweep(self) -> None:
        """Removes the parts of earlier pages, and the folder if nothing is left in it.

        Raises:
            OutputError: one cannot be removed.
        """
        for path in _parts_in(self.folder, self._written):
            remove(path)
        if not self._written:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def _parts_in(folder: Path, kept: Collection[str]) -> list[Path]:
    """Parts in a folder besides those kept; whatever else lies there is left alone."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    candidates = [folder / name for name in names if _PART_NAME.fullmatch(name) and name not in kept]
    return [path for path in candidates if not path.is_symlink() and path.is_file() and _is_part(path)]


def _is_part(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MARK)) == _MARK.encode()
    except OSError:
        return False


def _holds(path: Path, text: str) -> bool:
    try:
        return not path.is_symlink() and path.read_bytes() == text.encode()
    except OSError:
        return False
