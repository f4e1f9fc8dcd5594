"""What is to be done for a video."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from annotate.archive.layout import OutputOptions, Outputs
from annotate.archive.scan import ArchiveItem
from annotate.archive.validity import current_meta, find_fault, is_gone
from annotate.results.meta import Meta, is_unchanged, json_safe_name, result_settings
from annotate.settings import Settings
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl
from annotate.version import ANALYSIS_VERSION


class Action(enum.Enum):
    """What is to be done for a video."""

    SKIP = "skip"
    CONVERT = "add formats"
    ANNOTATE = "annotate"


@dataclass(frozen=True)
class Decision:
    """What is to be done for a video and why.

    ``meta`` is what stands, unless the video is to be annotated; ``missing`` are the formats to be made from the report.
    """

    action: Action
    reason: str
    meta: Meta | None = None
    missing: tuple[str, ...] = ()


def decide(item: ArchiveItem, options: OutputOptions, settings: Settings, model_hash: str) -> Decision:
    """Return what is to be done for a video.

    Raises:
        OSError: the video cannot be read.
    """
    meta, outputs = item.meta, item.outputs
    if meta is None:
        return Decision(Action.ANNOTATE, "not annotated yet")
    if options.force:
        return Decision(Action.ANNOTATE, "forced")
    if change := _change(meta, item, settings, model_hash):
        return Decision(Action.ANNOTATE, change)
    if not storage_for(outputs.csv).exists(outputs.csv):
        return Decision(Action.ANNOTATE, "its report is gone")
    if is_gone(meta, outputs.boxes):
        return Decision(Action.ANNOTATE, "its file of boxes is gone")
    decision = _conversion(meta, outputs, options)
    if decision.action is Action.CONVERT and (fault := find_fault(meta, outputs)):
        return Decision(Action.ANNOTATE, fault)
    return decision


def decide_conversion(item: ArchiveItem, options: OutputOptions) -> Decision:
    """Return what is to be done for a video of which formats are to be made from its report alone, however it was made.

    The video itself need not be there any more.

    Raises:
        ReportError: there is no report, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    return _conversion(current_meta(item), item.outputs, options)


def _conversion(meta: Meta, outputs: Outputs, options: OutputOptions) -> Decision:
    missing = tuple(name for name, path in outputs.tracks(options).items() if not _is_there(meta, path))
    if missing:
        return Decision(Action.CONVERT, f"{', '.join(missing)} missing", meta, missing)
    return Decision(Action.SKIP, "up to date", meta)


def _change(meta: Meta, item: ArchiveItem, settings: Settings, model_hash: str) -> str:
    """Return why a sidecar does not hold any more; empty if it does."""
    if meta.analysis_version != ANALYSIS_VERSION:
        return "made by another version of the analysis"
    if meta.model_hash != model_hash:
        return "made with another model"
    if meta.settings != result_settings(settings):
        return "made with other settings"
    return "" if is_unchanged(meta.source, item.video, item.stat) else "the video has changed"


def _is_there(meta: Meta, path: PathOrUrl) -> bool:
    """Return whether what a sidecar knows is there, or was nothing to write."""
    name = json_safe_name(path)
    return name in meta.outputs and (meta.outputs[name] is None or storage_for(path).exists(path))
