"""Reading many reports fast: each is checked by its hash, then they are parsed many at a time.

Most of the time that pandas needs for a report of 100 rows goes into the call, not into the rows.
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotate.archive.layout import outputs_of_report
from annotate.archive.stored_report import AGAIN, LONGEST_S, check_content, check_rows, video_beside
from annotate.errors import ReportError
from annotate.results.meta import Meta, json_safe_text
from annotate.results.table import PLACE_COLUMNS, parse_table
from annotate.span import MS_PER_S
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

logger = logging.getLogger(__name__)

Integers = npt.NDArray[np.int64]

_BATCH_BYTES = 16 << 20
_REPORTS_AT_ONCE = 128
_KINDS: dict[str, Any] = {
    "face_id": np.int64,
    "block": np.int64,
    "start_time": float,
    "end_time": float,
    "emotion": "category",
    "confidence": float,
}
"""The columns that are read."""


@dataclass(frozen=True)
class ReportSummary:
    """One report, with length and number of frames of its video; ``video`` is that one's path as text, beside the report."""

    path: PathOrUrl
    video: str
    video_path: PathOrUrl
    duration_ms: int
    frames: int
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """Some reports by number, counted from 0 as they were given, and the pieces of all of them.

    ``pieces`` has one row per block, without the time that the block before covered (`annotate.results.intervals`):
    ``report``, ``face_id``, ``start_ms``, ``end_ms``, ``emotion``, ``confidence``; ordered by report, face, time; none is
    empty.
    """

    reports: dict[int, ReportSummary]
    pieces: pd.DataFrame


@dataclass(frozen=True)
class _Content:
    number: int
    report: ReportSummary
    header: bytes
    rows: bytes


def read_reports(paths: Iterable[PathOrUrl]) -> Iterator[Batch | SkippedPath]:
    """Yield whole reports of this version of the analysis, in batches of bounded memory; others are skipped.

    Paths are taken from ``paths`` as they are read.
    """
    waiting: list[_Content] = []
    size_bytes = 0
    for number, (path, meta, report) in enumerate(_read_files(paths)):
        try:
            content = _describe(number, path, *check_content(path, meta, report))
        except ReportError as error:
            logger.info("%s left out", path, exc_info=True)
            yield SkippedPath(path, error.problem, error.remedy)
            continue
        waiting.append(content)
        size_bytes += len(content.rows)
        if size_bytes > _BATCH_BYTES:
            yield from _parse(waiting)
            waiting, size_bytes = [], 0
    yield from _parse(waiting)


def _read_files(paths: Iterable[PathOrUrl]) -> Iterator[tuple[PathOrUrl, bytes | OSError, bytes | OSError]]:
    """Yield reports with the content of their sidecars and their own; where waiting costs, many are read at a time."""
    pending = iter(paths)
    for first in pending:
        storage = storage_for(first)
        some = [first, *itertools.islice(pending, 0 if storage.in_place else _REPORTS_AT_ONCE - 1)]
        contents = storage.read_many([file for path in some for file in (outputs_of_report(path).meta, path)])
        for path in some:
            yield path, next(contents), next(contents)


def begin_after_earlier(groups: Integers, start_ms: Integers, end_ms: Integers) -> Integers:
    """Return starts of intervals after the time that earlier ones of their group cover; an interval covered wholly is empty.

    All arrays have one length and are ordered by group, a number that grows, then start.
    """
    if not len(groups):
        return start_ms
    lap_ms = int(end_ms.max()) + 1
    reached = np.maximum.accumulate(groups * lap_ms + end_ms)
    before = np.concatenate([[0], reached[:-1]]) - groups * lap_ms
    return np.maximum(start_ms, before)


def number_runs(*keys: npt.NDArray[Any]) -> Integers:
    """Return a number for each row, from 0 on, the same for adjacent rows with the same keys."""
    begins = np.zeros(len(keys[0]), dtype=bool)
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return begins.cumsum()


def _describe(number: int, path: PathOrUrl, meta: Meta, content: bytes) -> _Content:
    header, _, rows = content.partition(b"\n")
    if not 0 <= meta.duration_s <= LONGEST_S:
        raise ReportError(f"its meta file tells of a video of {meta.duration_s} s", AGAIN, path=path)
    try:
        columns = next(csv.reader([header.decode("utf-8", "backslashreplace")]))
    except csv.Error as error:
        raise ReportError(f"not a report of this program ({error})", AGAIN, path=path) from None
    video_path = video_beside(path, meta)
    summary = ReportSummary(
        path=path,
        video=json_safe_text(str(video_path)),
        video_path=video_path,
        duration_ms=round(meta.duration_s * MS_PER_S),
        frames=meta.frames if isinstance(meta.frames, int) else 0,
        class_names=tuple(columns[len(PLACE_COLUMNS) :]),
    )
    return _Content(number, summary, header, rows)


def _parse(contents: Sequence[_Content]) -> Iterator[Batch | SkippedPath]:
    """Parse reports of one header together; where that fails, each alone, to tell which one is damaged."""
    by_header: dict[bytes, list[_Content]] = {}
    for content in contents:
        by_header.setdefault(content.header, []).append(content)
    reports, tables = {}, []
    for alike in by_header.values():
        try:
            tables.append(_parse_alike(alike))
            reports.update({one.number: one.report for one in alike})
        except (ValueError, OverflowError):
            for one in alike:
                try:
                    tables.append(check_rows(parse_table(one.header + b"\n" + one.rows).assign(report=one.number)))
                    reports[one.number] = one.report
                except ValueError as error:
                    logger.info("%s left out", one.report.path, exc_info=True)
                    yield SkippedPath(one.report.path, f"not a report of this program ({error})", AGAIN)
    if reports:
        yield Batch(dict(sorted(reports.items())), _cut(pd.concat(tables, ignore_index=True)))


def _parse_alike(contents: Sequence[_Content]) -> pd.DataFrame:
    text = b"".join([contents[0].header, b"\n", *(one.rows for one in contents)])
    table = pd.read_csv(io.BytesIO(text), usecols=list(_KINDS), dtype=_KINDS, keep_default_na=False)
    counts = [one.rows.count(b"\n") for one in contents]
    if len(table) != sum(counts):
        raise ValueError("rows and lines differ")
    return check_rows(table.assign(report=np.repeat([one.number for one in contents], counts)))


def _cut(table: pd.DataFrame) -> pd.DataFrame:
    """Return the pieces of blocks."""
    ordered = table.sort_values(["report", "face_id", "start_time", "block"])
    end_ms = (ordered["end_time"] * MS_PER_S).round().to_numpy(np.int64)
    begin_ms = (ordered["start_time"] * MS_PER_S).round().to_numpy(np.int64)
    faces = number_runs(ordered["report"].to_numpy(), ordered["face_id"].to_numpy())
    start_ms = begin_after_earlier(faces, begin_ms, end_ms)
    columns = ["report", "face_id", "start_ms", "end_ms", "emotion", "confidence"]
    pieces = ordered.assign(start_ms=start_ms, end_ms=end_ms)[columns].astype({"emotion": "category"})
    return pieces[start_ms < end_ms].reset_index(drop=True)
