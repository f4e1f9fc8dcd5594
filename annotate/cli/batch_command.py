"""What commands share that go through an archive with an executor: options, and how a run is shown and ends."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem
from annotate.batch.job import Outcome, Status
from annotate.cli import console
from annotate.cli.options import (
    Command,
    Decorator,
    PathOrUrlType,
    Terminated,
    collect,
    is_quiet,
    jobs_option,
    language_option,
    stacked,
    status_of,
)
from annotate.errors import EXIT_FAILED, OutputError
from annotate.media.hwaccel import AUTOMATIC
from annotate.results.formats.registry import FORMATS
from annotate.settings import NO_HWACCEL, PROVIDERS, Limits, available_cores
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import printable

if TYPE_CHECKING:
    from annotate.batch.executor import Executor, OnProgress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """How a run is done and shown: videos at once, the file to log to, and whether only failures are reported."""

    jobs: int | None
    log: Path | None
    quiet: bool


log_option = click.option(
    "--log", metavar="FILE", type=PathOrUrlType(remote=False, dir_okay=False), help="Append a JSON line a video."
)


def collect_run(command: Command) -> Command:
    """Pass ``run`` in place of --jobs and --log, which are declared above; it knows of -q."""
    return collect("run", lambda jobs, log: RunOptions(jobs, log, is_quiet()), "jobs", "log")(command)


def run_options(default_jobs: str = "one a core") -> Decorator:
    """``run``: how a run is done and shown."""
    return stacked(jobs_option(default_jobs), log_option, collect_run)


def output_options(*, force_help: str = "", **formats: Any) -> Decorator:
    """``options``: which formats are made, in which language, and, if there is a help for it, ``--force``."""
    force = [click.option("--force", is_flag=True, help=force_help)] if force_help else []
    return stacked(
        click.option("--format", "formats", metavar="LIST", callback=_parse_formats, **formats),
        language_option,
        *force,
        collect("options", OutputOptions, "formats", "language", *(["force"] if force else [])),
    )


def decoding_limits(*, with_hardware: bool = False) -> Decorator:
    """``limits``: how much a video may ask for, and, if that can be chosen, what it is decoded and classified with."""
    stall_timeout = click.option(
        "--stall-timeout",
        "stall_timeout_s",
        metavar="SECONDS",
        type=click.FloatRange(min=0, min_open=True),
        default=Limits.stall_timeout_s,
        show_default=True,
        help="End a video whose decoder gives nothing for so long.",
    )
    max_pixels = click.option(
        "--max-pixels",
        metavar="N",
        type=click.IntRange(1),
        default=Limits.max_pixels,
        show_default=True,
        help="Refuse videos with larger pictures.",
    )
    hwaccel = click.option(
        "--hwaccel",
        metavar=f"{AUTOMATIC}|{NO_HWACCEL}|NAME",
        default=Limits.hwaccel,
        show_default=True,
        help="Decode by hardware, in one of ffmpeg's ways; without a device, in software.",
    )
    provider = click.option(
        "--provider",
        type=click.Choice(sorted(PROVIDERS)),
        default=Limits.provider,
        show_default=True,
        help="What the network runs on.",
    )
    if not with_hardware:
        return stacked(stall_timeout, max_pixels, collect("limits", Limits, "stall_timeout_s", "max_pixels"))
    collecting = collect("limits", Limits, "stall_timeout_s", "max_pixels", "hwaccel", "provider")
    return stacked(stall_timeout, max_pixels, hwaccel, provider, collecting)


def _parse_formats(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().lower() for name in value.split(",") if name.strip()))
    if not names or not set(names) <= set(FORMATS):
        raise click.BadParameter(
            f"{value!r} is not a list of formats; choose from {', '.join(FORMATS)}, separated by commas."
        )
    return names


def show_run(
    sizes_bytes: Mapping[PathOrUrl, int],
    start: Callable[[Executor], Generator[Outcome, None, None]],
    run: RunOptions,
    make_executor: Callable[[OnProgress], Executor] | None = None,
) -> int:
    """Show and log a run that ``start`` starts with an executor, and return the exit status.

    ``sizes_bytes`` are the videos, with what the bar moves by.

    The executor is the one that ``make_executor`` gives, or else it is processes on this machine.

    Raises:
        AnnotateError: the run as a whole failed.
    """
    display = console.Display(sizes_bytes, quiet=run.quiet)
    outcomes: list[Outcome] = []
    exit_status, log_failed = 0, False
    try:
        _interrupt_on_sigterm()
        executor = (
            make_executor(display.advance) if make_executor else _processes(run.jobs, len(sizes_bytes), display.advance)
        )
        with (
            contextlib.closing(executor),
            contextlib.closing(start(executor)) as pending,
            console.open_log(run.log) as write_log,
        ):
            for outcome in pending:
                outcomes.append(outcome)
                if not log_failed:
                    log_failed = not _is_logged(outcome, write_log)
                if outcome.trace:
                    logger.info("%s", printable(outcome.trace, keep="\n"))
                display.finish(outcome)
    except KeyboardInterrupt as interruption:
        exit_status = status_of(interruption)
    finally:
        display.close()
    if not run.quiet:
        order = {path: number for number, path in enumerate(sizes_bytes)}
        console.print_text(console.closing_table(sorted(outcomes, key=lambda outcome: order[outcome.path])))
    if exit_status:
        console.say(f"interrupted: {len(sizes_bytes) - len(outcomes)} left to do; run the same command again to go on")
        return exit_status
    return EXIT_FAILED if log_failed or any(outcome.status is Status.FAILED for outcome in outcomes) else 0


def sizes_of(entries: Sequence[ArchiveItem | SkippedPath]) -> dict[PathOrUrl, int]:
    """Return the paths of scanned entries with their sizes in bytes, 0 where that is not known."""
    return dict(map(_path_and_size, entries))


def _path_and_size(entry: ArchiveItem | SkippedPath) -> tuple[PathOrUrl, int]:
    if isinstance(entry, SkippedPath):
        return entry.path, 0
    return entry.video, 0 if entry.stat is None else entry.stat.size_bytes


def _processes(jobs: int | None, max_jobs: int, on_progress: OnProgress) -> Executor:
    """Return worker processes of this machine; the first loads while this process finds out what there is to do."""
    from annotate.batch.processes import ProcessExecutor

    executor = ProcessExecutor(jobs or available_cores(), on_progress, max_jobs=max_jobs)
    executor.prepare()
    return executor


def _is_logged(outcome: Outcome, write_log: Callable[[Outcome], None]) -> bool:
    """Log an outcome and return whether that worked; if not, that is said, and the run goes on without a log."""
    try:
        write_log(outcome)
    except OutputError as error:
        console.say(f"Error: {error}; the run goes on without it")
        return False
    return True


def _interrupt_on_sigterm() -> None:
    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
