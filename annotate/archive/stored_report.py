"""Reading stored tables, boxes and sidecars, verified against the hashes in the sidecar."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from annotate.archive.corrections import CorrectionFiles
from annotate.archive.layout import REPORT_ENDING, outputs_of_report
from annotate.archive.persons import PersonFiles
from annotate.archive.scan import ArchiveItem
from annotate.archive.validity import LATER_VERSION, UPDATE, current_meta
from annotate.errors import ReportError, StorageError, remedy_for
from annotate.results.boxes import BoxTrajectories, parse_boxes
from annotate.results.meta import Meta, has_same_name, hash_content, json_safe_name, parse_meta
from annotate.results.report import Report
from annotate.results.table import class_names_of, parse_table
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    import pandas as pd

MAX_DURATION_S = 10_000_000
"""Longer durations are refused, before memory is allocated for their minutes."""

ANNOTATE_AGAIN = "annotate the video again"

_INVALID_NAMES = ("", ".", "..")


def read_current_report(item: ArchiveItem, *, is_corrected: bool = True, elsewhere: Sequence[PathOrUrl] = ()) -> Report:
    """Return the report of a video, verified to be intact and up to date with the video.

    Corrections by people are applied if ``is_corrected``: those beside the table, and those in files ``elsewhere``.

    Raises:
        ReportError: the report is missing, damaged or outdated.
        OSError: the video or the report cannot be read.
    """
    return read_item_report(item, current_meta(item), is_corrected=is_corrected, elsewhere=elsewhere)


def read_item_report(
    item: ArchiveItem, meta: Meta, *, is_corrected: bool = True, elsewhere: Sequence[PathOrUrl] = ()
) -> Report:
    """Return the report of a video with the sidecar ``meta``, as `read_current_report` does. Raise as `read_report` does."""
    folder = item.outputs.base.parent
    video = storage_for(item.video).relative(item.video, folder)
    files = CorrectionFiles(is_applied=is_corrected, elsewhere={item.outputs.csv: elsewhere})
    return _read(item.outputs.csv, meta, video, files, with_boxes=True)


def read_report(
    path: PathOrUrl, *, with_boxes: bool = True, persons: PersonFiles | None = None, is_corrected: bool = True
) -> Report:
    """Return the report with the table ``path``, which is beside the video.

    Pass the same ``persons`` to several calls to read the file of an archive only once. Corrections by people are applied
    unless ``is_corrected`` is false.

    Raises:
        ReportError: the table, or the boxes file if ``with_boxes``, is damaged, or it is of a later analysis version; or a
            file of persons that applies to it is damaged.
    """
    meta = _check_meta(path, *storage_for(path).read_many([outputs_of_report(path).meta]))
    video = video_beside(path, meta).name
    return _read(path, meta, video, CorrectionFiles(is_applied=is_corrected), with_boxes=with_boxes, persons=persons)


def check_content(path: PathOrUrl, meta: bytes | OSError, report: bytes | OSError) -> tuple[Meta, bytes]:
    """Return sidecar and verified content of a table, given the results of reading both files.

    Raises:
        ReportError: a file is missing or damaged, or the table is of a later analysis version.
    """
    parsed = _check_meta(path, meta)
    return parsed, _check_report(path, parsed, report)


def video_beside(path: PathOrUrl, meta: Meta) -> PathOrUrl:
    """Return the path of the video beside a table, derived from the table's name if possible, else from the sidecar.

    The name in the sidecar has invalid UTF-8 bytes escaped, the name of the table has not.

    Raises:
        ReportError: the sidecar does not name a video.
    """
    base = path.name.removesuffix(REPORT_ENDING)
    for name in (base, base + PurePosixPath(meta.source.name).suffix):
        if name and has_same_name(meta.source, path.with_name(name)):
            return _in_existing_form(path.with_name(name))
    if meta.source.name in _INVALID_NAMES or any(char in meta.source.name for char in "/\0"):
        raise ReportError("its sidecar does not name a video", ANNOTATE_AGAIN, path=path)
    return _in_existing_form(path.with_name(meta.source.name))


def _in_existing_form(path: PathOrUrl) -> PathOrUrl:
    """Return a path with its name in the Unicode form in which it exists; as it is if it exists in none."""
    if path.name.isascii():
        return path
    forms = (path, *(path.with_name(unicodedata.normalize(form, path.name)) for form in ("NFC", "NFD")))
    return next((form for form in forms if storage_for(form).exists(form)), path)


def check_value_ranges(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table if its times and confidences are in range.

    Raises:
        ValueError: a value is out of range.
    """
    in_bounds = (table["start_time"] >= 0) & (table["end_time"] <= MAX_DURATION_S) & (table["confidence"].abs() <= 1)
    if not in_bounds.all():
        raise ValueError("a time or a confidence is out of range")
    return table


def _read(
    path: PathOrUrl,
    meta: Meta,
    video: str,
    corrections: CorrectionFiles,
    *,
    with_boxes: bool,
    persons: PersonFiles | None = None,
) -> Report:
    storage, boxes_path = storage_for(path), outputs_of_report(path).boxes
    boxes_hash = meta.outputs.get(json_safe_name(boxes_path)) if with_boxes else None
    report, *boxes = storage.read_many([path, boxes_path] if boxes_hash is not None else [path])
    content = _check_report(path, meta, report)
    try:
        table = check_value_ranges(parse_table(content, is_older=meta.is_older))
        _check_classes(table)
    except ValueError as error:
        raise ReportError(f"not a table of annotate ({error})", ANNOTATE_AGAIN, path=path) from None
    table = (persons or PersonFiles()).apply(table, path, meta)
    corrected = corrections.apply(table, path)
    trajectories = BoxTrajectories(()) if boxes_hash is None else _check_boxes(boxes_path, boxes[0], boxes_hash)
    return Report(corrected.table, meta, trajectories, video, corrected.problems, corrected.excluded)


def _check_meta(path: PathOrUrl, content: bytes | OSError) -> Meta:
    if isinstance(content, StorageError):
        raise content
    meta = None if isinstance(content, OSError) else parse_meta(content, outputs_of_report(path).meta)
    if meta is None:
        state = "missing" if isinstance(content, FileNotFoundError) else "damaged"
        raise ReportError(f"its sidecar is {state}", ANNOTATE_AGAIN, path=path)
    if meta.is_later:
        raise ReportError(LATER_VERSION, UPDATE, path=path)
    return meta


def _check_report(path: PathOrUrl, meta: Meta, content: bytes | OSError) -> bytes:
    if isinstance(content, OSError):
        raise _unreadable(path, content)
    if meta.outputs.get(json_safe_name(path)) != hash_content(content):
        problem = "edited, damaged or cut off (its hash differs from the one in its sidecar)"
        raise ReportError(problem, "run `annotate correct` on its video, which keeps what was edited", path=path)
    return content


def _unreadable(path: PathOrUrl, error: OSError) -> ReportError:
    remedy = ANNOTATE_AGAIN if isinstance(error, FileNotFoundError) else remedy_for(error)
    return ReportError(f"cannot be read ({error.strerror})", remedy, path=path)


def _check_boxes(path: PathOrUrl, content: bytes | OSError, expected_hash: str) -> BoxTrajectories:
    if isinstance(content, OSError):
        raise _unreadable(path, content)
    try:
        if hash_content(content) != expected_hash:
            raise ValueError("its hash differs from the one in its sidecar")
        return parse_boxes(content)
    except ValueError as error:
        raise ReportError(f"not a valid boxes file ({error})", ANNOTATE_AGAIN, path=path) from None


def _check_classes(table: pd.DataFrame) -> None:
    names = class_names_of(table)
    if not table["emotion"].isin(names).all():
        raise ValueError("an emotion has no probability column")
    probabilities = table[list(names)].to_numpy(float)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability is out of range")
