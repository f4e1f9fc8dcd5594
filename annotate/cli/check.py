"""``annotate check``: verify the outputs of an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Selection, walk
from annotate.archive.output_tree import mirror, output_trees
from annotate.batch.check import check_archive, remove_stale
from annotate.cli import console
from annotate.cli.options import (
    EXIT_FAILED,
    QUIET,
    fail,
    output_folder,
    say_none_found,
    selection,
    verbosity,
)
from annotate.errors import AnnotateError
from annotate.text import printable

if TYPE_CHECKING:
    pass


@click.command()
@selection
@output_folder("The tree of their own to which outputs were written.")
@click.option("--delete-stale", is_flag=True, help="Remove what this program made and what serves no more.")
@verbosity
@click.pass_context
def check(
    ctx: click.Context,
    paths: tuple[Path, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_links: bool,
    output: Path | None,
    delete_stale: bool,
) -> None:
    """Verify the outputs of an archive: what is missing, stale, foreign or damaged."""
    found, quiet = list(walk(paths, Selection(include, exclude, follow_links))), bool(ctx.meta.get(QUIET))
    videos = [entry for entry in found if isinstance(entry, Path)]
    findings = []
    try:
        folders = mirror(videos, paths, output) if output is not None else None
        for finding in check_archive(found, output_trees(paths, output), folders):
            findings.append(finding)
            console.print_text(console.finding_line(finding))
            if delete_stale:
                for path in remove_stale(finding):
                    console.print_text(printable(f"{path}: deleted"))
    except AnnotateError as error:
        fail(error)
    if not found and not findings:
        say_none_found(paths, quiet=quiet)
    elif not quiet:
        console.print_text(console.check_totals(len(videos), findings))
    ctx.exit(EXIT_FAILED if findings else 0)
