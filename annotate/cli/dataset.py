"""The commands from footage to model: `annotate dataset`, `annotate train`, `annotate evaluate`.

What takes long to load is loaded by the command that needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from tqdm import tqdm

from annotate.cli import console
from annotate.cli.options import EXIT_FAILED, EXIT_INTERRUPTED, QUIET, Place, fail, min_face_option, verbosity
from annotate.errors import AnnotateError
from annotate.settings import Settings
from annotate.text import printable

ARCHITECTURE_NAMES = ("frames", "cnn3d", "recurrent")
PART_NAMES = ("train", "validation", "test", "all")

_Function = TypeVar("_Function", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _reported(function: _Function) -> Callable[..., Any]:
    """Says errors in a sentence, and that an interrupted command left nothing half done."""

    @wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except AnnotateError as error:
            fail(error)
        except KeyboardInterrupt:
            console.say("interrupted; run the same command again")
            sys.exit(EXIT_INTERRUPTED)

    return wrapped


def _output(metavar: str, help_text: str, **options: Any) -> Callable[[_Function], _Function]:
    return click.option("-o", "--output", metavar=metavar, type=Place(remote=False), help=help_text, **options)


def _split_options(command: _Function) -> _Function:
    for decorate in (
        click.option("--seed", type=int, default=0, show_default=True, help="Chooses who goes where."),
        click.option("--test", type=click.FloatRange(0, 1), default=0.15, show_default=True, help="Share of the test part."),
        click.option(
            "--validation",
            type=click.FloatRange(0, 1),
            default=0.15,
            show_default=True,
            help="Share of the videos or subjects that validate.",
        ),
    ):
        command = decorate(command)
    return command


@click.group()
def dataset() -> None:
    """Make and look at sets of labelled blocks."""


@dataset.command()
@click.argument("labels", metavar="LABELS.csv", type=_FILE)
@click.argument("videos", metavar="VIDEOS", type=Place(remote=False))
@_output("DIR", "Where the set is written; must not be there yet.", required=True)
@click.option("--corrections", metavar="FILE.csv", type=_FILE, help="Labels that override those of LABELS.csv.")
@click.option(
    "--extra",
    metavar="LIST",
    help="Emotions of which a piece gives several blocks, separated by commas, or none.  "
    "[default: those with fewer pieces than the median]",
)
@click.option("--most-blocks", type=click.IntRange(1), default=4, show_default=True, help="Most blocks of a piece of these.")
@min_face_option
@_split_options
@verbosity
@click.pass_context
@_reported
def build(
    ctx: click.Context,
    labels: Path,
    videos: Path,
    output: Path,
    corrections: Path | None,
    extra: str | None,
    most_blocks: int,
    min_face: float,
    validation: float,
    test: float,
    seed: int,
) -> None:
    """Cut the labelled pieces of videos into blocks of 20 face frames.

    LABELS.csv has the columns video,start,end,emotion and may have subject, or those of the OMG-Emotion set; VIDEOS is the
    folder below which the videos lie. Blocks are parted into train, validation and test by subject, or else by video.
    """
    from annotate.training.dataset.build import BuildSettings
    from annotate.training.dataset.build import build as build_dataset
    from annotate.training.dataset.labels import read_labels
    from annotate.training.dataset.storage import Split
    from annotate.training.dataset.tables import build_totals, origins_table

    split = Split(validation, test, seed)
    settings = BuildSettings(_parse_classes(extra), most_blocks, split, Settings(min_face=min_face))
    with _Bar(quiet=_is_quiet(ctx), bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}") as bar:

        def advance(path: Path, done_s: float, duration_s: float | None) -> None:
            bar.move(printable(path.name), done_s, duration_s or done_s)

        report = build_dataset(read_labels(labels, corrections), videos, output, settings, advance)
    for omission in report.omissions:
        console.say(f"left out: {omission}")
    if not _is_quiet(ctx):
        if report.origins:
            console.print_text(f"{origins_table(report.origins, settings.contract.class_names)}\n")
        console.print_text(build_totals(report))
    ctx.exit(0 if report.origins else EXIT_FAILED)


@dataset.command()
@click.argument("blocks", metavar="BLOCKS", type=_FOLDER)
@_output("DIR", "Where the smaller set is written; must not be there yet.", required=True)
@click.option(
    "--ratio",
    type=click.FloatRange(1),
    default=2.0,
    show_default=True,
    help="Most blocks of a class, in those of the smallest class.",
)
@click.option(
    "--of",
    "measure",
    type=click.Choice(["smallest", "median"]),
    default="smallest",
    show_default=True,
    help="What the ratio is of: the smallest class, or the median of the classes.",
)
@click.option(
    "--split", "part", type=click.Choice(PART_NAMES), default="train", show_default=True, help="The part that is reduced."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses which blocks stay.")
@verbosity
@click.pass_context
@_reported
def balance(ctx: click.Context, blocks: Path, output: Path, ratio: float, measure: str, part: str, seed: int) -> None:
    """Reduce the large classes of a set, evenly over their videos."""
    from annotate.training.dataset.balance import balance as balance_dataset
    from annotate.training.dataset.storage import PARTS, open_dataset
    from annotate.training.dataset.tables import origins_table

    opened = open_dataset(blocks)
    origins = balance_dataset(opened, output, ratio, measure, PARTS if part == "all" else (part,), seed)
    if not _is_quiet(ctx):
        console.print_text(f"{origins_table(origins, opened.contract.class_names)}\n")
        console.print_text(f"{len(origins)} of {len(opened)} blocks stay.")


@dataset.command()
@click.argument("faces", metavar="FACES.npz", type=_FILE)
@_output("DIR", "Where the set is written; must not be there yet.", required=True)
@_split_options
@verbosity
@click.pass_context
@_reported
def stills(ctx: click.Context, faces: Path, output: Path, validation: float, test: float, seed: int) -> None:
    """Make a set of labelled stills, to be mixed into training as moving faces.

    FACES.npz holds the arrays pixels (N, h, w) uint8 and label (N) from 0 to 6, and may hold subject (N) and split (N).
    """
    from annotate.emotions.labels import EMOTIONS
    from annotate.training.dataset.stills import import_stills
    from annotate.training.dataset.storage import Split
    from annotate.training.dataset.tables import origins_table

    origins, left_out = import_stills(faces, output, Split(validation, test, seed))
    if not _is_quiet(ctx):
        if origins:
            console.print_text(f"{origins_table(origins, EMOTIONS)}\n")
        console.print_text(f"{len(origins)} stills; {left_out} with other labels left out.")
    ctx.exit(0 if origins else EXIT_FAILED)


@dataset.command()
@click.argument("blocks", metavar="BLOCKS", type=_FOLDER)
@_output("FILE.png", "Draw faces of each class too.")
@verbosity
@_reported
def show(blocks: Path, output: Path | None) -> None:
    """Say what a set holds."""
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.dataset.tables import dataset_text

    opened = open_dataset(blocks)
    if output is not None:
        from annotate.training.plots import draw_sheet

        draw_sheet(opened, output)
    console.print_text(dataset_text(opened))


def _is_quiet(ctx: click.Context) -> bool:
    return bool(ctx.meta.get(QUIET))


def _parse_classes(text: str | None) -> frozenset[int] | None:
    from annotate.training.dataset.labels import parse_emotion

    if text is None or text.strip().casefold() == "none":
        return None if text is None else frozenset()
    try:
        return frozenset(parse_emotion(name) for name in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="'--extra'") from None


class _Bar:
    """A bar on stderr where that is a terminal, one stretch after the other, each with its own text and length."""

    def __init__(self, *, quiet: bool, bar_format: str | None = None) -> None:
        self._shows = not quiet and sys.stderr.isatty()
        self._format = bar_format
        self._bar: tqdm[Any] | None = None
        self._text = ""

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def move(self, text: str, done: float, total: float, postfix: str = "") -> None:
        """So much of the stretch called ``text`` is done; another text begins another."""
        if not self._shows:
            return
        if self._bar is None or text != self._text:
            self.__exit__()
            self._text = text
            self._bar = tqdm(
                desc=text, total=total, file=sys.stderr, leave=False, dynamic_ncols=True, bar_format=self._format
            )
        self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(done - self._bar.n)
