"""``annotate status``: the state of every video of an archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from annotate.archive.discover import Selection
from annotate.archive.scan import scan
from annotate.archive.status import State, VideoStatus, statuses
from annotate.cli import console
from annotate.cli.json_output import json_list
from annotate.cli.options import handle_errors, output_dir_option, say_none_found, selection_options, verbosity_options
from annotate.cli.tables import Column, format_columns
from annotate.errors import EXIT_FAILED
from annotate.storage.values import PathOrUrl
from annotate.text import counted, printable


@click.command(epilog="\b\nExample:\n  annotate status films --json")
@handle_errors
@selection_options()
@output_dir_option("Output folder used when annotating.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: a list with an object per video.")
@verbosity_options
def status(
    paths: Sequence[PathOrUrl], selection: Selection, output_dir: PathOrUrl | None, as_json: bool, quiet: bool
) -> int:
    """Show the state of every video: what is annotated, what is not, and why.

    States are annotated, no faces, older (made by an older analysis version), stale (the video has changed, or outputs were
    deleted), failed, and missing (not annotated yet). Nothing is decoded. Exits with 1 unless all videos are annotated or
    have no faces.
    """
    scanned = scan(paths, selection, output_dir)
    found = list(console.progress(statuses(scanned.ordered()), "videos", total=len(scanned), quiet=quiet))
    if as_json:
        console.print_text(json_list(one.to_json() for one in found))
    elif found and (text := status_table(found, quiet=quiet)):
        console.print_text(text)
    if not found:
        say_none_found(paths, selection, quiet=quiet)
    return 0 if all(one.state.is_done for one in found) else EXIT_FAILED


def status_table(found: Sequence[VideoStatus], *, quiet: bool = False) -> str:
    """Return the number of videos in each state, then those that need something, with reasons; only these if ``quiet``."""
    counts = Counter(one.state for one in found)
    states = [state for state in State if counts[state]]
    columns = [
        Column("state", [state.label for state in states]),
        Column("videos", [str(counts[state]) for state in states], to_right=True),
    ]
    parts = [] if quiet else [format_columns(columns)]
    for state in (state for state in states if not state.is_done):
        lines = [printable(f"{one.path}: {_statement(one)}") for one in found if one.state is state]
        parts.append("\n  ".join((f"{state.label}:", *lines)))
    damaged = [printable(f"{one.path}: {one.reason}") for one in found if one.state.is_done and one.reason]
    if damaged and not quiet:
        parts.append("\n  ".join(("Remarks:", *damaged)))
    todo = sum(not one.state.is_done for one in found)
    summary = f"{todo} {'needs' if todo == 1 else 'need'} attention" if todo else "all done"
    return "\n\n".join([*parts, *([] if quiet else [f"{counted(len(found), 'video')}: {summary}."])])


def _statement(one: VideoStatus) -> str:
    """Return the reason, for a failure also when and by which version."""
    if one.state is not State.FAILED or not one.time:
        return one.reason
    return f"{one.reason} [{one.time[:10]}, annotate {one.version}]"
