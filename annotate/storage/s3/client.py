"""Thin client of S3 stores: every request goes through here, and what libraries raise becomes errors of this program.

Credentials are never seen by this program.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from annotate.errors import StorageError
from annotate.extras import check_extra
from annotate.storage.address import S3Address
from annotate.storage.s3.listing import Entry, Listings, Tree, is_name
from annotate.storage.values import FileStat

if TYPE_CHECKING:
    from annotate.storage.s3.filesystem import ArchiveFileSystem

_RANGE_BYTES = 1 << 20
_MISSING = ("NoSuchKey", "404", "NotFound")
_NOT_HELD = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", *_MISSING)
_DENIED = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem")
_WRONG_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_ENDPOINTS = "AWS_ENDPOINT_URL"


class S3Client:
    """Requests to S3 stores, all made by the one file system object of the process."""

    @cached_property
    def filesystem(self) -> ArchiveFileSystem:
        """The library's client.

        Raises:
            SettingsError: the extra is missing.
        """
        check_extra("s3:// addresses", "cloud", {"fsspec": "fsspec", "s3fs": "s3fs"})
        from annotate.storage.s3.filesystem import ArchiveFileSystem

        return ArchiveFileSystem()

    @property
    def listings(self) -> Listings:
        """What is remembered of folders."""
        listings: Listings = self.filesystem.listings
        return listings

    def stat(self, path: S3Address) -> FileStat:
        """Return size, time and ETag of an object.

        Raises:
            FileNotFoundError: there is none.
            StorageError: the store does not tell.
        """
        found = self.listings.entry(path)
        if found is not None:
            if found.stat is None:
                raise missing(path)
            return found.stat
        if not path.key:
            raise missing(path)
        answer = self._call(path, "head_object")
        return _stat(answer["ContentLength"], answer["LastModified"], answer["ETag"])

    def is_folder(self, path: S3Address) -> bool:
        """Return whether there are objects below a prefix; a bucket is always one.

        Raises:
            StorageError: the store does not tell.
        """
        if self.listings.folder(path) is not None:
            return True
        found = self.listings.entry(path)
        if found is not None and path.key:
            return found.is_folder
        answer = self._call(path, "list_objects_v2", key=False, Prefix=_prefix(path), MaxKeys=1)
        return not path.key or bool(answer.get("Contents"))

    def entries(self, path: S3Address) -> Mapping[str, Entry]:
        """Return what lies in a folder, by name.

        Raises:
            StorageError: the store does not tell.
        """
        known = self.listings.folder(path)
        if known is not None:
            return known
        found: dict[str, Entry] = {}
        prefix = _prefix(path)
        for page in self._pages(path, Delimiter="/"):
            for folder in page.get("CommonPrefixes", ()):
                name = folder["Prefix"][len(prefix) : -1]
                if is_name(name):
                    found[name] = Entry(found[name].stat if name in found else None, True)
            for item in page.get("Contents", ()):
                name = item["Key"][len(prefix) :]
                if is_name(name):
                    is_folder = name in found and found[name].is_folder
                    found[name] = Entry(_stat(item["Size"], item["LastModified"], item["ETag"]), is_folder)
        return found

    def remember_tree(self, path: S3Address) -> list[str]:
        """List all that lies below a prefix, a request a thousand objects, and remember it until it is changed or forgotten.

        Return the keys that cannot be taken apart as paths.

        Raises:
            FileNotFoundError: there is nothing.
            StorageError: the store does not tell.
        """
        prefix = _prefix(path)
        tree = Tree(path)
        for page in self._pages(path):
            for item in page.get("Contents", ()):
                tree.add(item["Key"][len(prefix) :], _stat(item["Size"], item["LastModified"], item["ETag"]))
        if path.key and tree.is_empty:
            raise missing(path)
        self.listings.remember(tree)
        return [prefix + way for way in tree.unusable]

    def read(self, path: S3Address) -> bytes:
        """Return an object's content.

        Raises:
            FileNotFoundError: there is none.
            StorageError: it cannot be read.
        """
        found = self.listings.entry(path)
        if found is not None and found.stat is None:
            raise missing(path)
        with self._translate_errors(path):
            return bytes(self.filesystem.cat_file(_name(path), max_concurrency=1))

    def read_many(self, paths: Sequence[S3Address]) -> Iterator[bytes | OSError]:
        """Yield objects' contents, asked for many at a time, or why one cannot be read."""
        from annotate.storage.s3.filesystem import REQUESTS_AT_ONCE

        entries = {path: self.listings.entry(path) for path in paths}
        asked = [path for path, entry in entries.items() if entry is None or entry.stat is not None]
        names = [_name(path) for path in asked]
        contents = (
            self.filesystem.cat_ranges(names, None, None, batch_size=REQUESTS_AT_ONCE, max_concurrency=1) if asked else []
        )
        answers = dict(zip(asked, contents, strict=True))
        for path in paths:
            answer = answers.get(path, missing(path))
            try:
                with self._translate_errors(path):
                    if isinstance(answer, Exception):
                        raise answer
                yield bytes(answer)
            except OSError as error:
                yield error

    def open_ranges(self, path: S3Address) -> IO[bytes]:
        """Open an object to be read by ranges, as they are asked for.

        Raises:
            FileNotFoundError: there is none.
            StorageError: it cannot be read.
        """
        return io.BufferedReader(_Ranges(self, path), _RANGE_BYTES)

    def read_range(self, path: S3Address, start: int, end: int) -> bytes:
        """Return the bytes of an object from ``start`` up to ``end``. Errors as for `read`."""
        with self._translate_errors(path):
            return bytes(self.filesystem.cat_file(_name(path), start=start, end=end))

    def fetch(self, path: S3Address, target: Path) -> None:
        """Copy an object to a local file.

        Raises:
            FileNotFoundError: there is none.
            StorageError: it cannot be read.
            OSError: the file cannot be written; the error names it.
        """
        with self._translate_errors(path, target):
            self.filesystem.get_file(_name(path), os.fspath(target))

    def put(self, path: S3Address, content: bytes) -> None:
        """Write an object, in parts if it is large; readers see the old one or the new one.

        Raises:
            StorageError: it cannot be written.
        """
        with self._translate_errors(path):
            self.filesystem.pipe_file(_name(path), content)
        self.listings.forget(path.parent)

    def put_conditional(self, path: S3Address, content: bytes, etag: str | None) -> str | None:
        """Write an object only if it still has an ETag, or, with None, only if there is none; return the new ETag.

        None if the condition did not hold.

        Raises:
            StorageError: it cannot be written, or the store knows no conditions.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        self.listings.forget(path.parent)
        try:
            with self._translate_errors(path, also=_NOT_HELD):
                answer = self.filesystem.call_s3("put_object", Bucket=path.bucket, Key=path.key, Body=content, **condition)
        except _NotHeldError:
            return None
        return str(answer["ETag"])

    def delete(self, path: S3Address) -> None:
        """Delete an object; it need not be there.

        Raises:
            StorageError: it cannot be deleted.
        """
        self.listings.forget(path.parent)
        self._call(path, "delete_object")

    def age_of(self, path: S3Address) -> tuple[timedelta, str]:
        """Return how long ago an object was written, by the store's own clock, and its ETag.

        Raises:
            FileNotFoundError: there is none.
            StorageError: the store does not tell.
        """
        answer = self._call(path, "head_object")
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return now - answer["LastModified"], str(answer["ETag"])

    @contextlib.contextmanager
    def _translate_errors(self, path: S3Address, target: Path | None = None, also: tuple[str, ...] = ()) -> Iterator[None]:
        """Turn what libraries raise into errors of this program. Their own texts, which may hold addresses, stay out of it,
        and out of tracebacks.

        Raises:
            FileNotFoundError: there is no such object.
            StorageError: anything else.
            _NotHeldError: the code is one of ``also``.
            OSError: of the local file ``target``.
        """
        self.filesystem  # noqa: B018  (says that the extra is missing)
        import aiohttp
        from botocore.exceptions import BotoCoreError, ClientError
        from fsspec.exceptions import FSTimeoutError

        try:
            yield
        except (OSError, BotoCoreError, ClientError, aiohttp.ClientError, FSTimeoutError, TimeoutError, ValueError) as error:
            chain = (error, error.__cause__, error.__context__)
            answer = next((one for one in chain if isinstance(one, ClientError)), None)
            code = answer.response.get("Error", {}).get("Code", "") if answer is not None else ""
            if code in also or ("PreconditionFailed" in also and isinstance(error, FileExistsError)):
                raise _NotHeldError from None
            if target is not None and isinstance(error, OSError):
                if error.filename == os.fspath(target):
                    raise
                if answer is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise OSError(error.errno, error.strerror, os.fspath(target)) from error
            if code != "NoSuchBucket" and (code in _MISSING or isinstance(error, FileNotFoundError)):
                raise missing(path) from None
            raise StorageError(*_cause(path, code, error), path=path) from None

    def _call(self, path: S3Address, method: str, *, key: bool = True, **arguments: Any) -> Any:
        if key:
            arguments["Key"] = path.key
        with self._translate_errors(path):
            return self.filesystem.call_s3(method, Bucket=path.bucket, **arguments)

    def _pages(self, path: S3Address, **arguments: Any) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            page = self._call(path, "list_objects_v2", key=False, Prefix=_prefix(path), **arguments, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}


class _NotHeldError(Exception):
    """A condition does not hold."""


class _Ranges(io.RawIOBase):
    """An object as a file that is read by ranges."""

    def __init__(self, client: S3Client, path: S3Address) -> None:
        self._client = client
        self._path = path
        self._size_bytes = client.stat(path).size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size_bytes)
        if end <= self._at:
            return 0
        content = self._client.read_range(self._path, self._at, end)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def missing(path: S3Address) -> FileNotFoundError:
    """Return what is raised for an object that is not there."""
    return FileNotFoundError(errno.ENOENT, "No such object", str(path))


def _cause(path: S3Address, code: str, error: Exception) -> tuple[str, str]:
    """Return what a store's answer means, and what to do about it."""
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    if code == "NoSuchBucket":
        return f"there is no bucket {path.bucket}", ""
    if code in _DENIED:
        return "the store denies access to these credentials", ""
    if code in _WRONG_KEYS:
        return "the store does not take these credentials", ""
    if code in ("NotImplemented", "501"):
        return "the store does not know this request, such as a conditional put", ""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "there are no credentials, in the environment or in ~/.aws", ""
    if isinstance(error, PermissionError):
        return "access denied", ""
    if code:
        return f"the store answers {code}", ""
    return f"the store cannot be reached, {type(error).__name__}", f"see the network and {_ENDPOINTS}"


def _prefix(path: S3Address) -> str:
    return f"{path.key}/" if path.key else ""


def _name(path: S3Address) -> str:
    return f"{path.bucket}/{path.key}"


def _stat(size_bytes: int, modified: datetime, etag: str) -> FileStat:
    """Listings tell parts of a second where other answers do not: they are left out."""
    return FileStat(int(size_bytes), int(modified.timestamp()) * 1_000_000_000, etag.strip('"'))
