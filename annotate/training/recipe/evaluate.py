"""Evaluate a model file on labeled stills: ``python -m annotate.training.recipe.evaluate --data DIR``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate.emotions import confusion
from annotate.emotions.classifier import Classifier
from annotate.emotions.labels import EMOTIONS
from annotate.training import metrics
from annotate.training.recipe.sources import FERPLUS, FILES, NAMES, certain, load_source
from annotate.training.recipe.still_faces import (
    TEST,
    Stills,
    load_ckplus,
    load_ferplus_majority,
    load_ferplus_most_frequent,
    resize_faces,
)

CKPLUS, CKPLUS_FILE = "ckplus", "ckplus48.npz"
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
    """Return tables of overall metrics, metrics per class and the confusion matrix.

    Intervals are 95 % by bootstrap; that of a perfectly calibrated model holds 90 % of draws.
    """
    by_image = metrics.count(probabilities, truth)
    total, resampled = by_image.total(), by_image.resampled(seed=0)
    overall = [
        (name, _interval_text(confusion.interval(metric(total.confusion), metric(resampled.confusion))))
        for name, metric in (("accuracy", confusion.accuracy), ("balanced accuracy", confusion.balanced_accuracy))
    ]
    overall.append(("expected calibration error", f"{float(metrics.calibration_error(total.bins)[0]):.3f}"))
    by_chance = metrics.calibration_error_by_chance(probabilities)
    low, high = np.quantile(by_chance, (0.05, 0.95))
    overall.append(("the same if perfectly calibrated", f"{by_chance.mean():.3f} [{low:.3f}, {high:.3f}]"))
    recall, precision = confusion.recall(total.confusion)[0], confusion.precision(total.confusion)[0]
    rows = [
        (emotion, _share_text(recall[label]), _share_text(precision[label]), predicted.sum(), *predicted)
        for label, (emotion, predicted) in enumerate(zip(EMOTIONS, total.confusion[0].astype(int), strict=True))
    ]
    headers = ("class", "recall", "precision", "images", *(f"predicted {emotion}" for emotion in EMOTIONS))
    return f"{tabulate(overall)}\n{tabulate(rows, headers, disable_numparse=True)}"


def _interval_text(interval: confusion.Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _share_text(share: float) -> str:
    return "-" if np.isnan(share) else f"{share:.3f}"


def _load_sets(name: str, data: Path, whole: bool, cache: Path | None) -> Iterator[tuple[str, Stills]]:
    """Yield the sets of stills of a source, each with its description."""
    if name == FERPLUS:
        path = data / FILES[FERPLUS]
        yield "FER+ private test, strict majority label, duplicates removed", load_ferplus_majority(path, TEST)
        yield "FER+ private test, most frequent vote, duplicates removed", load_ferplus_most_frequent(path, TEST)
    elif name == CKPLUS:
        yield "CK+, six classes", load_ckplus(data / CKPLUS_FILE)
    else:
        source = load_source(name, data, cache=cache)
        yield (f"{name}, all", certain(source.whole)) if whole else (f"{name}, validation part", source.validation)


def _among_present(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return probabilities (N, 7) given that the class is one of those in labels (N,)."""
    present = probabilities * np.isin(np.arange(len(EMOTIONS)), labels)
    among: NDArray[np.float32] = present / present.sum(1, keepdims=True)
    return among


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--model", type=_FILE, help="Model to evaluate.  [default: the installed one]")
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option(
    "--only",
    type=click.Choice((*NAMES, CKPLUS)),
    multiple=True,
    default=NAMES,
    help=f"Source to evaluate on.  [default: all but {CKPLUS}, which never trains or tunes]",
)
@click.option("--whole", is_flag=True, help="Evaluate on all of each source rather than its validation part.")
@click.option("--cache", type=_FOLDER, help="Folder to keep framed faces in.")
def main(model: Path | None, data: Path, only: tuple[str, ...], whole: bool, cache: Path | None) -> None:
    """Print a model's metrics on labeled stills. See annotate.training.recipe.sources for the files."""
    classifier = Classifier(model)
    for name in only:
        for title, stills in _load_sets(name, data, whole, cache):
            probabilities, labels = classify_stills(classifier, stills.pixels), stills.labels
            click.echo(f"\n{title}: {len(stills)} images\n{report(probabilities, labels)}")
            if len(np.unique(labels)) < len(EMOTIONS):
                click.echo(f"\n{title}, among its classes\n{report(_among_present(probabilities, labels), labels)}")


if __name__ == "__main__":
    main()
