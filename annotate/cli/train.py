"""``annotate train``: train a model on datasets of labeled blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from annotate.cli import console
from annotate.cli.options import handle_errors, is_quiet, verbosity
from annotate.cli.progress_bar import ProgressBar
from annotate.cli.training_options import ARCHITECTURE_NAMES, FOLDER, output_option
from annotate.extras import check_extra
from annotate.text import clock


@click.command()
@handle_errors
@click.argument("blocks", metavar="BLOCKS...", nargs=-1, required=True, type=FOLDER)
@output_option("MODEL.onnx", "Model to write; checkpoint, log and curves go to MODEL.run beside it.", required=True)
@click.option(
    "--architecture",
    type=click.Choice(ARCHITECTURE_NAMES),
    default="frames",
    show_default=True,
    help="Network architecture.",
)
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True, help="Maximum number of epochs.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    help="Stop after this many epochs without improvement.",
)
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Blocks per training step.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Peak learning rate.",
)
@click.option(
    "--augmentation",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Strength of data augmentation, 0 to 1.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@verbosity
def train(blocks: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Train a model on datasets of blocks and stills.

    Stops when validation no longer improves, and keeps the best epoch. An interrupted run continues when the same command
    is repeated. Needs torch, onnx and matplotlib (the extra training).

    \b
    Example:
      annotate train blocks -o model.onnx
    """
    check_extra("training", "training", {name: name for name in ("torch", "onnx", "matplotlib")})
    from annotate.training.block_training import CURVE_NAME, FitSettings, TrainingRun
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.plots import draw_curve

    folder = output.with_suffix(".run")
    run = TrainingRun([open_dataset(path) for path in blocks], folder, FitSettings(**options))
    quiet = is_quiet()
    if not quiet and run.history:
        console.say(f"continuing after epoch {len(run.history)} of {folder}")
    with ProgressBar(quiet=quiet) as bar:

        def advance(epoch: int, step: int, steps: int, loss: float) -> None:
            bar.move(f"epoch {epoch}", step, steps, f"loss {loss:.3f}")

        for epoch in run.epochs(advance):
            if not quiet:
                console.say(
                    f"epoch {epoch.epoch}: loss {epoch.loss:.3f}; validation loss {epoch.validation_loss:.3f}, accuracy "
                    f"{epoch.accuracy:.3f}, balanced {epoch.balanced_accuracy:.3f}; {clock(epoch.duration_s)}"
                )
    difference = run.export(output)
    draw_curve([vars(epoch) for epoch in run.history], folder / CURVE_NAME)
    if not quiet:
        console.print_text(
            f"{output}: epoch {run.best.epoch}, balanced validation accuracy {run.best.balanced_accuracy:.3f}; "
            f"{output.stat().st_size} bytes, differs from torch by {difference:.1e}"
        )
