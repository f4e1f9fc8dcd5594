"""Reading many reports fast: a hash tells of each that it is whole, then they are parsed many at a time.

Most of what pandas takes for a report of 100 rows it takes for the call, not for the rows.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotate.archive.discover import Obstacle
from annotate.archive.find_reports import meta_beside
from annotate.archive.stored_report import LONGEST_S, check_rows, read_checked, video_beside
from annotate.errors import ReportError
from annotate.results.meta import Meta
from annotate.results.table import PLACE_COLUMNS, parse_table
from annotate.span import MS_PER_S
from annotate.storage.s3.prefetch import read_ahead

logger = logging.getLogger(__name__)

Integers = npt.NDArray[np.int64]


_BATCH_BYTES = 16 << 20
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
class Report:
    """One report and what its meta file says of the video; ``video`` is its path as text, beside the report."""

    path: Path
    video: str
    video_path: Path
    duration_ms: int
    frames: int
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """Some reports by number, counted from 0 as they were given, and the pieces of all of them.

    ``pieces`` has a row a block without what the block before already covered (`annotate.results.intervals`): ``report``,
    ``face_id``, ``start_ms``, ``end_ms``, ``emotion``, ``confidence``; ordered by report, face, time; none is empty.
    """

    reports: dict[int, Report]
    pieces: pd.DataFrame


@dataclass(frozen=True)
class _Content:
    number: int
    report: Report
    header: bytes
    rows: bytes


def read_reports(paths: Iterable[Path]) -> Iterator[Batch | Obstacle]:
    """Reads whole reports of this version of the analysis, in batches of bounded memory; others are obstacles.

    Paths are taken from ``paths`` as they are read.
    """
    waiting: list[_Content] = []
    size_bytes = 0
    for number, path in enumerate(read_ahead(paths, lambda path: (meta_beside(path), path))):
        try:
            content = _read(number, path)
        except ReportError as error:
            logger.info("%s left out", path, exc_info=True)
            yield Obstacle(path, str(error))
            continue
        waiting.append(content)
        size_bytes += len(content.rows)
        if size_bytes > _BATCH_BYTES:
            yield from _parse(waiting)
            waiting, size_bytes = [], 0
    yield from _parse(waiting)


def begin_after_earlier(groups: Integers, start_ms: Integers, end_ms: Integers) -> Integers:
    """Starts of intervals without what earlier ones of their group cover; what then is empty was covered wholly.

    All of one length, ordered by group, a number that grows, then start.
    """
    if not len(groups):
        return start_ms
    lap_ms = int(end_ms.max()) + 1
    reached = np.maximum.accumulate(groups * lap_ms + end_ms)
    before = np.concatenate([[0], reached[:-1]]) - groups * lap_ms
    return np.maximum(start_ms, before)


def number_runs(*keys: npt.NDArray[Any]) -> Integers:
    """Numbers neighbouring rows with the same keys alike, from 0 on."""
    begins = np.zeros(len(keys[0]), dtype=bool)
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return begins.cumsum()


def _read(number: int, path: Path) -> _Content:
    meta, content = read_checked(path)
    header, _, rows = content.partition(b"\n")
    return _Content(number, _describe(path, meta, header), header, rows)


def _describe(path: Path, meta: Meta, header: bytes) -> Report:
    if not 0 <= meta.duration_s <= LONGEST_S:
        raise ReportError(f"{path}: its meta file tells of a video of {meta.duration_s} s; annotate the video again")
    try:
        columns = next(csv.reader([header.decode("utf-8", "backslashreplace")]))
    except csv.Error as error:
        raise ReportError(f"{path}: not a report of this program ({error}); annotate the video again") from None
    video_path = video_beside(path, meta)
    return Report(
        path=path,
        video=str(video_path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
        video_path=video_path,
        duration_ms=round(meta.duration_s * MS_PER_S),
        frames=meta.frames if isinstance(meta.frames, int) else 0,
        class_names=tuple(columns[len(PLACE_COLUMNS) :]),
    )


def _parse(contents: Sequence[_Content]) -> Iterator[Batch | Obstacle]:
    """Parses together what has one header; where that fails, each alone, to tell which it was."""
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
                    sentence = f"{one.report.path}: not a report of this program ({error}); annotate the video again"
                    yield Obstacle(one.report.path, sentence)
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
    """The pieces of blocks."""
    ordered = table.sort_values(["report", "face_id", "start_time", "block"])
    end_ms = (ordered["end_time"] * MS_PER_S).round().to_numpy(np.int64)
    begin_ms = (ordered["start_time"] * MS_PER_S).round().to_numpy(np.int64)
    faces = number_runs(ordered["report"].to_numpy(), ordered["face_id"].to_numpy())
    start_ms = begin_after_earlier(faces, begin_ms, end_ms)
    columns = ["report", "face_id", "start_ms", "end_ms", "emotion", "confidence"]
    pieces = ordered.assign(start_ms=start_ms, end_ms=end_ms)[columns].astype({"emotion": "category"})
    return pieces[start_ms < end_ms].reset_index(drop=True)
