"""Atomic writes, deletion and access checks of local files."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from annotate.errors import UnreadableError, read_error, write_error
from annotate.storage.names import TEMPORARY_PREFIX, TEMPORARY_SUFFIX

_MODE = 0o666


def write_atomic(path: Path, content: str | bytes, scratch: Path | None = None, *, private: bool = False) -> None:
    """Write ``content``, text as UTF-8, to a temporary file and rename it to ``path``; only the user may read a private one.

    The temporary file is created in ``scratch``, a folder on the same disk, or else beside ``path``. An existing file or
    symbolic link is replaced; the link's target is not written to.

    Raises:
        OutputError: writing failed; an existing file is unchanged.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, scratch or path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            apply_default_mode(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Yield the path of a new file in a temporary folder beside ``path``, to which it is renamed on exit.

    For files that are written in parts, with files that a library keeps beside them.

    Raises:
        OutputError: writing failed; an existing file is unchanged.
    """
    try:
        with tempfile.TemporaryDirectory(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, path.parent) as folder:
            temporary = Path(folder) / path.name
            yield temporary
            apply_default_mode(str(temporary))
            os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error


def check_writable(path: Path) -> None:
    """Check that ``path`` could be written, before hours of work on its content.

    Raises:
        OutputError: the folder is not writable, or the name is invalid.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise write_error(path, error) from None
    try:
        with tempfile.TemporaryFile(dir=path.parent, prefix=TEMPORARY_PREFIX, suffix=TEMPORARY_SUFFIX):
            return
    except OSError as error:
        raise write_error(path.parent, error) from None


def check_readable(path: Path) -> None:
    """Open a video once, so that file errors are reported as such and not as decoder errors.

    Raises:
        UnreadableError: the file is missing, empty, not a regular file or not readable.
    """
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise UnreadableError("not a regular file (a device or a pipe)", "skip it with --exclude", path=path)
        with path.open("rb") as file:
            first = file.read(1)
    except FileNotFoundError:
        if path.is_symlink():
            problem = f"a link to a file that does not exist ({os.readlink(path)})"
            raise UnreadableError(problem, "correct or delete the link", path=path) from None
        raise UnreadableError("no such file", "check the name", path=path) from None
    except IsADirectoryError:
        raise UnreadableError("not a file but a directory", path=path) from None
    except OSError as error:
        raise read_error(path, error) from None
    if not first:
        empty = UnreadableError("the file is empty", "copy it again from its source", path=path)
        empty.is_lasting = True
        raise empty


def ensure_dir(path: Path) -> None:
    """Create a folder and its parents if they do not exist.

    Raises:
        OutputError: the folder cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from None


def delete(path: Path) -> None:
    """Delete a file if it exists.

    Raises:
        OutputError: the file exists and cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from None


def rename(path: Path, target: Path) -> None:
    """Give a file, or a link itself, another name.

    Raises:
        OutputError: it cannot be renamed.
    """
    try:
        path.rename(target)
    except OSError as error:
        raise write_error(path, error) from None


def apply_default_mode(path: str | Path) -> None:
    """Set the mode that the umask gives new files; temporary files are created private."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, _MODE & ~mask)
