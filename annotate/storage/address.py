"""URLs of objects in S3 object storage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from urllib.parse import quote

from annotate.errors import SettingsError
from annotate.extras import check_extra

SCHEME = "s3://"

INVALID_KEY, INVALID_KEY_REMEDY = "the key is not a valid path (empty parts, . or ..)", "copy the object to another key"

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_SIGNED = re.compile(r"[?&](x-amz-|awsaccesskeyid=|signature=|sig=|token=)", re.IGNORECASE)
_INVALID_PARTS = ("", ".", "..")


@dataclass(frozen=True)
class S3Address:
    """An ``s3://bucket/key`` URL with the name methods of `pathlib.PurePath`; folders are key prefixes.

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
        """The bucket, then the parts of the key."""
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
        """The file extension, including the dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> S3Address:
        """The parent prefix; the parent of a bucket is the bucket itself."""
        return S3Address(self.bucket, self.key.rpartition("/")[0])

    def __truediv__(self, relative_path: str | PurePath) -> S3Address:
        """Return this address joined with a relative path."""
        suffix = PurePosixPath(relative_path).as_posix()
        if suffix == ".":
            return self
        return S3Address(self.bucket, f"{self.key}/{suffix}" if self.key else suffix)

    def with_name(self, name: str) -> S3Address:
        """Return the address of a sibling with this name."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> S3Address:
        """Return the address with another suffix."""
        return self.with_name(self.stem + suffix)

    def relative_to(self, other: PurePath | S3Address) -> PurePosixPath:
        """Return the path relative to ``other``, a parent prefix.

        Raises:
            ValueError: ``other`` is not a parent prefix.
        """
        if not self.is_relative_to(other):
            raise ValueError(f"{str(self)!r} is not below {str(other)!r}")
        return PurePosixPath(*self.parts[len(other.parts) :])

    def is_relative_to(self, other: PurePath | S3Address) -> bool:
        """Return whether this address equals ``other`` or lies below it."""
        return isinstance(other, S3Address) and self.parts[: len(other.parts)] == other.parts

    def absolute(self) -> S3Address:
        """Return the address itself, which is always absolute."""
        return self

    def as_uri(self) -> str:
        """Return the address as a percent-encoded URL."""
        return f"{SCHEME}{quote('/'.join(self.parts))}"


def is_address(text: str) -> bool:
    """Return whether a text has the form of a URL.

    >>> is_address("s3://archive/1998"), is_address("./s3:/archive")
    (True, False)
    """
    return _ADDRESS.match(text) is not None


def parse_address(text: str) -> S3Address:
    """Parse an ``s3://`` URL.

    Raises:
        SettingsError: the URL is invalid, it contains credentials (then the message omits it), or the extra is missing.
    """
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.rstrip("/").partition("/")
    if "@" in bucket or _SIGNED.search(rest):
        raise SettingsError(
            "URLs with credentials or a signature are refused, since they would end up in logs",
            "use s3://bucket/prefix, and pass credentials through the environment or ~/.aws",
        )
    if scheme.lower() != "s3":
        raise SettingsError("unsupported URL scheme", f"use an s3:// URL, or ./{text} for a local file", path=text)
    if not _BUCKET.fullmatch(bucket):
        raise SettingsError("invalid bucket name", "use s3://bucket/prefix", path=text)
    if key and not is_valid_key(key):
        raise SettingsError(INVALID_KEY, INVALID_KEY_REMEDY, path=text)
    check_extra("s3:// URLs", "cloud", {"fsspec": "fsspec", "s3fs": "s3fs"})
    return S3Address(bucket, key)


def is_valid_key(key: str) -> bool:
    """Return whether a key splits into path parts and back without loss: no empty part, ``.`` or ``..``.

    >>> is_valid_key("a/b c#1?.mp4"), is_valid_key("a//b.mp4"), is_valid_key("../b.mp4")
    (True, False, False)
    """
    return not any(part in _INVALID_PARTS for part in key.split("/"))
