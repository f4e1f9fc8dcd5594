"""Reports that lie in an archive, read back and checked."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from annotate.archive.find_reports import meta_beside
from annotate.archive.layout import BOXES_ENDING, REPORT_ENDING, Outputs
from annotate.archive.validity import current_meta
from annotate.errors import ReportError
from annotate.results.boxes import BoxPaths, read_boxes
from annotate.results.meta import (
    Meta,
    hash_content,
    is_named,
    plain_name,
    read_meta,
)
from annotate.results.report import Report
from annotate.results.table import class_names_of, parse_table, read_table
from annotate.storage.s3.path import ObjectPath, is_remote
from annotate.version import ANALYSIS_VERSION


def read_current_report(video: Path, outputs: Outputs) -> Report:
    """Return a video's report, which is as it was written and of the video as it is.

    Raises:
        ReportError: there is none, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    return read_report(video, outputs, current_meta(video, outputs))


def read_report(video: Path, outputs: Outputs, meta: Meta) -> Report:
    """Return the report that ``meta`` describes.

    Raises:
        ReportError: it is not as this program writes it.
    """
    boxes = read_boxes(outputs.boxes) if meta.outputs.get(plain_name(outputs.boxes)) else BoxPaths(())
    return Report(read_table(outputs.csv), meta, boxes, path_to_video(video, outputs))


def path_to_video(video: Path, outputs: Outputs) -> str:
    """From the outputs' folder, with slashes; the video's whole path or address if there is none."""
    folder = outputs.base.parent
    if isinstance(video, ObjectPath) and isinstance(folder, ObjectPath) and video.bucket == folder.bucket:
        return os.path.relpath("/" + video.key, "/" + folder.key)
    if is_remote(video) or is_remote(folder):
        return str(video.absolute())
    try:
        return Path(os.path.relpath(video, folder)).as_posix()
    except ValueError:
        return video.absolute().as_posix()


LONGEST_S = 10_000_000
"""No video is longer: what claims to be is refused before memory is taken for its minutes."""


_NO_NAMES = ("", ".", "..")


def read_whole(path: Path, *, with_boxes: bool = True) -> Report:
    """All of one report, as tracks are made from it; the video lies beside it.

    Raises:
        ReportError: it, or its file of boxes if that is asked for, is not as it was written, or of another version of the
            analysis.
    """
    meta, content = read_checked(path)
    try:
        table = check_rows(parse_table(content))
        _check_classes(table)
    except ValueError as error:
        raise ReportError(f"{path}: not a report of this program ({error}); annotate the video again") from None
    boxes_path = path.with_name(path.name.removesuffix(REPORT_ENDING) + BOXES_ENDING)
    known = meta.outputs.get(plain_name(boxes_path)) if with_boxes else None
    boxes = read_boxes(boxes_path, known) if known is not None else BoxPaths(())
    return Report(table, meta, boxes, video_beside(path, meta).name)


def read_checked(path: Path) -> tuple[Meta, bytes]:
    meta_path = meta_beside(path)
    meta = read_meta(meta_path)
    if meta is None:
        state = "is damaged" if meta_path.exists() else "is missing"
        raise ReportError(f"{path}: its meta file {state}, so nothing says what it is; annotate the video again")
    if meta.analysis_version != ANALYSIS_VERSION:
        raise ReportError(f"{path}: made by another version of the analysis; annotate the video again")
    try:
        if not path.is_file():
            raise ReportError(f"{path}: the report cannot be read (not a file)")
        content = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: the report cannot be read ({error.strerror})") from None
    if meta.outputs.get(plain_name(path)) != hash_content(content):
        raise ReportError(f"{path}: damaged or cut off, not as its meta file says it was written; annotate the video again")
    return meta, content


def video_beside(path: Path, meta: Meta) -> Path:
    """The video of a report: by the report's name, where the bytes of a name are whole, or else by the meta file's."""
    base = path.name.removesuffix(REPORT_ENDING)
    for name in (base, base + Path(meta.source.name).suffix):
        if name and is_named(meta.source, path.with_name(name)):
            return path.with_name(name)
    if meta.source.name in _NO_NAMES or any(char in meta.source.name for char in "/\0"):
        raise ReportError(f"{path}: its meta file names no video; annotate the video again")
    return path.with_name(meta.source.name)


def check_rows(table: pd.DataFrame) -> pd.DataFrame:
    in_bounds = (table["start_time"] >= 0) & (table["end_time"] <= LONGEST_S) & (table["confidence"].abs() <= 1)
    if not in_bounds.all():
        raise ValueError("a time or a confidence cannot be")
    return table


def _check_classes(table: pd.DataFrame) -> None:
    names = class_names_of(table)
    if not table["emotion"].isin(names).all():
        raise ValueError("an emotion has no column")
    probabilities = table[list(names)].to_numpy(float)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability cannot be")
