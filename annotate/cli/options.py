"""What commands share: options, exit statuses, and how they end."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from annotate.cli import console
from annotate.errors import AnnotateError, ModelError, SettingsError
from annotate.settings import MAX_MIN_FACE, MIN_MIN_FACE, Settings
from annotate.storage.s3.path import is_address, is_remote, parse_place

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143

QUIET = "annotate.quiet"

Command = TypeVar("Command", bound=Callable[..., Any])
logger = logging.getLogger(__name__)


_ONLY_HERE = "{place}: this is done with files of this machine only; copy it here first."


class Place(click.Path):
    """A path of this machine or, unless they are not taken, an address in object storage."""

    def __init__(self, *, remote: bool = True, **options: Any) -> None:
        super().__init__(path_type=Path, **options)
        self._remote = remote

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A path. What is wrong with an address is said without repeating what it may give away."""
        if not isinstance(value, str) or not is_address(value):
            return super().convert(value, param, ctx)
        try:
            place = parse_place(value)
        except SettingsError as error:
            self.fail(f"{error}.", param, ctx)
        if not self._remote:
            self.fail(_ONLY_HERE.format(place=place), param, ctx)
        return place


def refuse_remote(place: Path) -> None:
    """Raises a usage error for an address in object storage."""
    if is_remote(place):
        raise click.BadParameter(_ONLY_HERE.format(place=place), param_hint="'PATH...'")


def of_one_kind(ctx: click.Context, parameter: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Takes paths of this machine alone, or addresses alone."""
    if len({is_remote(path) for path in paths}) > 1:
        raise click.BadParameter("files of this machine and s3:// addresses are not done in one run; run them apart.")
    return paths


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


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


def selection(command: Command) -> Command:
    """The paths of an archive and the options that say which of its files are meant."""
    for decorate in (
        click.option("--follow-links", is_flag=True, help="Walk into linked directories."),
        click.option("--exclude", metavar="GLOB", multiple=True, help="Leave out files whose name or path matches."),
        click.option("--include", metavar="GLOB", multiple=True, help="Take only files whose name or path matches."),
        click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place(), callback=of_one_kind),
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


def output_folder(help_text: str) -> Callable[[Command], Command]:
    return click.option("-o", "--output", metavar="DIR", type=Place(file_okay=False), help=help_text)


def videos_option(argument: str) -> Callable[[Command], Command]:
    """``--videos``, the tree of the videos, for an ``argument`` that is the tree of their outputs."""
    help_text = f"Where the videos are, if {argument} is a tree of outputs of their own (annotate -o)."
    return click.option("--videos", metavar="DIR", type=Place(remote=False), help=help_text)


def status_of(interruption: KeyboardInterrupt) -> int:
    return EXIT_TERMINATED if isinstance(interruption, Terminated) else EXIT_INTERRUPTED


def say_none_found(paths: tuple[Path, ...], *, quiet: bool) -> None:
    if not quiet:
        console.say(f"no videos below {listed(paths)}: files are taken by their endings, such as .mp4, .mkv or .mov")


def listed(paths: tuple[Path, ...]) -> str:
    return " ".join(str(path) for path in paths)


def fail(error: AnnotateError) -> NoReturn:
    logger.info("failed", exc_info=True)
    console.say(f"Error: {error}")
    sys.exit(EXIT_USAGE if isinstance(error, ModelError | SettingsError) else EXIT_FAILED)
