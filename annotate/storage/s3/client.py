"""Thin S3 client: every request goes through here, and exceptions of the libraries are translated to `StorageError`.

Credentials are read by the libraries only, never by annotate.
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
from annotate.storage.s3.listing import Entry, Listings, TreeListing, is_valid_name
from annotate.storage.values import FileStat

if TYPE_CHECKING:
    from annotate.storage.s3.filesystem import ArchiveFileSystem

_RANGE_BYTES = 1 << 20
_NOT_FOUND_CODES = ("NoSuchKey", "404", "NotFound")
_CONDITION_FAILED_CODES = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", *_NOT_FOUND_CODES)
_DENIED_CODES = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem")
_CREDENTIAL_CODES = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"


class S3Client:
    """Requests to S3 stores through the file system object of the process."""

    @cached_property
    def filesystem(self) -> ArchiveFileSystem:
        """The s3fs client.

        Raises:
            SettingsError: the extra ``cloud`` is not installed.
        """
        check_extra("s3:// URLs", "cloud", {"fsspec": "fsspec", "s3fs": "s3fs"})
        from annotate.storage.s3.filesystem import ArchiveFileSystem

        return ArchiveFileSystem()

    @property
    def listings(self) -> Listings:
        """Cached listings of folders."""
        listings: Listings = self.filesystem.listings
        return listings

    def stat(self, path: S3Address) -> FileStat:
        """Return size, modification time and ETag of an object.

        Raises:
            FileNotFoundError: the object does not exist.
            StorageError: the request failed.
        """
        found = self.listings.entry(path)
        if found is not None:
            if found.stat is None:
                raise not_found(path)
            return found.stat
        if not path.key:
            raise not_found(path)
        response = self._call(path, "head_object")
        return _stat(response["ContentLength"], response["LastModified"], response["ETag"])

    def is_folder(self, path: S3Address) -> bool:
        """Return whether objects exist below a prefix; always True for a bucket.

        Raises:
            StorageError: the request failed.
        """
        if self.listings.folder(path) is not None:
            return True
        found = self.listings.entry(path)
        if found is not None and path.key:
            return found.is_folder
        response = self._call(path, "list_objects_v2", key=False, Prefix=_prefix(path), MaxKeys=1)
        return not path.key or bool(response.get("Contents"))

    def entries(self, path: S3Address) -> Mapping[str, Entry]:
        """Return the entries of a folder by name.

        Raises:
            StorageError: the request failed.
        """
        known = self.listings.folder(path)
        if known is not None:
            return known
        found: dict[str, Entry] = {}
        prefix = _prefix(path)
        for page in self._pages(path, Delimiter="/"):
            for folder in page.get("CommonPrefixes", ()):
                name = folder["Prefix"][len(prefix) : -1]
                if is_valid_name(name):
                    found[name] = Entry(found[name].stat if name in found else None, True)
            for item in page.get("Contents", ()):
                name = item["Key"][len(prefix) :]
                if is_valid_name(name):
                    is_folder = name in found and found[name].is_folder
                    found[name] = Entry(_stat(item["Size"], item["LastModified"], item["ETag"]), is_folder)
        return found

    def cache_tree(self, path: S3Address) -> list[str]:
        """List and cache everything below a prefix; return the keys that are not valid paths.

        Raises:
            FileNotFoundError: there are no objects below the prefix.
            StorageError: the request failed.
        """
        prefix = _prefix(path)
        tree = TreeListing(path)
        for page in self._pages(path):
            for item in page.get("Contents", ()):
                tree.add(item["Key"][len(prefix) :], _stat(item["Size"], item["LastModified"], item["ETag"]))
        if path.key and tree.is_empty:
            raise not_found(path)
        self.listings.add(tree)
        return [prefix + relative_path for relative_path in tree.invalid]

    def read(self, path: S3Address) -> bytes:
        """Return the content of an object.

        Raises:
            FileNotFoundError: the object does not exist.
            StorageError: the object cannot be read.
        """
        found = self.listings.entry(path)
        if found is not None and found.stat is None:
            raise not_found(path)
        with self._translate_errors(path):
            return bytes(self.filesystem.cat_file(_s3fs_path(path), max_concurrency=1))

    def read_many(self, paths: Sequence[S3Address]) -> Iterator[bytes | OSError]:
        """Yield the content of each object in order, or its read error; requests are concurrent."""
        from annotate.storage.s3.filesystem import MAX_CONCURRENT_REQUESTS

        entries = {path: self.listings.entry(path) for path in paths}
        requested = [path for path, entry in entries.items() if entry is None or entry.stat is not None]
        names = [_s3fs_path(path) for path in requested]
        contents = (
            self.filesystem.cat_ranges(names, None, None, batch_size=MAX_CONCURRENT_REQUESTS, max_concurrency=1)
            if requested
            else []
        )
        results = dict(zip(requested, contents, strict=True))
        for path in paths:
            result = results.get(path, not_found(path))
            try:
                with self._translate_errors(path):
                    if isinstance(result, Exception):
                        raise result
                yield bytes(result)
            except OSError as error:
                yield error

    def open_range(self, path: S3Address) -> IO[bytes]:
        """Open an object for reading; only the ranges that are read are downloaded.

        Raises:
            FileNotFoundError: the object does not exist.
            StorageError: the object cannot be read.
        """
        return io.BufferedReader(_RangeReader(self, path), _RANGE_BYTES)

    def read_range(self, path: S3Address, start: int, end: int) -> bytes:
        """Return the bytes ``start`` to ``end`` (exclusive) of an object. Raise as `read` does."""
        with self._translate_errors(path):
            return bytes(self.filesystem.cat_file(_s3fs_path(path), start=start, end=end))

    def fetch(self, path: S3Address, target: Path) -> None:
        """Download an object to a local file.

        Raises:
            FileNotFoundError: the object does not exist.
            StorageError: the object cannot be read.
            OSError: the local file cannot be written; ``filename`` is the file.
        """
        with self._translate_errors(path, target):
            self.filesystem.get_file(_s3fs_path(path), os.fspath(target))

    def put(self, path: S3Address, content: bytes) -> None:
        """Write an object atomically, in several parts if it is large.

        Raises:
            StorageError: the object cannot be written.
        """
        with self._translate_errors(path):
            self.filesystem.pipe_file(_s3fs_path(path), content)
        self.listings.forget(path.parent)

    def put_conditional(self, path: S3Address, content: bytes, etag: str | None) -> str | None:
        """Write an object if its ETag is ``etag``, or, with None, if it does not exist.

        Return the new ETag, or None if the condition failed.

        Raises:
            StorageError: the object cannot be written, or the store does not support conditional puts.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        self.listings.forget(path.parent)
        try:
            with self._translate_errors(path, condition_codes=_CONDITION_FAILED_CODES):
                response = self.filesystem.call_s3("put_object", Bucket=path.bucket, Key=path.key, Body=content, **condition)
        except _ConditionFailedError:
            return None
        return str(response["ETag"])

    def delete(self, path: S3Address) -> None:
        """Delete an object if it exists.

        Raises:
            StorageError: the object cannot be deleted.
        """
        self.listings.forget(path.parent)
        self._call(path, "delete_object")

    def age_and_etag(self, path: S3Address) -> tuple[timedelta, str]:
        """Return the time since an object was written, by the clock of the store, and its ETag.

        Raises:
            FileNotFoundError: the object does not exist.
            StorageError: the request failed.
        """
        response = self._call(path, "head_object")
        now = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
        return now - response["LastModified"], str(response["ETag"])

    @contextlib.contextmanager
    def _translate_errors(
        self, path: S3Address, target: Path | None = None, condition_codes: tuple[str, ...] = ()
    ) -> Iterator[None]:
        """Translate exceptions of the libraries, without their messages, which may contain URLs.

        Raises:
            FileNotFoundError: the object does not exist.
            StorageError: any other error.
            _ConditionFailedError: the error code is in ``condition_codes``.
            OSError: the local file ``target`` cannot be written.
        """
        self.filesystem  # noqa: B018  (raises SettingsError if the extra is missing)
        import aiohttp
        from botocore.exceptions import BotoCoreError, ClientError
        from fsspec.exceptions import FSTimeoutError

        try:
            yield
        except (OSError, BotoCoreError, ClientError, aiohttp.ClientError, FSTimeoutError, TimeoutError, ValueError) as error:
            chain = (error, error.__cause__, error.__context__)
            client_error = next((link for link in chain if isinstance(link, ClientError)), None)
            code = client_error.response.get("Error", {}).get("Code", "") if client_error is not None else ""
            if code in condition_codes or ("PreconditionFailed" in condition_codes and isinstance(error, FileExistsError)):
                raise _ConditionFailedError from None
            if target is not None and isinstance(error, OSError):
                if error.filename == os.fspath(target):
                    raise
                if client_error is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise OSError(error.errno, error.strerror, os.fspath(target)) from error
            if code != "NoSuchBucket" and (code in _NOT_FOUND_CODES or isinstance(error, FileNotFoundError)):
                raise not_found(path) from None
            raise StorageError(*_explain(path, code, error), path=path) from None

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


class _ConditionFailedError(Exception):
    """The condition of a conditional put failed."""


class _RangeReader(io.RawIOBase):
    """A seekable file that downloads the ranges that are read."""

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


def not_found(path: S3Address) -> FileNotFoundError:
    """Return the error for an object that does not exist."""
    return FileNotFoundError(errno.ENOENT, "No such object", str(path))


def _explain(path: S3Address, code: str, error: Exception) -> tuple[str, str]:
    """Return problem and remedy for an error code of the store, or for a library exception without one."""
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    if code == "NoSuchBucket":
        return f"bucket {path.bucket} does not exist", "check the name"
    if code in _DENIED_CODES:
        return "access denied", "check the permissions of the credentials"
    if code in _CREDENTIAL_CODES:
        return "invalid or expired credentials", ""
    if code in ("NotImplemented", "501"):
        return "the store does not support this request, such as a conditional put", ""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "no credentials found", "set them in the environment or in ~/.aws"
    if isinstance(error, PermissionError):
        return "access denied", "check the permissions of the credentials"
    if code:
        return f"the store returned the error {code}", ""
    return f"cannot connect to the store ({type(error).__name__})", f"check the network and {_ENDPOINT_VARIABLE}"


def _prefix(path: S3Address) -> str:
    return f"{path.key}/" if path.key else ""


def _s3fs_path(path: S3Address) -> str:
    return f"{path.bucket}/{path.key}"


def _stat(size_bytes: int, modified: datetime, etag: str) -> FileStat:
    """Return the stat of an object; fractions of a second are dropped, since only listings contain them."""
    return FileStat(int(size_bytes), int(modified.timestamp()) * 1_000_000_000, etag.strip('"'))
