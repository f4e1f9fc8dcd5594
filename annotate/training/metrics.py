"""Counts of predictions per group, shared by training, evaluation and the recipe.

Every metric is computed from counts that are summed over blocks: a confusion matrix (..., classes, classes) by true and
predicted class, or calibration bins (..., bins, 3). Leading axes are kept, so a thousand resamples cost one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.confusion import Labels, Values, ratio, resample

CALIBRATION_BINS = 15

_COUNT, _CORRECT, _CONFIDENCE = range(3)


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
        """Return sums over groups drawn with replacement, see `annotate.emotions.confusion.resample`."""
        return Counts(resample(self.confusion, seed), resample(self.bins, seed))


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
    np.add.at(
        bins, (group_of_row, _bins_of(confidence)), np.stack([np.ones_like(confidence), predicted == truth, confidence], 1)
    )
    return Counts(confusion, bins)


def calibration_error(bins: Values) -> Values:
    """Return the expected calibration error of the top class, in equal-width bins (Guo et al., ICML 2017)."""
    gaps = np.abs(bins[..., _CORRECT] - bins[..., _CONFIDENCE])
    return ratio(gaps.sum(-1), bins[..., _COUNT].sum(-1))


def calibration_error_by_chance(probabilities: NDArray[np.float32], draws: int = 500) -> Values:
    """Return calibration errors (draws,) of predictions (N, classes) that are right as often as they say.

    They are not 0, since a bin of few predictions is seldom right exactly as often: the fewer, the larger.
    """
    confidence = probabilities.max(1).astype(float)
    is_right = np.random.default_rng(0).random((draws, len(confidence))) < confidence
    in_bin = _bins_of(confidence)[:, None] == np.arange(CALIBRATION_BINS)
    gaps: Values = np.abs((is_right - confidence) @ in_bin.astype(float))
    return ratio(gaps.sum(1), np.array(len(confidence)))


def _bins_of(confidence: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the bin of each confidence."""
    return np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
