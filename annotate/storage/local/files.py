"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from annotate.errors import OutputError
from annotate.storage.s3.path import is_remote

TEMPORARY_PREFIX = ".annotate-"
TEMPORARY_SUFFIX = ".tmp"

_MODE = 0o666


def write_whole(path: Path, content: str | bytes, scratch: Path | None = None) -> None:
    """Writes ``content``, text as UTF-8, under a temporary name and renames it into place.

    The temporary file lies in ``scratch``, a folder of the same disk, or else beside ``path``. What stood there is
    replaced, a symbolic link too: nothing is written through it. Object storage does the same by itself.

    Raises:
        OutputError: it cannot be written; what stood there still does.
    """
    temporary: str | None = None
    try:
        if is_remote(path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            return
        descriptor, temporary = tempfile.mkstemp(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, scratch or path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        apply_usual_mode(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(sentence(path, error)) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_writable(path: Path) -> None:
    """Tries whether ``path`` could be written, before hours are spent on what goes there; object storage is not asked.

    Raises:
        OutputError: its folder takes no files, or not of such a name.
    """
    if is_remote(path):
        return
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OutputError(sentence(path, error)) from None
    try:
        with tempfile.TemporaryFile(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX):
            return
    except OSError as error:
        raise OutputError(sentence(path.parent, error)) from None


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, if they are not there; object storage needs none.

    Raises:
        OutputError: it cannot be made.
    """
    if is_remote(path):
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(sentence(path, error)) from None


def remove(path: Path) -> None:
    """Removes a file if it is there.

    Raises:
        OutputError: it is there and cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(sentence(path, error)) from None


def is_taken(path: Path) -> bool:
    """Whether something has this name, were it a link that leads nowhere."""
    return path.exists() if is_remote(path) else os.path.lexists(path)


def sentence(path: Path, error: OSError) -> str:
    """Says what could not be written, why, and what to look at."""
    return f"{path}: cannot be written ({error.strerror}); check permissions and the space left"


def apply_usual_mode(path: str | Path) -> None:
    """Temporary files are private; a report is not."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, _MODE & ~mask)
