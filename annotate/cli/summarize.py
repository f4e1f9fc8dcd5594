"""Archives in numbers and moments, from the reports that were made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Obstacle
from annotate.cli import console
from annotate.cli.options import EXIT_FAILED, QUIET, Place, fail, of_one_kind, verbosity
from annotate.cli.table_output import TABLES, output_file, read_batches
from annotate.cli.tables import format_columns, terminal_width
from annotate.errors import AnnotateError
from annotate.storage.local.files import check_writable, write_whole

if TYPE_CHECKING:
    pass


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place(), callback=of_one_kind)
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
@verbosity
@click.pass_context
def summarize(
    ctx: click.Context, paths: tuple[Path, ...], by: str, sort: str | None, top: int | None, output: Path | None
) -> None:
    """Sum up the reports of annotated videos: a row a video, totals last."""
    from annotate.analytics.export import encode_table
    from annotate.analytics.summary import Tally, ordered
    from annotate.cli.summary_tables import summary_columns

    tally, failures = Tally(by), list[Obstacle]()
    try:
        if output is not None:
            check_writable(output)
        for batch in read_batches(ctx, paths, failures):
            tally.add(batch)
        summary = tally.summary()
        rows = ordered(summary.rows, sort, top)
        if tally.count:
            if output is not None:
                write_whole(output, encode_table(rows, output.suffix.lower()))
            if not ctx.meta.get(QUIET):
                columns = summary_columns(rows, summary.whole)
                console.print_text(format_columns(columns, terminal_width()))
    except AnnotateError as error:
        fail(error)
    ctx.exit(EXIT_FAILED if failures else 0)
