"""What storages say about files: values that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from annotate.errors import in_words
from annotate.storage.address import S3Address

PathOrUrl = Path | S3Address
"""A file or folder of this machine, or an address in object storage."""


class FileStat(NamedTuple):
    """Size and time of a file; ``version`` tells two contents of one size and time apart, where a storage knows that."""

    size_bytes: int
    mtime_ns: int
    version: str = ""

    @property
    def mtime_s(self) -> float:
        """The time in seconds."""
        return self.mtime_ns / 1e9


@dataclass(frozen=True)
class SkippedPath:
    """A path that is left out: ``problem`` says why, ``remedy`` what to do; of a folder, all below it is left out."""

    path: PathOrUrl
    problem: str
    remedy: str = ""
    is_folder: bool = False

    @property
    def reason(self) -> str:
        """Problem and remedy in words, without the path."""
        return in_words(self.problem, self.remedy)

    def __str__(self) -> str:
        return in_words(self.problem, self.remedy, self.path)


def sort_key(path: PathOrUrl) -> tuple[str, ...]:
    """Return that by which paths are sorted: part by part, so that a folder's files lie together."""
    return path.parts
