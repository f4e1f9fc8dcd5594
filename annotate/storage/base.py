"""The interface of storages, and the one place that chooses between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """The right to write one video's outputs, held by this process."""

    @property
    def scratch(self) -> Path | None:
        """An empty folder for unfinished files on the outputs' disk; None where a storage writes whole files by itself."""

    def confirm(self) -> None:
        """Make sure that the lock still holds, before something is written that cannot be taken back.

        Raises:
            OutputError: another run has taken it over.
            StorageError: object storage does not answer.
        """


class Storage(Protocol[P]):
    """Files and folders with paths of one kind. Every method raises OSError where it fails, unless it says otherwise."""

    @property
    def in_place(self) -> bool:
        """Whether ffmpeg and browsers can open files where they are, so that they need not be fetched."""

    @property
    def lock_expiry_s(self) -> float:
        """For how long the lock of a process that died keeps others away."""

    def walk(self, root: P, *, follow_links: bool = False) -> Iterator[P | SkippedPath]:
        """Yield the files below a folder, sorted by name within each, and what cannot be read; a file stands for itself.

        Hidden files and folders are left out. Links to files are followed, links to folders only with ``follow_links``.
        Raises nothing.
        """

    def folders(self, root: P) -> Iterator[P]:
        """Yield a folder and those below it; hidden, linked and unreadable ones are left out."""

    def list_dir(self, folder: P) -> list[P]:
        """Return what lies in a folder, sorted."""

    def stat(self, path: P) -> FileStat:
        """Return size and time of a file."""

    def exists(self, path: P) -> bool:
        """Return whether there is a file or folder; a link that leads nowhere is none."""

    def is_file(self, path: P) -> bool:
        """Return whether there is a file."""

    def is_dir(self, path: P) -> bool:
        """Return whether there is a folder."""

    def is_link(self, path: P) -> bool:
        """Return whether a path is a symbolic link."""

    def is_taken(self, path: P) -> bool:
        """Return whether something has this name, were it a link that leads nowhere."""

    def read(self, path: P) -> bytes:
        """Return a file's content."""

    def read_many(self, paths: Sequence[P]) -> Iterator[bytes | OSError]:
        """Yield the content of small files in their order, or why one cannot be read; many at a time where waiting costs."""

    def open_range(self, path: P) -> IO[bytes]:
        """Open a file to be read by ranges."""

    def write_atomic(self, path: P, content: str | bytes, scratch: Path | None = None) -> None:
        """Write a file, text as UTF-8, whole or not at all; what stood there is replaced.

        ``scratch`` is a folder on the same disk for the unfinished file, such as a lock's.

        Raises:
            OutputError: it cannot be written; what stood there still does.
        """

    def delete(self, path: P) -> None:
        """Delete a file if it is there.

        Raises:
            OutputError: it is there and cannot be deleted.
        """

    def ensure_dir(self, folder: P) -> None:
        """Make a folder and those above it, where a storage has such.

        Raises:
            OutputError: it cannot be made.
        """

    def check_writable(self, path: P) -> None:
        """Try whether a file could be written, before hours are spent on what goes there.

        Raises:
            OutputError: its folder takes no files, or not of such a name.
        """

    def check_readable(self, path: P) -> None:
        """Make sure that a video can be opened as a file; where it would have to be fetched for that, do nothing.

        Raises:
            UnreadableError: it does not exist, is no file, may not be read or is empty.
        """

    def lock(self, base: P) -> AbstractContextManager[Lock | None]:
        """Lock the outputs whose names begin with ``base``; None if another run holds them. Ends with the block.

        What a killed run left of these outputs is removed first.

        Raises:
            OutputError: the folder takes no files.
            StorageError: object storage does not answer, or knows no conditional puts.
        """

    def abandoned(self, folder: P) -> list[P]:
        """Return what killed runs left in a folder: unfinished files and locks that nobody holds."""

    def sweep(self, folder: P) -> list[P]:
        """Remove from a folder what killed runs left, and nothing else; return what that was."""

    def local_copy(self, path: P, scratch: Path | None = None) -> AbstractContextManager[Path]:
        """Give a file of this machine with a file's content: itself, or a copy in ``scratch`` that is gone afterwards.

        Raises:
            OutputError: there is no room for a copy, or it cannot be written.
        """

    def identity(self, path: P) -> str:
        """Return what is the same for a file however it is reached. Raises nothing."""

    def absolute(self, path: P) -> str:
        """Return a path as text that means the same from everywhere; links stay. Raises nothing."""

    def relative(self, path: P, to: PathOrUrl) -> str:
        """Return the way from a folder to a file, with slashes; the whole path where there is none. Raises nothing."""

    def resolve(self, folder: P, way: str) -> P:
        """Return where a way, as `relative` gives it, leads from a folder. Raises nothing."""

    def is_below(self, path: P, folder: PathOrUrl) -> bool:
        """Return whether a path lies below a folder, or is that, by its name alone. Raises nothing."""

    def below(self, path: P, folder: P) -> PurePath:
        """Return the path from a folder above.

        Raises:
            ValueError: it is none above.
        """

    def url(self, path: P, page_folder: Path) -> str:
        """Return the URL that leads from a page in a folder of this machine to a file. Raises nothing."""

    def common_folder(self, paths: Sequence[P]) -> P:
        """Return the innermost folder that all paths lie in. Raises nothing."""

    def refresh(self) -> None:
        """Forget what is remembered of listings. Raises nothing."""


def storage_for(path: PathOrUrl) -> Storage[PathOrUrl]:
    """Return the storage in which a path lies."""
    storage = S3Storage() if isinstance(path, S3Address) else LocalStorage()
    return cast("Storage[PathOrUrl]", storage)


def parse_path(text: str) -> PathOrUrl:
    """Return what a user means: an address, or a path of this machine.

    Raises:
        SettingsError: it is an address that cannot be used (see `annotate.storage.address.parse_address`).
    """
    return parse_address(text) if is_address(text) else Path(text)


def local_only(path: PathOrUrl) -> Path:
    """Return a path if it is one of this machine.

    Raises:
        SettingsError: it is an address.
    """
    if not storage_for(path).in_place:
        raise SettingsError("this is done with files of this machine only", "copy it here first", path=path)
    return cast("Path", path)


def are_together(paths: Sequence[PathOrUrl]) -> bool:
    """Return whether paths all lie in one storage."""
    return len({storage_for(path) for path in paths}) <= 1
