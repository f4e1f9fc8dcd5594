"""The right to write one video's outputs, so that two runs over one archive do no video twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from annotate.archive.layout import Outputs
from annotate.errors import OutputError
from annotate.storage.local.files import TEMPORARY_PREFIX, TEMPORARY_SUFFIX, sentence
from annotate.storage.s3 import lease
from annotate.storage.s3.path import ObjectPath, is_remote

_KEY_DIGITS = 16
_LOCK_SUFFIX = ".lock"
_PATIENCE_S = 0.2
"""A run that sweeps holds locks for a moment."""

_NAME = re.compile(f"{re.escape(TEMPORARY_PREFIX)}([0-9a-f]{{{_KEY_DIGITS}}})({_LOCK_SUFFIX}|{TEMPORARY_SUFFIX})")


@contextlib.contextmanager
def claim(outputs: Outputs) -> Iterator[Path | None]:
    """Gives an empty folder for unfinished files while nobody else may write ``outputs``; None if another run may.

    The lock is the operating system's and ends with the process that holds it, on this machine or on another one that
    shares the folder. What a killed run left of these outputs is removed first; afterwards nothing is left. In object
    storage it is a lease (see `annotate.storage.s3.lease`), and unfinished files have no need of a folder: theirs is given.

    Raises:
        OutputError: the folder takes no files.
        StorageError: object storage does not answer, or knows no conditional puts.
    """
    if is_remote(outputs.base):
        with lease.claim(outputs) as is_ours:
            yield outputs.base.parent if is_ours else None
        return
    place = _Place.of(outputs)
    with _hold(place, patience_s=_PATIENCE_S) as held:
        if not held:
            yield None
            return
        place.clear()
        try:
            place.scratch.mkdir()
        except OSError as error:
            raise OutputError(sentence(place.folder, error)) from None
        try:
            yield place.scratch
        finally:
            place.clear()


def confirm(outputs: Outputs) -> None:
    """Sees to it that a claim that is held still holds, before something is written that cannot be taken back.

    Raises:
        OutputError: it was taken over.
        StorageError: object storage does not answer.
    """
    if is_remote(outputs.base):
        lease.confirm(outputs)


def abandoned(folder: Path) -> list[Path]:
    """What killed runs left in ``folder``: temporary files of claims that nobody holds. Nothing is removed."""
    if isinstance(folder, ObjectPath):
        return list[Path](lease.abandoned(folder))
    found = []
    for place in _places(folder):
        paths = place.leavings()
        with contextlib.suppress(OutputError), _hold(place, keep_lock=place.lock in paths) as held:
            if held:
                found += paths
    return found


def sweep(folder: Path) -> list[Path]:
    """Removes from ``folder`` what killed runs left, and nothing else; tells what that was."""
    if isinstance(folder, ObjectPath):
        return list[Path](lease.sweep(folder))
    swept = []
    for place in _places(folder):
        paths = place.leavings()
        with contextlib.suppress(OutputError), _hold(place) as held:
            if held:
                place.clear()
                swept += paths
    return [path for path in swept if not path.exists()]


@dataclass(frozen=True)
class _Place:
    """Where a claim's temporary files lie: ``key`` stands for the outputs' name."""

    folder: Path
    key: str

    @classmethod
    def of(cls, outputs: Outputs) -> _Place:
        name = os.fsencode(outputs.base.name.casefold())
        return cls(outputs.base.parent, hashlib.sha256(name).hexdigest()[:_KEY_DIGITS])

    @property
    def lock(self) -> Path:
        return self.folder / f"{TEMPORARY_PREFIX}{self.key}{_LOCK_SUFFIX}"

    @property
    def scratch(self) -> Path:
        return self.folder / f"{TEMPORARY_PREFIX}{self.key}{TEMPORARY_SUFFIX}"

    def leavings(self) -> list[Path]:
        """What is there."""
        return [path for path in (self.lock, self.scratch) if path.exists()]

    def clear(self) -> None:
        """Removes the folder of unfinished files."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def _places(folder: Path) -> list[_Place]:
    """The claims that have temporary files in ``folder``."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    matches = [match for name in names if (match := _NAME.fullmatch(name))]
    return [_Place(folder, key) for key in sorted({match[1] for match in matches})]


@contextlib.contextmanager
def _hold(place: _Place, *, keep_lock: bool = False, patience_s: float = 0.0) -> Iterator[bool]:
    """Holds a claim's lock, unless another run does for longer than the patience; its file is removed afterwards.

    Raises:
        OutputError: the folder takes no files.
    """
    lock = FileLock(place.lock, timeout=patience_s)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    except OSError as error:
        raise OutputError(sentence(place.folder, error)) from None
    try:
        yield True
    finally:
        if not keep_lock:
            with contextlib.suppress(OSError):
                place.lock.unlink()
        lock.release()
