"""The `Storage` interface and its selection by path."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePath
from typing import IO, Protocol, TypeVar, cast

from annotate.errors import SettingsError
from annotate.storage.address import S3Address, is_address, parse_address
from annotate.storage.local.storage import LocalStorage
from annotate.storage.s3.storage import S3Storage
from annotate.storage.values import FileStat, PathOrUrl, SkippedPath

P = TypeVar("P")


class Lock(Protocol):
    """An exclusive lock on the outputs of one video, held by this process."""

    @property
    def scratch(self) -> Path | None:
        """An empty folder on the same disk for unfinished files; None where the storage writes atomically by itself."""

    def confirm(self) -> None:
        """Check that the lock is still held; call this before a write that cannot be undone.

        Raises:
            OutputError: another run has taken over the lock.
            StorageError: object storage does not answer.
        """


class Storage(Protocol[P]):
    """Operations on the files and folders of one path type. Methods raise OSError unless documented otherwise."""

    @property
    def is_local(self) -> bool:
        """Whether files are local: ffmpeg and browsers can open them without a download."""

    @property
    def lock_expiry_s(self) -> float:
        """Seconds until the lock of a killed process expires."""

    def walk(self, root: P, *, follow_links: bool = False) -> Iterator[P | SkippedPath]:
        """Yield files below ``root``, sorted by name within each folder, and unreadable paths; a file yields itself.

        Hidden files and folders are skipped. Links to files are followed, links to folders only with ``follow_links``.
        Never raises.
        """

    def walk_dirs(self, root: P) -> Iterator[P]:
        """Yield a folder and all folders below it, except hidden, linked and unreadable ones."""

    def list_dir(self, folder: P) -> list[P]:
        """Return the entries of a folder, sorted."""

    def stat(self, path: P) -> FileStat:
        """Return size and modification time of a file."""

    def exists(self, path: P) -> bool:
        """Return whether a file or folder exists; False for a broken link."""

    def is_file(self, path: P) -> bool:
        """Return whether the path is an existing file."""

    def is_dir(self, path: P) -> bool:
        """Return whether the path is an existing folder."""

    def is_link(self, path: P) -> bool:
        """Return whether the path is a symbolic link."""

    def lexists(self, path: P) -> bool:
        """Return whether the path exists; True for a broken link."""

    def read(self, path: P) -> bytes:
        """Return the content of a file."""

    def read_many(self, paths: Sequence[P]) -> Iterator[bytes | OSError]:
        """Yield the content of each small file in order, or its read error; object storage is read concurrently."""

    def open_range(self, path: P) -> IO[bytes]:
        """Open a file for reading; seeking downloads only the ranges that are read."""

    def write_atomic(self, path: P, content: str | bytes, scratch: Path | None = None, *, private: bool = False) -> None:
        """Write a file atomically, text as UTF-8, replacing an existing file.

        ``scratch`` is a folder on the same disk for the unfinished file, such as `Lock.scratch`. Only the user may read a
        ``private`` file; in object storage that depends on the bucket.

        Raises:
            OutputError: writing failed; an existing file is unchanged.
        """

    def delete(self, path: P) -> None:
        """Delete a file if it exists.

        Raises:
            OutputError: the file exists and cannot be deleted.
        """

    def rename(self, path: P, target: P) -> None:
        """Give a file another name in its folder.

        Raises:
            OutputError: it cannot be renamed.
        """

    def ensure_dir(self, folder: P) -> None:
        """Create a folder and its parents; do nothing in object storage.

        Raises:
            OutputError: the folder cannot be created.
        """

    def check_writable(self, path: P) -> None:
        """Check that a file could be written, before hours of work on its content.

        Raises:
            OutputError: the folder is not writable, or the name is invalid.
        """

    def check_readable(self, path: P) -> None:
        """Check that a video can be opened; do nothing where that needs a download.

        Raises:
            UnreadableError: the file is missing, empty, not a regular file or not readable.
        """

    def lock(self, base: P) -> AbstractContextManager[Lock | None]:
        """Hold the lock on the outputs whose names begin with ``base``; yield None if another run holds it.

        Unfinished files that a killed run left for these outputs are deleted first.

        Raises:
            OutputError: the folder is not writable.
            StorageError: object storage does not answer, or does not support conditional puts.
        """

    def find_abandoned(self, folder: P) -> list[P]:
        """Return what killed runs left in a folder: unfinished files and locks without an owner."""

    def sweep(self, folder: P) -> list[P]:
        """Delete what killed runs left in a folder, and nothing else; return the deleted paths."""

    def local_copy(self, path: P, scratch: Path | None = None) -> AbstractContextManager[Path]:
        """Yield a local file with the content: the file itself, or a download in ``scratch`` that is deleted on exit.

        Raises:
            OutputError: ``scratch`` is full or not writable.
        """

    def canonical(self, path: P) -> str:
        """Return the canonical path, links resolved: equal for all paths to the same file. Never raises."""

    def absolute(self, path: P) -> str:
        """Return the absolute path, links not resolved. Never raises."""

    def relative(self, path: P, to: PathOrUrl) -> str:
        """Return the relative path from folder ``to`` with slashes, or else the absolute path. Never raises."""

    def resolve(self, folder: P, relative_path: str) -> P:
        """Return a relative path, as `relative` returns it, joined to ``folder``. Never raises."""

    def is_below(self, path: P, folder: PathOrUrl) -> bool:
        """Return whether a path equals a folder or lies below it, judged by names alone. Never raises."""

    def subpath(self, path: P, folder: P) -> PurePath:
        """Return the path relative to ``folder``, a parent.

        Raises:
            ValueError: ``folder`` is not a parent.
        """

    def url(self, path: P, page_folder: Path) -> str:
        """Return the URL of a file for a page in the local folder ``page_folder``. Never raises."""

    def common_folder(self, paths: Sequence[P]) -> P:
        """Return the deepest folder that contains all paths. Never raises."""

    def refresh(self) -> None:
        """Drop cached listings. Never raises."""


def storage_for(path: PathOrUrl) -> Storage[PathOrUrl]:
    """Return the storage of a path."""
    storage = S3Storage() if isinstance(path, S3Address) else LocalStorage()
    return cast("Storage[PathOrUrl]", storage)


def prepare_output(path: PathOrUrl) -> None:
    """Create the folder of a file that the user named, and check that it could be written, before hours of work.

    Raises:
        OutputError: the folder cannot be created or is not writable, or the name is invalid.
    """
    storage_for(path).ensure_dir(path.parent)
    storage_for(path).check_writable(path)


def parse_path(path: str | os.PathLike[str]) -> PathOrUrl:
    """Parse a path or URL given by the user.

    Raises:
        SettingsError: the URL is invalid (see `annotate.storage.address.parse_address`).
    """
    text = os.fspath(path)
    return parse_address(text) if is_address(text) else Path(text)


def parse_paths(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[PathOrUrl]:
    """Parse one or more paths or URLs. Raise as `parse_path` does."""
    return [parse_path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]


def require_local(path: PathOrUrl) -> Path:
    """Return a path if it is local.

    Raises:
        SettingsError: the path is in object storage.
    """
    if not storage_for(path).is_local:
        raise SettingsError("supports local files only", "copy it to a local disk first", path=path)
    return cast("Path", path)


def in_same_storage(paths: Sequence[PathOrUrl]) -> bool:
    """Return whether all paths are in the same storage."""
    return len({storage_for(path) for path in paths}) <= 1
