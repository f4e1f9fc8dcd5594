"""Addresses of objects as paths, so that the rest of the program need not know where a file lies."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path, PosixPath, PurePath, PurePosixPath
from typing import IO, Any, NoReturn
from urllib.parse import quote

from annotate.errors import SettingsError
from annotate.extras import check_extra

SCHEME = "s3://"

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_SIGNED = re.compile(r"[?&](x-amz-|awsaccesskeyid=|signature=|sig=|token=)", re.IGNORECASE)
_NO_NAMES = ("", ".", "..")


class ObjectPath(PosixPath):
    """``s3://bucket/key`` with the methods of `pathlib.Path` that this program uses.

    Folders are the prefixes of keys. What is asked of the store raises `annotate.errors.StorageError`, or
    FileNotFoundError. Functions of `os` refuse it: an address is never taken for a local file.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return f"s3:/{super().__str__()}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __fspath__(self) -> NoReturn:
        raise TypeError(f"{self}: not a file of this machine")

    def __hash__(self) -> int:
        return hash(str(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.parts[1]

    @property
    def key(self) -> str:
        """The key in the bucket; empty for the bucket itself."""
        return "/".join(self.parts[2:])

    def relative_to(self, other: str | PurePath, *further: Any, **options: Any) -> PurePosixPath:  # type: ignore[override]
        """The way from a prefix above, which is no address by itself.

        Raises:
            ValueError: it is none above.
        """
        if not isinstance(other, ObjectPath) or self.parts[: len(other.parts)] != other.parts:
            raise ValueError(f"{str(self)!r} is not below {str(other)!r}")
        return PurePosixPath(*self.parts[len(other.parts) :])

    def is_relative_to(self, other: str | PurePath, *further: Any) -> bool:  # type: ignore[override]
        """Whether it lies below a prefix."""
        return isinstance(other, ObjectPath) and self.parts[: len(other.parts)] == other.parts

    def absolute(self) -> ObjectPath:
        """It is."""
        return self

    def resolve(self, strict: bool = False) -> ObjectPath:
        """There are no links."""
        return self

    def as_uri(self) -> str:
        """The address with what has a meaning in addresses escaped."""
        return f"{SCHEME}{quote('/'.join(self.parts[1:]))}"

    def is_symlink(self) -> bool:
        """There are no links."""
        return False

    def stat(self, *, follow_symlinks: bool = True) -> Any:
        """Size, time and ETag, as `annotate.storage.s3.client.Status`."""
        from annotate.storage.s3 import client

        return client.status(self)

    def lstat(self) -> Any:
        """The same."""
        return self.stat()

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is such an object, or objects below."""
        return self.is_file() or self.is_dir()

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is such an object."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there are objects below, or it is a bucket."""
        from annotate.storage.s3 import client

        return client.is_folder(self)

    def iterdir(self) -> Iterator[ObjectPath]:  # type: ignore[override]
        """What lies in the folder, sorted."""
        from annotate.storage.s3 import client

        return (self / name for name in sorted(client.entries(self)))

    def read_bytes(self) -> bytes:
        """The object's content."""
        from annotate.storage.s3 import client

        return client.read(self)

    def write_bytes(self, data: Any) -> int:
        """Puts the object, whole or not at all; in parts if it is large."""
        from annotate.storage.s3 import client

        client.put(self, bytes(data))
        return len(data)

    def unlink(self, missing_ok: bool = False) -> None:
        """Deletes the object."""
        from annotate.storage.s3 import client

        if self.is_file():
            client.delete(self)
        elif not missing_ok:
            client.status(self)

    def open(self, mode: str = "r", *arguments: Any, **options: Any) -> IO[Any]:  # type: ignore[override]
        """The object's content, by ranges, as bytes."""
        from annotate.storage.s3 import client

        if mode != "rb":
            raise io.UnsupportedOperation(mode)
        return client.open_ranges(self)


def is_remote(path: PurePath) -> bool:
    """Whether a path is an address in object storage."""
    return isinstance(path, ObjectPath)


def is_address(text: str) -> bool:
    """Whether something is written as addresses are.

    >>> is_address("s3://archive/1998"), is_address("./s3:/archive")
    (True, False)
    """
    return _ADDRESS.match(text) is not None


def parse_place(text: str) -> Path:
    """What a user means: an address, or a path of this machine.

    Raises:
        SettingsError: an address that cannot be used, for which the extra is missing, or that would give a secret away;
            that is not repeated.
    """
    if not is_address(text):
        return Path(text)
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.rstrip("/").partition("/")
    if "@" in bucket or _SIGNED.search(rest):
        raise SettingsError(
            "an address with credentials or a signature in it is not taken, so that they reach no log; "
            "give s3://bucket/prefix, and credentials by the environment or ~/.aws"
        )
    if scheme.lower() != "s3":
        raise SettingsError(f"{text}: only s3:// addresses are known; a file of this machine is reached as ./{text}")
    if not _BUCKET.fullmatch(bucket):
        raise SettingsError(f"{text}: no name of a bucket; give s3://bucket/prefix")
    if key and not is_usable(key):
        raise SettingsError(f"{text}: {UNUSABLE}")
    check_extra("s3:// addresses", "cloud", {"fsspec": "fsspec", "s3fs": "s3fs"})
    return ObjectPath(f"/{bucket}", *key.split("/"))


UNUSABLE = "keys with empty parts, . or .. cannot be told apart as paths; copy the object to another key"


def is_usable(key: str) -> bool:
    """Whether a key is the same again after it was a path.

    >>> is_usable("a/b c#1?.mp4"), is_usable("a//b.mp4"), is_usable("../b.mp4")
    (True, False, False)
    """
    return not any(part in _NO_NAMES for part in key.split("/"))
