"""The sidecar ``*.emotions.meta.json``: provenance of the outputs, by which later runs check their validity."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from annotate import version
from annotate.errors import StorageError
from annotate.media.picture_size import PictureSize
from annotate.results.damage import Damage
from annotate.settings import ALL_FRAMES, DETECTORS, NO_BASELINE, WHOLE_BLOCK, Settings
from annotate.storage.base import storage_for
from annotate.storage.values import FileStat, PathOrUrl

SIDECAR_ENDING = ".emotions.meta.json"
_TABLE_ENDING = ".emotions.csv"
PERSONS_ENDING = ".emotions.persons.csv"

HASHED_PART_BYTES = 1 << 20
_HASH_DIGITS = 32

_MIN_SMALL_FACES = 2
"""Number of searches: what is seen in a single one may be no face."""


@dataclass(frozen=True)
class Source:
    """A video file at the time of annotation; ``hash`` is of its first and last megabyte."""

    name: str
    size_bytes: int
    mtime_ns: int
    hash: str


@dataclass(frozen=True)
class Render:
    """A rendered video: kind, language of the labels, hash of the table it was made from, and its own hash.

    ``options`` are those of the command line that it was made with, where the kind has any.
    """

    kind: str
    language: str
    report: str
    hash: str
    options: str = ""


@dataclass(frozen=True)
class Meta:
    """The content of a sidecar.

    ``outputs`` maps file names (see `json_safe_name`) to hashes, or to None if there was nothing to write (no cues).
    ``warnings`` maps warnings of the decoder to their counts. ``width_px`` and ``height_px`` are the size of the displayed
    frame at the beginning, ``size_changes`` are the later ones; analysis versions before 5 did not write them. The keys of
    ``renders`` are relative paths from the folder of the sidecar to rendered videos, with slashes and escaped by
    `json_safe_text`. ``former_name`` is the name of the video in the sidecar if both were renamed since (`renamed`), else
    empty; it is not written. ``small_faces`` is the number of searches of the video that saw a face a little smaller than
    the smallest to find. ``decoded_whole`` is why all frames were decoded although the settings leave some out
    (see `annotate.media.skipping`), else empty; it is not written then. ``persons`` are the relative paths from the folder
    of the sidecar to the files that say which face tracks are of which person (`annotate.results.persons`), of which the
    first that knows the video counts; without any it is not written. ``timecode`` is that of the first frame, as the video
    states it, else empty; it is not written then.
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
    former_name: str = field(default="", compare=False)
    size_changes: tuple[PictureSize, ...] = ()
    small_faces: int = 0
    decoded_whole: str = ""
    persons: tuple[str, ...] = ()
    timecode: str = ""

    def size_px_at(self, time_ms: int) -> tuple[int, int]:
        """Return width and height of the displayed frame at a time; boxes at that time are in its pixels."""
        number = bisect_right(self.size_changes, time_ms, key=lambda change: change.start_ms)
        size = self.size_changes[number - 1] if number else self
        return size.width_px, size.height_px

    @property
    def table_name(self) -> str:
        """The name of the table, or what it would be called if it is not listed."""
        tables = (name for name in self.outputs if name.endswith(_TABLE_ENDING))
        return min(tables, key=len, default=f"{PurePosixPath(self.source.name).stem}{_TABLE_ENDING}")

    @property
    def is_older(self) -> bool:
        """Whether an older analysis version than this program's made the outputs: they stay readable."""
        return self.analysis_version < version.ANALYSIS_VERSION

    @property
    def hop(self) -> int:
        """The number of frames from one block to the next, as in `annotate.settings.Settings`."""
        hop = self.settings.get("hop", WHOLE_BLOCK)
        return hop if isinstance(hop, int) and 1 <= hop <= WHOLE_BLOCK else WHOLE_BLOCK

    @property
    def is_later(self) -> bool:
        """Whether a later analysis version than this program's made the outputs: they are not readable."""
        return self.analysis_version > version.ANALYSIS_VERSION

    @property
    def has_small_faces(self) -> bool:
        """Whether there is a face that was left out because it is a little too small: in at least two searches."""
        return self.small_faces >= _MIN_SMALL_FACES

    @property
    def damage(self) -> Damage:
        """What was found to be missing or damaged when the video was annotated."""
        return Damage(self.missing_s, sum(self.warnings.values()))

    def to_json(self) -> str:
        """Return the text of the sidecar; most lack the last fields."""
        content = asdict(self)
        del content["former_name"]
        for render in content["renders"].values():
            if not render["options"]:
                del render["options"]
        for name in ("size_changes", "decoded_whole", "persons", "timecode"):
            if not content[name]:
                del content[name]
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

    def renamed(self, sidecar: PathOrUrl) -> Meta:
        """Return the content as it reads if video and outputs were renamed together with the sidecar.

        Names follow that of the sidecar: recorded as ``a.mp4`` and ``a.emotions.csv``, they are ``b.mp4`` and
        ``b.emotions.csv`` in ``b.emotions.meta.json``. Whether it is the same video, its size and hash tell.
        """
        new = json_safe_name(sidecar).removesuffix(SIDECAR_ENDING)
        tables = [name.removesuffix(_TABLE_ENDING) for name in self.outputs if name.endswith(_TABLE_ENDING)]
        old = min((base for base in tables if base), key=len, default=new)
        if old == new or not sidecar.name.endswith(SIDECAR_ENDING):
            return self

        def follow(name: str) -> str:
            return new + name.removeprefix(old) if name.startswith(f"{old}.") or name == old else name

        outputs = {follow(name): content_hash for name, content_hash in self.outputs.items()}
        renders = {follow(name): render for name, render in self.renders.items()}
        source = replace(self.source, name=follow(self.source.name))
        former_name = "" if normal_form(source.name) == normal_form(self.source.name) else self.source.name
        persons = tuple(map(follow, self.persons))
        return replace(self, source=source, outputs=outputs, renders=renders, former_name=former_name, persons=persons)


def read_meta(path: PathOrUrl) -> Meta | None:
    """Read a sidecar; return None if it is missing, damaged or has another schema.

    Raises:
        StorageError: object storage does not answer.
    """
    try:
        return parse_meta(storage_for(path).read(path), path)
    except StorageError:
        raise
    except (OSError, ValueError):
        return None


def read_metas(paths: Sequence[PathOrUrl]) -> Iterator[Meta | None]:
    """Read sidecars of one storage, concurrently where possible; yield in order what `read_meta` returns."""
    contents = storage_for(paths[0]).read_many(paths) if paths else ()
    for path, content in zip(paths, contents, strict=False):
        if isinstance(content, StorageError):
            raise content
        yield None if isinstance(content, OSError) else parse_meta(content, path)


def parse_meta(text: bytes, path: PathOrUrl | None = None) -> Meta | None:
    """Parse the bytes of a sidecar; return None if they are damaged or have another schema.

    Names are those of today if ``path``, that of the sidecar, is given (`Meta.renamed`).
    """
    try:
        content = json.loads(text)
        renders = {path: Render(**render) for path, render in content.get("renders", {}).items()}
        changes = tuple(PictureSize(**change) for change in content.get("size_changes", ()))
        read = {"source": Source(**content["source"]), "renders": renders, "size_changes": changes, "former_name": ""}
        read["persons"] = tuple(content.get("persons", ()))
        meta = Meta(**{**content, **read})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    well_formed = (
        isinstance(meta.analysis_version, int)
        and isinstance(meta.outputs, dict)
        and isinstance(meta.settings, dict)
        and all("\0" not in path for path in meta.renders)
        and all(isinstance(value, str) for render in meta.renders.values() for value in vars(render).values())
        and isinstance(meta.warnings, dict)
        and all(isinstance(count, int) for count in meta.warnings.values())
        and isinstance(meta.missing_s, int | float)
        and isinstance(meta.duration_s, int | float)
        and math.isfinite(meta.duration_s)
        and isinstance(meta.faces, int)
        and isinstance(meta.small_faces, int)
        and isinstance(meta.decoded_whole, str)
        and isinstance(meta.timecode, str)
        and all(isinstance(path, str) and path.endswith(PERSONS_ENDING) and "\0" not in path for path in meta.persons)
        and isinstance(meta.width_px, int)
        and isinstance(meta.height_px, int)
        and all(isinstance(value, int) and value > 0 for change in changes for value in (change.width_px, change.height_px))
        and all(isinstance(change.start_ms, int) for change in changes)
        and isinstance(meta.source.name, str)
        and isinstance(meta.source.size_bytes, int)
        and isinstance(meta.source.mtime_ns, int)
    )
    if not well_formed:
        return None
    return meta if path is None else meta.renamed(path)


_SIDECAR_KEYS = {"detection_interval_ms": "look_interval_ms", "chunk_s": "part_s"}
"""Settings with other names in sidecars: renaming a key would make all existing outputs outdated."""


def result_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings as recorded in a sidecar: the detector by its name and version, and without the model.

    The sidecar has the hash of the model. A baseline is recorded only if there is one, which frames are decoded only if
    not all, the hop only if it is not a whole block, and persons only if they are told apart, so that sidecars of before are
    those of tables without these.
    """
    usual = {"baseline": NO_BASELINE, "decode": ALL_FRAMES, "hop": WHOLE_BLOCK, "persons": False}
    left_out = {"model"} | {name for name, value in usual.items() if getattr(settings, name) == value}
    names = {item.name: _SIDECAR_KEYS.get(item.name, item.name) for item in fields(settings) if item.name not in left_out}
    return {key: getattr(settings, name) for name, key in names.items()} | {"detector": DETECTORS[settings.detector]}


def describe_source(path: PathOrUrl, stat: FileStat | None = None, file: Path | None = None) -> Source:
    """Return name, size, time and hash of a video; ``stat`` and ``file`` are its stat and a local copy, if available.

    Raises:
        OSError: the video cannot be read.
    """
    stat = storage_for(path).stat(path) if stat is None else stat
    return Source(json_safe_name(path), stat.size_bytes, stat.mtime_ns, _hash_ends(file or path, stat.size_bytes))


def is_unchanged(source: Source, path: PathOrUrl, stat: FileStat | None = None) -> bool:
    """Return whether ``path`` is the file described: same size and time, or, for a copy, same size and hash.

    Raises:
        OSError: the video cannot be read.
    """
    stat = storage_for(path).stat(path) if stat is None else stat
    if stat.size_bytes != source.size_bytes:
        return False
    return stat.mtime_ns == source.mtime_ns or _hash_ends(path, stat.size_bytes) == source.hash


def has_same_name(source: Source, path: PathOrUrl) -> bool:
    """Return whether ``path`` has the file name recorded in ``source``, in any Unicode normal form."""
    return normal_form(source.name) == normal_form(json_safe_name(path))


def normal_form(name: str) -> str:
    """Return a name in the Unicode normal form NFC, by which names are compared: disks may store another form."""
    return unicodedata.normalize("NFC", name)


def json_safe_name(path: PathOrUrl) -> str:
    """Return the file name of a path with invalid UTF-8 bytes escaped, so that JSON can represent it."""
    return json_safe_text(path.name)


def json_safe_text(text: str) -> str:
    """Return a name or path with invalid UTF-8 bytes escaped, so that JSON can represent it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def hash_content(content: bytes) -> str:
    """Return the hash of the content of an output, as recorded in sidecars."""
    return hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]


def hash_file(path: PathOrUrl) -> str:
    """Return `hash_content` of a file of any size, read in chunks.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with storage_for(path).open_range(path) as file:
        while chunk := file.read(HASHED_PART_BYTES):
            digest.update(chunk)
    return digest.hexdigest()[:_HASH_DIGITS]


def _hash_ends(path: PathOrUrl, size_bytes: int) -> str:
    with storage_for(path).open_range(path) as file:
        content = file.read(HASHED_PART_BYTES)
        file.seek(max(len(content), size_bytes - HASHED_PART_BYTES))
        content += file.read(HASHED_PART_BYTES)
    return hash_content(content)
