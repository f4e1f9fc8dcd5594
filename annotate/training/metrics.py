"""Classification metrics with bootstrap intervals, shared by training, evaluation and the recipe.

Every metric is computed from counts that are summed over blocks: a confusion matrix (..., classes, classes) by true and
predicted class, or calibration bins (..., bins, 3). Leading axes are kept, so a thousand resamples cost one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CALIBRATION_BINS = 15
INTERVAL_PERCENT = (2.5, 97.5)

_RESAMPLES_AT_ONCE = 50
"""Number of resamples whose weights are in memory at a time."""

_COUNT, _CORRECT, _CONFIDENCE = range(3)

Labels = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A metric and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Counts:
    """Counts of predictions per group, or sums of them.

    ``confusion`` (G, classes, classes) counts blocks by true and predicted class; ``bins`` (G, bins, 3) contains, per bin of
    confidence, the number of blocks, the number predicted correctly, and the sum of confidences.
    """

    confusion: Values
    bins: Values

    def __len__(self) -> int:
        return len(self.confusion)

    def weighted(self, weights: Values) -> Counts:
        """Return R weighted sums over the groups, one per row of ``weights`` (R, G)."""
        return Counts(np.tensordot(weights, self.confusion, 1), np.tensordot(weights, self.bins, 1))

    def total(self) -> Counts:
        """Return the sum over all groups as a single group."""
        return self.weighted(np.ones((1, len(self))))

    def resampled(self, seed: int) -> Counts:
        """Return ``RESAMPLES`` sums, each over G groups drawn with replacement (cluster bootstrap).

        Davison and Hinkley, "Bootstrap Methods and their Application", 1997. Equal seeds draw equal groups.
        """
        groups = len(self)
        random, shares = np.random.default_rng(seed), np.full(groups, 1 / groups)
        drawn = [
            self.weighted(random.multinomial(groups, shares, _RESAMPLES_AT_ONCE).astype(float))
            for _ in range(RESAMPLES // _RESAMPLES_AT_ONCE)
        ]
        return Counts(np.concatenate([each.confusion for each in drawn]), np.concatenate([each.bins for each in drawn]))


def count(probabilities: NDArray[np.float32], truth: Labels, groups: NDArray[np.integer] | None = None) -> Counts:
    """Return counts of predictions (N, classes) against labels (N,) per group.

    ``groups`` (N,) are group numbers from 0; by default each row is its own group.
    """
    group_of_row = np.arange(len(truth)) if groups is None else groups
    group_count = int(group_of_row.max()) + 1 if len(group_of_row) else 0
    classes = probabilities.shape[1]
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    confusion = np.zeros((group_count, classes, classes))
    np.add.at(confusion, (group_of_row, truth, predicted), 1)
    bins = np.zeros((group_count, CALIBRATION_BINS, 3))
    bin_of_row = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    np.add.at(bins, (group_of_row, bin_of_row), np.stack([np.ones_like(confidence), predicted == truth, confidence], 1))
    return Counts(confusion, bins)


def confusion_matrix(predicted: Labels, truth: Labels, classes: int) -> Values:
    """Return the number of blocks by true class (rows) and predicted class (columns), (classes, classes)."""
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (truth, predicted), 1)
    return confusion


def accuracy(confusion: Values) -> Values:
    """Return the share of blocks predicted correctly."""
    return _ratio(_correct(confusion).sum(-1), confusion.sum((-2, -1)))


def balanced_accuracy(confusion: Values) -> Values:
    """Return the mean recall of the classes that are present."""
    present = confusion.sum(-1) > 0
    return _ratio(np.where(present, recall(confusion), 0).sum(-1), present.sum(-1))


def precision(confusion: Values) -> Values:
    """Return, per class, the share of correct ones among its predictions; nan if it is never predicted."""
    return _ratio(_correct(confusion), confusion.sum(-2))


def recall(confusion: Values) -> Values:
    """Return, per class, the share of its blocks predicted correctly; nan if it has none."""
    return _ratio(_correct(confusion), confusion.sum(-1))


def f1(confusion: Values) -> Values:
    """Return, per class, the harmonic mean of precision and recall; nan if it has no block and is never predicted."""
    return _ratio(2 * _correct(confusion), confusion.sum(-1) + confusion.sum(-2))


def calibration_error(bins: Values) -> Values:
    """Return the expected calibration error of the top class, in equal-width bins (Guo et al., ICML 2017)."""
    gaps = np.abs(bins[..., _CORRECT] - bins[..., _CONFIDENCE])
    return _ratio(gaps.sum(-1), bins[..., _COUNT].sum(-1))


def interval(value: Values, resampled: Values) -> Interval:
    """Return a metric, ``value`` (1,), with percentiles of its resampled values (R,), ignoring undefined ones."""
    defined = resampled[np.isfinite(resampled)]
    low, high = np.percentile(defined, INTERVAL_PERCENT) if len(defined) else (np.nan, np.nan)
    return Interval(float(value[0]), float(low), float(high))


def _correct(confusion: Values) -> Values:
    diagonal: Values = np.diagonal(confusion, axis1=-2, axis2=-1)
    return diagonal


def _ratio(numerator: Values, denominator: Values) -> Values:
    ratio: Values = np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)
    return ratio
