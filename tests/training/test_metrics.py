from __future__ import annotations

import numpy as np
import pytest

from annotate.emotions.confusion import RESAMPLES, accuracy, confusion_matrix, interval
from annotate.training.metrics import calibration_error, calibration_error_by_chance, count

TRUTH = np.array([0] * 8 + [1] * 2)
PREDICTED = np.array([0] * 8 + [1, 0])


def test_bootstrap_interval_contains_the_metric_and_is_reproducible() -> None:
    counts = count(np.eye(2, dtype=np.float32)[PREDICTED], TRUTH)
    resampled = counts.resampled(seed=0)
    assert (len(counts), len(resampled)) == (10, RESAMPLES)
    found = interval(accuracy(counts.total().confusion), accuracy(resampled.confusion))
    assert found.low < found.value == 0.9 < found.high <= 1
    assert (resampled.confusion == counts.resampled(seed=0).confusion).all()
    assert (resampled.confusion.sum((1, 2)) == 10).all()
    assert (resampled.confusion != counts.resampled(seed=1).confusion).any()


def test_counts_are_summed_over_groups() -> None:
    probabilities = np.eye(2, dtype=np.float32)[PREDICTED]
    counts = count(probabilities, TRUTH, np.arange(10) % 3)
    assert counts.confusion.shape == (3, 2, 2)
    assert counts.confusion.sum((1, 2)).tolist() == [4, 3, 3]
    assert (counts.total().confusion[0] == confusion_matrix(PREDICTED, TRUTH, 2)).all()


def test_calibration_error() -> None:
    """Confidence 0.9 with accuracy 0.5 gives an error of 0.4, and so does confidence 0.6 with accuracy 1."""
    confident = np.tile(np.array([0.9, 0.1], np.float32), (4, 1))
    unsure = np.tile(np.array([0.6, 0.4], np.float32), (4, 1))
    truth = np.array([0, 0, 1, 1])
    assert calibration_error(count(confident, truth).total().bins) == pytest.approx([0.4], abs=1e-6)
    assert calibration_error(count(unsure, np.zeros(4, int)).total().bins) == pytest.approx([0.4], abs=1e-6)


def test_few_predictions_seem_miscalibrated_by_chance() -> None:
    confidence = np.random.default_rng(0).uniform(0.5, 1, 10_000).astype(np.float32)
    probabilities = np.stack([confidence, 1 - confidence], 1)
    few, many = (calibration_error_by_chance(probabilities[:number]) for number in (100, 10_000))
    assert many.mean() < 0.02 < 0.06 < few.mean()
    truth = (np.random.default_rng(1).random(10_000) > confidence).astype(int)
    measured = calibration_error(count(probabilities, truth).total().bins)[0]
    assert np.quantile(many, 0.01) < measured < np.quantile(many, 0.99)
    sure = np.tile(np.array([1, 0], np.float32), (5, 1))
    assert (calibration_error_by_chance(sure) == 0).all()
