"""Whether a stored report is whole, and of the video as it is."""

from __future__ import annotations

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.errors import ReportError
from annotate.results.meta import Meta, hash_content, is_unchanged, json_safe_name
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl
from annotate.version import ANALYSIS_VERSION


def find_fault(meta: Meta, outputs: Outputs) -> str:
    """Return why nothing can be made from a report; empty if it is as it was written.

    Raises:
        OSError: it cannot be read.
    """
    for path, what in ((outputs.csv, "its report"), (outputs.boxes, "its file of boxes")):
        if is_gone(meta, path):
            return f"{what} is gone"
        known = meta.outputs.get(json_safe_name(path))
        if known is not None and known != hash_content(storage_for(path).read(path)):
            return f"{what} has been changed"
    return ""


def is_gone(meta: Meta, path: PathOrUrl) -> bool:
    """Return whether a file that a sidecar knows is not there any more."""
    return meta.outputs.get(json_safe_name(path)) is not None and not storage_for(path).exists(path)


def current_meta(item: ArchiveItem) -> Meta:
    """Return what made a video's report, which is whole and of the video as it is; the video need not be there any more.

    Raises:
        ReportError: there is no report, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    meta, outputs, video = item.meta, item.outputs, item.video
    if meta is None:
        is_there = storage_for(outputs.meta).exists(outputs.meta)
        problem = "its meta file is damaged" if is_there else "not annotated yet"
        raise ReportError(problem, f"run `annotate {video}` first", path=video)
    fault = find_fault(meta, outputs)
    if meta.analysis_version != ANALYSIS_VERSION:
        fault = "made by another version of the analysis"
    elif item.stat is not None and not is_unchanged(meta.source, video, item.stat):
        fault = "the video has changed since"
    if fault:
        raise ReportError(fault, f"run `annotate --force {video}` first", path=outputs.csv)
    return meta
