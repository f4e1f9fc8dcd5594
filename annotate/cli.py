"""The commands: they parse, call and report, and decide nothing.

What takes long to load is loaded by the command that needs it, so that help is there at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click
from click_default_group import DefaultGroup

from annotate import console
from annotate.archive.check import check_archive, remove_stale
from annotate.archive.mirror import mirror, output_trees
from annotate.archive.outcome import Outcome, Status
from annotate.archive.plan import FORMATS, Wanted
from annotate.archive.walk import Obstacle, Selection, walk
from annotate.emotions.labels import WORDS
from annotate.errors import AnnotateError, ModelError, OutputError, ReportError, SettingsError
from annotate.settings import MAX_MIN_FACE, MIN_MIN_FACE, Limits, Settings
from annotate.version import VERSION

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143

QUIET = "annotate.quiet"
_DEFAULT_COMMAND = "(annotate)"
_LATER = dict.fromkeys(("dataset", "train", "evaluate"), "annotate.training.commands")
"""Commands that are imported when they are asked for, from where they are."""

_Command = TypeVar("_Command", bound=Callable[..., Any])
logger = logging.getLogger(__name__)


class _DefaultContext(click.Context):
    """Names the default command as people call it: by the program's name alone."""

    @property
    def command_path(self) -> str:
        return super().command_path.rstrip()


class _DefaultCommand(click.Command):
    context_class = _DefaultContext


class _CommandGroup(DefaultGroup):  # type: ignore[misc]
    """Shows the default command's usage and options as its own, and never its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_LATER])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _LATER:
            later: click.Command = getattr(import_module(_LATER[cmd_name]), cmd_name)
            return later
        found: click.Command | None = super().get_command(ctx, cmd_name)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hands a ``--`` on to the default command, for which everything behind it is a path."""
        end = args.index("--") if "--" in args else 0
        if args[end : end + 1] == ["--"] and all(argument.startswith("-") for argument in args[:end]):
            args = [*args[:end], "--", *args[end:]]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] PATH... | COMMAND [ARGUMENTS]..."]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        default = self.commands[_DEFAULT_COMMAND]
        own = [parameter.name for parameter in self.get_params(ctx)]
        options = [part for part in default.params if isinstance(part, click.Option) and part.name not in own]
        records = [record for part in [*self.get_params(ctx), *options] if (record := part.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(sorted(records, key=lambda record: record[0].startswith(("--version", "-h", "-v", "-q"))))
        self.format_commands(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Ends with the usual status when it is interrupted anywhere."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interruption:
            console.say("interrupted")
            ctx.exit(_status_of(interruption))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == _DEFAULT_COMMAND else name), command, rest


def verbosity(command: _Command) -> _Command:
    """``-v`` and ``-q``, accepted before and after a command's name."""

    def make_verbose(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)

    def make_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[QUIET] = True

    quiet = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=make_quiet, help="Report failures only."
    )
    verbose = click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=make_verbose, help="Tell more, with tracebacks."
    )
    return verbose(quiet(command))


def _parse_formats(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise click.BadParameter(
            f"{value!r} is not a list of formats; choose from {', '.join(FORMATS)}, separated by commas."
        )
    return names


@click.group(
    cls=_CommandGroup,
    default=_DEFAULT_COMMAND,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@verbosity
@click.version_option(VERSION, prog_name="annotate")
def main() -> None:
    """Give videos an emotion track.

    Annotates every video below each PATH (a directory or a file): finds and follows faces, says which emotion each shows
    over every 20 frames, and writes a table and a subtitle track beside the video. Videos that are done are skipped, so a
    run can be repeated. A directory that is called like a command is reached as ./NAME.
    """


def _selection(command: _Command) -> _Command:
    """The paths of an archive and the options that say which of its files are meant."""
    for decorate in (
        click.option("--follow-links", is_flag=True, help="Walk into linked directories."),
        click.option("--exclude", metavar="GLOB", multiple=True, help="Leave out files whose name or path matches."),
        click.option("--include", metavar="GLOB", multiple=True, help="Take only files whose name or path matches."),
        click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


min_face_option = click.option(
    "--min-face",
    type=click.FloatRange(MIN_MIN_FACE, MAX_MIN_FACE),
    default=Settings.min_face,
    show_default=True,
    help="Smallest face, as a fraction of the picture's shorter side.",
)


def _output_folder(help_text: str) -> Callable[[_Command], _Command]:
    return click.option("-o", "--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help=help_text)


@click.command(_DEFAULT_COMMAND, cls=_DefaultCommand, hidden=True)
@_selection
@click.option(
    "--format",
    "formats",
    metavar="LIST",
    default=",".join(FORMATS),
    show_default=True,
    callback=_parse_formats,
    help=f"Formats to write: {', '.join(FORMATS)} (csv always is).",
)
@click.option(
    "--lang", "language", type=click.Choice(sorted(WORDS)), default="en", show_default=True, help="Language of subtitles."
)
@click.option("--force", is_flag=True, help="Annotate finished videos again.")
@min_face_option
@click.option("--model", metavar="FILE.onnx", type=click.Path(path_type=Path), help="Another model (see the README).")
@click.option("--jobs", metavar="N", type=click.IntRange(1), help="Videos worked on at once.  [default: one a core]")
@_output_folder("Write outputs to a tree of their own.")
@click.option("--dry-run", is_flag=True, help="Say what would be done with every video, and why.")
@click.option("--log", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Append a JSON line a video.")
@click.option(
    "--stall-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=Limits.stall_timeout_s,
    show_default=True,
    help="End a video whose decoder gives nothing for so long.",
)
@click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(1),
    default=Limits.max_pixels,
    show_default=True,
    help="Refuse videos with larger pictures.",
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
    stall_timeout: float,
    max_pixels: int,
) -> None:
    """Annotate every video below each PATH."""
    from annotate.archive.run import annotate_archive, plan_archive
    from annotate.archive.workers import ProcessWorkers

    quiet = bool(ctx.meta.get(QUIET))
    found = list(walk(paths, Selection(include, exclude, follow_links)))
    if not found:
        _say_none_found(paths, quiet=quiet)
        return
    try:
        settings, wanted = Settings(min_face=min_face, model=model), Wanted(formats, language, force)
        videos = [entry for entry in found if isinstance(entry, Path)]
        folders = mirror(videos, paths, output) if output is not None else None
        if dry_run:
            for path, what in plan_archive(found, settings, wanted, folders=folders):
                console.print_text(console.printable(f"{path}: {what}"))
            return
    except AnnotateError as error:
        fail(error)
    places = [entry.path if isinstance(entry, Obstacle) else entry for entry in found]
    display = console.Display(places, quiet=quiet)
    workers = ProcessWorkers(jobs or _cores(), display.advance)
    outcomes: list[Outcome] = []
    exit_status, log_failed = 0, False
    try:
        _interrupt_on_sigterm()
        limits = Limits(stall_timeout_s=stall_timeout, max_pixels=max_pixels)
        run = annotate_archive(found, settings, wanted, workers, limits=limits, folders=folders)
        with contextlib.closing(run), console.open_log(log) as write_log:
            for outcome in run:
                outcomes.append(outcome)
                if not log_failed:
                    log_failed = not _logged(outcome, write_log)
                if outcome.trace:
                    logger.info("%s", console.printable(outcome.trace, keep="\n"))
                display.finish(outcome)
    except KeyboardInterrupt as interruption:
        exit_status = _status_of(interruption)
    except AnnotateError as error:
        display.close()
        fail(error)
    finally:
        display.close()
    if not quiet:
        order = {path: number for number, path in enumerate(places)}
        console.print_text(console.closing_table(sorted(outcomes, key=lambda outcome: order[outcome.path])))
    if exit_status:
        console.say(f"interrupted: {len(found) - len(outcomes)} left to do; run the same command again to go on")
        ctx.exit(exit_status)
    ctx.exit(EXIT_FAILED if log_failed or any(outcome.status is Status.FAILED for outcome in outcomes) else 0)


@click.command()
@_selection
@_output_folder("The tree of their own to which outputs were written.")
@click.option("--delete-stale", is_flag=True, help="Remove what this program made and what serves no more.")
@verbosity
@click.pass_context
def check(
    ctx: click.Context,
    paths: tuple[Path, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_links: bool,
    output: Path | None,
    delete_stale: bool,
) -> None:
    """Verify the outputs of an archive: what is missing, stale, foreign or damaged."""
    found, quiet = list(walk(paths, Selection(include, exclude, follow_links))), bool(ctx.meta.get(QUIET))
    videos = [entry for entry in found if isinstance(entry, Path)]
    findings = []
    try:
        folders = mirror(videos, paths, output) if output is not None else None
        for finding in check_archive(found, output_trees(paths, output), folders):
            findings.append(finding)
            console.print_text(console.finding_line(finding))
            if delete_stale:
                for path in remove_stale(finding):
                    console.print_text(console.printable(f"{path}: deleted"))
    except AnnotateError as error:
        fail(error)
    if not found and not findings:
        _say_none_found(paths, quiet=quiet)
    elif not quiet:
        console.print_text(console.check_totals(len(videos), findings))
    ctx.exit(EXIT_FAILED if findings else 0)


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="FILE.csv", type=click.Path(path_type=Path), help="Write the table as CSV too.")
@verbosity
@click.pass_context
def summarize(ctx: click.Context, paths: tuple[Path, ...], output: Path | None) -> None:
    """Sum up the reports of annotated videos: a row a video, totals last."""
    from annotate.reports.summary import find_reports, summarize_report, to_frame
    from annotate.tracks.files import write_whole

    summaries, failed = [], False
    try:
        for found in find_reports(paths):
            try:
                if isinstance(found, Obstacle):
                    raise ReportError(found.reason)
                summaries.append(summarize_report(found))
            except ReportError as error:
                failed = True
                logger.info("%s left out", found, exc_info=True)
                console.say(f"left out: {error}")
        if summaries:
            frame = to_frame(summaries)
            if output is not None:
                write_whole(output, frame.to_csv(index=False, lineterminator="\n"))
            if not ctx.meta.get(QUIET):
                console.print_text(console.summary_table(frame))
        elif not failed and not ctx.meta.get(QUIET):
            console.say(f"no reports below {_listed(paths)}; `annotate {_listed(paths)}` makes them")
    except AnnotateError as error:
        fail(error)
    ctx.exit(EXIT_FAILED if failed else 0)


main.add_command(annotate_command)
main.add_command(check)
main.add_command(summarize)


def _logged(outcome: Outcome, write_log: Callable[[Outcome], None]) -> bool:
    """Whether the log took it; if not, that is said, and the run goes on without a log."""
    try:
        write_log(outcome)
    except OutputError as error:
        console.say(f"Error: {error}; the run goes on without it")
        return False
    return True


class _Terminated(KeyboardInterrupt):
    """The process was asked to end."""


def _status_of(interruption: KeyboardInterrupt) -> int:
    return EXIT_TERMINATED if isinstance(interruption, _Terminated) else EXIT_INTERRUPTED


def _interrupt_on_sigterm() -> None:
    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise _Terminated

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _say_none_found(paths: tuple[Path, ...], *, quiet: bool) -> None:
    if not quiet:
        console.say(f"no videos below {_listed(paths)}: files are taken by their endings, such as .mp4, .mkv or .mov")


def _listed(paths: tuple[Path, ...]) -> str:
    return " ".join(str(path) for path in paths)


def fail(error: AnnotateError) -> NoReturn:
    logger.info("failed", exc_info=True)
    console.say(f"Error: {error}")
    sys.exit(EXIT_USAGE if isinstance(error, ModelError | SettingsError) else EXIT_FAILED)
