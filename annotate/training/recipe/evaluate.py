"""Judging a model file on labelled stills: ``python -m annotate.training.recipe.evaluate --ferplus ferplus48.npz``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate.emotions.classifier import Classifier
from annotate.emotions.labels import EMOTIONS
from annotate.training.metrics import Interval, accuracy, balanced_accuracy, bootstrap, calibration_error
from annotate.training.recipe.still_faces import (
    TEST,
    VALIDATION,
    Stills,
    enlarge,
    load_ckplus,
    load_ferplus_majority,
    load_ferplus_most_frequent,
    load_webfaces,
)

BATCH_STILLS = 64


def classify_stills(classifier: Classifier, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (N, 7) of stills (N, h, w) uint8, each shown as a block that stands still."""
    contract = classifier.contract
    rows = []
    for start in range(0, len(pixels), BATCH_STILLS):
        crops = enlarge(pixels[start : start + BATCH_STILLS], contract.crop_size_px)
        rows.append(classifier(np.repeat(crops[:, None], contract.block_frames, 1)))
    return np.concatenate(rows)


def report(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> str:
    """Figures with bootstrap 95 % intervals over images, recall and precision of each class, and the confusion matrix."""
    predicted = probabilities.argmax(1).astype(np.int64)
    figures = [
        ("accuracy", _shown(bootstrap(accuracy, predicted, truth))),
        ("balanced accuracy", _shown(bootstrap(balanced_accuracy, predicted, truth))),
        ("expected calibration error", f"{calibration_error(probabilities, truth):.3f}"),
    ]
    confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(confusion, (truth, predicted), 1)
    rows = []
    for label, emotion in enumerate(EMOTIONS):
        present, called = confusion[label].sum(), confusion[:, label].sum()
        recall = f"{confusion[label, label] / present:.3f}" if present else "-"
        precision = f"{confusion[label, label] / called:.3f}" if called else "-"
        rows.append((emotion, recall, precision, present, *confusion[label]))
    headers = ("class", "recall", "precision", "images", *(f"called {emotion}" for emotion in EMOTIONS))
    return f"{tabulate(figures)}\n{tabulate(rows, headers, disable_numparse=True)}"


def _shown(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _evaluate(name: str, classifier: Classifier, stills: Stills) -> None:
    click.echo(f"\n{name}: {len(stills)} images")
    click.echo(report(classify_stills(classifier, stills.pixels), stills.labels))


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--model", type=_FILE, help="A model under the contract; without it, the one that is installed.")
@click.option("--ferplus", type=_FILE, help="FER2013 faces with FER+ votes: judged on the private test.")
@click.option("--webfaces", type=_FILE, help="Web faces: judged on the part kept from training.")
@click.option(
    "--ckplus", type=_FILE, help="CK+ faces, never trained on: judged on the six classes of its own that are ours."
)
def main(model: Path | None, ferplus: Path | None, webfaces: Path | None, ckplus: Path | None) -> None:
    """Prints how well a model knows labelled stills. What the files hold is told in annotate.training.recipe.still_faces."""
    classifier = Classifier(model)
    if ferplus is not None:
        _evaluate(
            "FER+ private test, strict majority label, copies removed", classifier, load_ferplus_majority(ferplus, TEST)
        )
        _evaluate(
            "FER+ private test, most frequent vote, copies removed", classifier, load_ferplus_most_frequent(ferplus, TEST)
        )
    if webfaces is not None:
        _evaluate("web faces, validation part", classifier, load_webfaces(webfaces, VALIDATION))
    if ckplus is not None:
        _evaluate("CK+, six classes", classifier, load_ckplus(ckplus))
    if ferplus is webfaces is ckplus is None:
        raise click.UsageError("give at least one of --ferplus, --webfaces and --ckplus")


if __name__ == "__main__":
    main()
