"""The meta file: what made the outputs, by which a later run knows whether they still hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from annotate.errors import StorageError
from annotate.settings import Settings

HASHED_PART_BYTES = 1 << 20
_HASH_DIGITS = 32


@dataclass(frozen=True)
class Source:
    """A video file as it was when it was annotated; ``hash`` is of its first and last megabyte."""

    name: str
    size_bytes: int
    mtime_ns: int
    hash: str


@dataclass(frozen=True)
class Render:
    """A copy of the video that was made from a report: its ``kind``, the language of its words, the hash of that report's
    CSV, and its own hash."""

    kind: str
    language: str
    report: str
    hash: str


@dataclass(frozen=True)
class Meta:
    """The content of ``*.emotions.meta.json``.

    ``outputs`` maps a file's name (as `plain_name` gives it) to its hash, or to None where there was nothing to write
    (no cues). Of the decoder's ``warnings`` each stands with its count. ``width_px`` and ``height_px`` are those of the
    displayed picture; analysis versions before 5 did not tell them. ``renders`` maps the way from the meta file's folder to
    a copy of the video, with slashes and escaped as names are, to what that is.
    """

    analysis_version: int
    program: str
    model_hash: str
    settings: Mapping[str, Any]
    source: Source
    frames: int
    duration_s: float
    missing_s: float
    faces: int
    dropped_tracks: int
    warnings: Mapping[str, int]
    ffmpeg: str
    outputs: Mapping[str, str | None] = field(default_factory=dict)
    width_px: int = 0
    height_px: int = 0
    renders: Mapping[str, Render] = field(default_factory=dict)

    @property
    def shortfall(self) -> str:
        """What the decoder made of a damaged video, empty if nothing is known to be missing."""
        if self.missing_s:
            return f"damaged: the last {self.missing_s:.1f} s could not be decoded"
        count = sum(self.warnings.values())
        return f"damaged: the decoder complained {count} times" if count else ""

    def to_json(self) -> str:
        """As the text of the file."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"


def read_meta(path: Path) -> Meta | None:
    """Reads a meta file; None if it is missing, damaged or of another shape.

    Raises:
        StorageError: it lies in object storage, which does not answer.
    """
    try:
        content = json.loads(path.read_bytes())
        renders = {way: Render(**render) for way, render in content.get("renders", {}).items()}
        meta = Meta(**{**content, "source": Source(**content["source"]), "renders": renders})
    except StorageError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    well_formed = (
        isinstance(meta.outputs, dict)
        and isinstance(meta.settings, dict)
        and all("\0" not in way for way in meta.renders)
        and all(isinstance(value, str) for render in meta.renders.values() for value in vars(render).values())
        and isinstance(meta.warnings, dict)
        and all(isinstance(count, int) for count in meta.warnings.values())
        and isinstance(meta.missing_s, int | float)
        and isinstance(meta.duration_s, int | float)
        and math.isfinite(meta.duration_s)
        and isinstance(meta.faces, int)
        and isinstance(meta.width_px, int)
        and isinstance(meta.height_px, int)
        and isinstance(meta.source.name, str)
        and isinstance(meta.source.size_bytes, int)
        and isinstance(meta.source.mtime_ns, int)
    )
    return meta if well_formed else None


def settings_that_matter(settings: Settings) -> dict[str, Any]:
    """Settings as they stand in a meta file; the model is there by its hash."""
    return {part.name: getattr(settings, part.name) for part in fields(settings) if part.name != "model"}


def describe_source(path: Path) -> Source:
    """Size, time and hash of a file.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    return Source(plain_name(path), status.st_size, status.st_mtime_ns, _hash_ends(path, status.st_size))


def describe_copy(path: Path, size_bytes: int, mtime_ns: int, copy: Path) -> Source:
    """The same of a file of this size and time, of which there is a copy here.

    Raises:
        OSError: that cannot be read.
    """
    return Source(plain_name(path), size_bytes, mtime_ns, _hash_ends(copy, size_bytes))


def is_unchanged(source: Source, path: Path) -> bool:
    """Whether ``path`` still is the file described: same size and time, or same size and hash if it was moved.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    if status.st_size != source.size_bytes:
        return False
    return status.st_mtime_ns == source.mtime_ns or _hash_ends(path, status.st_size) == source.hash


def is_named(source: Source, path: Path) -> bool:
    """Whether ``path`` has the name of the file described."""
    return source.name == plain_name(path)


def plain_name(path: Path) -> str:
    """A file's name as JSON can hold it: bytes that are not UTF-8 escaped."""
    return plain_text(path.name)


def plain_text(name: str) -> str:
    """A name or a way as JSON can hold it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def hash_content(content: bytes) -> str:
    """Hash of an output, as meta files have it."""
    return hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]


def hash_file(path: Path) -> str:
    """The same of a file's content, however large that is.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(HASHED_PART_BYTES):
            digest.update(part)
    return digest.hexdigest()[:_HASH_DIGITS]


def _hash_ends(path: Path, size_bytes: int) -> str:
    with path.open("rb") as file:
        content = file.read(HASHED_PART_BYTES)
        file.seek(max(len(content), size_bytes - HASHED_PART_BYTES))
        content += file.read(HASHED_PART_BYTES)
    return hash_content(content)
