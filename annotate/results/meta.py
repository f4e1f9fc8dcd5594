"""The sidecar, ``*.emotions.meta.json``: what made the outputs, by which a later run knows whether they still hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from annotate.errors import StorageError
from annotate.settings import Settings
from annotate.storage.base import storage_for
from annotate.storage.values import FileStat, PathOrUrl

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
    """A rendered video: its ``kind``, the language of its words, the hash of the report's CSV it was made from, its own."""

    kind: str
    language: str
    report: str
    hash: str


@dataclass(frozen=True)
class Meta:
    """The content of ``*.emotions.meta.json``.

    ``outputs`` maps a file's name (as `json_safe_name` gives it) to its hash, or to None where there was nothing to write
    (no cues). ``warnings`` maps the decoder's warnings to their counts. ``width_px`` and ``height_px`` are those of the
    displayed frame; analysis versions before 5 did not write them. ``renders`` maps the relative paths from the sidecar's
    folder to rendered videos, with slashes and escaped as names are.
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
        """How much of a damaged video is missing, in words; empty if nothing is known to be."""
        if self.missing_s:
            return f"damaged: the last {self.missing_s:.1f} s could not be decoded"
        count = sum(self.warnings.values())
        return f"damaged: the decoder complained {count} {'time' if count == 1 else 'times'}" if count else ""

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"


def read_meta(path: PathOrUrl) -> Meta | None:
    """Return the content of a sidecar; None if it is missing, damaged or of another shape.

    Raises:
        StorageError: it lies in object storage, which does not answer.
    """
    try:
        return parse_meta(storage_for(path).read(path))
    except StorageError:
        raise
    except (OSError, ValueError):
        return None


def read_metas(paths: Sequence[PathOrUrl]) -> Iterator[Meta | None]:
    """Yield the content of sidecars of one storage, in their order; otherwise as `read_meta`."""
    for content in storage_for(paths[0]).read_many(paths) if paths else ():
        if isinstance(content, StorageError):
            raise content
        yield None if isinstance(content, OSError) else parse_meta(content)


def parse_meta(text: bytes) -> Meta | None:
    """Return what a sidecar's bytes say; None if they are damaged or of another shape."""
    try:
        content = json.loads(text)
        renders = {path: Render(**render) for path, render in content.get("renders", {}).items()}
        meta = Meta(**{**content, "source": Source(**content["source"]), "renders": renders})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    well_formed = (
        isinstance(meta.outputs, dict)
        and isinstance(meta.settings, dict)
        and all("\0" not in path for path in meta.renders)
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


_SIDECAR_KEYS = {"detection_interval_ms": "look_interval_ms", "chunk_s": "part_s"}
"""Settings whose keys in sidecars differ from their names: a key that changed would make finished reports stale."""


def result_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as they stand in a sidecar, where the model stands by its hash."""
    names = {part.name: _SIDECAR_KEYS.get(part.name, part.name) for part in fields(settings) if part.name != "model"}
    return {key: getattr(settings, name) for name, key in names.items()}


def describe_source(path: PathOrUrl, stat: FileStat | None = None, file: Path | None = None) -> Source:
    """Return size, time and hash of a video; ``stat`` is what is known of it, ``file`` a local copy if there is one.

    Raises:
        OSError: it cannot be read.
    """
    stat = storage_for(path).stat(path) if stat is None else stat
    return Source(json_safe_name(path), stat.size_bytes, stat.mtime_ns, _hash_ends(file or path, stat.size_bytes))


def is_unchanged(source: Source, path: PathOrUrl, stat: FileStat | None = None) -> bool:
    """Return whether ``path`` still is the file described: same size and time, or same size and hash if it was moved.

    Raises:
        OSError: it cannot be read.
    """
    stat = storage_for(path).stat(path) if stat is None else stat
    if stat.size_bytes != source.size_bytes:
        return False
    return stat.mtime_ns == source.mtime_ns or _hash_ends(path, stat.size_bytes) == source.hash


def is_named(source: Source, path: PathOrUrl) -> bool:
    """Return whether ``path`` has the name of the file described."""
    return source.name == json_safe_name(path)


def json_safe_name(path: PathOrUrl) -> str:
    """Return a file's name as JSON can hold it: bytes that are not UTF-8 escaped."""
    return json_safe_text(path.name)


def json_safe_text(name: str) -> str:
    """Return a name or a path as JSON can hold it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def hash_content(content: bytes) -> str:
    """Return the hash of an output, as sidecars have it."""
    return hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]


def hash_file(path: PathOrUrl) -> str:
    """Return the same of a file's content, however large that is.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with storage_for(path).open_range(path) as file:
        while part := file.read(HASHED_PART_BYTES):
            digest.update(part)
    return digest.hexdigest()[:_HASH_DIGITS]


def _hash_ends(path: PathOrUrl, size_bytes: int) -> str:
    with storage_for(path).open_range(path) as file:
        content = file.read(HASHED_PART_BYTES)
        file.seek(max(len(content), size_bytes - HASHED_PART_BYTES))
        content += file.read(HASHED_PART_BYTES)
    return hash_content(content)
