"""Confusion matrices: agreement and classification metrics with bootstrap intervals.

A confusion matrix (..., classes, classes) has the true classes, or those of a first rater, as rows and the predicted ones as
columns; its cells are counts or times. Leading axes are kept, so a thousand resamples cost one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
INTERVAL_PERCENT = (2.5, 97.5)

_RESAMPLES_AT_ONCE = 50
"""Number of resamples whose weights are in memory at a time."""

Labels = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A metric and its 95 % interval."""

    value: float
    low: float
    high: float


def confusion_matrix(predicted: Labels, truth: Labels, classes: int) -> Values:
    """Return the number of blocks by true class (rows) and predicted class (columns), (classes, classes)."""
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (truth, predicted), 1)
    return confusion


def accuracy(confusion: Values) -> Values:
    """Return the share of blocks predicted correctly."""
    return ratio(_correct(confusion).sum(-1), confusion.sum((-2, -1)))


def balanced_accuracy(confusion: Values) -> Values:
    """Return the mean recall of the classes that are present."""
    present = confusion.sum(-1) > 0
    return ratio(np.where(present, recall(confusion), 0).sum(-1), present.sum(-1))


def precision(confusion: Values) -> Values:
    """Return, per class, the share of correct ones among its predictions; nan if it is never predicted."""
    return ratio(_correct(confusion), confusion.sum(-2))


def recall(confusion: Values) -> Values:
    """Return, per class, the share of its blocks predicted correctly; nan if it has none."""
    return ratio(_correct(confusion), confusion.sum(-1))


def f1(confusion: Values) -> Values:
    """Return, per class, the harmonic mean of precision and recall; nan if it has no block and is never predicted."""
    return ratio(2 * _correct(confusion), confusion.sum(-1) + confusion.sum(-2))


def kappa(confusion: Values) -> Values:
    """Return Cohen's kappa, the agreement beyond chance; nan if it is undefined, since both have one and the same class.

    Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological Measurement 20, 1960.
    """
    rows, columns = ratio(confusion.sum(-1), confusion.sum((-2, -1))[..., None]), confusion.sum(-2)
    by_chance = (rows * ratio(columns, columns.sum(-1, keepdims=True))).sum(-1)
    return ratio(accuracy(confusion) - by_chance, 1 - by_chance)


def one_against_rest(confusion: Values) -> Values:
    """Return the confusion matrices (..., classes, 2, 2) of each class, first, against all others together, second.

    >>> one_against_rest(np.array([[3.0, 1.0], [0.0, 2.0]]))[0].tolist()
    [[3.0, 1.0], [0.0, 2.0]]
    """
    both, rows, columns = _correct(confusion), confusion.sum(-1), confusion.sum(-2)
    neither = confusion.sum((-2, -1))[..., None] - rows - columns + both
    return np.stack([np.stack([both, rows - both], -1), np.stack([columns - both, neither], -1)], -2)


def interval(value: Values, resampled: Values) -> Interval:
    """Return a metric, ``value`` (1,), with percentiles of its resampled values (R,), ignoring undefined ones."""
    defined = resampled[np.isfinite(resampled)]
    low, high = np.percentile(defined, INTERVAL_PERCENT) if len(defined) else (np.nan, np.nan)
    return Interval(float(value[0]), float(low), float(high))


def resample(values: Values, seed: int) -> Values:
    """Return ``RESAMPLES`` sums of ``values`` (G, ...), each over G groups drawn with replacement (cluster bootstrap).

    Davison and Hinkley, "Bootstrap Methods and their Application", 1997. Equal seeds draw equal groups.
    """
    groups = len(values)
    random, shares = np.random.default_rng(seed), np.full(groups, 1 / groups)
    drawn = [
        np.tensordot(random.multinomial(groups, shares, _RESAMPLES_AT_ONCE).astype(float), values, 1)
        for _ in range(RESAMPLES // _RESAMPLES_AT_ONCE)
    ]
    return np.concatenate(drawn)


def _correct(confusion: Values) -> Values:
    diagonal: Values = np.diagonal(confusion, axis1=-2, axis2=-1)
    return diagonal


def ratio(numerator: Values, denominator: Values) -> Values:
    """Return quotients, nan where the denominator is 0."""
    shape = np.shape(numerator)
    is_defined = np.broadcast_to(denominator > 0, shape)
    quotient: Values = np.divide(numerator, denominator, out=np.full(shape, np.nan), where=is_defined)
    return quotient
