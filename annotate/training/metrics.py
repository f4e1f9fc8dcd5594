"""Figures of classification, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]

RESAMPLES = 1000
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def accuracy(predicted: Labels, truth: Labels) -> float:
    """Share of the labels (N,) that are predicted."""
    return float((predicted == truth).mean())


def balanced_accuracy(predicted: Labels, truth: Labels) -> float:
    """Mean recall of the classes present in ``truth`` (N,)."""
    return float(np.mean([(predicted[truth == label] == label).mean() for label in np.unique(truth)]))


def bootstrap(figure: Callable[[Labels, Labels], float], predicted: Labels, truth: Labels, *, seed: int = 0) -> Interval:
    """A figure with the interval that resampling the images gives (percentile bootstrap; Efron, 1979)."""
    random = np.random.default_rng(seed)
    values = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(truth), len(truth))
        values.append(figure(predicted[drawn], truth[drawn]))
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(figure(predicted, truth), float(low), float(high))


def calibration_error(probabilities: NDArray[np.float32], truth: Labels) -> float:
    """Expected calibration error of the top class in equal bins of confidence (Guo et al., ICML 2017)."""
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = 0.0
    for number in np.unique(bins):
        inside = bins == number
        error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return float(error)
