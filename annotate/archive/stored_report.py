"""Reports that lie in an archive: the one place that reads them back, and checks that they are as they were written."""

from __future__ import annotations

from pathlib import PurePosixPath

import pandas as pd

from annotate.archive.layout import REPORT_ENDING, outputs_of_report
from annotate.archive.scan import ArchiveItem
from annotate.archive.validity import current_meta
from annotate.errors import ReportError, StorageError
from annotate.results.boxes import BoxPaths, parse_boxes
from annotate.results.meta import Meta, hash_content, is_named, json_safe_name, parse_meta
from annotate.results.report import Report
from annotate.results.table import class_names_of, parse_table
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl
from annotate.version import ANALYSIS_VERSION

LONGEST_S = 10_000_000
"""No video is longer: what claims to be is refused before memory is taken for its minutes."""

AGAIN = "annotate the video again"

_NO_NAMES = ("", ".", "..")


def read_current_report(item: ArchiveItem) -> Report:
    """Return a video's report, which is as it was written and of the video as it is.

    Raises:
        ReportError: there is none, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    return read_item_report(item, current_meta(item))


def read_item_report(item: ArchiveItem, meta: Meta) -> Report:
    """Return a video's report, of which ``meta`` is the sidecar. Errors as for `read_report`."""
    folder = item.outputs.base.parent
    return _read(item.outputs.csv, meta, storage_for(item.video).relative(item.video, folder), with_boxes=True)


def read_report(path: PathOrUrl, *, with_boxes: bool = True) -> Report:
    """Return a report by its path; the video lies beside it.

    Raises:
        ReportError: it, or its file of boxes if that is asked for, is not as it was written, or of another version of the
            analysis.
    """
    meta = _check_meta(path, *storage_for(path).read_many([outputs_of_report(path).meta]))
    return _read(path, meta, video_beside(path, meta).name, with_boxes=with_boxes)


def check_content(path: PathOrUrl, meta: bytes | OSError, report: bytes | OSError) -> tuple[Meta, bytes]:
    """Return sidecar and content of a report whose files were read, or could not be; the content is as it was written.

    Raises:
        ReportError: it is not.
    """
    return (known := _check_meta(path, meta)), _check_report(path, known, report)


def video_beside(path: PathOrUrl, meta: Meta) -> PathOrUrl:
    """Return the video beside a report: by the report's name, where the bytes of a name are whole, or else by the sidecar's.

    Raises:
        ReportError: the sidecar names none.
    """
    base = path.name.removesuffix(REPORT_ENDING)
    for name in (base, base + PurePosixPath(meta.source.name).suffix):
        if name and is_named(meta.source, path.with_name(name)):
            return path.with_name(name)
    if meta.source.name in _NO_NAMES or any(char in meta.source.name for char in "/\0"):
        raise ReportError("its meta file names no video", AGAIN, path=path)
    return path.with_name(meta.source.name)


def check_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose times and confidences can be.

    Raises:
        ValueError: they cannot.
    """
    in_bounds = (table["start_time"] >= 0) & (table["end_time"] <= LONGEST_S) & (table["confidence"].abs() <= 1)
    if not in_bounds.all():
        raise ValueError("a time or a confidence cannot be")
    return table


def _read(path: PathOrUrl, meta: Meta, video: str, *, with_boxes: bool) -> Report:
    storage, boxes_path = storage_for(path), outputs_of_report(path).boxes
    known = meta.outputs.get(json_safe_name(boxes_path)) if with_boxes else None
    report, *boxes = storage.read_many([path, boxes_path] if known is not None else [path])
    content = _check_report(path, meta, report)
    try:
        table = check_rows(parse_table(content))
        _check_classes(table)
    except ValueError as error:
        raise ReportError(f"not a report of this program ({error})", AGAIN, path=path) from None
    paths = BoxPaths(()) if known is None else _check_boxes(boxes_path, boxes[0], known)
    return Report(table, meta, paths, video)


def _check_meta(path: PathOrUrl, content: bytes | OSError) -> Meta:
    if isinstance(content, StorageError):
        raise content
    meta = None if isinstance(content, OSError) else parse_meta(content)
    if meta is None:
        state = "is missing" if isinstance(content, FileNotFoundError) else "is damaged"
        raise ReportError(f"its meta file {state}, so nothing says what it is", AGAIN, path=path)
    if meta.analysis_version != ANALYSIS_VERSION:
        raise ReportError("made by another version of the analysis", AGAIN, path=path)
    return meta


def _check_report(path: PathOrUrl, meta: Meta, content: bytes | OSError) -> bytes:
    if isinstance(content, OSError):
        raise ReportError(f"the report cannot be read ({content.strerror})", path=path)
    if meta.outputs.get(json_safe_name(path)) != hash_content(content):
        raise ReportError("damaged or cut off, not as its meta file says it was written", AGAIN, path=path)
    return content


def _check_boxes(path: PathOrUrl, content: bytes | OSError, known: str) -> BoxPaths:
    if isinstance(content, OSError):
        raise ReportError(f"the boxes cannot be read ({content.strerror})", AGAIN, path=path)
    try:
        if hash_content(content) != known:
            raise ValueError("it is not as its meta file says it was written")
        return parse_boxes(content)
    except ValueError as error:
        raise ReportError(f"not a whole file of boxes ({error})", AGAIN, path=path) from None


def _check_classes(table: pd.DataFrame) -> None:
    names = class_names_of(table)
    if not table["emotion"].isin(names).all():
        raise ValueError("an emotion has no column")
    probabilities = table[list(names)].to_numpy(float)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability cannot be")
