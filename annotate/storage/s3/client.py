"""What is asked of an S3 store; all requests are made here.

Credentials, region and endpoint are found as by every other tool: the environment, ``~/.aws``, the machine's role. They are
never seen by this program.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from annotate.errors import StorageError
from annotate.extras import check_extra
from annotate.storage.s3 import listing
from annotate.storage.s3.listing import Entry, Status
from annotate.storage.s3.prefetch import AT_ONCE

if TYPE_CHECKING:
    from annotate.storage.s3.path import ObjectPath

_RANGE_BYTES = 1 << 20
_MISSING = ("NoSuchKey", "404", "NotFound")
_NOT_HELD = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", *_MISSING)
_DENIED = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem")
_WRONG_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_ENDPOINTS = "AWS_ENDPOINT_URL"


@functools.cache
def filesystem() -> Any:
    """The one client of this process; it remembers no listings.

    Raises:
        SettingsError: the extra is missing.
    """
    check_extra("s3:// addresses", "cloud", {"fsspec": "fsspec", "s3fs": "s3fs"})
    import s3fs

    connections = {"max_pool_connections": AT_ONCE}
    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=connections)


def status(path: ObjectPath) -> Status:
    """Size, time and ETag of an object.

    Raises:
        FileNotFoundError: there is none.
        StorageError: the store does not tell.
    """
    found = listing.look_up(path)
    if found is not None:
        if found.status is None:
            raise _missing(path)
        return found.status
    if not path.key:
        raise _missing(path)
    answer = _ask(path, "head_object")
    return _status(answer["ContentLength"], answer["LastModified"], answer["ETag"])


def is_folder(path: ObjectPath) -> bool:
    """Whether there are objects below a prefix; a bucket is always one.

    Raises:
        StorageError: the store does not tell.
    """
    if listing.listed(path) is not None:
        return True
    found = listing.look_up(path)
    if found is not None:
        return found.is_folder
    answer = _ask(path, "list_objects_v2", key=False, Prefix=_prefix(path), MaxKeys=1)
    return not path.key or bool(answer.get("Contents"))


def entries(path: ObjectPath) -> Mapping[str, Entry]:
    """What lies in a folder, by name.

    Raises:
        StorageError: the store does not tell.
    """
    known = listing.listed(path)
    if known is not None:
        return known
    found: dict[str, Entry] = {}
    prefix = _prefix(path)
    for page in _pages(path, Delimiter="/"):
        for folder in page.get("CommonPrefixes", ()):
            name = folder["Prefix"][len(prefix) : -1]
            if listing.is_name(name):
                found[name] = Entry(found[name].status if name in found else None, True)
        for item in page.get("Contents", ()):
            name = item["Key"][len(prefix) :]
            if listing.is_name(name):
                is_folder = name in found and found[name].is_folder
                found[name] = Entry(_status(item["Size"], item["LastModified"], item["ETag"]), is_folder)
    return found


def remember_tree(path: ObjectPath) -> list[str]:
    """Lists all that lies below a prefix, a request a thousand objects, and remembers it until it is changed or forgotten.

    Gives the keys that are no paths.

    Raises:
        FileNotFoundError: there is nothing.
        StorageError: the store does not tell.
    """
    prefix = _prefix(path)
    tree = listing.Tree(path)
    for page in _pages(path):
        for item in page.get("Contents", ()):
            tree.add(item["Key"][len(prefix) :], _status(item["Size"], item["LastModified"], item["ETag"]))
    if path.key and tree.is_empty:
        raise _missing(path)
    tree.remember()
    return [prefix + way for way in tree.unusable]


def read(path: ObjectPath) -> bytes:
    """An object's content.

    Raises:
        FileNotFoundError: there is none.
        StorageError: it cannot be read.
    """
    kept = listing.kept_content(path)
    if kept is not None and kept[0] is not None:
        return kept[0]
    found = listing.look_up(path)
    if kept is not None or (found is not None and found.status is None):
        raise _missing(path)
    with _told(path):
        return bytes(filesystem().cat_file(_name(path), max_concurrency=1))


def open_ranges(path: ObjectPath) -> IO[bytes]:
    """An object to be read by ranges, as they are asked for.

    Raises:
        FileNotFoundError: there is none.
        StorageError: it cannot be read.
    """
    return io.BufferedReader(_Ranges(path), _RANGE_BYTES)


class _Ranges(io.RawIOBase):
    def __init__(self, path: ObjectPath) -> None:
        self._path = path
        self._size_bytes = status(path).st_size
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
        with _told(self._path):
            content = filesystem().cat_file(_name(self._path), start=self._at, end=end)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def fetch(path: ObjectPath, target: Path) -> None:
    """Copies an object to a local file.

    Raises:
        FileNotFoundError: there is none.
        StorageError: it cannot be read.
        OSError: the file cannot be written; the error names it.
    """
    with _told(path, target):
        filesystem().get_file(_name(path), os.fspath(target))


def put(path: ObjectPath, content: bytes) -> None:
    """Writes an object, in parts if it is large; readers see the old one or the new one.

    Raises:
        StorageError: it cannot be written.
    """
    with _told(path):
        filesystem().pipe_file(_name(path), content)
    listing.forget(path.parent)


def put_if(path: ObjectPath, content: bytes, etag: str | None) -> str | None:
    """Writes an object only if it is as it was when it had an ETag, or only if there is none; gives the new ETag.

    None if it was not so.

    Raises:
        StorageError: it cannot be written, or the store knows no conditions.
    """
    condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
    listing.forget(path.parent)
    try:
        with _told(path, also=_NOT_HELD):
            answer = filesystem().call_s3("put_object", Bucket=path.bucket, Key=path.key, Body=content, **condition)
    except _NotHeldError:
        return None
    return str(answer["ETag"])


def delete(path: ObjectPath) -> None:
    """Deletes an object; it need not be there.

    Raises:
        StorageError: it cannot be deleted.
    """
    listing.forget(path.parent)
    _ask(path, "delete_object")


def age_of(path: ObjectPath) -> tuple[timedelta, str]:
    """How long ago an object was written, by the store's own clock, and its ETag.

    Raises:
        FileNotFoundError: there is none.
        StorageError: the store does not tell.
    """
    answer = _ask(path, "head_object")
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return now - answer["LastModified"], str(answer["ETag"])


class _NotHeldError(Exception):
    """A condition does not hold."""


@contextlib.contextmanager
def _told(path: ObjectPath, target: Path | None = None, also: tuple[str, ...] = ()) -> Iterator[None]:
    """Turns what libraries raise into errors of this program. Their own texts, which may hold addresses, stay out of it,
    and out of tracebacks.

    Raises:
        FileNotFoundError: there is no such object.
        StorageError: whatever else.
        _NotHeldError: the code is one of ``also``.
        OSError: of the local file ``target``.
    """
    filesystem()
    import aiohttp
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
    from fsspec.exceptions import FSTimeoutError

    try:
        yield
    except (OSError, BotoCoreError, ClientError, aiohttp.ClientError, FSTimeoutError, TimeoutError, ValueError) as error:
        answer = next((one for one in (error, error.__cause__, error.__context__) if isinstance(one, ClientError)), None)
        code = answer.response.get("Error", {}).get("Code", "") if answer is not None else ""
        if code in also or ("PreconditionFailed" in also and isinstance(error, FileExistsError)):
            raise _NotHeldError from None
        if target is not None and isinstance(error, OSError) and error.filename == os.fspath(target):
            raise
        if (
            target is not None
            and answer is None
            and isinstance(error, OSError)
            and error.errno in (errno.ENOSPC, errno.EDQUOT)
        ):
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error
        if code == "NoSuchBucket":
            cause = f"there is no bucket {path.bucket}"
        elif code in _MISSING or isinstance(error, FileNotFoundError):
            raise _missing(path) from None
        elif code in _DENIED:
            cause = "the store denies access to these credentials"
        elif code in _WRONG_KEYS:
            cause = "the store does not take these credentials"
        elif code == "NotImplemented" or code == "501":
            cause = "the store does not know this request, such as a conditional put"
        elif isinstance(error, NoCredentialsError | PartialCredentialsError):
            cause = "there are no credentials, in the environment or in ~/.aws"
        elif isinstance(error, PermissionError):
            cause = "access denied"
        elif code:
            cause = f"the store answers {code}"
        else:
            cause = f"the store cannot be reached, {type(error).__name__}; see the network and {_ENDPOINTS}"
        raise StorageError(errno.EIO, cause, str(path)) from None


def _ask(path: ObjectPath, method: str, *, key: bool = True, **arguments: Any) -> Any:
    if key:
        arguments["Key"] = path.key
    with _told(path):
        return filesystem().call_s3(method, Bucket=path.bucket, **arguments)


def _pages(path: ObjectPath, **arguments: Any) -> Iterator[Any]:
    more: dict[str, str] = {}
    while True:
        page = _ask(path, "list_objects_v2", key=False, Prefix=_prefix(path), **arguments, **more)
        yield page
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _prefix(path: ObjectPath) -> str:
    return f"{path.key}/" if path.key else ""


def _name(path: ObjectPath) -> str:
    return f"{path.bucket}/{path.key}"


def _status(size_bytes: int, modified: datetime, etag: str) -> Status:
    """Listings tell parts of a second where other answers do not: they are left out."""
    return Status(int(size_bytes), int(modified.timestamp()) * 1_000_000_000, etag.strip('"'))


def _missing(path: ObjectPath) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "No such object", str(path))
