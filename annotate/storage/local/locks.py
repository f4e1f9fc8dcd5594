"""Locks on the outputs of one video, so that two runs over the same archive never annotate a video twice.

A lock is a file lock of the operating system. It ends with the process that holds it, on this machine or on another one
that shares the folder.
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

from annotate.errors import OutputError, write_error
from annotate.storage.names import KEY_DIGITS, LOCK_SUFFIX, TEMPORARY_PREFIX, TEMPORARY_SUFFIX, lock_key

_LOCK_TIMEOUT_S = 0.2
"""Wait this long for a lock: `sweep` of another run holds each one for a moment."""

_NAME = re.compile(f"{re.escape(TEMPORARY_PREFIX)}([0-9a-f]{{{KEY_DIGITS}}})({LOCK_SUFFIX}|{TEMPORARY_SUFFIX})")


@dataclass(frozen=True)
class LocalLock:
    """A lock held by this process; ``scratch`` is an empty folder for unfinished files."""

    scratch: Path

    def confirm(self) -> None:
        """Do nothing: a file lock is never lost."""


@contextlib.contextmanager
def lock(base: Path) -> Iterator[LocalLock | None]:
    """Hold the lock on the outputs whose names begin with ``base``; yield None if another run holds it.

    Unfinished files that a killed run left for these outputs are deleted first, all temporary files at the end.

    Raises:
        OutputError: the folder is not writable.
    """
    files = _LockFiles.of(base)
    with _try_lock(files, timeout_s=_LOCK_TIMEOUT_S) as held:
        if not held:
            yield None
            return
        files.clear()
        try:
            files.scratch.mkdir()
        except OSError as error:
            raise write_error(files.folder, error) from None
        try:
            yield LocalLock(files.scratch)
        finally:
            files.clear()


def find_abandoned(folder: Path) -> list[Path]:
    """Return what killed runs left in ``folder``: the temporary files of locks without an owner. Delete nothing."""
    found = []
    for files in _lock_files_in(folder):
        paths = files.existing()
        with contextlib.suppress(OutputError), _try_lock(files, keep_lock=files.lock in paths) as held:
            if held:
                found += paths
    return found


def sweep(folder: Path) -> list[Path]:
    """Delete what killed runs left in ``folder``, and nothing else; return the deleted paths."""
    swept = []
    for files in _lock_files_in(folder):
        paths = files.existing()
        with contextlib.suppress(OutputError), _try_lock(files) as held:
            if held:
                files.clear()
                swept += paths
    return [path for path in swept if not path.exists()]


@dataclass(frozen=True)
class _LockFiles:
    """Paths of the temporary files of a lock; ``key`` is the hash of the output base name."""

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

    def existing(self) -> list[Path]:
        """Return the paths that exist."""
        return [path for path in (self.lock, self.scratch) if path.exists()]

    def clear(self) -> None:
        """Delete the folder of unfinished files."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def _lock_files_in(folder: Path) -> list[_LockFiles]:
    """Return the locks with temporary files in ``folder``."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    matches = [match for name in names if (match := _NAME.fullmatch(name))]
    return [_LockFiles(folder, key) for key in sorted({match[1] for match in matches})]


@contextlib.contextmanager
def _try_lock(files: _LockFiles, *, keep_lock: bool = False, timeout_s: float = 0.0) -> Iterator[bool]:
    """Acquire a lock and yield True, or yield False on timeout; delete its file at the end unless ``keep_lock``.

    Raises:
        OutputError: the folder is not writable.
    """
    file_lock = FileLock(files.lock, timeout=timeout_s)
    try:
        file_lock.acquire()
    except Timeout:
        yield False
        return
    except OSError as error:
        raise write_error(files.folder, error) from None
    try:
        yield True
    finally:
        if not keep_lock:
            with contextlib.suppress(OSError):
                files.lock.unlink()
        file_lock.release()
