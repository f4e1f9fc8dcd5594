"""Read many reports fast: check the hash of each, then parse many with one call.

For a report of 100 rows, pandas spends most of its time on the call, not on the rows.
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from annotate.analytics.face_filter import NO_FILTER, FaceFilter
from annotate.archive.corrections import CorrectionFiles
from annotate.archive.layout import outputs_of_report
from annotate.archive.persons import PersonFiles
from annotate.archive.stored_report import ANNOTATE_AGAIN, MAX_DURATION_S, check_content, check_value_ranges, video_beside
from annotate.errors import ReportError
from annotate.results.meta import Meta, json_safe_text
from annotate.results.persons import Person, persons_in
from annotate.results.table import (
    APPEARANCE_COLUMNS,
    AUTHOR,
    CORRECTED_BY,
    CORRECTION_COLUMNS,
    MACHINE,
    MACHINE_CONFIDENCE,
    MACHINE_EMOTION,
    OWN_COLUMNS,
    PERSON,
    RELATIVE_PREFIX,
    SOURCE,
    TEXT_COLUMNS,
    class_columns,
    clip_starts,
    has_relative,
    number_runs,
    own_spans_ms,
    parse_table,
)
from annotate.settings import WHOLE_BLOCK
from annotate.span import MS_PER_S, Span
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

logger = logging.getLogger(__name__)

_BATCH_BYTES = 16 << 20
_REPORTS_PER_READ = 128
_DTYPES: dict[str, Any] = {
    "face_id": np.int64,
    "block": np.int64,
    "start_time": float,
    "end_time": float,
    "emotion": "category",
    "confidence": float,
}
"""Columns to read, with their types."""

_TEXTS = ("person", "name", *TEXT_COLUMNS)
"""Further columns that are text; others are numbers."""

_RATED = ("emotion", "confidence")
"""Columns that tables with baselines have twice."""


@dataclass(frozen=True)
class ReportSummary:
    """A report and its video: path beside the report (``video`` as text), length, number of frames, emotion classes."""

    path: PathOrUrl
    video: str
    video_path: PathOrUrl
    duration_ms: int
    frames: int
    class_names: tuple[str, ...]
    hop: int = WHOLE_BLOCK
    """Frames from one block to the next."""

    is_older: bool = False
    """Whether an older analysis version made it."""

    has_appearance: bool = True
    """Whether its table has the columns that a `FaceFilter` compares; those of analysis versions before 6 lack them."""

    has_relative: bool = False
    """Whether its table has the columns relative to the baselines of faces (`annotate.results.baseline`)."""

    persons: Mapping[int, Person] = field(default_factory=dict)
    """The known persons of its face tracks, by ``face_id``."""

    persons_file: str = ""
    """The file of an archive that numbers them, empty if they are numbered in this video alone."""

    reviewed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Milliseconds of face time that people corrected or confirmed, by the machine's label and theirs, as
    `annotate.results.corrected.Corrected` has it; none if corrections are not applied."""

    excluded: Mapping[int, Sequence[Span]] = field(default_factory=dict)
    """The time that people excluded, disjoint and in order, by ``face_id``."""

    problems: tuple[str, ...] = ()
    """Sentences on corrections that do not fit."""

    timecode: str = ""
    """The timecode of its first frame, as the video states it, else empty."""

    @property
    def is_corrected(self) -> bool:
        """Whether corrections were applied to its table."""
        return bool(self.reviewed)

    @property
    def people(self) -> int:
        """The number of persons among its face tracks."""
        return len({person.number for person in self.persons.values()})

    def label(self, face_id: int) -> str:
        """Return the name of a face's person, else its number, else that of the face track, in English."""
        person = self.persons.get(face_id)
        if person is None:
            return f"face {face_id}"
        return person.name or f"person {person.number}"


@dataclass(frozen=True)
class ReportBatch:
    """Some reports, numbered from 0 in the order of the paths, and their blocks.

    ``blocks`` has one row per block, with its own time (`annotate.results.table.own_times`): ``report``, ``face_id``,
    ``start_ms``, ``end_ms``, ``emotion``, ``confidence``. Rows are ordered by report, face and time; blocks that have no
    time of their own, or do not pass the filter, are left out. Further columns follow if `read_reports` is asked for them,
    and `CORRECTION_COLUMNS` and `CORRECTED_BY` if one of the reports was corrected.
    """

    reports: dict[int, ReportSummary]
    blocks: pd.DataFrame


@dataclass(frozen=True)
class _Wanted:
    """Which blocks and columns are read; see `read_reports`."""

    faces: FaceFilter
    relative: bool
    further: tuple[str, ...]
    probabilities: bool


@dataclass(frozen=True)
class _RawReport:
    number: int
    report: ReportSummary
    header: bytes
    rows: bytes
    meta: Meta
    table: pd.DataFrame | None = None
    """The table if it is parsed already, since people said something about it."""


@dataclass(frozen=True)
class _Files:
    """The files beside tables that people wrote."""

    persons: PersonFiles
    corrections: CorrectionFiles


def read_reports(
    paths: Iterable[PathOrUrl],
    faces: FaceFilter = NO_FILTER,
    *,
    relative: bool = False,
    further: Sequence[str] = (),
    probabilities: bool = False,
    is_corrected: bool = True,
    elsewhere: Mapping[PathOrUrl, Sequence[PathOrUrl]] = MappingProxyType({}),
) -> Iterator[ReportBatch | SkippedPath]:
    """Yield intact reports of this or an older analysis version in batches of bounded size, else a `SkippedPath`.

    ``paths`` is consumed lazily. Only the blocks that pass the filter ``faces`` are read. With ``relative``, emotion and
    confidence are those relative to the face's baseline; tables without baselines are skipped, and blocks without left out.
    ``further`` are more columns to read; where a table lacks one, its numbers are NaN and its texts empty. With
    ``probabilities``, those of the classes are read too, as `probability_column`; NaN where a model lacks a class.
    Corrections by people are applied unless ``is_corrected`` is false; ``elsewhere`` are further files of them, by table.
    """
    wanted = _Wanted(faces, relative, tuple(further), probabilities)
    pending: list[_RawReport] = []
    size_bytes = 0
    files = _Files(PersonFiles(), CorrectionFiles(is_applied=is_corrected, elsewhere=elsewhere))
    for number, (path, meta, report) in enumerate(_read_files(paths)):
        try:
            raw = _unpack(number, path, *check_content(path, meta, report))
        except ReportError as error:
            logger.info("skipped %s", path, exc_info=True)
            yield SkippedPath(path, error.problem, error.remedy)
            continue
        if relative and not raw.report.has_relative:
            yield SkippedPath(path, "it has no columns relative to a baseline", "annotate its video with --baseline")
            continue
        pending.append(raw)
        size_bytes += len(raw.rows)
        if size_bytes > _BATCH_BYTES:
            yield from _parse(pending, wanted, files)
            pending, size_bytes = [], 0
    yield from _parse(pending, wanted, files)


def _read_files(paths: Iterable[PathOrUrl]) -> Iterator[tuple[PathOrUrl, bytes | OSError, bytes | OSError]]:
    """Yield each path with the content of its sidecar and its table; remote files are read many at a time."""
    pending = iter(paths)
    for first in pending:
        storage = storage_for(first)
        some = [first, *itertools.islice(pending, 0 if storage.is_local else _REPORTS_PER_READ - 1)]
        contents = storage.read_many([file for path in some for file in (outputs_of_report(path).meta, path)])
        for path in some:
            yield path, next(contents), next(contents)


def _unpack(number: int, path: PathOrUrl, meta: Meta, content: bytes) -> _RawReport:
    header, _, rows = content.partition(b"\n")
    if not 0 <= meta.duration_s <= MAX_DURATION_S:
        raise ReportError(f"invalid video length in its sidecar ({meta.duration_s} s)", ANNOTATE_AGAIN, path=path)
    try:
        columns = next(csv.reader([header.decode("utf-8", "backslashreplace")]))
    except csv.Error as error:
        raise ReportError(f"not a table of annotate ({error})", ANNOTATE_AGAIN, path=path) from None
    video_path = video_beside(path, meta)
    summary = ReportSummary(
        path=path,
        video=json_safe_text(str(video_path)),
        video_path=video_path,
        duration_ms=round(meta.duration_s * MS_PER_S),
        frames=meta.frames if isinstance(meta.frames, int) else 0,
        class_names=class_columns(columns),
        hop=meta.hop,
        is_older=meta.is_older,
        has_appearance=set(APPEARANCE_COLUMNS).issubset(columns),
        has_relative=has_relative(columns),
        timecode=meta.timecode,
    )
    return _RawReport(number, summary, header, rows, meta)


def _parse(raw_reports: Sequence[_RawReport], wanted: _Wanted, files: _Files) -> Iterator[ReportBatch | SkippedPath]:
    """Parse reports with the same header together; if that fails, one by one, to find the damaged ones.

    Reports with persons or corrections are parsed by themselves.
    """
    kept = []
    for raw in raw_reports:
        try:
            kept.append(_as_people_say(raw, files))
        except ReportError as error:
            yield SkippedPath(raw.report.path, error.reason)
    raw_reports = kept
    by_header: dict[tuple[bytes, bool], list[_RawReport]] = {}
    reports, tables = dict[int, ReportSummary](), list[pd.DataFrame]()
    for raw in raw_reports:
        if raw.table is None:
            by_header.setdefault((raw.header, raw.report.hop == WHOLE_BLOCK), []).append(raw)
            continue
        try:
            tables.append(_select(raw.table.assign(report=raw.number), raw.report, wanted))
            reports[raw.number] = raw.report
        except ValueError as error:
            yield SkippedPath(raw.report.path, f"not a table of annotate ({error})", ANNOTATE_AGAIN)
    for group in by_header.values():
        try:
            tables.append(_parse_together(group, wanted))
            reports.update({raw.number: raw.report for raw in group})
        except (ValueError, OverflowError):
            for raw in group:
                try:
                    table = parse_table(raw.header + b"\n" + raw.rows, is_older=raw.report.is_older)
                    tables.append(_select(table.assign(report=raw.number), raw.report, wanted))
                    reports[raw.number] = raw.report
                except ValueError as error:
                    logger.info("skipped %s", raw.report.path, exc_info=True)
                    yield SkippedPath(raw.report.path, f"not a table of annotate ({error})", ANNOTATE_AGAIN)
    if reports:
        yield ReportBatch(dict(sorted(reports.items())), _in_own_time(pd.concat(tables, ignore_index=True), reports, wanted))


def _as_people_say(raw: _RawReport, files: _Files) -> _RawReport:
    """Return a report with the persons of its face tracks and the corrections of its table, if there are any.

    Raises:
        ReportError: a file of persons is damaged, or one of corrections cannot be read.
    """
    path = raw.report.path
    has_persons = bool(raw.meta.persons) or raw.header.endswith(f",{PERSON}".encode())
    if not has_persons and not files.corrections.exists(path):
        return raw
    try:
        table = parse_table(raw.header + b"\n" + raw.rows, is_older=raw.report.is_older)
    except ValueError:
        return raw  # which is reported when it is parsed
    report = raw.report
    if has_persons:
        table = files.persons.apply(table, path, raw.meta)
        rows = files.persons.rows(path, raw.meta)
        shared = str(files.persons.file_of(path, raw.meta)) if rows and rows[0].video else ""
        report = replace(report, persons=persons_in(table), persons_file=shared)
    corrected = files.corrections.apply(table, path)
    report = replace(report, reviewed=corrected.reviewed, excluded=corrected.excluded, problems=corrected.problems)
    return replace(raw, report=report, table=corrected.table)


def _parse_together(raw_reports: Sequence[_RawReport], wanted: _Wanted) -> pd.DataFrame:
    report = raw_reports[0].report
    columns = next(csv.reader([raw_reports[0].header.decode()]))
    dtypes = _DTYPES | (dict.fromkeys(wanted.faces.columns, float) if report.has_appearance else {})
    if wanted.relative:
        dtypes |= {f"{RELATIVE_PREFIX}{name}": _DTYPES[name] for name in _RATED}
    more = [*wanted.further, *(report.class_names if wanted.probabilities else ())]
    more += OWN_COLUMNS if report.hop != WHOLE_BLOCK else ()
    dtypes |= {name: str if name in _TEXTS else float for name in more if name in columns and name not in dtypes}
    text = b"".join([raw_reports[0].header, b"\n", *(raw.rows for raw in raw_reports)])
    empty = {name: [""] for name in dtypes if name.startswith(RELATIVE_PREFIX) and name not in _TEXTS}
    table = pd.read_csv(io.BytesIO(text), usecols=list(dtypes), dtype=dtypes, keep_default_na=False, na_values=empty)
    counts = [raw.rows.count(b"\n") for raw in raw_reports]
    if len(table) != sum(counts):
        raise ValueError("the number of rows is not the number of lines")
    table = table.assign(report=np.repeat([raw.number for raw in raw_reports], counts))
    return _select(table, report, wanted)


def probability_column(name: str) -> str:
    """Return the column of blocks with the probability of a class; prefixed, since a class may be called "report"."""
    return f"p:{name}"


def _select(table: pd.DataFrame, report: ReportSummary, wanted: _Wanted) -> pd.DataFrame:
    """Return the rows that are wanted, with the wanted columns, after checking the values."""
    names = (*wanted.faces.columns, *wanted.further)
    lacking: dict[str, Any] = {name: "" if name in _TEXTS else np.nan for name in names if name not in table}
    if wanted.probabilities:
        lacking |= {probability_column(name): table[name].to_numpy() for name in report.class_names}
    return wanted.faces.select(check_value_ranges(_choose_columns(table.assign(**lacking), wanted.relative)))


def _choose_columns(table: pd.DataFrame, relative: bool) -> pd.DataFrame:
    """Return a table, with ``relative`` with the relative values in place of the others and the rows that have them."""
    if not relative:
        return table
    values = {name: table[f"{RELATIVE_PREFIX}{name}"] for name in _RATED}
    return table.assign(**values)[values["confidence"].notna()].astype({"emotion": str})


def _in_own_time(table: pd.DataFrame, reports: Mapping[int, ReportSummary], wanted: _Wanted) -> pd.DataFrame:
    """Return `ReportBatch.blocks` from parsed tables.

    Where blocks overlap only at the end of a track, one that does not pass the filter hides no time of the next.
    """
    if SOURCE in table:
        table = table.assign(**{CORRECTED_BY: table[CORRECTED_BY].fillna("")})
        machine = {SOURCE: MACHINE, MACHINE_EMOTION: table["emotion"].astype(str), MACHINE_CONFIDENCE: table["confidence"]}
        is_author = table[SOURCE].eq(AUTHOR)
        table = table.assign(**{name: table[name].where(is_author, value) for name, value in machine.items()})
    ordered = table.sort_values(["report", "face_id", "start_time", "block"])
    end_ms = (ordered["end_time"] * MS_PER_S).round().to_numpy(np.int64)
    unclipped_ms = (ordered["start_time"] * MS_PER_S).round().to_numpy(np.int64)
    faces = number_runs(ordered["report"].to_numpy(), ordered["face_id"].to_numpy())
    start_ms = clip_starts(faces, unclipped_ms, end_ms)
    hopped = [number for number, report in reports.items() if report.hop != WHOLE_BLOCK]
    if hopped:
        is_hopped = ordered["report"].isin(hopped).to_numpy()
        start_ms[is_hopped], end_ms[is_hopped] = own_spans_ms(ordered[is_hopped])
        order = np.lexsort([start_ms, faces])
        ordered, start_ms, end_ms = ordered.iloc[order], start_ms[order], end_ms[order]
    columns = ["report", "face_id", "start_ms", "end_ms", "emotion", "confidence", *wanted.further]
    columns += [name for name in (*CORRECTION_COLUMNS, CORRECTED_BY) if name in ordered]
    columns += [
        name for name in map(str, ordered.columns) if wanted.probabilities and name.startswith(probability_column(""))
    ]
    blocks = ordered.assign(start_ms=start_ms, end_ms=end_ms)[columns].astype({"emotion": "category"})
    return blocks[start_ms < end_ms].reset_index(drop=True)
