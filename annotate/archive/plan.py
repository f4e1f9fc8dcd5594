"""What each video's outputs are called, and what is to be done for it."""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.walk import OUTPUT_MARK
from annotate.pipeline import ANALYSIS_VERSION
from annotate.settings import Settings
from annotate.tracks.meta import Meta, hash_content, is_named, is_unchanged, read_meta, settings_that_matter

FORMATS = ("csv", "srt")
"""Formats that can be asked for; csv and meta are always written."""


class Task(enum.Enum):
    """What is to be done for a video."""

    SKIP = "everything asked for is there"
    CONVERT = "formats are missing and can be made from the CSV"
    ANNOTATE = "it is to be annotated"


@dataclass(frozen=True)
class Wanted:
    """What is asked for besides the analysis itself."""

    formats: tuple[str, ...] = FORMATS
    language: str = "en"
    force: bool = False


@dataclass(frozen=True)
class Outputs:
    """Names of one video's outputs: ``base`` is their common path up to the mark."""

    base: Path

    @property
    def csv(self) -> Path:
        """The report."""
        return self._named(".csv")

    @property
    def meta(self) -> Path:
        """What made them."""
        return self._named(".meta.json")

    def subtitles(self, format_name: str, language: str) -> Path:
        """A subtitle track."""
        return self._named(f".{language}.{format_name}")

    def tracks(self, wanted: Wanted) -> dict[str, Path]:
        """The asked-for formats that are made from the report."""
        return {name: self.subtitles(name, wanted.language) for name in wanted.formats if name != "csv"}

    def _named(self, ending: str) -> Path:
        return self.base.with_name(f"{self.base.name}{OUTPUT_MARK}{ending}")


def name_outputs(videos: Sequence[Path]) -> dict[Path, Outputs]:
    """Names for the outputs of all videos.

    A video writes ``stem.emotions.*``, unless another one of its folder does: the one that an existing meta file names,
    as long as it is there, or one that sorts before it. Then it writes ``name.ending.emotions.*``. Names that differ in
    the case of letters only count as one.
    """
    claimed: set[str] = set()
    names: dict[Path, Outputs] = {}
    for video in sorted(videos):
        candidates = [Outputs(video.with_name(base)) for base in (video.stem, video.name, video.name + video.suffix)]
        free = [outputs for outputs in candidates if _key(outputs) not in claimed]
        usable = [outputs for outputs in free if _may_write(video, outputs)] or free[-1:]
        own = [outputs for outputs in usable if (meta := read_meta(outputs.meta)) and is_named(meta.source, video)]
        names[video] = (own or usable)[0]
        claimed.add(_key(names[video]))
    return names


def decide(video: Path, outputs: Outputs, wanted: Wanted, settings: Settings, model_hash: str) -> tuple[Task, Meta | None]:
    """What is to be done for a video, and the meta file that stands, if it still holds.

    Raises:
        OSError: the video cannot be read.
    """
    meta = None if wanted.force else read_meta(outputs.meta)
    if meta is None or not _holds(meta, video, settings, model_hash) or not outputs.csv.exists():
        return Task.ANNOTATE, None
    missing = [path for path in outputs.tracks(wanted).values() if not _is_there(meta, path)]
    if not missing:
        return Task.SKIP, meta
    is_whole = meta.outputs.get(outputs.csv.name) == hash_content(outputs.csv.read_bytes())
    return (Task.CONVERT, meta) if is_whole else (Task.ANNOTATE, None)


def _holds(meta: Meta, video: Path, settings: Settings, model_hash: str) -> bool:
    return (
        meta.analysis_version == ANALYSIS_VERSION
        and meta.model_hash == model_hash
        and meta.settings == settings_that_matter(settings)
        and is_unchanged(meta.source, video)
    )


def _is_there(meta: Meta, path: Path) -> bool:
    return path.name in meta.outputs and (meta.outputs[path.name] is None or path.exists())


def _key(outputs: Outputs) -> str:
    return os.path.abspath(outputs.base).casefold()


def _may_write(video: Path, outputs: Outputs) -> bool:
    """Whether no other video that is still there owns these names."""
    meta = read_meta(outputs.meta)
    if meta is None or is_named(meta.source, video):
        return True
    try:
        return not video.with_name(meta.source.name).exists()
    except ValueError:
        return True
