"""Whether a stored report is whole, and of the video as it is."""

from __future__ import annotations

from pathlib import Path

from annotate.archive.layout import Outputs
from annotate.errors import ReportError
from annotate.results.meta import (
    Meta,
    hash_content,
    is_unchanged,
    plain_name,
    read_meta,
)
from annotate.version import ANALYSIS_VERSION


def find_fault(meta: Meta, outputs: Outputs) -> str:
    """Why nothing can be made from a report; empty if it is as it was written.

    Raises:
        OSError: it cannot be read.
    """
    for path, what in ((outputs.csv, "its report"), (outputs.boxes, "its file of boxes")):
        if is_gone(meta, path):
            return f"{what} is gone"
        known = meta.outputs.get(plain_name(path))
        if known is not None and known != hash_content(path.read_bytes()):
            return f"{what} has been changed"
    return ""


def is_gone(meta: Meta, path: Path) -> bool:
    return meta.outputs.get(plain_name(path)) is not None and not path.exists()


def current_meta(video: Path, outputs: Outputs) -> Meta:
    """Return what made a video's report, which is whole and of the video as it is; the video need not be there any more.

    Raises:
        ReportError: there is no report, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    meta = read_meta(outputs.meta)
    if meta is None:
        what = "its meta file is damaged" if outputs.meta.exists() else "not annotated yet"
        raise ReportError(f"{video}: {what}; run `annotate {video}` first")
    fault = find_fault(meta, outputs)
    if meta.analysis_version != ANALYSIS_VERSION:
        fault = "made by another version of the analysis"
    elif video.exists() and not is_unchanged(meta.source, video):
        fault = "the video has changed since"
    if fault:
        raise ReportError(f"{outputs.csv}: {fault}; run `annotate --force {video}` first")
    return meta
