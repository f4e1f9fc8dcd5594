"""Evaluate a model file on labeled stills: ``python -m annotate.training.recipe.evaluate --ferplus ferplus48.npz``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate.emotions.classifier import Classifier
from annotate.emotions.labels import EMOTIONS
from annotate.training import metrics
from annotate.training.recipe.still_faces import (
    TEST,
    VALIDATION,
    Stills,
    load_ckplus,
    load_ferplus_majority,
    load_ferplus_most_frequent,
    load_webfaces,
    resize_faces,
)

BATCH_STILLS = 64


def classify_stills(classifier: Classifier, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return probabilities (N, 7) of stills (N, h, w) uint8; each still is repeated as a block."""
    contract = classifier.contract
    rows = []
    for start in range(0, len(pixels), BATCH_STILLS):
        crops = resize_faces(pixels[start : start + BATCH_STILLS], contract.crop_size_px)
        rows.append(classifier(np.repeat(crops[:, None], contract.block_frames, 1)))
    return np.concatenate(rows)


def report(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> str:
    """Return tables of overall metrics with 95 % bootstrap intervals, metrics per class and the confusion matrix."""
    by_image = metrics.count(probabilities, truth)
    total, resampled = by_image.total(), by_image.resampled(seed=0)
    overall = [
        (name, _interval_text(metrics.interval(metric(total.confusion), metric(resampled.confusion))))
        for name, metric in (("accuracy", metrics.accuracy), ("balanced accuracy", metrics.balanced_accuracy))
    ]
    overall.append(("expected calibration error", f"{float(metrics.calibration_error(total.bins)[0]):.3f}"))
    recall, precision = metrics.recall(total.confusion)[0], metrics.precision(total.confusion)[0]
    rows = [
        (emotion, _share_text(recall[label]), _share_text(precision[label]), predicted.sum(), *predicted)
        for label, (emotion, predicted) in enumerate(zip(EMOTIONS, total.confusion[0].astype(int), strict=True))
    ]
    headers = ("class", "recall", "precision", "images", *(f"predicted {emotion}" for emotion in EMOTIONS))
    return f"{tabulate(overall)}\n{tabulate(rows, headers, disable_numparse=True)}"


def _interval_text(interval: metrics.Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _share_text(share: float) -> str:
    return "-" if np.isnan(share) else f"{share:.3f}"


def _evaluate(name: str, classifier: Classifier, stills: Stills) -> None:
    click.echo(f"\n{name}: {len(stills)} images")
    click.echo(report(classify_stills(classifier, stills.pixels), stills.labels))


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--model", type=_FILE, help="Model to evaluate.  [default: the installed one]")
@click.option("--ferplus", type=_FILE, help="FER2013 faces with FER+ votes; evaluates on the private test split.")
@click.option("--webfaces", type=_FILE, help="Web faces; evaluates on the validation part.")
@click.option("--ckplus", type=_FILE, help="CK+ faces, never used in training; evaluates on its six classes that are ours.")
def main(model: Path | None, ferplus: Path | None, webfaces: Path | None, ckplus: Path | None) -> None:
    """Print a model's metrics on labeled stills. See annotate.training.recipe.still_faces for the files."""
    classifier = Classifier(model)
    if ferplus is not None:
        _evaluate(
            "FER+ private test, strict majority label, duplicates removed", classifier, load_ferplus_majority(ferplus, TEST)
        )
        _evaluate(
            "FER+ private test, most frequent vote, duplicates removed",
            classifier,
            load_ferplus_most_frequent(ferplus, TEST),
        )
    if webfaces is not None:
        _evaluate("web faces, validation part", classifier, load_webfaces(webfaces, VALIDATION))
    if ckplus is not None:
        _evaluate("CK+, six classes", classifier, load_ckplus(ckplus))
    if ferplus is webfaces is ckplus is None:
        raise click.UsageError("give at least one of --ferplus, --webfaces and --ckplus")


if __name__ == "__main__":
    main()
