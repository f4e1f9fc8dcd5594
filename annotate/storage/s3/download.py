"""Download of an object to a temporary local file."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from annotate.errors import MediaError, OutputError
from annotate.storage.address import S3Address
from annotate.storage.s3.client import S3Client

_PREFIX = "annotate-fetched-"
_LOCK = "lock"
_SUFFIX = re.compile(r"\.\w{1,16}")
_SPARE_BYTES = 64 << 20
_BYTES_PER_MB = 1e6


@contextlib.contextmanager
def downloaded(client: S3Client, path: S3Address, scratch: Path | None = None) -> Iterator[Path]:
    """Yield a local copy of an object, in ``scratch`` or the system's temporary folder, and delete it on exit.

    Copies that killed processes left there are deleted first. A MediaError about the copy is raised with the object's path.

    Raises:
        OutputError: the folder is full or not writable.
        FileNotFoundError: the object does not exist.
        StorageError: the object cannot be read.
    """
    parent = scratch or Path(tempfile.gettempdir())
    size_bytes = client.stat(path).size_bytes
    _sweep(parent)
    try:
        free_bytes = shutil.disk_usage(parent).free
        if free_bytes < size_bytes + _SPARE_BYTES:
            raise OutputError(
                f"cannot be downloaded ({size_bytes / _BYTES_PER_MB:.0f} MB, and {parent} has "
                f"{free_bytes / _BYTES_PER_MB:.0f} MB free)",
                "free up space, or choose another folder with --scratch",
                path=path,
            )
    except OSError as error:
        raise _download_error(path, parent, error) from None
    folder = parent / f"{_PREFIX}{uuid.uuid4().hex}"
    lock = FileLock(folder / _LOCK)
    try:  # SIGTERM may raise SystemExit anywhere, also right after the folder was created
        try:
            folder.mkdir(mode=0o700)
            lock.acquire()
        except OSError as error:
            raise _download_error(path, parent, error) from None
        suffix = path.suffix if _SUFFIX.fullmatch(path.suffix) else ""
        copy = folder / f"video{suffix}"
        try:
            client.fetch(path, copy)
        except OSError as error:
            if error.filename != str(copy):
                raise
            raise _download_error(path, parent, error) from None
        try:
            yield copy
        except MediaError as error:
            raise error.with_path(path) from error
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except (KeyboardInterrupt, SystemExit):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            lock.release()


def _sweep(parent: Path) -> None:
    """Delete copies whose process has ended."""
    for folder in parent.glob(f"{_PREFIX}*"):
        lock = FileLock(folder / _LOCK, timeout=0)
        with contextlib.suppress(Timeout, OSError):
            if not (folder / _LOCK).exists():
                continue  # it is being created
            lock.acquire()
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


def _download_error(path: S3Address, parent: Path, error: OSError) -> OutputError:
    problem = f"cannot be downloaded to {parent} ({error.strerror})"
    return OutputError(problem, "choose another folder with --scratch", path=path)
