"""``annotate evaluate``: measure a model on a set of blocks."""

from __future__ import annotations

from pathlib import Path

import click

from annotate.cli import console
from annotate.cli.options import PathOrUrlType, handle_errors, is_quiet, model_option, verbosity
from annotate.cli.progress_bar import ProgressBar
from annotate.cli.training_options import FOLDER, PART_NAMES, output_option


@click.command()
@handle_errors
@click.argument("blocks", metavar="BLOCKS", type=FOLDER)
@model_option("The model; without it, the installed one.")
@click.option("--against", metavar="OTHER.onnx", type=PathOrUrlType(remote=False), help="Compare with another model.")
@click.option(
    "--split", "part", type=click.Choice(PART_NAMES), default="test", show_default=True, help="The part to judge on."
)
@output_option("FILE.png", "Draw the confusion matrix too.")
@verbosity
def evaluate(blocks: Path, model: Path | None, against: Path | None, part: str, output: Path | None) -> None:
    """Judge a model on a set of blocks."""
    from annotate.emotions.classifier import load_classifier
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.dataset.tables import comparison_text, evaluation_text
    from annotate.training.evaluation import compare, predict
    from annotate.training.evaluation import evaluate as evaluate_predictions

    opened = open_dataset(blocks)
    rows = opened.rows(part)
    truth, videos = opened.labels[rows], opened.origins["video"].to_numpy(object)[rows]
    with ProgressBar(quiet=is_quiet()) as bar:
        probabilities = predict(load_classifier(model), opened, rows, lambda *done: bar.move("model", *done))
        other = None
        if against is not None:
            other = predict(load_classifier(against), opened, rows, lambda *done: bar.move("other", *done))
    evaluation = evaluate_predictions(probabilities, truth, videos, opened.contract.class_names)
    if output is not None:
        from annotate.training.plots import draw_confusion

        draw_confusion(evaluation, output)
    console.print_text(evaluation_text(evaluation, stills=opened.holds_stills))
    if other is not None:
        console.print_text(f"\n{comparison_text(compare(probabilities, other, truth, videos))}")
