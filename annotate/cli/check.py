"""``annotate check``: verify the outputs of an archive."""

from __future__ import annotations

from collections.abc import Sequence

import click

from annotate.archive.discover import Selection
from annotate.archive.output_tree import trees_with_outputs
from annotate.archive.scan import scan
from annotate.batch.check import check_archive, remove_stale
from annotate.cli import console
from annotate.cli.options import (
    handle_errors,
    output_dir_option,
    say_none_found,
    selection_options,
    verbosity_options,
)
from annotate.errors import EXIT_FAILED
from annotate.storage.values import PathOrUrl
from annotate.text import printable


@click.command()
@handle_errors
@selection_options()
@output_dir_option("The tree of their own to which outputs were written.")
@click.option("--delete-stale", is_flag=True, help="Remove what this program made and what serves no more.")
@verbosity_options
def check(
    paths: Sequence[PathOrUrl], selection: Selection, output_dir: PathOrUrl | None, delete_stale: bool, quiet: bool
) -> int:
    """Verify the outputs of an archive: what is missing, stale, foreign or damaged."""
    scanned = scan(paths, selection, output_dir)
    findings = []
    for finding in check_archive(scanned, trees_with_outputs(paths, output_dir)):
        findings.append(finding)
        console.print_text(console.finding_line(finding))
        if delete_stale:
            for path in remove_stale(finding):
                console.print_text(printable(f"{path}: deleted"))
    if not scanned.videos and not findings:
        say_none_found(paths, quiet=quiet)
    elif not quiet:
        console.print_text(console.check_totals(len(scanned.videos), findings))
    return EXIT_FAILED if findings else 0
