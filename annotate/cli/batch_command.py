"""Shared by commands that process an archive with an executor: options, progress, log and exit status."""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem
from annotate.batch.job import Outcome, Status
from annotate.cli import console
from annotate.cli.format_options import variant_options
from annotate.cli.options import (
    Command,
    Decorator,
    PathOrUrlType,
    Terminated,
    collect,
    corrections_option,
    is_quiet,
    jobs_option,
    language_option,
    stacked,
    status_of,
)
from annotate.cli.tables import terminal_width
from annotate.errors import EXIT_FAILED, OutputError, SettingsError, read_error
from annotate.media.hwaccel import AUTOMATIC
from annotate.results.formats.registry import FORMATS
from annotate.settings import NO_HWACCEL, PROVIDERS, Limits, available_cores
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import printable, suggest

if TYPE_CHECKING:
    from annotate.batch.executor import Executor, RunProgress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """Options of a run: videos processed at once, log file, whether to print failures only, and the table at the end."""

    jobs: int | None
    log: Path | None
    quiet: bool
    has_table: bool = True


def _check_log(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file that is not a log: ``--log *.mp4`` must not append to a video."""
    try:
        if path is not None and not console.is_log(path):
            raise SettingsError("is not a log (no JSON lines in it)", "give --log a new file", path=path)
    except OSError as error:
        raise read_error(path, error) from None
    return path


log_option = click.option(
    "--log",
    metavar="FILE",
    type=PathOrUrlType(remote=False, dir_okay=False),
    callback=_check_log,
    help="Append one JSON line per video.",
)


def collect_run(command: Command) -> Command:
    """Replace --jobs and --log, declared above it, by ``run``, which also holds -q."""
    return collect("run", lambda jobs, log: RunOptions(jobs, log, is_quiet()), "jobs", "log")(command)


def run_options(default_jobs: str = "one per core") -> Decorator:
    """Declare the options of ``run``."""
    return stacked(jobs_option(default_jobs), log_option, collect_run)


def output_options(
    *, force_help: str = "", can_retry: bool = False, has_corrections: bool = False, **formats: Any
) -> Decorator:
    """Declare the options of ``options``; ``--force`` only if it has a help text."""
    force = [click.option("--force", is_flag=True, help=force_help)] if force_help else []
    retry = [click.option("--retry-failed", is_flag=True, help="Try again what failed before, though unchanged.")]
    retry = retry if can_retry else []
    corrections = [corrections_option] if has_corrections else []
    return stacked(
        click.option(
            "--format",
            "formats",
            metavar="LIST",
            type=FormatListType(),
            multiple=True,
            callback=lambda ctx, parameter, lists: tuple(dict.fromkeys(itertools.chain.from_iterable(lists))),
            **formats,
        ),
        language_option,
        variant_options,
        *force,
        *retry,
        *corrections,
        collect(
            "options",
            OutputOptions,
            "formats",
            "language",
            "variants",
            *(["force"] if force else []),
            *(["retry_failed"] if retry else []),
            *(["is_corrected"] if corrections else []),
        ),
    )


def decoding_limits(*, with_hardware: bool = False) -> Decorator:
    """Declare the options of ``limits``; those that choose hardware only ``with_hardware``."""
    stall_timeout = click.option(
        "--stall-timeout",
        "stall_timeout_s",
        metavar="SECONDS",
        type=click.FloatRange(min=0, min_open=True),
        default=Limits.stall_timeout_s,
        show_default=True,
        help="Give up on a video whose decoder delivers nothing for this long.",
    )
    max_pixels = click.option(
        "--max-pixels",
        metavar="N",
        type=click.IntRange(1),
        default=Limits.max_pixels,
        show_default=True,
        help="Refuse videos with larger frames.",
    )
    hwaccel = click.option(
        "--hwaccel",
        metavar=f"{AUTOMATIC}|{NO_HWACCEL}|NAME",
        default=Limits.hwaccel,
        show_default=True,
        help="Decode with this hardware method of ffmpeg, else in software.",
    )
    provider = click.option(
        "--provider",
        type=click.Choice(sorted(PROVIDERS)),
        default=Limits.provider,
        show_default=True,
        help="Run the model on the CPU or on a GPU.",
    )
    if not with_hardware:
        return stacked(stall_timeout, max_pixels, collect("limits", Limits, "stall_timeout_s", "max_pixels"))
    collecting = collect("limits", Limits, "stall_timeout_s", "max_pixels", "hwaccel", "provider")
    return stacked(stall_timeout, max_pixels, hwaccel, provider, collecting)


class FormatListType(click.ParamType):  # type: ignore[type-arg]
    """Names of formats, separated by commas."""

    name = "list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names, each once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip().lower() for name in value.split(",") if name.strip()))
        unknown = [name for name in names if name not in FORMATS]
        if unknown or not names:
            problem = f"{unknown[0]!r} is not a format{suggest(unknown[0], FORMATS)}" if unknown else "no format is named"
            self.fail(f"{problem}. Choose from {', '.join(FORMATS)}, separated by commas.", param, ctx)
        return names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the last name of the list with formats that are not in it yet."""
        *earlier, last = incomplete.split(",")
        prefix = "".join(f"{name}," for name in earlier)
        return [CompletionItem(f"{prefix}{name}") for name in FORMATS if name.startswith(last) and name not in earlier]


def show_run(
    sizes_bytes: Mapping[PathOrUrl, int],
    start: Callable[[Executor], Generator[Outcome, None, None]],
    run: RunOptions,
    make_executor: Callable[[RunProgress], Executor] | None = None,
    on_end: Callable[[float, float], None] | None = None,
) -> int:
    """Show and log a run that ``start`` starts with an executor, and return the exit status.

    ``sizes_bytes`` maps each video to its size. The executor is made by ``make_executor``, or else is worker processes of
    this machine. ``on_end`` is called with the seconds of video that a whole run processed, and the seconds it took.

    Raises:
        AnnotateError: the run as a whole failed.
    """
    display = console.Display(sizes_bytes, quiet=run.quiet)
    outcomes: list[Outcome] = []
    exit_status, log_failed = 0, False
    try:
        interrupt_on_sigterm()
        executor = (
            make_executor(display.advance) if make_executor else start_processes(run.jobs, len(sizes_bytes), display.advance)
        )
        with (
            contextlib.closing(executor),
            contextlib.closing(start(executor)) as pending,
            console.open_log(run.log) as write_log,
        ):
            for outcome in pending:
                outcomes.append(outcome)
                if not log_failed:
                    log_failed = not is_logged(outcome, write_log)
                if outcome.trace:
                    logger.info("%s", printable(outcome.trace, keep="\n"))
                display.finish(outcome)
    except KeyboardInterrupt as interruption:
        exit_status = status_of(interruption)
    finally:
        display.close()
    if not run.quiet and run.has_table and (outcomes or not exit_status):
        order = {path: number for number, path in enumerate(sizes_bytes)}
        in_order = sorted(outcomes, key=lambda outcome: order[outcome.path])
        console.show(console.closing_table(in_order, terminal_width()))
    if exit_status:
        console.say(f"Interrupted: {len(sizes_bytes) - len(outcomes)} remaining. Rerun to continue.")
        return exit_status
    if on_end is not None:
        on_end(display.analyzed_s, display.elapsed_s)
    return EXIT_FAILED if log_failed or any(outcome.status is Status.FAILED for outcome in outcomes) else 0


def sizes_of(entries: Sequence[ArchiveItem | SkippedPath]) -> dict[PathOrUrl, int]:
    """Return the paths of scanned entries with their sizes in bytes, 0 if unknown."""
    return dict(map(_path_and_size, entries))


def _path_and_size(entry: ArchiveItem | SkippedPath) -> tuple[PathOrUrl, int]:
    if isinstance(entry, SkippedPath):
        return entry.path, 0
    return entry.video, 0 if entry.stat is None else entry.stat.size_bytes


def start_processes(jobs: int | None, max_jobs: int, on_progress: RunProgress) -> Executor:
    """Return worker processes of this machine; the first one loads its model while this process plans the run."""
    from annotate.batch.processes import ProcessExecutor

    executor = ProcessExecutor(jobs or available_cores(), on_progress, max_jobs=max_jobs)
    executor.prepare()
    return executor


def is_logged(outcome: Outcome, write_log: Callable[[Outcome], None]) -> bool:
    """Log an outcome; return False, with a message, if that failed: the run continues without a log."""
    try:
        write_log(outcome)
    except OutputError as error:
        console.say(f"Error: {error} Continuing without a log.")
        return False
    return True


def interrupt_on_sigterm() -> None:
    """Let SIGTERM end the program as Ctrl-C does, with its own exit status."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
