"""``annotate evaluate``: measure a model on a set of blocks."""

from __future__ import annotations

from pathlib import Path

import click

from annotate.cli import console
from annotate.cli.dataset import _FOLDER, PART_NAMES, _Bar, _is_quiet, _output, _reported
from annotate.cli.options import Place, verbosity


@click.command()
@click.argument("blocks", metavar="BLOCKS", type=_FOLDER)
@click.option("--model", metavar="FILE.onnx", type=Place(remote=False), help="The model; without it, the installed one.")
@click.option("--against", metavar="OTHER.onnx", type=Place(remote=False), help="Compare with another model.")
@click.option(
    "--split", "part", type=click.Choice(PART_NAMES), default="test", show_default=True, help="The part to judge on."
)
@_output("FILE.png", "Draw the confusion matrix too.")
@verbosity
@click.pass_context
@_reported
def evaluate(
    ctx: click.Context, blocks: Path, model: Path | None, against: Path | None, part: str, output: Path | None
) -> None:
    """Judge a model on a set of blocks."""
    from annotate.emotions.classifier import load_classifier
    from annotate.training.dataset.storage import open_dataset
    from annotate.training.dataset.tables import comparison_text, judgement_text
    from annotate.training.evaluation import compare, judge, predict

    opened = open_dataset(blocks)
    rows = opened.rows(part)
    truth, videos = opened.labels[rows], opened.origins["video"].to_numpy(object)[rows]
    with _Bar(quiet=_is_quiet(ctx)) as bar:
        probabilities = predict(load_classifier(model), opened, rows, lambda *done: bar.move("model", *done))
        other = None
        if against is not None:
            other = predict(load_classifier(against), opened, rows, lambda *done: bar.move("other", *done))
    judgement = judge(probabilities, truth, videos, opened.contract.class_names)
    if output is not None:
        from annotate.training.plots import draw_confusion

        draw_confusion(judgement, output)
    console.print_text(judgement_text(judgement, stills=opened.holds_stills))
    if other is not None:
        console.print_text(f"\n{comparison_text(compare(probabilities, other, truth, videos))}")
