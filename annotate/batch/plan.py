"""Decision on the work that a video needs."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from annotate.archive.layout import OutputOptions, Outputs
from annotate.archive.scan import ArchiveItem
from annotate.archive.validity import current_meta, find_damage, is_missing, misnamed_tracks
from annotate.results.failure import Attempt, Failure, read_failure
from annotate.results.meta import Meta, is_unchanged, json_safe_name, result_settings
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl


class Action(enum.Enum):
    """The work that a video needs."""

    SKIP = "skip"
    CONVERT = "write formats"
    ANNOTATE = "annotate"
    FAIL = "fail"


@dataclass(frozen=True)
class Decision:
    """The action that a video needs, and the reason.

    ``meta`` is the current sidecar, None if the video must be annotated; ``missing`` are the formats to add. ``failure`` is
    the record of an earlier attempt, if the action is to fail as it did.
    """

    action: Action
    reason: str
    meta: Meta | None = None
    missing: tuple[str, ...] = ()
    failure: Failure | None = None


def decide(
    item: ArchiveItem, options: OutputOptions, settings: Settings, model_hash: str, limits: Limits = ONE_CORE
) -> Decision:
    """Return the action that a video needs to be up to date.

    A video that failed is not tried again until the file, the version or an option changes, unless the options say so.

    Raises:
        OSError: the video cannot be read.
    """
    decision = _decide(item, options, settings, model_hash)
    if decision.action is not Action.ANNOTATE or options.force or options.retry_failed:
        return decision
    failure = read_failure(item.outputs.failure)
    if failure is None or failure.attempt != Attempt.of(settings, model_hash, limits):
        return decision
    if not failure.is_of(item.video, item.stat):
        return decision
    return Decision(Action.FAIL, f"{failure.reason} Failed {failure.when}; --retry-failed tries again.", failure=failure)


def _decide(item: ArchiveItem, options: OutputOptions, settings: Settings, model_hash: str) -> Decision:
    meta, outputs = item.meta, item.outputs
    if meta is None:
        return Decision(Action.ANNOTATE, "not annotated yet")
    if options.force:
        return Decision(Action.ANNOTATE, "forced")
    if change := _find_change(meta, item, settings, model_hash):
        return Decision(Action.ANNOTATE, change)
    if not storage_for(outputs.csv).exists(outputs.csv):
        return Decision(Action.ANNOTATE, "its table was deleted")
    if is_missing(meta, outputs.boxes):
        return Decision(Action.ANNOTATE, "its boxes file was deleted")
    decision = _conversion(meta, outputs, options)
    if decision.action is Action.CONVERT and (damage := find_damage(meta, outputs)):
        return Decision(Action.ANNOTATE, damage) if decision.missing else Decision(Action.SKIP, damage, meta)
    return decision


def decide_conversion(item: ArchiveItem, options: OutputOptions) -> Decision:
    """Return the action that converting a video's report needs; settings and model of the report do not matter.

    The video itself may be missing.

    Raises:
        ReportError: the report is missing, damaged or outdated.
        OSError: the video or the report cannot be read.
    """
    return _conversion(current_meta(item), item.outputs, options)


def _conversion(meta: Meta, outputs: Outputs, options: OutputOptions) -> Decision:
    missing = tuple(name for name, path in outputs.tracks(options).items() if not _is_done(meta, path))
    misnamed = misnamed_tracks(meta, outputs)
    reasons = [f"{', '.join(missing)} missing"] if missing else []
    reasons += [f"{', '.join(name for name, _ in misnamed)} with the former name {meta.former_name}"] if misnamed else []
    return Decision(Action.CONVERT if reasons else Action.SKIP, "; ".join(reasons) or "up to date", meta, missing)


def _find_change(meta: Meta, item: ArchiveItem, settings: Settings, model_hash: str) -> str:
    """Return why a sidecar is outdated; empty if it is current."""
    if meta.is_older or meta.is_later:
        return f"made by {'an older' if meta.is_older else 'a later'} analysis version"
    if meta.model_hash != model_hash:
        return "the model changed since the last run"
    if meta.settings != result_settings(settings):
        return "settings changed since the last run"
    return "" if is_unchanged(meta.source, item.video, item.stat) else "the video has changed"


def _is_done(meta: Meta, path: PathOrUrl) -> bool:
    """Return whether a sidecar records an output and it exists, or there was nothing to write."""
    name = json_safe_name(path)
    return name in meta.outputs and (meta.outputs[name] is None or storage_for(path).exists(path))
