"""``annotate dataset``: make and show sets of labeled blocks.

Modules that take long to load are imported by the command that needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import PathOrUrlType, handle_errors, is_quiet, min_face_option, verbosity
from annotate.cli.progress_bar import ProgressBar
from annotate.cli.training_options import FILE, FOLDER, PART_NAMES, output_option, split_options
from annotate.errors import EXIT_FAILED
from annotate.settings import Settings
from annotate.text import printable

if TYPE_CHECKING:
    from annotate.training.dataset.storage import Split


@click.group()
def dataset() -> None:
    """Make and look at sets of labelled blocks."""


@dataset.command()
@handle_errors
@click.argument("labels", metavar="LABELS.csv", type=FILE)
@click.argument("videos", metavar="VIDEOS", type=PathOrUrlType(remote=False))
@output_option("DIR", "Where the set is written; must not be there yet.", required=True)
@click.option("--corrections", metavar="FILE.csv", type=FILE, help="Labels that override those of LABELS.csv.")
@click.option(
    "--extra",
    metavar="LIST",
    help="Emotions of which a piece gives several blocks, separated by commas, or none.  "
    "[default: those with fewer pieces than the median]",
)
@click.option("--most-blocks", type=click.IntRange(1), default=4, show_default=True, help="Most blocks of a piece of these.")
@min_face_option
@split_options
@verbosity
def build(
    labels: Path,
    videos: Path,
    output: Path,
    corrections: Path | None,
    extra: str | None,
    most_blocks: int,
    min_face: float,
    split: Split,
) -> int:
    """Cut the labelled pieces of videos into blocks of 20 face frames.

    LABELS.csv has the columns video,start,end,emotion and may have subject, or those of the OMG-Emotion set; VIDEOS is the
    folder below which the videos lie. Blocks are parted into train, validation and test by subject, or else by video.
    """
    from annotate.training.dataset.build import BuildSettings
    from annotate.training.dataset.build import build as build_dataset
    from annotate.training.dataset.labels import read_labels
    from annotate.training.dataset.tables import build_totals, origins_table

    settings = BuildSettings(_parse_classes(extra), most_blocks, split, Settings(min_face=min_face))
    with ProgressBar(quiet=is_quiet(), bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}") as bar:

        def advance(path: Path, done_s: float, duration_s: float | None) -> None:
            bar.move(printable(path.name), done_s, duration_s or done_s)

        report = build_dataset(read_labels(labels, corrections), videos, output, settings, advance)
    for omission in report.omissions:
        console.say(f"skipped: {omission}")
    if not is_quiet():
        if report.origins:
            console.print_text(f"{origins_table(report.origins, settings.contract.class_names)}\n")
        console.print_text(build_totals(report))
    return 0 if report.origins else EXIT_FAILED


@dataset.command()
@handle_errors
@click.argument("blocks", metavar="BLOCKS", type=FOLDER)
@output_option("DIR", "Where the smaller set is written; must not be there yet.", required=True)
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
def balance(blocks: Path, output: Path, ratio: float, measure: str, part: str, seed: int) -> None:
    """Reduce the large classes of a set, evenly over their videos."""
    from annotate.training.dataset.balance import balance as balance_dataset
    from annotate.training.dataset.storage import PARTS, open_dataset
    from annotate.training.dataset.tables import origins_table

    opened = open_dataset(blocks)
    origins = balance_dataset(opened, output, ratio, measure, PARTS if part == "all" else (part,), seed)
    if not is_quiet():
        console.print_text(f"{origins_table(origins, opened.contract.class_names)}\n")
        console.print_text(f"{len(origins)} of {len(opened)} blocks stay.")


@dataset.command()
@handle_errors
@click.argument("faces", metavar="FACES.npz", type=FILE)
@output_option("DIR", "Where the set is written; must not be there yet.", required=True)
@split_options
@verbosity
def stills(faces: Path, output: Path, split: Split) -> int:
    """Make a set of labelled stills, to be mixed into training as moving faces.

    FACES.npz holds the arrays pixels (N, h, w) uint8 and label (N) from 0 to 6, and may hold subject (N) and split (N).
    """
    from annotate.emotions.labels import EMOTIONS
    from annotate.training.dataset.stills import import_stills
    from annotate.training.dataset.tables import origins_table

    origins, left_out = import_stills(faces, output, split)
    if not is_quiet():
        if origins:
            console.print_text(f"{origins_table(origins, EMOTIONS)}\n")
        console.print_text(f"{len(origins)} stills; {left_out} with other labels left out.")
    return 0 if origins else EXIT_FAILED


@dataset.command()
@handle_errors
@click.argument("blocks", metavar="BLOCKS", type=FOLDER)
@output_option("FILE.png", "Draw faces of each class too.")
@verbosity
def show(blocks: Path, output: Path | None) -> None:
    """Say what a set holds."""
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.dataset.tables import dataset_text

    opened = open_dataset(blocks)
    if output is not None:
        from annotate.training.plots import draw_sheet

        draw_sheet(opened, output)
    console.print_text(dataset_text(opened))


def _parse_classes(text: str | None) -> frozenset[int] | None:
    from annotate.training.dataset.labels import parse_emotion

    if text is None or text.strip().casefold() == "none":
        return None if text is None else frozenset()
    try:
        return frozenset(parse_emotion(name) for name in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="'--extra'") from None
