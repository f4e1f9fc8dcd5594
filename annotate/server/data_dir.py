"""A server's data folder, and names that come from outside: no such name is ever used as a path."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.layout import META_ENDING, is_output
from annotate.errors import SettingsError

_ID = re.compile(r"[ua][0-9a-f]{16}")
_ID_BYTES = 8
_MAX_NAME_BYTES = 255
_LONGEST_ENDING = ".emotions.labels.txt"
_CONTROL = "Cc"
_SURROGATE = "Cs"


def check_name(name: str) -> str:
    """Return the name of an upload, if a file may be called so and its outputs too.

    Raises:
        SettingsError: it is a path, holds what no name should, is too long or is reserved for this program's outputs.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise SettingsError("the name of a video must be a file's name, without folders")
    if any(unicodedata.category(char) in (_CONTROL, _SURROGATE) for char in name):
        raise SettingsError("the name of a video must not hold control characters")
    longest = max(len(META_ENDING), len(_LONGEST_ENDING))
    if len(name.encode()) > _MAX_NAME_BYTES - longest:
        raise SettingsError(f"the name of a video must not be longer than {_MAX_NAME_BYTES - longest} bytes in UTF-8")
    if name.startswith(".") or is_output(name):
        raise SettingsError("the name of a video must not begin with a dot, nor be that of an output of this program")
    return name


def new_upload_id() -> str:
    """Return an id nobody can guess."""
    return f"u{secrets.token_hex(_ID_BYTES)}"


def archive_id(relative: Path) -> str:
    """Return the id of a video of the archive, by its path below that."""
    return f"a{hashlib.blake2b(os.fsencode(relative.as_posix()), digest_size=_ID_BYTES).hexdigest()}"


def is_id(text: str) -> bool:
    """Return whether a text looks like a video's id.

    >>> is_id("u0123456789abcdef"), is_id("../etc")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True)
class DataDir:
    """Names of the files and folders in a server's data folder."""

    path: Path

    @property
    def queue(self) -> Path:
        """The queue's file."""
        return self.path / "queue.sqlite"

    @property
    def lock(self) -> Path:
        """Held by the one server that uses the folder."""
        return self.path / "serve.lock"

    @property
    def incoming(self) -> Path:
        """Uploads that are not whole yet."""
        return self.path / "incoming"

    @property
    def uploads(self) -> Path:
        """Whole uploads, a folder each, with their results."""
        return self.path / "uploads"

    @property
    def derived(self) -> Path:
        """Proxies and rendered videos, a folder for each source."""
        return self.path / "made"

    def results_of(self, archive: Path) -> Path:
        """Return the root of a tree like an archive's, for the results of its videos while it may not be written to."""
        key = hashlib.blake2b(os.fsencode(os.path.realpath(archive)), digest_size=_ID_BYTES).hexdigest()
        return self.path / "archives" / key

    def make(self) -> None:
        """Make the folders; others than the owner have no business there.

        Raises:
            OSError: one cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.incoming, self.uploads, self.derived):
            folder.mkdir(exist_ok=True)
