"""Storage of local files."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO
from urllib.parse import quote

from annotate.errors import remedy_for
from annotate.storage.local import files, locks
from annotate.storage.local.locks import LocalLock
from annotate.storage.values import FileStat, PathOrUrl, SkippedPath


@dataclass(frozen=True)
class LocalStorage:
    """Local files and folders; the methods are documented at `annotate.storage.base.Storage`."""

    is_local = True
    lock_expiry_s = 0.0

    def walk(self, root: Path, *, follow_links: bool = False) -> Iterator[Path | SkippedPath]:
        try:
            is_dir = root.is_dir()
            exists = root.exists() or root.is_symlink()
        except OSError as error:
            yield SkippedPath(root, f"cannot be accessed ({error.strerror})", remedy_for(error), is_folder=True)
            return
        except ValueError as error:
            yield SkippedPath(root, f"cannot be accessed ({error})", "check the name", is_folder=True)
            return
        if is_dir:
            yield from _walk(root, follow_links, frozenset())
        elif exists:
            yield root
        else:
            yield SkippedPath(root, "no such file or directory", "check the name", is_folder=True)

    def walk_dirs(self, root: Path) -> Iterator[Path]:
        for folder, below, _ in os.walk(root):
            below[:] = sorted(name for name in below if not name.startswith("."))
            yield Path(folder)

    def list_dir(self, folder: Path) -> list[Path]:
        return sorted(folder.iterdir())

    def stat(self, path: Path) -> FileStat:
        status = path.stat()
        return FileStat(status.st_size, status.st_mtime_ns)

    def exists(self, path: Path) -> bool:
        try:
            return path.exists()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # no such file can exist
                return False
            raise

    def is_file(self, path: Path) -> bool:
        return path.is_file()

    def is_dir(self, path: Path) -> bool:
        return path.is_dir()

    def is_link(self, path: Path) -> bool:
        return path.is_symlink()

    def lexists(self, path: Path) -> bool:
        return os.path.lexists(path)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def read_many(self, paths: Sequence[Path]) -> Iterator[bytes | OSError]:
        for path in paths:
            try:
                yield _read_file(path)
            except OSError as error:
                yield error

    def open_range(self, path: Path) -> IO[bytes]:
        return path.open("rb")

    def write_atomic(self, path: Path, content: str | bytes, scratch: Path | None = None, *, private: bool = False) -> None:
        files.write_atomic(path, content, scratch, private=private)

    def delete(self, path: Path) -> None:
        files.delete(path)

    def rename(self, path: Path, target: Path) -> None:
        files.rename(path, target)

    def ensure_dir(self, folder: Path) -> None:
        files.ensure_dir(folder)

    def check_writable(self, path: Path) -> None:
        files.check_writable(path)

    def check_readable(self, path: Path) -> None:
        files.check_readable(path)

    def lock(self, base: Path) -> AbstractContextManager[LocalLock | None]:
        return locks.lock(base)

    def find_abandoned(self, folder: Path) -> list[Path]:
        return locks.find_abandoned(folder)

    def sweep(self, folder: Path) -> list[Path]:
        return locks.sweep(folder)

    def local_copy(self, path: Path, scratch: Path | None = None) -> AbstractContextManager[Path]:
        return contextlib.nullcontext(path)

    def canonical(self, path: Path) -> str:
        return os.path.realpath(path)

    def absolute(self, path: Path) -> str:
        return os.path.abspath(path)

    def relative(self, path: Path, to: PathOrUrl) -> str:
        if isinstance(to, Path):
            with contextlib.suppress(ValueError):
                return Path(os.path.relpath(path, to)).as_posix()
        return path.absolute().as_posix()

    def resolve(self, folder: Path, relative_path: str) -> Path:
        return Path(os.path.normpath(folder / relative_path))

    def is_below(self, path: Path, folder: PathOrUrl) -> bool:
        return isinstance(folder, Path) and path.is_relative_to(folder)

    def subpath(self, path: Path, folder: Path) -> PurePath:
        return path.relative_to(folder)

    def url(self, path: Path, page_folder: Path) -> str:
        """Return a percent-encoded relative URL; it begins with ``./`` since its first part may contain a colon."""
        return f"./{quote(os.fsencode(os.path.relpath(os.path.abspath(path), os.path.abspath(page_folder))))}"

    def common_folder(self, paths: Sequence[Path]) -> Path:
        folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
        return Path(os.path.commonpath(folders)) if folders else Path()

    def refresh(self) -> None:
        pass


def _read_file(path: Path) -> bytes:
    """Return the content of a regular file; raise OSError for a pipe, which would block."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a file", os.fspath(path))
    return path.read_bytes()


def _walk(folder: Path, follow_links: bool, above: frozenset[tuple[int, int]]) -> Iterator[Path | SkippedPath]:
    """Yield the files below a folder; ``above`` holds device and inode of its parents, to stop at cycles of links."""
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        problem = f"the directory cannot be read ({error.strerror})"
        yield SkippedPath(folder, problem, remedy_for(error), is_folder=True)
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if _is_dir(entry):
            if follow_links or not entry.is_symlink():
                yield from _walk(path, follow_links, above | {here})
        elif _is_file(entry):
            yield path


def _is_dir(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder; False for a broken or circular link."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a file or a broken link (reported when opened); False for a socket or pipe."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True
