"""``annotate review``: the segments most worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import face_filter_options, handle_errors, paths_argument, verbosity_options
from annotate.cli.table_output import TABLES, closing_line, find_tables, output_file, read_tables
from annotate.cli.tables import Column, format_columns, terminal_width
from annotate.errors import EXIT_FAILED
from annotate.storage.base import prepare_output, storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import clock, counted

if TYPE_CHECKING:
    from annotate.analytics.face_filter import FaceFilter

_S_PER_MINUTE = 60


@click.command(epilog="\b\nExample:\n  annotate review films --minutes 15 -o look.m3u")
@handle_errors
@paths_argument()
@click.option(
    "--minutes",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Time that you have; a segment takes its length and 3 s.",
)
@face_filter_options
@output_file(TABLES | {".m3u": ""}, f"Also write a table ({', '.join(TABLES)}), or a playlist for VLC (.m3u).")
@verbosity_options
def review(paths: Sequence[PathOrUrl], minutes: float, faces: FaceFilter, output: Path | None, quiet: bool) -> int:
    """List the segments most worth a look: uncertain, unlike those before and after, or of a rare emotion.

    Segments that were corrected or confirmed are left out. Decide on them with annotate correct.
    """
    from annotate.analytics.edit_lists import to_m3u
    from annotate.analytics.export import encode_table
    from annotate.analytics.reviews import candidate_table, choose_candidates
    from annotate.cli.summary_tables import moment_columns

    skipped = list[SkippedPath]()
    if output is not None:
        prepare_output(output)
    reports = find_tables(paths, skipped)
    if not reports:
        return EXIT_FAILED
    batches = read_tables(reports, faces, skipped, quiet=quiet, probabilities=True)
    chosen = choose_candidates(batches, minutes * _S_PER_MINUTE)
    moments = [candidate.moment for candidate in chosen]
    if output is not None:
        ending = output.suffix.lower()
        content = (
            to_m3u(moments).encode() if ending == ".m3u" else encode_table(candidate_table(chosen), ending, ["confidence"])
        )
        storage_for(output).write_atomic(output, content)
    if chosen and not (quiet and output is not None):
        columns = [*moment_columns(moments), Column("because", [candidate.reason for candidate in chosen], rank=4)]
        console.print_text(format_columns(columns, terminal_width()) + ("" if quiet else "\n"))
    if not quiet:
        total_s = sum(moment.span.duration_s for moment in moments)
        console.print_text(closing_line(f"{counted(len(chosen), 'segment')}, {clock(total_s)} in total", output))
    return EXIT_FAILED if skipped else 0
