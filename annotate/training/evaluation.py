"""Evaluate a model on a set of blocks: metrics with bootstrap intervals over videos. Needs no torch.

Blocks of one video are alike, so the bootstrap resamples videos, not blocks; of stills every image is its own video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.emotions.classifier import Classifier
from annotate.errors import DatasetError
from annotate.training import metrics
from annotate.training.dataset.storage import Dataset
from annotate.training.metrics import Counts, Interval, Values

BATCH_BLOCKS = 8

PredictionProgress = Callable[[int, int], None]
"""Called with the blocks done and the number of all."""


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts blocks.

    ``metrics`` are accuracy, balanced accuracy and expected calibration error; ``class_metrics`` precision, recall and F1 by
    emotion; ``confusion`` (classes, classes) counts blocks by true and by predicted class.
    """

    class_names: tuple[str, ...]
    blocks: int
    videos: int
    metrics: dict[str, Interval]
    class_metrics: dict[str, dict[str, Interval]]
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same blocks: each metric of the first minus that of the second."""

    differences: dict[str, Interval]


def predict(
    classifier: Classifier, dataset: Dataset, rows: NDArray[np.int64], progress: PredictionProgress | None = None
) -> NDArray[np.float32]:
    """Return probabilities (n, classes) of the blocks at ``rows``; a few blocks are in memory at a time.

    Raises:
        DatasetError: the model was made for other blocks than these, or there are none.
        ModelError: its output is not a distribution.
    """
    if disagreement := "; ".join(_contract_differences(classifier, dataset)):
        raise DatasetError(disagreement, "build the set for the model's contract", path=dataset.path)
    if not len(rows):
        raise DatasetError("no block is in this part", "see `annotate dataset show`, or give --split all", path=dataset.path)
    outputs = []
    for start in range(0, len(rows), BATCH_BLOCKS):
        outputs.append(classifier(dataset.whole_blocks(rows[start : start + BATCH_BLOCKS])))
        if progress is not None:
            progress(min(start + BATCH_BLOCKS, len(rows)), len(rows))
    return np.concatenate(outputs)


def evaluate(
    probabilities: NDArray[np.float32],
    truth: NDArray[np.int64],
    videos: NDArray[np.object_],
    class_names: tuple[str, ...],
    *,
    seed: int = 0,
) -> Evaluation:
    """Return the metrics of predictions (n, classes) against labels (n,), with intervals from resampling ``videos`` (n,)."""
    by_video = _count_by_video(probabilities, truth, videos)
    total, resampled = by_video.total(), by_video.resampled(seed)
    values, drawn = _class_metrics(total), _class_metrics(resampled)
    by_class = {
        emotion: {name: metrics.interval(values[name][..., label], drawn[name][..., label]) for name in values}
        for label, emotion in enumerate(class_names)
    }
    return Evaluation(
        class_names=class_names,
        blocks=len(truth),
        videos=len(by_video),
        metrics=_intervals(_overall_metrics(total), _overall_metrics(resampled)),
        class_metrics=by_class,
        confusion=total.confusion[0].astype(np.int64),
    )


def compare(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    truth: NDArray[np.int64],
    videos: NDArray[np.object_],
    *,
    seed: int = 0,
) -> Comparison:
    """Return the differences of two models' metrics on the same blocks, by a paired bootstrap.

    Every draw shows both models the same videos.
    """
    one, other = (_count_by_video(probabilities, truth, videos) for probabilities in (first, second))
    value = _metric_differences(one.total(), other.total())
    return Comparison(_intervals(value, _metric_differences(one.resampled(seed), other.resampled(seed))))


def _count_by_video(probabilities: NDArray[np.float32], truth: NDArray[np.int64], videos: NDArray[np.object_]) -> Counts:
    """Return counts by video, the videos in order of their names."""
    number, _ = pd.factorize(videos, sort=True)
    return metrics.count(probabilities, truth, number)


def _overall_metrics(counts: Counts) -> dict[str, Values]:
    return {
        "accuracy": metrics.accuracy(counts.confusion),
        "balanced accuracy": metrics.balanced_accuracy(counts.confusion),
        "expected calibration error": metrics.calibration_error(counts.bins),
    }


def _class_metrics(counts: Counts) -> dict[str, Values]:
    return {
        "precision": metrics.precision(counts.confusion),
        "recall": metrics.recall(counts.confusion),
        "F1": metrics.f1(counts.confusion),
    }


def _metric_differences(first: Counts, second: Counts) -> dict[str, Values]:
    others = _overall_metrics(second)
    return {name: values - others[name] for name, values in _overall_metrics(first).items()}


def _intervals(values: dict[str, Values], resampled: dict[str, Values]) -> dict[str, Interval]:
    return {name: metrics.interval(value, resampled[name]) for name, value in values.items()}


def _contract_differences(classifier: Classifier, dataset: Dataset) -> Iterator[str]:
    """Yield where the model's contract differs from the set's, which has all frames for any stride of the model."""
    given = dataset.contract.to_metadata()
    for name, wanted in replace(classifier.contract, frame_stride=dataset.contract.frame_stride).to_metadata().items():
        found = given[name]
        if found != wanted:
            yield f"its {name} is {found}, the model's {wanted}"
