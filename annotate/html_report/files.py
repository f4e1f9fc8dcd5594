"""Files of the HTML report: URLs, JSON in scripts, and the folder of parts of a page with many videos."""

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
from annotate.storage.base import storage_for
from annotate.storage.local.files import delete, ensure_dir, write_atomic
from annotate.storage.values import PathOrUrl

_PART_NAME = re.compile(r"[0-9a-f]{32}\.js")
_SIGNATURE = "/* a part of a page of annotate */"


def relative_url(path: PathOrUrl, folder: Path) -> str:
    """Return the URL of a file relative to a page in ``folder``, percent-encoded byte for byte.

    For an object in S3 it is the address, which browsers cannot play.

    >>> relative_url(Path("/films/a b/50%:#1.mp4"), Path("/films/page"))
    './../a%20b/50%25%3A%231.mp4'
    """
    return storage_for(path).url(path, folder)


def to_json(value: Any) -> str:
    """Return JSON for use in a script element: without ``<`` and line breaks.

    >>> print(to_json({"name": "</script>"}))
    {"name":"\\u003c/script>"}
    """
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


class PartsFolder:
    """A folder beside a page for scripts that the page loads on demand; their names are hashes of their content.

    Parts of the previous page stay until `sweep`, so that it works until the new page has replaced it.
    """

    def __init__(self, page: Path) -> None:
        self.folder = page.with_name(f"{page.stem}_files")
        self._written: set[str] = set()

    def add(self, script: str) -> str:
        """Write a part and return its URL.

        Raises:
            OutputError: the file cannot be written.
        """
        ensure_dir(self.folder)
        text = f"{_SIGNATURE}\n{script}"
        name = f"{hash_content(text.encode())}.js"
        path = self.folder / name
        if name not in self._written and not _holds(path, text):
            write_atomic(path, text)
        self._written.add(name)
        return f"./{quote(os.fsencode(self.folder.name))}/{name}"

    def sweep(self) -> None:
        """Delete the parts of earlier pages, and the folder if it is then empty.

        Raises:
            OutputError: a part cannot be deleted.
        """
        for path in _parts_in(self.folder, self._written):
            delete(path)
        if not self._written:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def _parts_in(folder: Path, kept: Collection[str]) -> list[Path]:
    """Return the parts in a folder that are not in ``kept``; files that annotate did not write are never included."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    candidates = [folder / name for name in names if _PART_NAME.fullmatch(name) and name not in kept]
    return [path for path in candidates if not path.is_symlink() and path.is_file() and _is_part(path)]


def _is_part(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE.encode()
    except OSError:
        return False


def _holds(path: Path, text: str) -> bool:
    try:
        return not path.is_symlink() and path.read_bytes() == text.encode()
    except OSError:
        return False
