"""What each video's outputs are called, and what is to be done for it."""

from __future__ import annotations

import enum
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.walk import OUTPUT_MARK
from annotate.errors import ReportError
from annotate.settings import Settings
from annotate.storage.ahead import read_ahead
from annotate.storage.path import is_remote
from annotate.tracks.formats import DEFAULT_FORMATS, TRACKS
from annotate.tracks.meta import Meta, hash_content, is_named, is_unchanged, plain_name, read_meta, settings_that_matter
from annotate.version import ANALYSIS_VERSION

REPORT_ENDING, META_ENDING = f"{OUTPUT_MARK}.csv", f"{OUTPUT_MARK}.meta.json"
BOXES_ENDING = f"{OUTPUT_MARK}.boxes.csv"


class Task(enum.Enum):
    """What is to be done for a video."""

    SKIP = "skip"
    CONVERT = "add formats"
    ANNOTATE = "annotate"


@dataclass(frozen=True)
class Wanted:
    """What is asked for besides the analysis itself."""

    formats: tuple[str, ...] = DEFAULT_FORMATS
    language: str = "en"
    force: bool = False


@dataclass(frozen=True)
class Outputs:
    """Names of one video's outputs: ``base`` is their common path up to the mark."""

    base: Path

    @property
    def csv(self) -> Path:
        """The report."""
        return self.base.with_name(f"{self.base.name}{REPORT_ENDING}")

    @property
    def meta(self) -> Path:
        """What made them."""
        return self.base.with_name(f"{self.base.name}{META_ENDING}")

    @property
    def boxes(self) -> Path:
        """Where the faces were, by time."""
        return self.base.with_name(f"{self.base.name}{BOXES_ENDING}")

    def track(self, format_name: str, language: str) -> Path:
        """A track that is made from the report."""
        return self._named(TRACKS[format_name].ending.format(language=language))

    def tracks(self, wanted: Wanted) -> dict[str, Path]:
        """The asked-for formats that are made from the report."""
        return {name: self.track(name, wanted.language) for name in wanted.formats if name in TRACKS}

    @property
    def mark(self) -> str:
        """What the names of all outputs begin with."""
        return f"{self.base.name}{OUTPUT_MARK}."

    def _named(self, ending: str) -> Path:
        return self.base.with_name(f"{self.base.name}{OUTPUT_MARK}{ending}")


def name_outputs(videos: Sequence[Path], folders: Mapping[Path, Path] | None = None) -> dict[Path, Outputs]:
    """Names for the outputs of all videos, beside them, or in those of ``folders`` that are given.

    A video writes ``stem.emotions.*``, unless another one of its folder does: the one that an existing meta file names,
    as long as it is there, or one that sorts before it. Then it writes ``name.ending.emotions.*``. Names that differ in
    the case of letters only count as one.
    """
    folders = folders or {}
    usual = {video: _usual_names(video, folders.get(video, video.parent)) for video in videos}
    names: dict[Path, Outputs] = {}
    claimed: dict[str, Path] = {}
    for video in read_ahead(sorted(videos), lambda video: [outputs.meta for outputs in usual[video]]):
        for outputs in usual[video]:
            if _key(outputs) not in claimed and _owns(video, outputs):
                claimed[_key(outputs)] = video
                names[video] = outputs
                break
    for video in sorted(set(videos) - set(names)):
        longest = usual[video][-1].base
        further = (Outputs(longest.with_name(f"{longest.name}.{number}")) for number in itertools.count(2))
        for outputs in itertools.chain(usual[video], further):
            if _key(outputs) not in claimed and not _belongs_to_another(video, outputs):
                claimed[_key(outputs)] = video
                names[video] = outputs
                break
    return names


@dataclass(frozen=True)
class Decision:
    """What is to be done for a video and why.

    ``meta`` is what stands, unless the video is to be annotated; ``missing`` are the formats to be made from the report.
    """

    task: Task
    reason: str
    meta: Meta | None = None
    missing: tuple[str, ...] = ()


def decide(video: Path, outputs: Outputs, wanted: Wanted, settings: Settings, model_hash: str) -> Decision:
    """What is to be done for a video.

    Raises:
        OSError: the video cannot be read.
    """
    meta = read_meta(outputs.meta)
    if meta is None:
        return Decision(Task.ANNOTATE, "not annotated yet")
    if wanted.force:
        return Decision(Task.ANNOTATE, "forced")
    if change := _change(meta, video, settings, model_hash):
        return Decision(Task.ANNOTATE, change)
    if not outputs.csv.exists():
        return Decision(Task.ANNOTATE, "its report is gone")
    if _is_gone(meta, outputs.boxes):
        return Decision(Task.ANNOTATE, "its file of boxes is gone")
    decision = _conversion(meta, outputs, wanted)
    if decision.task is Task.CONVERT and (fault := _fault(meta, outputs)):
        return Decision(Task.ANNOTATE, fault)
    return decision


def decide_conversion(video: Path, outputs: Outputs, wanted: Wanted) -> Decision:
    """What is to be done for a video of which formats are to be made from its report alone, however it was made.

    The video itself need not be there any more.

    Raises:
        ReportError: there is no report, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    meta = read_meta(outputs.meta)
    if meta is None:
        what = "its meta file is damaged" if outputs.meta.exists() else "not annotated yet"
        raise ReportError(f"{video}: {what}; run `annotate {video}` first")
    fault = _fault(meta, outputs)
    if meta.analysis_version != ANALYSIS_VERSION:
        fault = "made by another version of the analysis"
    elif video.exists() and not is_unchanged(meta.source, video):
        fault = "the video has changed since"
    if fault:
        raise ReportError(f"{outputs.csv}: {fault}; run `annotate --force {video}` first")
    return _conversion(meta, outputs, wanted)


def _conversion(meta: Meta, outputs: Outputs, wanted: Wanted) -> Decision:
    missing = tuple(name for name, path in outputs.tracks(wanted).items() if not _is_there(meta, path))
    if missing:
        return Decision(Task.CONVERT, f"{', '.join(missing)} missing", meta, missing)
    return Decision(Task.SKIP, "up to date", meta)


def _fault(meta: Meta, outputs: Outputs) -> str:
    """Why nothing can be made from a report; empty if it is as it was written.

    Raises:
        OSError: it cannot be read.
    """
    for path, what in ((outputs.csv, "its report"), (outputs.boxes, "its file of boxes")):
        if _is_gone(meta, path):
            return f"{what} is gone"
        known = meta.outputs.get(plain_name(path))
        if known is not None and known != hash_content(path.read_bytes()):
            return f"{what} has been changed"
    return ""


def _change(meta: Meta, video: Path, settings: Settings, model_hash: str) -> str:
    """Why a meta file does not hold any more; empty if it does."""
    if meta.analysis_version != ANALYSIS_VERSION:
        return "made by another version of the analysis"
    if meta.model_hash != model_hash:
        return "made with another model"
    if meta.settings != settings_that_matter(settings):
        return "made with other settings"
    return "" if is_unchanged(meta.source, video) else "the video has changed"


def _is_there(meta: Meta, path: Path) -> bool:
    """Whether what a meta file knows of is there, or was nothing to write."""
    name = plain_name(path)
    return name in meta.outputs and (meta.outputs[name] is None or path.exists())


def _is_gone(meta: Meta, path: Path) -> bool:
    return meta.outputs.get(plain_name(path)) is not None and not path.exists()


def _key(outputs: Outputs) -> str:
    return (str(outputs.base) if is_remote(outputs.base) else os.path.abspath(outputs.base)).casefold()


def _usual_names(video: Path, folder: Path) -> list[Outputs]:
    return [Outputs(folder / video.stem), Outputs(folder / video.name)]


def _owns(video: Path, outputs: Outputs) -> bool:
    meta = read_meta(outputs.meta)
    return meta is not None and is_named(meta.source, video)


def _belongs_to_another(video: Path, outputs: Outputs) -> bool:
    """Whether a meta file says that another video, which is still there, wrote under these names."""
    meta = read_meta(outputs.meta)
    if meta is None or is_named(meta.source, video):
        return False
    try:
        return video.with_name(meta.source.name).exists()
    except (OSError, ValueError):
        return False
