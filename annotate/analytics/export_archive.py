"""`annotate.export`: write one table of an archive with its codebook."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from annotate.analytics.archive_table import ArchiveColumns, codebook_table, find_columns, to_rows
from annotate.analytics.export import encode_table
from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.read import ReportBatch, read_reports
from annotate.analytics.selected import find_with_trials
from annotate.analytics.table_writers import BLOCKS, WRITERS, open_writer
from annotate.analytics.trials import MatchedTrials
from annotate.errors import OutputError, SettingsError
from annotate.extras import check_extra
from annotate.results.codebook import ColumnEntry
from annotate.results.table import class_columns
from annotate.storage.local.files import unfinished, write_atomic
from annotate.storage.values import SkippedPath

_NEEDED = {".parquet": [("tables", "pyarrow")], ".xlsx": [("tables", "openpyxl")], ".duckdb": [("duckdb", "duckdb")]}
"""Extra and package that a format needs, by ending."""


@dataclass(frozen=True)
class ExportedTable:
    """What was written: the table, its codebook, and the number of rows and of videos."""

    path: Path
    codebook: Path
    rows: int
    videos: int


def codebook_path(output: Path) -> Path:
    """Return the path of the codebook of a table.

    >>> codebook_path(Path("out/archive.parquet")).name
    'archive.codebook.csv'
    """
    return output.with_name(f"{output.stem}.codebook.csv")


def write_archive(
    batches: Iterable[ReportBatch], columns: ArchiveColumns, output: Path, trials: MatchedTrials | None = None
) -> ExportedTable:
    """Write the rows of batches to a file, in the format of its ending, and the codebook beside it.

    Raises:
        OutputError: a file cannot be written, or holds no more rows.
    """
    percent = frozenset(("confidence", *class_columns(columns.blocks)))
    videos = 0

    def parts() -> Iterator[pd.DataFrame]:
        nonlocal videos
        for batch in batches:
            videos += len(batch.reports)
            yield to_rows(batch, columns, trials)

    return replace(write_parts(parts(), columns.codebook(), output, percent, BLOCKS), videos=videos)


def write_parts(
    parts: Iterable[pd.DataFrame], entries: Sequence[ColumnEntry], output: Path, percent: frozenset[str], name: str
) -> ExportedTable:
    """Write a table that comes in parts, in the format of the file's ending, and its codebook beside it.

    ``name`` is that of the table in a database, and of the sheet. The result counts the values in the column ``video``.

    Raises:
        OutputError: a file cannot be written, or holds no more rows.
    """
    codebook = codebook_table(entries)
    count = 0
    videos: set[str] = set()
    try:
        with unfinished(output) as temporary, open_writer(temporary, codebook, percent, name) as write:
            for rows in parts:
                write(rows)
                count += len(rows)
                videos.update(rows["video"].unique().tolist())
    except OutputError as error:
        raise error if error.path is not None else error.with_path(output) from None
    write_atomic(codebook_path(output), encode_table(codebook, ".csv"))
    return ExportedTable(output, codebook_path(output), count, len(videos))


def export(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    max_yaw_deg: float | None = None,
    min_face_px: float | None = None,
    min_quality: float | None = None,
    trials: str | os.PathLike[str] | None = None,
    corrections: bool = True,
) -> ExportedTable:
    """Write one table with all blocks of annotated videos, and a codebook of its columns beside it.

    Args:
        paths: one or more tables, videos (for their tables) or directories.
        output: a ``.parquet``, ``.csv``, ``.xlsx``, ``.sqlite`` or ``.duckdb`` file.
        max_yaw_deg, min_face_px, min_quality: limits as for `annotate.summarize`.
        trials: a CSV table of trials, whose columns are added; only time in trials is kept.
        corrections: whether those by people are applied; without them, there are no columns about them.

    Returns:
        What was written. Tables are skipped as by `annotate.summarize`, each with a `UserWarning`.

    Raises:
        SettingsError: the ending is another one, a package for it is missing, or there is no table.
        CodingError: the table of trials cannot be used.
        OutputError: a file cannot be written.
    """
    target = Path(output)
    if target.suffix.lower() not in WRITERS:
        raise SettingsError(f"unknown format {target.suffix!r}", f"choose from {', '.join(WRITERS)}", path=target)
    for extra, package in _NEEDED.get(target.suffix.lower(), ()):
        check_extra(f"{target}: {target.suffix}", extra, {package: package})
    faces = FaceFilter(max_yaw_deg, min_face_px, min_quality)
    found, selection = find_with_trials(paths, faces, trials, None, is_corrected=corrections)
    matched = selection.matched if selection is not None else None
    columns = find_columns(found.reports, matched, is_corrected=corrections)

    def batches() -> Iterable[ReportBatch]:
        reading = read_reports(found.reports, faces, further=columns.further, is_corrected=corrections)
        for read in itertools.chain(found.skipped, reading):
            if isinstance(read, SkippedPath):
                warnings.warn(f"skipped: {read}", stacklevel=4)
            else:
                yield read if selection is None else selection.apply(read)

    if not found.reports:
        raise SettingsError("no tables", "run `annotate` first, or check the paths", path=target)
    return write_archive(batches(), columns, target, matched)
