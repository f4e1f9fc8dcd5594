"""`annotate.export`: write one table of an archive with its codebook."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from annotate.analytics.archive_table import ArchiveColumns, codebook_table, find_columns, to_rows
from annotate.analytics.export import encode_table
from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.frame_table import frame_columns, frame_parts
from annotate.analytics.read import ReportBatch, read_reports
from annotate.analytics.selected import find_with_trials
from annotate.analytics.table_writers import BLOCKS, FRAMES, WRITERS, open_writer
from annotate.analytics.trials import MatchedTrials
from annotate.errors import OutputError, SettingsError
from annotate.extras import check_extra
from annotate.results.codebook import ColumnEntry
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
    batches: Iterable[ReportBatch],
    columns: ArchiveColumns,
    output: Path,
    trials: MatchedTrials | None = None,
    skip: Callable[[SkippedPath], None] = lambda skipped: None,
) -> ExportedTable:
    """Write the rows of batches to a file, in the format of its ending, and the codebook beside it.

    In a table of frames, reports whose files cannot be read are left out, and passed to ``skip``.

    Raises:
        OutputError: a file cannot be written, or holds no more rows.
    """
    percent = frozenset(("confidence", *columns.classes))
    videos = 0

    def parts() -> Iterator[pd.DataFrame]:
        nonlocal videos
        for batch in batches:
            videos += len(batch.reports)
            if columns.is_every_frame:
                yield from frame_parts(batch, columns, trials, skip)
            else:
                yield to_rows(batch, columns, trials)

    return replace(
        write_parts(parts(), columns.codebook(), output, percent, FRAMES if columns.is_every_frame else BLOCKS),
        videos=videos,
    )


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


def check_every_frame(*, is_every_frame: bool, baseline_trial: str | None) -> None:
    """Check that a table of frames is to have no relative columns.

    Raises:
        SettingsError: it is.
    """
    if is_every_frame and baseline_trial is not None:
        raise SettingsError("no relative columns in a table of frames", "leave out --every-frame or --baseline-trial")


def export(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    max_yaw_deg: float | None = None,
    min_face_px: float | None = None,
    min_quality: float | None = None,
    trials: str | os.PathLike[str] | None = None,
    baseline_trial: str | None = None,
    every_frame: bool = False,
    corrections: bool = True,
) -> ExportedTable:
    """Write one table with all blocks of annotated videos, and a codebook of its columns beside it.

    Args:
        paths: one or more tables, videos (for their tables) or directories.
        output: a ``.parquet``, ``.csv``, ``.xlsx``, ``.sqlite`` or ``.duckdb`` file.
        max_yaw_deg, min_face_px, min_quality: limits as for `annotate.summarize`.
        trials: a CSV table of trials, whose columns are added; only time in trials is kept.
        baseline_trial: a condition or trial; columns ``relative_...`` are relative to each participant's own baseline in it.
        every_frame: one row per frame and face, interpolated, and not per block.
        corrections: whether those by people are applied; without them, there are no columns about them.

    Returns:
        What was written. Tables are skipped as by `annotate.summarize`, each with a `UserWarning`.

    Raises:
        SettingsError: the ending is another one, a package for it is missing, there is no table, or options exclude each
            other.
        CodingError: the table of trials cannot be used.
        OutputError: a file cannot be written.
    """
    target = Path(output)
    if target.suffix.lower() not in WRITERS:
        raise SettingsError(f"unknown format {target.suffix!r}", f"choose from {', '.join(WRITERS)}", path=target)
    for extra, package in _NEEDED.get(target.suffix.lower(), ()):
        check_extra(f"{target}: {target.suffix}", extra, {package: package})
    faces = FaceFilter(max_yaw_deg, min_face_px, min_quality)
    check_every_frame(is_every_frame=every_frame, baseline_trial=baseline_trial)
    found, selection = find_with_trials(paths, faces, trials, baseline_trial, is_corrected=corrections)
    matched = selection.matched if selection is not None else None
    columns = find_columns(found.reports, matched, baseline_trial=baseline_trial, is_corrected=corrections)
    columns = frame_columns(columns) if every_frame else columns

    def batches() -> Iterable[ReportBatch]:
        is_relative = baseline_trial is not None
        reading = read_reports(
            found.reports, faces, further=columns.further, probabilities=is_relative, is_corrected=corrections
        )
        for read in itertools.chain(found.skipped, reading):
            if isinstance(read, SkippedPath):
                warnings.warn(f"skipped: {read}", stacklevel=4)
            else:
                yield read if selection is None else selection.apply_beside(read)

    if not found.reports:
        raise SettingsError("no tables", "run `annotate` first, or check the paths", path=target)
    return write_archive(
        batches(), columns, target, matched, lambda skipped: warnings.warn(f"skipped: {skipped}", stacklevel=5)
    )
