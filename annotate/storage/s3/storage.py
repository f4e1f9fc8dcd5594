"""Storage of objects in S3 stores: folders are key prefixes, and there are no links."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath
from typing import IO

from annotate.errors import OutputError, StorageError
from annotate.storage.address import INVALID_KEY, INVALID_KEY_REMEDY, S3Address
from annotate.storage.s3 import lease
from annotate.storage.s3.client import S3Client
from annotate.storage.s3.download import downloaded
from annotate.storage.values import FileStat, PathOrUrl, SkippedPath


@dataclass(frozen=True)
class S3Storage:
    """Objects by address; the methods are documented at `annotate.storage.base.Storage`."""

    is_local = False
    lock_expiry_s = lease.LEASE_S

    @property
    def client(self) -> S3Client:
        """The client for all requests."""
        return S3Client()

    def walk(self, root: S3Address, *, follow_links: bool = False) -> Iterator[S3Address | SkippedPath]:
        """Yield objects; one listing serves all folders."""
        client = self.client
        try:
            try:
                invalid_keys = client.cache_tree(root)
            except FileNotFoundError:
                if self.is_file(root):
                    yield root
                else:
                    yield SkippedPath(root, "no such file or directory", "check the name", is_folder=True)
                return
            for key in invalid_keys:
                yield SkippedPath(S3Address(root.bucket, key), INVALID_KEY, INVALID_KEY_REMEDY)
            yield from _walk(client, root)
        except StorageError as error:
            yield SkippedPath(root, error.problem, error.remedy, is_folder=True)

    def walk_dirs(self, root: S3Address) -> Iterator[S3Address]:
        if self.client.listings.folder(root) is None:
            try:
                self.client.cache_tree(root)
            except FileNotFoundError:
                return
        yield root
        for name, entry in sorted(self.client.entries(root).items()):
            if entry.is_folder and not name.startswith("."):
                yield from self.walk_dirs(root / name)

    def list_dir(self, folder: S3Address) -> list[S3Address]:
        return [folder / name for name in sorted(self.client.entries(folder))]

    def stat(self, path: S3Address) -> FileStat:
        return self.client.stat(path)

    def exists(self, path: S3Address) -> bool:
        return self.is_file(path) or self.is_dir(path)

    def is_file(self, path: S3Address) -> bool:
        try:
            self.client.stat(path)
        except FileNotFoundError:
            return False
        return True

    def is_dir(self, path: S3Address) -> bool:
        return self.client.is_folder(path)

    def is_link(self, path: S3Address) -> bool:
        return False

    def lexists(self, path: S3Address) -> bool:
        return self.exists(path)

    def read(self, path: S3Address) -> bytes:
        return self.client.read(path)

    def read_many(self, paths: Sequence[S3Address]) -> Iterator[bytes | OSError]:
        return self.client.read_many(paths)

    def open_range(self, path: S3Address) -> IO[bytes]:
        return self.client.open_range(path)

    def write_atomic(
        self, path: S3Address, content: str | bytes, scratch: Path | None = None, *, private: bool = False
    ) -> None:
        try:
            self.client.put(path, content.encode() if isinstance(content, str) else content)
        except StorageError as error:
            raise OutputError(f"cannot be written ({error.problem})", error.remedy, path=path) from error

    def delete(self, path: S3Address) -> None:
        try:
            if self.is_file(path):
                self.client.delete(path)
        except StorageError as error:
            raise OutputError(f"cannot be written ({error.problem})", error.remedy, path=path) from error

    def rename(self, path: S3Address, target: S3Address) -> None:
        self.write_atomic(target, self.read(path))
        self.delete(path)

    def ensure_dir(self, folder: S3Address) -> None:
        """Do nothing: folders exist as prefixes of keys only."""

    def check_writable(self, path: S3Address) -> None:
        """Do nothing: `lock` is the first write and reports errors."""

    def check_readable(self, path: S3Address) -> None:
        """Do nothing: the download reports errors."""

    def lock(self, base: S3Address) -> AbstractContextManager[lease.Lease | None]:
        return lease.lock(self.client, base)

    def find_abandoned(self, folder: S3Address) -> list[S3Address]:
        return lease.find_abandoned(self.client, folder)

    def sweep(self, folder: S3Address) -> list[S3Address]:
        return lease.sweep(self.client, folder)

    def local_copy(self, path: S3Address, scratch: Path | None = None) -> AbstractContextManager[Path]:
        return downloaded(self.client, path, scratch)

    def canonical(self, path: S3Address) -> str:
        return str(path)

    def absolute(self, path: S3Address) -> str:
        return str(path)

    def relative(self, path: S3Address, to: PathOrUrl) -> str:
        if isinstance(to, S3Address) and to.bucket == path.bucket:
            return os.path.relpath(f"/{path.key}", f"/{to.key}")
        return str(path)

    def resolve(self, folder: S3Address, relative_path: str) -> S3Address:
        return S3Address(folder.bucket, os.path.normpath(f"/{folder.key}/{relative_path}").lstrip("/"))

    def is_below(self, path: S3Address, folder: PathOrUrl) -> bool:
        return path.is_relative_to(folder)

    def subpath(self, path: S3Address, folder: S3Address) -> PurePath:
        return path.relative_to(folder)

    def url(self, path: S3Address, page_folder: Path) -> str:
        """Return the ``s3://`` URL, which browsers cannot open."""
        return path.as_uri()

    def common_folder(self, paths: Sequence[S3Address]) -> S3Address:
        levels = zip(*(path.parent.parts for path in paths), strict=False)
        shared = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels)]
        return S3Address(shared[0], "/".join(shared[1:])) if shared else S3Address("")

    def refresh(self) -> None:
        self.client.listings.forget()


def _walk(client: S3Client, folder: S3Address) -> Iterator[S3Address]:
    entries = client.entries(folder)
    for name in sorted(entries, key=os.fsencode):
        if name.startswith("."):
            continue
        if entries[name].stat is not None:
            yield folder / name
        if entries[name].is_folder:
            yield from _walk(client, folder / name)
