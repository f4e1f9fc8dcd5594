"""``annotate export``: one table of an archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import corrections_option, face_filter_options, handle_errors, paths_argument, verbosity_options
from annotate.cli.table_output import TrialOptions, find_tables, find_trials, output_file, read_tables, trial_options
from annotate.errors import EXIT_FAILED
from annotate.storage.base import prepare_output
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import counted

if TYPE_CHECKING:
    from annotate.analytics.face_filter import FaceFilter

FILES = {".parquet": "pyarrow", ".csv": "", ".xlsx": "openpyxl", ".sqlite": "", ".duckdb": "duckdb"}


@click.command(epilog="\b\nExample:\n  annotate export films -o films.parquet")
@handle_errors
@paths_argument()
@output_file(FILES, f"File to write ({', '.join(FILES)}).", is_required=True)
@click.option("--every-frame", is_flag=True, help="One row per frame and face, interpolated, not per segment of 20 frames.")
@trial_options
@corrections_option
@face_filter_options
@verbosity_options
def export(
    paths: Sequence[PathOrUrl],
    output: Path,
    every_frame: bool,
    trials: TrialOptions,
    is_corrected: bool,
    faces: FaceFilter,
    quiet: bool,
) -> int:
    """Write one table of all annotated videos, and a codebook beside it.

    Reads existing results only. One row per block, whose own_start_time and own_end_time add up, or per frame.
    """
    from annotate.analytics.archive_table import find_columns
    from annotate.analytics.export_archive import check_every_frame, write_archive
    from annotate.analytics.frame_table import frame_columns

    check_every_frame(is_every_frame=every_frame, baseline_trial=trials.baseline)
    skipped = list[SkippedPath]()
    prepare_output(output)
    reports = find_tables(paths, skipped)
    selection = find_trials(trials, reports, skipped, faces=faces, is_corrected=is_corrected, quiet=quiet)
    matched = None if selection is None else selection.matched
    if reports:
        columns = find_columns(reports, matched, baseline_trial=trials.baseline, is_corrected=is_corrected)
        columns = frame_columns(columns) if every_frame else columns
        batches = read_tables(
            reports,
            faces,
            skipped,
            quiet=quiet,
            further=columns.further,
            trials=selection,
            is_corrected=is_corrected,
            is_beside=True,
        )

        def skip(entry: SkippedPath) -> None:
            skipped.append(entry)
            console.say(f"skipped: {entry}")

        written = write_archive(batches, columns, output, matched, skip)
        if not quiet:
            count = f"{counted(written.rows, 'row')} of {counted(written.videos, 'video')}"
            console.print_text(f"{written.path}: {count}; columns are described in {written.codebook}.")
    return EXIT_FAILED if skipped else 0
