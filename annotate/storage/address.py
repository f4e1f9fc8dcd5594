"""Addresses in object storage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from urllib.parse import quote

from annotate.errors import SettingsError
from annotate.extras import check_extra

SCHEME = "s3://"

UNUSABLE, UNUSABLE_REMEDY = "keys with empty parts, . or .. cannot be told apart as paths", "copy the object to another key"

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_SIGNED = re.compile(r"[?&](x-amz-|awsaccesskeyid=|signature=|sig=|token=)", re.IGNORECASE)
_NO_NAMES = ("", ".", "..")


@dataclass(frozen=True)
class S3Address:
    """``s3://bucket/key``: a value, with the part of `pathlib.PurePath` that is about names. Folders are prefixes of keys.

    >>> film = S3Address("archive", "films/a.b.mp4")
    >>> str(film), film.name, film.stem, film.suffix, str(film.parent)
    ('s3://archive/films/a.b.mp4', 'a.b.mp4', 'a.b', '.mp4', 's3://archive/films')
    >>> str(film.with_name("c.csv")), film.relative_to(S3Address("archive"))
    ('s3://archive/films/c.csv', PurePosixPath('films/a.b.mp4'))
    """

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}" if self.key else f"{SCHEME}{self.bucket}"

    def __lt__(self, other: S3Address) -> bool:
        return self.parts < other.parts

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket and the key's parts."""
        return (self.bucket, *self.key.split("/")) if self.key else (self.bucket,)

    @property
    def name(self) -> str:
        """The last part."""
        return self.parts[-1]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The name's ending, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> S3Address:
        """The folder above; a bucket's own for a bucket."""
        return S3Address(self.bucket, self.key.rpartition("/")[0])

    def __truediv__(self, further: str | PurePath) -> S3Address:
        """Return the address below this one."""
        way = PurePosixPath(further).as_posix()
        if way == ".":
            return self
        return S3Address(self.bucket, f"{self.key}/{way}" if self.key else way)

    def with_name(self, name: str) -> S3Address:
        """Return the address of another name in the same folder."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> S3Address:
        """Return the address with another suffix."""
        return self.with_name(self.stem + suffix)

    def relative_to(self, other: PurePath | S3Address) -> PurePosixPath:
        """Return the path from a prefix above.

        Raises:
            ValueError: it is none above.
        """
        if not self.is_relative_to(other):
            raise ValueError(f"{str(self)!r} is not below {str(other)!r}")
        return PurePosixPath(*self.parts[len(other.parts) :])

    def is_relative_to(self, other: PurePath | S3Address) -> bool:
        """Return whether it lies below a prefix, or is that."""
        return isinstance(other, S3Address) and self.parts[: len(other.parts)] == other.parts

    def absolute(self) -> S3Address:
        """Return the address: it is absolute."""
        return self

    def as_uri(self) -> str:
        """Return the address with what has a meaning in addresses escaped."""
        return f"{SCHEME}{quote('/'.join(self.parts))}"


def is_address(text: str) -> bool:
    """Return whether something is written as addresses are.

    >>> is_address("s3://archive/1998"), is_address("./s3:/archive")
    (True, False)
    """
    return _ADDRESS.match(text) is not None


def parse_address(text: str) -> S3Address:
    """Return the address that a text is.

    Raises:
        SettingsError: it cannot be used, the extra for it is missing, or it would give a secret away; that is not repeated.
    """
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.rstrip("/").partition("/")
    if "@" in bucket or _SIGNED.search(rest):
        raise SettingsError(
            "an address with credentials or a signature in it is not taken, so that they reach no log",
            "give s3://bucket/prefix, and credentials by the environment or ~/.aws",
        )
    if scheme.lower() != "s3":
        raise SettingsError("only s3:// addresses are known", f"a file of this machine is reached as ./{text}", path=text)
    if not _BUCKET.fullmatch(bucket):
        raise SettingsError("no name of a bucket", "give s3://bucket/prefix", path=text)
    if key and not is_usable(key):
        raise SettingsError(UNUSABLE, UNUSABLE_REMEDY, path=text)
    check_extra("s3:// addresses", "cloud", {"fsspec": "fsspec", "s3fs": "s3fs"})
    return S3Address(bucket, key)


def is_usable(key: str) -> bool:
    """Return whether a key can be taken apart into names and put together again.

    >>> is_usable("a/b c#1?.mp4"), is_usable("a//b.mp4"), is_usable("../b.mp4")
    (True, False, False)
    """
    return not any(part in _NO_NAMES for part in key.split("/"))
