"""Checks that stored outputs are intact and up to date with the video."""

from __future__ import annotations

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.errors import ReportError
from annotate.results.formats.registry import TRACK_FORMATS, is_available
from annotate.results.meta import Meta, hash_content, is_unchanged, json_safe_name
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

LATER_VERSION, UPDATE = "made by a later analysis version", "update annotate"
"""Problem and remedy of a report that this program cannot read."""

TABLE_CHANGED = "its table was changed"
"""Problem of a report that somebody edited."""


def find_damage(meta: Meta, outputs: Outputs) -> str:
    """Return how the table or the boxes file differs from the sidecar; empty if both are intact.

    Raises:
        OSError: a file cannot be read.
    """
    for path, name in ((outputs.csv, "table"), (outputs.boxes, "boxes file")):
        if is_missing(meta, path):
            return f"its {name} was deleted"
        expected_hash = meta.outputs.get(json_safe_name(path))
        if expected_hash is not None and expected_hash != hash_content(storage_for(path).read(path)):
            return TABLE_CHANGED if path == outputs.csv else f"its {name} was changed"
    return ""


def is_missing(meta: Meta, path: PathOrUrl) -> bool:
    """Return whether a file that is recorded in a sidecar does not exist."""
    return meta.outputs.get(json_safe_name(path)) is not None and not storage_for(path).exists(path)


def misnamed_tracks(meta: Meta, outputs: Outputs) -> dict[tuple[str, str], PathOrUrl]:
    """Return the outputs that name the video inside and that exist, if the video was renamed with its outputs.

    They are by format and variant.
    """
    if not meta.former_name:
        return {}
    paths = {
        (name, variant): outputs.track(name, "", variant)
        for name, track in TRACK_FORMATS.items()
        for variant in ("", *track.variants)
        if track.names_video
    }
    return {
        (name, variant): path
        for (name, variant), path in paths.items()
        if meta.outputs.get(json_safe_name(path)) is not None and storage_for(path).exists(path) and is_available(name)
    }


def current_meta(item: ArchiveItem) -> Meta:
    """Return the sidecar of a video whose outputs are intact and up to date; the video itself may be missing.

    Outputs of an older analysis version count as up to date.

    Raises:
        ReportError: the report is missing, damaged or outdated.
        OSError: the video or the report cannot be read.
    """
    meta, outputs, video = item.meta, item.outputs, item.video
    if meta is None:
        is_damaged = storage_for(outputs.meta).exists(outputs.meta)
        problem = "its sidecar is damaged" if is_damaged else "not annotated yet"
        raise ReportError(problem, f"run `annotate {video}` first", path=video)
    if meta.is_later:
        raise ReportError(LATER_VERSION, UPDATE, path=outputs.csv)
    problem = find_damage(meta, outputs)
    if item.stat is not None and not is_unchanged(meta.source, video, item.stat):
        problem = "the video has changed since it was annotated"
    if problem:
        is_edited = problem == TABLE_CHANGED
        command = f"annotate correct {video}" if is_edited else f"annotate --force {video}"
        raise ReportError(problem, f"run `{command}` first", path=outputs.csv)
    return meta
