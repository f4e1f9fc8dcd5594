"""``annotate evaluate``: measure a model on a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from annotate.cli import console
from annotate.cli.analysis_options import model_option
from annotate.cli.options import PathOrUrlType, handle_errors, is_quiet, verbosity
from annotate.cli.progress_bar import ProgressBar
from annotate.cli.training_options import FOLDER, PART_NAMES, output_option
from annotate.storage.base import prepare_output


@click.command()
@handle_errors
@click.argument("blocks", metavar="BLOCKS", type=FOLDER)
@model_option("Model to evaluate.  [default: the installed one]")
@click.option("--against", metavar="OTHER.onnx", type=PathOrUrlType(remote=False), help="Also compare with this model.")
@click.option(
    "--split", "part", type=click.Choice(PART_NAMES), default="test", show_default=True, help="Part to evaluate on."
)
@output_option("FILE.png", "Also draw the confusion matrix.")
@verbosity
def evaluate(blocks: Path, model: Path | None, against: Path | None, part: str, output: Path | None) -> None:
    """Measure the accuracy of a model on a dataset.

    \b
    Example:
      annotate evaluate blocks --model model.onnx -o confusion.png
    """
    from annotate.emotions.classifier import load_classifier
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.dataset.tables import format_comparison, format_evaluation
    from annotate.training.evaluation import compare, predict
    from annotate.training.evaluation import evaluate as evaluate_predictions

    if output is not None:
        prepare_output(output)
    data = open_dataset(blocks)
    rows = data.rows(part)
    truth, videos = data.labels[rows], data.origins["video"].to_numpy(object)[rows]
    with ProgressBar(quiet=is_quiet()) as bar:
        probabilities = predict(load_classifier(model), data, rows, lambda *done: bar.move("model", *done))
        other = None
        if against is not None:
            other = predict(load_classifier(against), data, rows, lambda *done: bar.move("other", *done))
    evaluation = evaluate_predictions(probabilities, truth, videos, data.contract.class_names)
    if output is not None:
        from annotate.training.plots import draw_confusion

        draw_confusion(evaluation, output)
    console.print_text(format_evaluation(evaluation, stills=data.has_stills))
    if other is not None:
        console.print_text(f"\n{format_comparison(compare(probabilities, other, truth, videos))}")
