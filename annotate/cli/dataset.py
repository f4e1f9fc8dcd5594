"""``annotate dataset``: build and inspect datasets of labeled blocks.

Slow imports are inside the commands, to keep ``--help`` fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.analysis_options import detector_option, min_face_option
from annotate.cli.options import (
    CommandGroup,
    PathOrUrlType,
    collect,
    full_stop,
    handle_errors,
    is_quiet,
    verbosity,
)
from annotate.cli.progress_bar import ProgressBar
from annotate.cli.training_options import FILE, FOLDER, PART_NAMES, output_option, split_options
from annotate.errors import EXIT_FAILED
from annotate.settings import Settings
from annotate.storage.base import prepare_output
from annotate.text import printable

if TYPE_CHECKING:
    from annotate.training.dataset.labels import LabelTable
    from annotate.training.dataset.storage import Split


@click.group(cls=CommandGroup)
def dataset() -> None:
    """Build and inspect datasets of labeled clips."""


@dataset.command()
@handle_errors
@click.argument("labels", metavar="[LABELS.csv", type=FILE, required=False)
@click.argument("videos", metavar="VIDEOS]", type=PathOrUrlType(remote=False), required=False)
@output_option("DIR", "Folder to create for the dataset.", required=True)
@click.option(
    "--corrections",
    metavar="DIR|FILE.csv",
    type=PathOrUrlType(remote=False, exists=True),
    help="Annotated videos, in which people corrected or confirmed segments: the labels. A file overrides LABELS.csv.",
)
@click.option(
    "--extra",
    metavar="LIST",
    help="Comma-separated emotions whose clips give several blocks each, or none.  "
    "[default: emotions with fewer clips than the median]",
)
@click.option(
    "--most-blocks",
    "max_blocks",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Maximum number of blocks per clip of these emotions.",
)
@detector_option
@min_face_option
@split_options
@verbosity
@collect("analysis", Settings, "detector", "min_face")
def build(
    labels: Path | None,
    videos: Path | None,
    output: Path,
    corrections: Path | None,
    extra: str | None,
    max_blocks: int,
    analysis: Settings,
    split: Split,
) -> int:
    """Cut labeled clips into blocks of 20 face frames.

    LABELS.csv has the columns video,start,end,emotion and optionally subject, or those of the OMG-Emotion dataset. VIDEOS is
    the folder of the videos. Blocks are split into train, validation and test by subject, or else by video. With
    --corrections DIR alone, the labels are what people said with annotate correct, and subjects are persons.

    \b
    Examples:
      annotate dataset build labels.csv videos -o blocks
      annotate dataset build --corrections films -o blocks
    """
    from annotate.training.dataset.build import BuildSettings
    from annotate.training.dataset.build import build as build_dataset
    from annotate.training.dataset.tables import build_totals, origins_table

    table, footage = _read_labels(labels, videos, corrections)
    settings = BuildSettings(_parse_classes(extra), max_blocks, split, analysis)
    with ProgressBar(quiet=is_quiet(), bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}") as bar:

        def advance(path: Path, done_s: float, duration_s: float | None) -> None:
            bar.move(printable(path.name), done_s, duration_s or done_s)

        report = build_dataset(table, footage, output, settings, advance)
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
@output_option("DIR", "Folder to create for the smaller dataset.", required=True)
@click.option(
    "--ratio",
    type=click.FloatRange(1),
    default=2.0,
    show_default=True,
    help="Maximum size of a class, relative to --of.",
)
@click.option(
    "--of",
    "reference",
    type=click.Choice(["smallest", "median"]),
    default="smallest",
    show_default=True,
    help="Reference of the ratio: the smallest class or the median class size.",
)
@click.option("--split", "part", type=click.Choice(PART_NAMES), default="train", show_default=True, help="Part to reduce.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@verbosity
def balance(blocks: Path, output: Path, ratio: float, reference: str, part: str, seed: int) -> None:
    """Reduce the large classes of a dataset, evenly over their videos.

    \b
    Example:
      annotate dataset balance blocks -o balanced --ratio 2
    """
    from annotate.training.dataset.balance import balance as balance_dataset
    from annotate.training.dataset.storage import PARTS, open_dataset
    from annotate.training.dataset.tables import origins_table

    data = open_dataset(blocks)
    origins = balance_dataset(data, output, ratio, reference, PARTS if part == "all" else (part,), seed)
    if not is_quiet():
        console.print_text(f"{origins_table(origins, data.contract.class_names)}\n")
        console.print_text(f"{len(origins)} of {len(data)} blocks kept.")


@dataset.command()
@handle_errors
@click.argument("faces", metavar="FACES.npz", type=FILE)
@output_option("DIR", "Folder to create for the dataset.", required=True)
@split_options
@verbosity
def stills(faces: Path, output: Path, split: Split) -> int:
    """Import labeled stills as a dataset; training turns each into a moving face.

    FACES.npz contains the arrays pixels (N, h, w) uint8 and label (N) from 0 to 6, and optionally subject (N) and split (N).

    \b
    Example:
      annotate dataset stills faces.npz -o stills
    """
    from annotate.emotions.labels import EMOTIONS
    from annotate.training.dataset.stills import import_stills
    from annotate.training.dataset.tables import origins_table

    origins, skipped = import_stills(faces, output, split)
    if not is_quiet():
        if origins:
            console.print_text(f"{origins_table(origins, EMOTIONS)}\n")
        console.print_text(f"{len(origins)} stills; {skipped} skipped (label not from 0 to 6).")
    return 0 if origins else EXIT_FAILED


@dataset.command()
@handle_errors
@click.argument("blocks", metavar="BLOCKS", type=FOLDER)
@output_option("FILE.png", "Also draw sample faces of each class.")
@verbosity
def show(blocks: Path, output: Path | None) -> None:
    """Show the size, classes and parts of a dataset.

    \b
    Example:
      annotate dataset show blocks -o faces.png
    """
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.dataset.tables import describe_dataset

    data = open_dataset(blocks)
    if output is not None:
        from annotate.training.plots import draw_sheet

        prepare_output(output)
        draw_sheet(data, output)
    console.print_text(describe_dataset(data))


def _read_labels(labels: Path | None, videos: Path | None, corrections: Path | None) -> tuple[LabelTable, Path]:
    """Return the labels, and the folder of the videos.

    Raises:
        click.UsageError: the arguments do not fit each other.
    """
    from annotate.training.dataset.corrected import read_corrected
    from annotate.training.dataset.labels import read_labels

    if labels is not None and videos is not None:
        if corrections is not None and corrections.is_dir():
            raise click.UsageError("--corrections DIR stands for LABELS.csv and VIDEOS. Give these, or a file.")
        return read_labels(labels, corrections), videos
    if labels is not None or corrections is None or not corrections.is_dir():
        raise click.UsageError("Give LABELS.csv and VIDEOS, or --corrections DIR.")
    return read_corrected(corrections), corrections


def _parse_classes(text: str | None) -> frozenset[int] | None:
    from annotate.training.dataset.labels import parse_emotion

    if text is None or text.strip().casefold() == "none":
        return None if text is None else frozenset()
    try:
        return frozenset(parse_emotion(name) for name in text.split(","))
    except ValueError as error:
        raise click.BadParameter(full_stop(error), param_hint="'--extra'") from None
