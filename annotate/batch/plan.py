"""What each video's outputs are called, and what is to be done for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.layout import Outputs, Wanted
from annotate.archive.validity import current_meta, find_fault, is_gone
from annotate.results.meta import Meta, is_unchanged, plain_name, read_meta, settings_that_matter
from annotate.settings import Settings
from annotate.version import ANALYSIS_VERSION


class Task(enum.Enum):
    """What is to be done for a video."""

    SKIP = "skip"
    CONVERT = "add formats"
    ANNOTATE = "annotate"


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
    if is_gone(meta, outputs.boxes):
        return Decision(Task.ANNOTATE, "its file of boxes is gone")
    decision = _conversion(meta, outputs, wanted)
    if decision.task is Task.CONVERT and (fault := find_fault(meta, outputs)):
        return Decision(Task.ANNOTATE, fault)
    return decision


def decide_conversion(video: Path, outputs: Outputs, wanted: Wanted) -> Decision:
    """What is to be done for a video of which formats are to be made from its report alone, however it was made.

    The video itself need not be there any more.

    Raises:
        ReportError: there is no report, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    meta = current_meta(video, outputs)
    return _conversion(meta, outputs, wanted)


def _conversion(meta: Meta, outputs: Outputs, wanted: Wanted) -> Decision:
    missing = tuple(name for name, path in outputs.tracks(wanted).items() if not _is_there(meta, path))
    if missing:
        return Decision(Task.CONVERT, f"{', '.join(missing)} missing", meta, missing)
    return Decision(Task.SKIP, "up to date", meta)


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
