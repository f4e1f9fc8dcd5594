"""Evaluate a model on a dataset: metrics with bootstrap intervals over videos. Does not need torch.

Blocks of the same video are correlated, so the bootstrap resamples videos, not blocks. Each still counts as a video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.emotions import confusion
from annotate.emotions.classifier import Classifier
from annotate.emotions.confusion import Interval, Values
from annotate.errors import DatasetError
from annotate.training import metrics
from annotate.training.dataset.storage import Dataset
from annotate.training.metrics import Counts

BATCH_BLOCKS = 8

PredictionProgress = Callable[[int, int], None]
"""Called with the number of blocks done and the total."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a model on labeled blocks, each with an interval.

    ``metrics`` are accuracy, balanced accuracy and expected calibration error; ``class_metrics`` are precision, recall
    and F1 by emotion; ``confusion`` (classes, classes) counts blocks by true class (rows) and predicted class (columns).
    """

    class_names: tuple[str, ...]
    blocks: int
    videos: int
    metrics: dict[str, Interval]
    class_metrics: dict[str, dict[str, Interval]]
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Comparison of two models on the same blocks: each metric of the first minus that of the second."""

    differences: dict[str, Interval]


def predict(
    classifier: Classifier, dataset: Dataset, rows: NDArray[np.int64], progress: PredictionProgress | None = None
) -> NDArray[np.float32]:
    """Return probabilities (N, classes) of the blocks at ``rows`` (N,), reading a few blocks at a time.

    Raises:
        DatasetError: the blocks do not fit the model's contract, or ``rows`` is empty.
        ModelError: the model's output is not a probability distribution.
    """
    if differences := "; ".join(_contract_differences(classifier, dataset)):
        raise DatasetError(differences, "rebuild it for this model's contract", path=dataset.path)
    if not len(rows):
        raise DatasetError("no blocks in this part", "see `annotate dataset show`, or use --split all", path=dataset.path)
    outputs = []
    for start in range(0, len(rows), BATCH_BLOCKS):
        outputs.append(classifier(dataset.full_blocks(rows[start : start + BATCH_BLOCKS])))
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
    """Return metrics of predictions (N, classes) against labels (N,), with intervals over ``videos`` (N,)."""
    by_video = _count_by_video(probabilities, truth, videos)
    total, resampled = by_video.total(), by_video.resampled(seed)
    values, resampled_values = _class_metrics(total), _class_metrics(resampled)
    by_class = {
        emotion: {name: confusion.interval(values[name][..., label], resampled_values[name][..., label]) for name in values}
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
    """Return the differences of two models' metrics on the same blocks, with intervals from a paired bootstrap.

    Each resample contains the same videos for both models.
    """
    counts, other_counts = (_count_by_video(probabilities, truth, videos) for probabilities in (first, second))
    difference = _metric_differences(counts.total(), other_counts.total())
    resampled = _metric_differences(counts.resampled(seed), other_counts.resampled(seed))
    return Comparison(_intervals(difference, resampled))


def _count_by_video(probabilities: NDArray[np.float32], truth: NDArray[np.int64], videos: NDArray[np.object_]) -> Counts:
    """Return counts per video, sorted by name."""
    video_numbers, _ = pd.factorize(videos, sort=True)
    return metrics.count(probabilities, truth, video_numbers)


def _overall_metrics(counts: Counts) -> dict[str, Values]:
    return {
        "accuracy": confusion.accuracy(counts.confusion),
        "balanced accuracy": confusion.balanced_accuracy(counts.confusion),
        "expected calibration error": metrics.calibration_error(counts.bins),
    }


def _class_metrics(counts: Counts) -> dict[str, Values]:
    return {
        "precision": confusion.precision(counts.confusion),
        "recall": confusion.recall(counts.confusion),
        "F1": confusion.f1(counts.confusion),
    }


def _metric_differences(first: Counts, second: Counts) -> dict[str, Values]:
    others = _overall_metrics(second)
    return {name: values - others[name] for name, values in _overall_metrics(first).items()}


def _intervals(values: dict[str, Values], resampled: dict[str, Values]) -> dict[str, Interval]:
    return {name: confusion.interval(value, resampled[name]) for name, value in values.items()}


def _contract_differences(classifier: Classifier, dataset: Dataset) -> Iterator[str]:
    """Yield one message per field in which the contracts differ, except the stride: blocks contain all frames."""
    actual = dataset.contract.to_metadata()
    for name, expected in replace(classifier.contract, frame_stride=dataset.contract.frame_stride).to_metadata().items():
        if actual[name] != expected:
            yield f"its {name} is {actual[name]}, the model's {expected}"
