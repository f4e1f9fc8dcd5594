"""Annotating an archive, and verifying what was made of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Obstacle, Selection, walk
from annotate.archive.layout import Wanted
from annotate.archive.output_tree import mirror
from annotate.batch.job import Outcome
from annotate.cli import console
from annotate.cli.batch_command import (
    decoding_limits,
    formats_option,
    jobs_option,
    language_option,
    log_option,
    show_run,
)
from annotate.cli.options import (
    QUIET,
    Place,
    fail,
    min_face_option,
    output_folder,
    say_none_found,
    selection,
    verbosity,
)
from annotate.errors import AnnotateError
from annotate.media.hwaccel import choose_hwaccel
from annotate.results.formats.registry import DEFAULT_FORMATS, FORMATS
from annotate.settings import CPU, NO_HWACCEL, PROVIDERS, Limits, Settings
from annotate.text import printable

if TYPE_CHECKING:
    from annotate.batch.executor import Advance, Workers

DEFAULT_COMMAND = "(annotate)"


class _DefaultContext(click.Context):
    """Names the default command as people call it: by the program's name alone."""

    @property
    def command_path(self) -> str:
        return super().command_path.rstrip()


class _DefaultCommand(click.Command):
    context_class = _DefaultContext


@click.command(DEFAULT_COMMAND, cls=_DefaultCommand, hidden=True)
@selection
@formats_option(
    default=",".join(DEFAULT_FORMATS), show_default=True, help=f"Formats to write: {', '.join(FORMATS)} (csv always is)."
)
@language_option
@click.option("--force", is_flag=True, help="Annotate finished videos again.")
@min_face_option
@click.option("--model", metavar="FILE.onnx", type=Place(remote=False), help="Another model (see the README).")
@jobs_option
@output_folder("Write outputs to a tree of their own.")
@click.option("--dry-run", is_flag=True, help="Say what would be done with every video, and why.")
@log_option
@click.option(
    "--scratch",
    metavar="DIR",
    type=Place(remote=False, file_okay=False, exists=True),
    help="Where videos from object storage are copied to, one by one.  [default: the system's temporary folder]",
)
@decoding_limits
@click.option(
    "--hwaccel",
    metavar="auto|none|NAME",
    default=Limits.hwaccel,
    show_default=True,
    help="Decode by hardware, in one of ffmpeg's ways; without a device, in software.",
)
@click.option(
    "--provider",
    type=click.Choice(sorted(PROVIDERS)),
    default=Limits.provider,
    show_default=True,
    help="What the network runs on.",
)
@click.option(
    "--cluster", metavar="ADDRESS", help="Have it done by a Dask cluster: tcp://HOST:PORT, a scheduler file, or local."
)
@verbosity
@click.pass_context
def annotate_command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    formats: tuple[str, ...],
    language: str,
    force: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_links: bool,
    min_face: float,
    model: Path | None,
    jobs: int | None,
    output: Path | None,
    dry_run: bool,
    log: Path | None,
    scratch: Path | None,
    stall_timeout: float,
    max_pixels: int,
    hwaccel: str,
    provider: str,
    cluster: str | None,
) -> None:
    """Annotate every video below each PATH."""
    quiet = bool(ctx.meta.get(QUIET))
    found = list(walk(paths, Selection(include, exclude, follow_links)))
    if not found:
        say_none_found(paths, quiet=quiet)
        return
    try:
        settings, wanted = Settings(min_face=min_face, model=model), Wanted(formats, language, force)
        videos = [entry for entry in found if isinstance(entry, Path)]
        folders = mirror(videos, paths, output) if output is not None else None
        if dry_run:
            from annotate.batch.run import plan_archive

            for path, what in plan_archive(found, settings, wanted, folders=folders):
                console.print_text(printable(f"{path}: {what}"))
            return
        limits = Limits(
            stall_timeout_s=stall_timeout, max_pixels=max_pixels, hwaccel=choose_hwaccel(hwaccel), provider=provider
        )
    except AnnotateError as error:
        fail(error)
    if cluster is None and limits.hwaccel == NO_HWACCEL != hwaccel:
        console.say(f"--hwaccel {hwaccel}: no such device can be opened here; decoding in software")
    places = [entry.path if isinstance(entry, Obstacle) else entry for entry in found]

    def start(workers: Workers) -> Generator[Outcome, None, None]:
        from annotate.batch.run import annotate_archive  # takes a while, in which a first worker starts, too

        return annotate_archive(found, settings, wanted, workers, limits=limits, folders=folders, scratch=scratch)

    hire = None
    if cluster is not None:
        hire = _hire(cluster, jobs, replace(limits, hwaccel=hwaccel, provider=provider))
        limits = replace(limits, hwaccel=NO_HWACCEL, provider=CPU)
    show_run(ctx, places, start, jobs=jobs, log=log, hire=hire)


def _hire(cluster: str, jobs: int | None, means: Limits) -> Callable[[Advance], Workers]:
    """Gives a cluster's workers, which have ``means``, whatever this machine has."""

    def hire(advance: Advance) -> Workers:
        from annotate.cluster.client import ClusterWorkers

        return ClusterWorkers(cluster, advance, jobs=jobs, tell=console.say, means=means)

    return hire
