"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from annotate.errors import UnreadableError, unreadable, unwritable
from annotate.storage.names import TEMPORARY_PREFIX, TEMPORARY_SUFFIX

_MODE = 0o666


def write_atomic(path: Path, content: str | bytes, scratch: Path | None = None) -> None:
    """Write ``content``, text as UTF-8, under a temporary name and rename it into place.

    The temporary file lies in ``scratch``, a folder of the same disk, or else beside ``path``. What stood there is
    replaced, a symbolic link too: nothing is written through it.

    Raises:
        OutputError: it cannot be written; what stood there still does.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, scratch or path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        apply_usual_mode(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_writable(path: Path) -> None:
    """Try whether ``path`` could be written, before hours are spent on what goes there.

    Raises:
        OutputError: its folder takes no files, or not of such a name.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with tempfile.TemporaryFile(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX):
            return
    except OSError as error:
        raise unwritable(path.parent, error) from None


def check_readable(path: Path) -> None:
    """Open a video once, so that what is wrong with it as a file is said plainly.

    Raises:
        UnreadableError: it does not exist, is no file, may not be read or is empty.
    """
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise UnreadableError("is no file but a device or a pipe", "leave it out with --exclude", path=path)
        with path.open("rb") as file:
            first = file.read(1)
    except FileNotFoundError:
        raise UnreadableError("no such file", "check the name", path=path) from None
    except IsADirectoryError:
        raise UnreadableError("is a directory, not a video file", path=path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if not first:
        raise UnreadableError("the file is empty", "copy it again from its source", path=path)


def ensure_dir(path: Path) -> None:
    """Make a folder and those above it, if they are not there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def delete(path: Path) -> None:
    """Delete a file if it is there.

    Raises:
        OutputError: it is there and cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def apply_usual_mode(path: str | Path) -> None:
    """Give a file the mode that files usually get: temporary files are private; a report is not."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, _MODE & ~mask)
