"""Value types shared by all storages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from annotate.errors import format_error
from annotate.storage.address import S3Address

PathOrUrl = Path | S3Address
"""A local file or folder, or an address in object storage."""


class FileStat(NamedTuple):
    """Size and modification time of a file; ``version`` is the ETag in S3, else empty."""

    size_bytes: int
    mtime_ns: int
    version: str = ""

    @property
    def mtime_s(self) -> float:
        """Modification time in seconds since 1970."""
        return self.mtime_ns / 1e9


@dataclass(frozen=True)
class SkippedPath:
    """A skipped path with the reason (``problem``) and a ``remedy``; a skipped folder includes everything below it."""

    path: PathOrUrl
    problem: str
    remedy: str = ""
    is_folder: bool = False

    @property
    def reason(self) -> str:
        """Problem and remedy as text, without the path."""
        return format_error(self.problem, self.remedy)

    def __str__(self) -> str:
        return format_error(self.problem, self.remedy, self.path)


def sort_key(path: PathOrUrl) -> tuple[str, ...]:
    """Return the sort key of a path: its parts, so that files of one folder stay together."""
    return path.parts
