"""Layout of the server's data folder, and validation of names and ids from clients, which are never used as paths."""

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


def check_upload_name(name: str) -> str:
    """Return the file name of an upload unchanged, after checking that it is valid, also for the names of its outputs.

    Raises:
        SettingsError: it is a path, has control characters, is too long, is hidden, or is reserved for outputs.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise SettingsError("invalid file name (it must not contain folders)")
    if any(unicodedata.category(char) in (_CONTROL, _SURROGATE) for char in name):
        raise SettingsError("invalid file name (it must not contain control characters)")
    longest = max(len(META_ENDING), len(_LONGEST_ENDING))
    if len(name.encode()) > _MAX_NAME_BYTES - longest:
        raise SettingsError(f"invalid file name (longer than {_MAX_NAME_BYTES - longest} bytes in UTF-8)")
    if name.startswith("."):
        raise SettingsError("invalid file name (it must not start with a dot)")
    if is_output(name):
        raise SettingsError("invalid file name (it is reserved for outputs of annotate)")
    return name


def new_upload_id() -> str:
    """Return a random id, which cannot be guessed."""
    return f"u{secrets.token_hex(_ID_BYTES)}"


def archive_id(relative: Path) -> str:
    """Return the id of a video of the archive, a hash of its relative path."""
    return f"a{hashlib.blake2b(os.fsencode(relative.as_posix()), digest_size=_ID_BYTES).hexdigest()}"


def is_id(text: str) -> bool:
    """Return whether a text has the format of a video's id.

    >>> is_id("u0123456789abcdef"), is_id("../etc")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True)
class DataDir:
    """Paths of the files and folders in a server's data folder."""

    path: Path

    @property
    def queue(self) -> Path:
        """Database of the queue."""
        return self.path / "queue.sqlite"

    @property
    def lock(self) -> Path:
        """Lock file held by the server that uses the folder."""
        return self.path / "serve.lock"

    @property
    def incoming(self) -> Path:
        """Uploads that are still being received."""
        return self.path / "incoming"

    @property
    def uploads(self) -> Path:
        """Complete uploads, one folder each, with their results."""
        return self.path / "uploads"

    @property
    def derived(self) -> Path:
        """Proxies and rendered videos, one folder per source video."""
        return self.path / "made"

    @property
    def clips(self) -> Path:
        """Clips that are being sent."""
        return self.path / "clips"

    def results_root(self, archive: Path) -> Path:
        """Return the folder that mirrors an archive to hold its results if the archive itself must not be written to."""
        key = hashlib.blake2b(os.fsencode(os.path.realpath(archive)), digest_size=_ID_BYTES).hexdigest()
        return self.path / "archives" / key

    def create(self) -> None:
        """Create the folders, accessible by the owner only.

        Raises:
            OSError: a folder cannot be created.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.incoming, self.uploads, self.derived):
            folder.mkdir(exist_ok=True)
