"""The right to write one video's outputs, so that two runs over one archive do no video twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from annotate.archive.plan import Outputs
from annotate.errors import OutputError
from annotate.tracks.files import TEMPORARY_PREFIX, sentence

_KEY_DIGITS = 16


@contextlib.contextmanager
def claim(outputs: Outputs) -> Iterator[Path | None]:
    """Gives an empty folder for unfinished files while nobody else may write ``outputs``; None if another run may.

    The lock is the operating system's and ends with the process that holds it, on this machine or on another one that
    shares the folder. What a killed run left of these outputs is removed first; afterwards nothing is left.

    Raises:
        OutputError: the folder takes no files.
    """
    key = hashlib.sha256(os.fsencode(outputs.base.name.casefold())).hexdigest()[:_KEY_DIGITS]
    lock_path, scratch = (outputs.base.with_name(f"{TEMPORARY_PREFIX}{key}.{ending}") for ending in ("lock", "tmp"))
    lock = FileLock(lock_path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield None
        return
    except OSError as error:
        raise OutputError(sentence(outputs.base.parent, error)) from None
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            scratch.mkdir()
        except OSError as error:
            raise OutputError(sentence(outputs.base.parent, error)) from None
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            lock_path.unlink()
        lock.release()
