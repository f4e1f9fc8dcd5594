"""What commands share: options, of which groups become one value, exit statuses, and how errors end a command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from annotate.archive.discover import Selection
from annotate.cli import console
from annotate.emotions.labels import WORDS
from annotate.errors import AnnotateError, SettingsError
from annotate.settings import MAX_MIN_FACE, MIN_MIN_FACE, Settings
from annotate.storage.base import are_together, local_only, parse_path
from annotate.storage.values import PathOrUrl

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143

QUIET = "annotate.quiet"
"""Key of click's context under which it stands that -q was given, before a command's name or after it."""

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
AnyPath = TypeVar("AnyPath", bound=PathOrUrl)
logger = logging.getLogger(__name__)


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


def handle_errors(command: Command) -> Command:
    """Print a command's error as a sentence, and end the program with its exit status, or with the one that is returned.

    With -v the traceback is printed too.
    """

    @wraps(command)
    def handling(*arguments: Any, **values: Any) -> None:
        try:
            status = command(*arguments, **values)
        except AnnotateError as error:
            logger.info("failed", exc_info=True)
            console.say(f"Error: {error}")
            status = error.exit_status
        except KeyboardInterrupt as interruption:
            console.say("interrupted")
            status = status_of(interruption)
        if status:
            sys.exit(status)

    return handling


def status_of(interruption: KeyboardInterrupt) -> int:
    """Return the exit status of an interrupted program, by the signal."""
    return EXIT_TERMINATED if isinstance(interruption, Terminated) else EXIT_INTERRUPTED


def stacked(*decorators: Decorator) -> Decorator:
    """Return several decorators as one; they stand in the order in which they would stand above the function."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def collect(name: str, make: Callable[..., Any], *options: str) -> Decorator:
    """Pass one value in place of several options: what ``make`` returns when it is called with them by their names."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def collecting(*arguments: Any, **values: Any) -> Any:
            values[name] = make(**{option: values.pop(option) for option in options})
            return command(*arguments, **values)

        return collecting

    return decorate


class PathOrUrlType(click.Path):
    """A path of this machine or, unless they are not taken, an address in object storage."""

    def __init__(self, *, remote: bool = True, **options: Any) -> None:
        super().__init__(path_type=Path, **options)
        self._remote = remote

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path. What is wrong with an address is said without repeating what it may give away."""
        if not isinstance(value, str):
            return super().convert(value, param, ctx)
        try:
            path = parse_path(value)
        except SettingsError as error:
            self.fail(f"{error}.", param, ctx)
        try:
            local_only(path)
        except SettingsError as error:
            if not self._remote:
                self.fail(f"{error}.", param, ctx)
            return path
        return super().convert(value, param, ctx)


def of_one_kind(ctx: click.Context, parameter: click.Parameter, paths: tuple[PathOrUrl, ...]) -> tuple[PathOrUrl, ...]:
    """Take paths of one storage only."""
    if not are_together(paths):
        raise click.BadParameter("files of this machine and s3:// addresses are not done in one run; run them apart.")
    return paths


def verbosity(command: Command) -> Command:
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


def is_quiet() -> bool:
    """Return whether -q was given to the command that runs."""
    return bool(click.get_current_context().meta.get(QUIET))


def verbosity_options(command: Command) -> Command:
    """`verbosity` that passes ``quiet``."""
    return verbosity(collect("quiet", is_quiet)(command))


def paths_argument(metavar: str = "PATH...", *, remote: bool = True) -> Decorator:
    """``paths``, one or several, all of one storage."""
    kind = PathOrUrlType(remote=remote)
    return click.argument("paths", metavar=metavar, nargs=-1, required=True, type=kind, callback=of_one_kind)


def selection_options(*, remote: bool = True) -> Decorator:
    """The ``paths`` of an archive, and ``selection``, which says what files of it are meant."""
    return stacked(
        paths_argument(remote=remote),
        click.option("--include", metavar="GLOB", multiple=True, help="Take only files whose name or path matches."),
        click.option("--exclude", metavar="GLOB", multiple=True, help="Leave out files whose name or path matches."),
        click.option("--follow-links", is_flag=True, help="Walk into linked directories."),
        collect("selection", Selection, "include", "exclude", "follow_links"),
    )


min_face_option = click.option(
    "--min-face",
    type=click.FloatRange(MIN_MIN_FACE, MAX_MIN_FACE),
    default=Settings.min_face,
    show_default=True,
    help="Smallest face, as a fraction of the picture's shorter side.",
)
language_option = click.option(
    "--lang", "language", type=click.Choice(sorted(WORDS)), default="en", show_default=True, help="Language of subtitles."
)


def model_option(help_text: str = "Another model (see the README).") -> Decorator:
    """``--model``, a file of this machine."""
    return click.option("--model", metavar="FILE.onnx", type=PathOrUrlType(remote=False), help=help_text)


def jobs_option(default: str = "one a core", task: str = "worked on") -> Decorator:
    """``--jobs``, of which ``default`` says how many there are if it is not given."""
    help_text = f"Videos {task} at once.  [default: {default}]"
    return click.option("--jobs", metavar="N", type=click.IntRange(1), help=help_text)


def analysis_options(command: Command) -> Command:
    """``settings``: what decides the annotations."""
    options = stacked(min_face_option, model_option(), collect("settings", Settings, "min_face", "model"))
    return options(command)


def output_dir_option(help_text: str, *, is_short: bool = False) -> Decorator:
    """``output_dir``, the mirrored tree. ``-o`` is its short form, or else an old name, like ``--output``: that is said."""
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
    """Return the mirrored tree, given by its name or by an old one, which is said.

    Raises:
        click.UsageError: both are given.
    """
    if old_output is None:
        return output_dir
    if output_dir is not None:
        raise click.UsageError(f"{'/'.join(old_names)} DIR is --output-dir DIR, which is given too.")
    if not is_quiet():
        console.say(f"{'/'.join(old_names)} DIR is now --output-dir DIR")
    return old_output


def videos_option(argument: str) -> Decorator:
    """``--videos``, the tree of the videos, for an ``argument`` that is the tree of their outputs."""
    help_text = f"Where the videos are, if {argument} is a tree of outputs of their own (annotate --output-dir)."
    return click.option("--videos", metavar="DIR", type=PathOrUrlType(remote=False), help=help_text)


def say_none_found(paths: Sequence[PathOrUrl], *, quiet: bool) -> None:
    """Print that there are no videos, unless quiet."""
    if not quiet:
        console.say(f"no videos below {listed(paths)}: files are taken by their endings, such as .mp4, .mkv or .mov")


def say_no_reports(paths: Sequence[PathOrUrl], *, quiet: bool) -> None:
    """Print that there are no reports, unless quiet."""
    if not quiet:
        console.say(f"no reports below {listed(paths)}; `annotate {listed(paths)}` makes them")


def listed(paths: Sequence[PathOrUrl]) -> str:
    """Return paths as they stand on a command line."""
    return " ".join(str(path) for path in paths)
