"""``annotate train``: train a model on sets of blocks."""

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
@output_option("MODEL.onnx", "The model; its checkpoint, log and curve lie beside it in MODEL.run.", required=True)
@click.option(
    "--architecture", type=click.Choice(ARCHITECTURE_NAMES), default="frames", show_default=True, help="The network."
)
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True, help="Most epochs.")
@click.option("--patience", type=click.IntRange(1), default=6, show_default=True, help="Epochs without gain that end a run.")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Blocks a step.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    help="The highest of the run.",
)
@click.option(
    "--augmentation", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="How much blocks are varied."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")
@verbosity
def train(blocks: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Train a model on sets of blocks, and of stills that are made to move.

    Ends when validation no longer improves, and keeps the best. A run that was stopped goes on when the same command is
    given again. Needs the extra: pip install 'annotate[training]'.
    """
    check_extra("training", "training", {name: name for name in ("torch", "onnx", "matplotlib")})
    from annotate.training.block_training import CURVE_NAME, FitSettings, TrainingRun
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.plots import draw_curve

    folder = output.with_suffix(".run")
    run = TrainingRun([open_dataset(path) for path in blocks], folder, FitSettings(**options))
    quiet = is_quiet()
    if not quiet and run.history:
        console.say(f"going on after epoch {len(run.history)}, as {folder} says")
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
            f"{output}: epoch {run.best.epoch}, balanced accuracy {run.best.balanced_accuracy:.3f} in validation; "
            f"{output.stat().st_size} bytes, differs from torch by {difference:.1e}"
        )
