"""What commands share that go through an archive with workers: options, and how a run is shown and ends."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from annotate.batch.job import Outcome, Status
from annotate.cli import console
from annotate.cli.options import EXIT_FAILED, QUIET, Command, Place, Terminated, fail, status_of
from annotate.emotions.labels import WORDS
from annotate.errors import AnnotateError, OutputError
from annotate.results.formats.registry import FORMATS
from annotate.settings import Limits, available_cores
from annotate.text import printable

if TYPE_CHECKING:
    from annotate.batch.executor import Advance, Workers

logger = logging.getLogger(__name__)

language_option = click.option(
    "--lang", "language", type=click.Choice(sorted(WORDS)), default="en", show_default=True, help="Language of subtitles."
)
jobs_option = click.option(
    "--jobs", metavar="N", type=click.IntRange(1), help="Videos worked on at once.  [default: one a core]"
)
log_option = click.option(
    "--log", metavar="FILE", type=Place(remote=False, dir_okay=False), help="Append a JSON line a video."
)


def decoding_limits(command: Command) -> Command:
    """``--stall-timeout`` and ``--max-pixels``: how much a video may ask for."""
    stall_timeout = click.option(
        "--stall-timeout",
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
    return stall_timeout(max_pixels(command))


def formats_option(**options: Any) -> Callable[[Command], Command]:
    """``--format``, a list of the formats there are."""
    return click.option("--format", "formats", metavar="LIST", callback=_parse_formats, **options)


def _parse_formats(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().lower() for name in value.split(",") if name.strip()))
    if not names or not set(names) <= set(FORMATS):
        raise click.BadParameter(
            f"{value!r} is not a list of formats; choose from {', '.join(FORMATS)}, separated by commas."
        )
    return names


def show_run(
    ctx: click.Context,
    places: Sequence[Path],
    start: Callable[[Workers], Generator[Outcome, None, None]],
    *,
    jobs: int | None,
    log: Path | None,
    hire: Callable[[Advance], Workers] | None = None,
) -> NoReturn:
    """Shows a run over ``places`` that ``start`` starts with workers, logs it, and ends the program with its status.

    The workers are those that ``hire`` gives, or else processes on this machine.
    """
    quiet = bool(ctx.meta.get(QUIET))
    display = console.Display(places, quiet=quiet)
    outcomes: list[Outcome] = []
    exit_status, log_failed = 0, False
    try:
        _interrupt_on_sigterm()
        workers = hire(display.advance) if hire else _processes(jobs, len(places), display.advance)
        with (
            contextlib.closing(workers),
            contextlib.closing(start(workers)) as run,
            console.open_log(log) as write_log,
        ):
            for outcome in run:
                outcomes.append(outcome)
                if not log_failed:
                    log_failed = not _logged(outcome, write_log)
                if outcome.trace:
                    logger.info("%s", printable(outcome.trace, keep="\n"))
                display.finish(outcome)
    except KeyboardInterrupt as interruption:
        exit_status = status_of(interruption)
    except AnnotateError as error:
        display.close()
        fail(error)
    finally:
        display.close()
    if not quiet:
        order = {path: number for number, path in enumerate(places)}
        console.print_text(console.closing_table(sorted(outcomes, key=lambda outcome: order[outcome.path])))
    if exit_status:
        console.say(f"interrupted: {len(places) - len(outcomes)} left to do; run the same command again to go on")
        ctx.exit(exit_status)
    ctx.exit(EXIT_FAILED if log_failed or any(outcome.status is Status.FAILED for outcome in outcomes) else 0)


def _processes(jobs: int | None, most_jobs: int, advance: Advance) -> Workers:
    """Worker processes on this machine, the first of which loads while this one finds out what there is to do."""
    from annotate.batch.processes import ProcessWorkers

    workers = ProcessWorkers(jobs or available_cores(), advance, most_jobs=most_jobs)
    workers.prepare()
    return workers


def _logged(outcome: Outcome, write_log: Callable[[Outcome], None]) -> bool:
    """Whether the log took it; if not, that is said, and the run goes on without a log."""
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
