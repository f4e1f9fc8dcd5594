"""``annotate render``: copies of videos with boxes and emotions in the pictures, or with subtitle tracks beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import VIDEO_ENDINGS, Selection
from annotate.cli import console
from annotate.cli.batch_command import RunOptions, decoding_limits, run_options, show_run, sizes_of
from annotate.cli.options import (
    Command,
    PathOrUrlType,
    choose_output_dir,
    collect,
    handle_errors,
    language_option,
    say_none_found,
    selection_options,
    stacked,
    verbosity,
)
from annotate.media.containers import CONTAINERS_WRITTEN
from annotate.settings import Limits, available_cores
from annotate.storage.values import SkippedPath

if TYPE_CHECKING:
    from annotate.batch.render import RenderOptions

_CORES_EACH = 4
"""So many an encoder keeps busy."""


def _make_options(soft: bool, language: str, container: str | None, force: bool) -> RenderOptions:
    from annotate.batch.render import BOXES, SOFT, RenderOptions

    return RenderOptions(SOFT if soft else BOXES, language, container or "", force)


def render_options(command: Command) -> Command:
    """``options``: what kind of copies are made."""
    return stacked(
        click.option("--soft", is_flag=True, help="Add subtitle tracks instead, and copy pictures and sound as they are."),
        language_option,
        click.option(
            "--container",
            type=click.Choice(CONTAINERS_WRITTEN),
            help="Kind of file.  [default: that of the video, or what comes next to it]",
        ),
        click.option("--force", is_flag=True, help="Make finished copies again."),
        collect("options", _make_options, "soft", "language", "container", "force"),
    )(command)


@click.command()
@handle_errors
@selection_options(remote=False)
@render_options
@click.option(
    "-o", "--output", metavar="FILE", type=PathOrUrlType(remote=False), help="Where one video's copy goes (.mp4, .mkv)."
)
@click.option(
    "--output-dir",
    metavar="DIR",
    type=PathOrUrlType(remote=False, file_okay=False),
    help="Write copies to a tree of their own.",
)
@run_options("one for four cores")
@decoding_limits()
@verbosity
def render(
    paths: Sequence[Path],
    selection: Selection,
    options: RenderOptions,
    output: Path | None,
    output_dir: Path | None,
    run: RunOptions,
    limits: Limits,
) -> int:
    """Make copies of annotated videos that show boxes around the faces, their emotions and how sure these are.

    The videos themselves are never written to. Copies that are up to date are skipped.
    """
    from annotate.batch.render import BOXES, render_archive, scan_renders
    from annotate.media.ffmpeg import find_ffmpeg

    if output is not None and _is_folder(output):
        output_dir, output = choose_output_dir(output_dir, output), None
    elif output is not None and output_dir is not None:
        raise click.UsageError("Give -o FILE or --output-dir DIR, not both.")
    entries = scan_renders(paths, options, selection, output, limits, output_dir)
    if not entries:
        say_none_found(paths, quiet=run.quiet)
        return 0
    remark = find_ffmpeg().renderer.remark if options.kind == BOXES else ""
    if remark and not run.quiet:
        console.say(remark)
    run = replace(run, jobs=run.jobs or max(1, available_cores() // _CORES_EACH))
    scanned = [entry if isinstance(entry, SkippedPath) else entry.item for entry in entries]
    return show_run(sizes_of(scanned), lambda executor: render_archive(entries, executor), run)


def _is_folder(output: Path) -> bool:
    """Return whether a folder is meant: it is one, or there is nothing of that name, which is no video's."""
    return output.is_dir() or not (output.exists() or output.suffix[1:].lower() in VIDEO_ENDINGS)
