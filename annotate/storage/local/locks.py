"""The right to write one video's outputs, so that two runs over one archive do no video twice.

The lock is the operating system's and ends with the process that holds it, on this machine or on another one that shares
the folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from annotate.errors import OutputError, unwritable
from annotate.storage.names import KEY_DIGITS, LOCK_SUFFIX, TEMPORARY_PREFIX, TEMPORARY_SUFFIX, lock_key

_PATIENCE_S = 0.2
"""A run that sweeps holds locks for a moment."""

_NAME = re.compile(f"{re.escape(TEMPORARY_PREFIX)}([0-9a-f]{{{KEY_DIGITS}}})({LOCK_SUFFIX}|{TEMPORARY_SUFFIX})")


@dataclass(frozen=True)
class LocalLock:
    """A lock that is held; ``scratch`` is an empty folder for unfinished files."""

    scratch: Path

    def confirm(self) -> None:
        """Do nothing: the operating system takes no lock away."""


@contextlib.contextmanager
def lock(base: Path) -> Iterator[LocalLock | None]:
    """Lock the outputs whose names begin with ``base``; None if another run holds them.

    What a killed run left of these outputs is removed first; afterwards nothing is left.

    Raises:
        OutputError: the folder takes no files.
    """
    files = _LockFiles.of(base)
    with _hold(files, patience_s=_PATIENCE_S) as held:
        if not held:
            yield None
            return
        files.clear()
        try:
            files.scratch.mkdir()
        except OSError as error:
            raise unwritable(files.folder, error) from None
        try:
            yield LocalLock(files.scratch)
        finally:
            files.clear()


def abandoned(folder: Path) -> list[Path]:
    """Return what killed runs left in ``folder``: temporary files of locks that nobody holds. Nothing is removed."""
    found = []
    for files in _lock_files_in(folder):
        paths = files.present()
        with contextlib.suppress(OutputError), _hold(files, keep_lock=files.lock in paths) as held:
            if held:
                found += paths
    return found


def sweep(folder: Path) -> list[Path]:
    """Remove from ``folder`` what killed runs left, and nothing else; return what that was."""
    swept = []
    for files in _lock_files_in(folder):
        paths = files.present()
        with contextlib.suppress(OutputError), _hold(files) as held:
            if held:
                files.clear()
                swept += paths
    return [path for path in swept if not path.exists()]


@dataclass(frozen=True)
class _LockFiles:
    """Where the temporary files of a lock lie: ``key`` stands for the outputs' name."""

    folder: Path
    key: str

    @classmethod
    def of(cls, base: Path) -> _LockFiles:
        return cls(base.parent, lock_key(base.name))

    @property
    def lock(self) -> Path:
        return self.folder / f"{TEMPORARY_PREFIX}{self.key}{LOCK_SUFFIX}"

    @property
    def scratch(self) -> Path:
        return self.folder / f"{TEMPORARY_PREFIX}{self.key}{TEMPORARY_SUFFIX}"

    def present(self) -> list[Path]:
        """Those that are there."""
        return [path for path in (self.lock, self.scratch) if path.exists()]

    def clear(self) -> None:
        """Remove the folder of unfinished files."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def _lock_files_in(folder: Path) -> list[_LockFiles]:
    """Return the locks that have temporary files in ``folder``."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    matches = [match for name in names if (match := _NAME.fullmatch(name))]
    return [_LockFiles(folder, key) for key in sorted({match[1] for match in matches})]


@contextlib.contextmanager
def _hold(files: _LockFiles, *, keep_lock: bool = False, patience_s: float = 0.0) -> Iterator[bool]:
    """Hold a lock, unless another run does for longer than the patience; its file is removed afterwards.

    Raises:
        OutputError: the folder takes no files.
    """
    file_lock = FileLock(files.lock, timeout=patience_s)
    try:
        file_lock.acquire()
    except Timeout:
        yield False
        return
    except OSError as error:
        raise unwritable(files.folder, error) from None
    try:
        yield True
    finally:
        if not keep_lock:
            with contextlib.suppress(OSError):
                files.lock.unlink()
        file_lock.release()
