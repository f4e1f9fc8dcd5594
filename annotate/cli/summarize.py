"""``annotate summarize``: an archive in numbers, from the reports that were made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from annotate.cli import console
from annotate.cli.options import handle_errors, paths_argument, verbosity_options
from annotate.cli.table_output import TABLES, output_file, read_batches
from annotate.cli.tables import format_columns, terminal_width
from annotate.errors import EXIT_FAILED
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath


@click.command()
@handle_errors
@paths_argument()
@click.option(
    "--by",
    type=click.Choice(("video", "folder", "face", "minute")),
    default="video",
    show_default=True,
    help="What a row is.",
)
@click.option("--sort", metavar="COLUMN", help="Rows by a column of the file: the largest first, text from A on.")
@click.option("--top", metavar="N", type=click.IntRange(1), help="The first N rows only; totals are of all.")
@output_file(TABLES, f"Write it too, as {', '.join(TABLES)}.")
@verbosity_options
def summarize(
    paths: Sequence[PathOrUrl], by: str, sort: str | None, top: int | None, output: Path | None, quiet: bool
) -> int:
    """Sum up the reports of annotated videos: one row per video, totals last."""
    from annotate.analytics.export import encode_table
    from annotate.analytics.summary import Tally, ordered
    from annotate.cli.summary_tables import summary_columns

    tally, skipped = Tally(by), list[SkippedPath]()
    if output is not None:
        storage_for(output).check_writable(output)
    for batch in read_batches(paths, skipped, quiet=quiet):
        tally.add(batch)
    summary = tally.summary()
    rows = ordered(summary.rows, sort, top)
    if tally.count:
        if output is not None:
            storage_for(output).write_atomic(output, encode_table(rows, output.suffix.lower()))
        if not quiet:
            console.print_text(format_columns(summary_columns(rows, summary.whole), terminal_width()))
    return EXIT_FAILED if skipped else 0
