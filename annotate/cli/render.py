"""Copies of videos with boxes and emotions in the pictures, or with subtitle tracks beside them."""

from __future__ import annotations

from pathlib import Path

import click

from annotate.archive.discover import Selection
from annotate.cli import console
from annotate.cli.batch_command import decoding_limits, language_option, log_option, show_run
from annotate.cli.options import QUIET, Place, fail, refuse_remote, say_none_found, selection, verbosity
from annotate.errors import AnnotateError
from annotate.media.containers import CONTAINERS_WRITTEN
from annotate.settings import Limits, available_cores

_CORES_EACH = 4
"""So many an encoder keeps busy."""


@click.command()
@selection
@click.option("--soft", is_flag=True, help="Add subtitle tracks instead, and copy pictures and sound as they are.")
@language_option
@click.option(
    "--container",
    type=click.Choice(CONTAINERS_WRITTEN),
    help="Kind of file.  [default: that of the video, or what comes next to it]",
)
@click.option("--force", is_flag=True, help="Make finished copies again.")
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR",
    type=Place(remote=False),
    help="Where one video's copy goes (.mp4, .mkv), or a tree of their own.",
)
@click.option("--jobs", metavar="N", type=click.IntRange(1), help="Videos worked on at once.  [default: one for four cores]")
@log_option
@decoding_limits
@verbosity
@click.pass_context
def render(
    ctx: click.Context,
    paths: tuple[Path, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_links: bool,
    soft: bool,
    language: str,
    container: str | None,
    force: bool,
    output: Path | None,
    jobs: int | None,
    log: Path | None,
    stall_timeout: float,
    max_pixels: int,
) -> None:
    """Make copies of annotated videos that show boxes around the faces, their emotions and how sure these are.

    The videos themselves are never written to. Copies that are up to date are skipped.
    """
    for path in paths:
        refuse_remote(path)
    from annotate.batch.render import BOXES, SOFT, Copy, find_renders, render_archive
    from annotate.media.ffmpeg import find_renderer

    quiet = bool(ctx.meta.get(QUIET))
    try:
        copy = Copy(SOFT if soft else BOXES, language, container or "", force)
        limits = Limits(stall_timeout_s=stall_timeout, max_pixels=max_pixels)
        found = find_renders(paths, copy, Selection(include, exclude, follow_links), output, limits)
        if not found:
            say_none_found(paths, quiet=quiet)
            return
        remark = "" if soft else find_renderer().remark
    except AnnotateError as error:
        fail(error)
    if remark and not quiet:
        console.say(remark)
    places = [entry.path for entry in found]
    jobs = jobs or max(1, available_cores() // _CORES_EACH)
    show_run(ctx, places, lambda workers: render_archive(found, workers), jobs=jobs, log=log)
