"""The default command: annotate the videos of an archive."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Selection
from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem, scan
from annotate.batch.job import Outcome
from annotate.batch.watch import Watch, WatchOptions
from annotate.cli import console
from annotate.cli.analysis_options import analysis_options
from annotate.cli.batch_command import RunOptions, collect_run, decoding_limits, log_option, output_options, show_run
from annotate.cli.last_run import remember_speed
from annotate.cli.options import (
    PathOrUrlType,
    collect,
    handle_errors,
    jobs_option,
    output_dir_option,
    say_none_found,
    selection_options,
    verbosity,
)
from annotate.cli.watching import check_combination, watch_archive, watch_options
from annotate.media.hwaccel import choose_hwaccel
from annotate.results.formats.registry import DEFAULT_FORMATS, FORMATS
from annotate.settings import CPU, NO_HWACCEL, Limits, Settings
from annotate.storage.values import PathOrUrl, SkippedPath

if TYPE_CHECKING:
    from annotate.batch.executor import Executor, RunProgress

DEFAULT_COMMAND = "(annotate)"

Entries = Iterable[ArchiveItem | SkippedPath]


class _DefaultContext(click.Context):
    """Shows the default command by the program's name alone, as it is typed."""

    @property
    def command_path(self) -> str:
        return super().command_path.rstrip()


class _DefaultCommand(click.Command):
    context_class = _DefaultContext


@dataclass(frozen=True)
class Workplace:
    """Where videos are processed: the address of a cluster, and the folder for downloads from object storage."""

    scratch: Path | None
    cluster: str | None


@dataclass(frozen=True)
class Mode:
    """How the command runs: as a preview, again and again (``watch``), or once."""

    dry_run: bool
    watch: WatchOptions | None


@click.command(DEFAULT_COMMAND, cls=_DefaultCommand, hidden=True)
@handle_errors
@selection_options()
@output_options(
    force_help="Annotate finished videos again.",
    can_retry=True,
    default=[",".join(DEFAULT_FORMATS)],
    show_default=True,
    help=f"Formats to write: {', '.join(FORMATS)}; csv is always written; repeatable.",
)
@analysis_options
@jobs_option()
@output_dir_option("Write outputs below DIR, in folders like the archive's, not beside the videos.", is_short=True)
@click.option("--dry-run", is_flag=True, help="Preview only: list what would be done; write nothing.")
@watch_options()
@log_option
@click.option(
    "--scratch",
    metavar="DIR",
    type=PathOrUrlType(remote=False, file_okay=False, exists=True),
    help="Folder for downloads from object storage.  [default: the system's temporary folder]",
)
@decoding_limits(with_hardware=True)
@click.option("--cluster", metavar="ADDRESS", help="Run on a Dask cluster: tcp://HOST:PORT, a scheduler file, or local.")
@verbosity
@collect_run
@collect("workplace", Workplace, "scratch", "cluster")
@collect("mode", Mode, "dry_run", "watch")
def annotate_command(
    paths: Sequence[PathOrUrl],
    selection: Selection,
    options: OutputOptions,
    settings: Settings,
    output_dir: PathOrUrl | None,
    mode: Mode,
    run: RunOptions,
    limits: Limits,
    workplace: Workplace,
) -> int:
    """Annotate every video below each PATH."""
    if mode.watch is not None:
        check_combination(force=options.force, dry_run=mode.dry_run)
    items = scan(paths, selection, output_dir)
    if not items and mode.watch is None:
        say_none_found(paths, selection, quiet=run.quiet)
        return 0
    if mode.dry_run:
        from annotate.batch.run import Plan
        from annotate.cli.dry_run import print_plan

        print_plan(items, Plan(settings, options, Limits(max_pixels=limits.max_pixels)), quiet=run.quiet)
        return 0
    usable = replace(limits, hwaccel=choose_hwaccel(limits.hwaccel))
    make_executor = None
    if workplace.cluster is not None:
        make_executor = ClusterMaker(workplace.cluster, run.jobs, limits)
        usable = replace(usable, hwaccel=NO_HWACCEL, provider=CPU)
    elif usable.hwaccel == NO_HWACCEL != limits.hwaccel:
        console.say(f"--hwaccel {limits.hwaccel}: no such device on this machine. Decoding in software.")

    def annotate(entries: Entries, sizes_bytes: Mapping[PathOrUrl, int], *, has_table: bool = True) -> int:
        def start(executor: Executor) -> Generator[Outcome, None, None]:
            from annotate.batch.run import Plan, annotate_archive  # slow to import; a first worker starts meanwhile

            return annotate_archive(entries, Plan(settings, options, usable, workplace.scratch), executor)

        on_end = None if workplace.cluster else remember_speed
        return show_run(sizes_bytes, start, replace(run, has_table=has_table), make_executor, on_end)

    if mode.watch is None:
        return annotate(items, items.sizes_bytes())
    from annotate.batch.run import Plan

    plan = Plan(settings, options, usable, workplace.scratch)
    watch = Watch(lambda: scan(paths, selection, output_dir), plan, mode.watch)
    return watch_archive(paths, watch, annotate, quiet=run.quiet)


@dataclass(frozen=True)
class ClusterMaker:
    """Connects to a cluster whose workers use ``limits``."""

    address: str
    jobs: int | None
    limits: Limits

    def __call__(self, on_progress: RunProgress) -> Executor:
        from annotate.cluster.client import ClusterExecutor

        return ClusterExecutor(self.address, on_progress, jobs=self.jobs, notify=console.say, worker_limits=self.limits)
