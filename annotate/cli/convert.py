"""``annotate convert``: further formats, from the reports that were made of an archive."""

from __future__ import annotations

from collections.abc import Sequence

import click

from annotate.archive.discover import Selection
from annotate.archive.layout import OutputOptions
from annotate.cli.batch_command import RunOptions, output_options, run_options, show_run, sizes_of
from annotate.cli.options import handle_errors, output_dir_option, say_no_reports, selection_options, verbosity
from annotate.results.formats.registry import TRACKS
from annotate.storage.values import PathOrUrl


@click.command()
@handle_errors
@selection_options()
@output_options(required=True, help=f"Formats to make: {', '.join(TRACKS)}.")
@output_dir_option("The tree of their own to which outputs were written.")
@run_options()
@verbosity
def convert(
    paths: Sequence[PathOrUrl],
    selection: Selection,
    options: OutputOptions,
    output_dir: PathOrUrl | None,
    run: RunOptions,
) -> int:
    """Make further formats from the reports of annotated videos; nothing is decoded."""
    from annotate.batch.convert import convert_archive, scan_reports

    items = list(scan_reports(paths, selection, output_dir))
    if not items:
        say_no_reports(paths, quiet=run.quiet)
        return 0
    return show_run(sizes_of(items), lambda executor: convert_archive(items, options, executor), run)
