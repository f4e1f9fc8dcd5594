"""Further formats, from the reports that were made of an archive."""

from __future__ import annotations

from pathlib import Path

import click

from annotate.archive.discover import Selection
from annotate.archive.layout import Wanted
from annotate.cli import console
from annotate.cli.batch_command import formats_option, jobs_option, language_option, log_option, show_run
from annotate.cli.options import QUIET, fail, listed, output_folder, selection, verbosity
from annotate.errors import AnnotateError
from annotate.results.formats.registry import TRACKS


@click.command()
@selection
@formats_option(required=True, help=f"Formats to make: {', '.join(TRACKS)}.")
@language_option
@output_folder("The tree of their own to which outputs were written.")
@jobs_option
@log_option
@verbosity
@click.pass_context
def convert(
    ctx: click.Context,
    paths: tuple[Path, ...],
    formats: tuple[str, ...],
    language: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_links: bool,
    output: Path | None,
    jobs: int | None,
    log: Path | None,
) -> None:
    """Make further formats from the reports of annotated videos; nothing is decoded."""
    from annotate.batch.convert import convert_archive, find_reports

    try:
        found = find_reports(paths, Wanted(formats, language), Selection(include, exclude, follow_links), output)
    except AnnotateError as error:
        fail(error)
    if not found:
        if not ctx.meta.get(QUIET):
            console.say(f"no reports below {listed(paths)}; `annotate {listed(paths)}` makes them")
        return
    places = [entry.path for entry in found]
    show_run(ctx, places, lambda workers: convert_archive(found, workers), jobs=jobs, log=log)
