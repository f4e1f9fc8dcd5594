"""Shared by all commands: options, groups of options that become one value, exit statuses and error handling."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from annotate.analytics.face_filter import FaceFilter, remark_on_lacking
from annotate.archive.discover import Selection, walk
from annotate.archive.layout import candidate_outputs
from annotate.cli import console
from annotate.emotions.labels import EMOTION_WORDS
from annotate.errors import AnnotateError, SettingsError
from annotate.storage.base import in_same_storage, parse_path, require_local
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import counted, suggest

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143

QUIET = "annotate.quiet"
"""Key in click's context metadata: -q was given, before or after a command's name."""

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
AnyPath = TypeVar("AnyPath", bound=PathOrUrl)
logger = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM."""


def handle_errors(command: Command) -> Command:
    """Wrap a command: exit with the status it returns; print errors in one line (with -v also the traceback)."""

    @wraps(command)
    def handling(*arguments: Any, **values: Any) -> None:
        try:
            status = command(*arguments, **values)
        except AnnotateError as error:
            logger.info("failed", exc_info=True)
            console.say(f"Error: {error}")
            status = error.exit_status
        except KeyboardInterrupt as interruption:
            console.say(f"Interrupted: {interruption}" if str(interruption) else "Interrupted.")
            status = status_of(interruption)
        if status:
            sys.exit(status)

    return handling


def status_of(interruption: KeyboardInterrupt) -> int:
    """Return the exit status of an interrupted program by its signal."""
    return EXIT_TERMINATED if isinstance(interruption, Terminated) else EXIT_INTERRUPTED


def stacked(*decorators: Decorator) -> Decorator:
    """Return several decorators as one, applied as if written above the function in this order."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def collect(name: str, make: Callable[..., Any], *options: str) -> Decorator:
    """Replace several options by one argument ``name``: the result of ``make`` called with them as keyword arguments."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def collecting(*arguments: Any, **values: Any) -> Any:
            values[name] = make(**{option: values.pop(option) for option in options})
            return command(*arguments, **values)

        return collecting

    return decorate


def full_stop(error: Exception) -> str:
    """Return an error's text with one final period, as click's messages have."""
    return str(error).rstrip(".") + "."


class CommandGroup(click.Group):
    """A group whose help shows the summaries of commands without cutting them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(1000)) for name, one in commands.items() if one is not None])


class PathOrUrlType(click.Path):
    """A local path or, if ``remote``, an s3:// URL."""

    def __init__(self, *, remote: bool = True, **options: Any) -> None:
        super().__init__(path_type=Path, **options)
        self._remote = remote

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path. Errors about a URL do not repeat it: it may hold secrets."""
        if not isinstance(value, str):
            return super().convert(value, param, ctx)
        if not value:
            self.fail("the path is empty. Is a variable of the shell not set?", param, ctx)
        try:
            path = parse_path(value)
        except SettingsError as error:
            self.fail(full_stop(error), param, ctx)
        try:
            require_local(path)
        except SettingsError as error:
            if not self._remote:
                self.fail(full_stop(error), param, ctx)
            return path
        return super().convert(value, param, ctx)


def check_paths(*, may_be_deleted: bool) -> Callable[..., tuple[PathOrUrl, ...]]:
    """Return a callback that requires paths of one storage, and local ones to exist.

    With ``may_be_deleted``, the table of a deleted video is enough.
    """

    def check(ctx: click.Context, parameter: click.Parameter, paths: tuple[PathOrUrl, ...]) -> tuple[PathOrUrl, ...]:
        if not in_same_storage(paths):
            raise click.BadParameter("cannot mix local paths and s3:// URLs; run them separately.")
        for path in paths:
            if isinstance(path, Path) and not ctx.resilient_parsing and _is_missing(path):
                tables = [outputs.csv for outputs in candidate_outputs(path, path.parent)] if may_be_deleted else []
                if all(map(_is_missing, tables)):
                    raise _no_such_path(ctx, path)
        return paths

    return check


def _is_missing(path: PathOrUrl) -> bool:
    try:
        os.lstat(str(path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _no_such_path(ctx: click.Context, path: Path) -> SettingsError:
    """Return the error for a missing path, with the most similar command or path."""
    group = ctx.find_root().command
    commands = group.list_commands(ctx) if isinstance(group, click.Group) else []
    is_word = ctx.command.hidden and path.name == str(path) and not path.suffix
    commands = [name for name in commands if is_word and name[0].isalpha()]
    try:
        beside = {entry.name: str(path.with_name(entry.name)) for entry in path.parent.iterdir()}
    except OSError:
        beside = {}
    guess = suggest(path.name, [*commands, *beside], beside)
    if is_word:
        return SettingsError(f"no such command or path {str(path)!r}{guess}", "see `annotate --help`")
    return SettingsError(f"no such file or directory{guess}", "check the name", path=path)


def verbosity(command: Command) -> Command:
    """``-v`` and ``-q``, accepted before and after a command's name."""

    def make_verbose(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)

    def make_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[QUIET] = True

    quiet = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=make_quiet, help="Print only results and failures."
    )
    verbose = click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=make_verbose, help="Print more, with tracebacks."
    )
    return verbose(quiet(command))


def is_quiet() -> bool:
    """Return whether -q was given to the command that runs."""
    return bool(click.get_current_context().meta.get(QUIET))


def verbosity_options(command: Command) -> Command:
    """`verbosity` that passes ``quiet``."""
    return verbosity(collect("quiet", is_quiet)(command))


def paths_argument(metavar: str = "PATH...", *, remote: bool = True, may_be_deleted: bool = True) -> Decorator:
    """Declare ``paths``, one or more; see `check_paths`."""
    kind = PathOrUrlType(remote=remote)
    callback = check_paths(may_be_deleted=may_be_deleted)
    return click.argument("paths", metavar=metavar, nargs=-1, required=True, type=kind, callback=callback)


def selection_options(*, remote: bool = True, may_be_deleted: bool = False) -> Decorator:
    """Declare ``paths`` and the options of ``selection``."""
    return stacked(
        paths_argument(remote=remote, may_be_deleted=may_be_deleted),
        click.option("--include", metavar="GLOB", multiple=True, help="Only files or folders that match; repeatable."),
        click.option("--exclude", metavar="GLOB", multiple=True, help="Skip files or folders that match; repeatable."),
        click.option("--follow-links", is_flag=True, help="Walk into linked directories."),
        collect("selection", Selection, "include", "exclude", "follow_links"),
    )


language_option = click.option(
    "--lang",
    "language",
    type=click.Choice(sorted(EMOTION_WORDS)),
    default="en",
    show_default=True,
    help="Language of texts in outputs.",
)

keep_option = click.option(
    "--keep",
    metavar="FACE_ID",
    multiple=True,
    type=click.IntRange(1),
    help="Do not blur this face of the table; repeatable. Needs --blur.",
)


def jobs_option(default: str = "one per core", task: str = "processed") -> Decorator:
    """Declare ``--jobs``; ``default`` describes the number used without it."""
    help_text = f"Number of videos {task} at once.  [default: {default}]"
    return click.option("--jobs", metavar="N", type=click.IntRange(1), help=help_text)


relative_option = click.option(
    "--relative", is_flag=True, help="Emotions relative to each face's own baseline (annotate --baseline)."
)


corrections_option = stacked(
    click.option("--without-corrections", is_flag=True, help="What the machine says, without corrections by people."),
    collect("is_corrected", lambda without_corrections: not without_corrections, "without_corrections"),
)
"""Declares ``is_corrected``."""


def face_filter_options(command: Command) -> Command:
    """Declare the options of ``faces``."""
    options = stacked(
        click.option(
            "--max-yaw",
            "max_yaw_deg",
            metavar="DEGREES",
            type=click.FloatRange(0, 180),
            help="Only faces that are turned to the side by at most this.",
        ),
        click.option(
            "--min-face-px",
            metavar="PIXELS",
            type=click.FloatRange(0),
            help="Only faces that are at least this large, in pixels of the frame.",
        ),
        click.option(
            "--min-quality",
            metavar="0-1",
            type=click.FloatRange(0, 1),
            help="Only faces of at least this quality: sharpness, light and size.",
        ),
        collect("faces", FaceFilter, "max_yaw_deg", "min_face_px", "min_quality"),
    )
    return options(command)


def output_dir_option(help_text: str, *, is_short: bool = False) -> Decorator:
    """Declare ``output_dir``, the mirrored tree; ``-o`` is its short form or, like ``--output``, an old name with a note."""
    names, old_names = (("-o", "--output-dir"), ("--output",)) if is_short else (("--output-dir",), ("-o", "--output"))
    kind = PathOrUrlType(file_okay=False)

    def choose(output_dir: PathOrUrl | None, old_output: PathOrUrl | None) -> PathOrUrl | None:
        return choose_output_dir(output_dir, old_output, old_names)

    return stacked(
        click.option(*names, "output_dir", metavar="DIR", type=kind, help=help_text),
        click.option(*old_names, "old_output", type=kind, hidden=True),
        collect("output_dir", choose, "output_dir", "old_output"),
    )


def choose_output_dir(
    output_dir: AnyPath | None, old_output: AnyPath | None, old_names: Sequence[str] = ("-o", "--output")
) -> AnyPath | None:
    """Return the mirrored tree; print a note if it was given by an old name.

    Raises:
        click.UsageError: both are given.
    """
    if old_output is None:
        return output_dir
    if output_dir is not None:
        raise click.UsageError(f"{'/'.join(old_names)} DIR means --output-dir DIR, which is also given.")
    if not is_quiet():
        console.say(f"{'/'.join(old_names)} DIR is now --output-dir DIR")
    return old_output


def videos_option(argument: str) -> Decorator:
    """Declare ``--videos``, the folder of the videos where ``argument`` is a separate folder of outputs."""
    help_text = f"Folder of the videos, if {argument} was written with annotate --output-dir."
    return click.option("--videos", metavar="DIR", type=PathOrUrlType(remote=False), help=help_text)


def say_none_found(paths: Sequence[PathOrUrl], selection: Selection, *, quiet: bool) -> None:
    """Print why there are no videos, unless ``quiet``: none at all, or none that the patterns select."""
    if quiet:
        return
    found = walk(paths, selection.without_patterns) if selection.has_patterns else ()
    excluded = sum(not isinstance(path, SkippedPath) for path in found)
    if excluded:
        patterns = [f"--include {pattern!r}" for pattern in selection.include]
        patterns += [f"--exclude {pattern!r}" for pattern in selection.exclude]
        videos = counted(excluded, "video")
        console.say(f"{listed(paths)}: none of {videos} selected ({' '.join(patterns)}). Check the patterns.")
    else:
        console.say(f"{listed(paths)}: no videos (looked for files such as .mp4, .mkv or .mov). Check the path.")


def say_no_tables(paths: Iterable[PathOrUrl]) -> list[SkippedPath]:
    """Print for each of these paths that there are no tables, and why; return them as skipped."""
    skipped = []
    for path in paths:
        if all(isinstance(entry, SkippedPath) for entry in walk([path], Selection())):
            entry = SkippedPath(path, "no tables found (and no videos)", "check the path", is_folder=True)
        else:
            problem = "no tables found (its videos are not annotated yet)"
            entry = SkippedPath(path, problem, f"run `annotate {listed([path])}` first", is_folder=True)
        skipped.append(entry)
        console.say(str(entry))
    return skipped


def say_older(count: int, *, quiet: bool) -> None:
    """Print how many of the tables that were read an older analysis version made, unless none or ``quiet``."""
    if count and not quiet:
        tables = counted(count, "table")
        console.say(f"{tables} of an older analysis version (run `annotate` to renew {'it' if count == 1 else 'them'}).")


def say_lacking(count: int, *, quiet: bool) -> None:
    """Print how many tables lack what a filter of faces compares, unless none or ``quiet``."""
    if count and not quiet:
        console.say(f"{remark_on_lacking(count)}.")


def listed(paths: Sequence[PathOrUrl]) -> str:
    """Return paths as they are typed on a command line."""
    return shlex.join(str(path) for path in paths)
