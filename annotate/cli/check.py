"""``annotate check``: verify the outputs of an archive."""

from __future__ import annotations

from collections.abc import Sequence

import click

from annotate.archive.discover import Selection
from annotate.archive.output_tree import output_trees
from annotate.archive.scan import scan
from annotate.batch.check import check_archive, delete_stale_files
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


@click.command(epilog="\b\nExample:\n  annotate check films --delete-stale")
@handle_errors
@selection_options()
@output_dir_option("Output folder used when annotating.")
@click.option("--delete-stale", is_flag=True, help="Delete outdated outputs and leftovers of killed runs.")
@verbosity_options
def check(
    paths: Sequence[PathOrUrl], selection: Selection, output_dir: PathOrUrl | None, delete_stale: bool, quiet: bool
) -> int:
    """Verify the outputs of an archive; change nothing unless told to.

    Lists outputs that are missing, stale (of a video or settings that changed), damaged (edited or cut), or left by a
    killed run, and unknown files that are named like outputs. Exits with 1 if there are any.
    """
    scanned = scan(paths, selection, output_dir)
    findings = []
    for finding in check_archive(scanned, output_trees(paths, output_dir)):
        findings.append(finding)
        console.print_text(console.finding_line(finding))
        if delete_stale:
            for path in delete_stale_files(finding):
                console.print_text(printable(f"{path}: deleted"))
    if not scanned.videos and not findings:
        say_none_found(paths, selection, quiet=quiet)
    elif not quiet:
        console.print_text(console.check_totals(len(scanned.videos), findings))
    return EXIT_FAILED if findings else 0
