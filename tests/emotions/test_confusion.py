"""Metrics of confusion matrices, compared with scikit-learn and with a published example."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.emotions.confusion import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    f1,
    kappa,
    one_against_rest,
    precision,
    recall,
)

TRUTH = np.array([0] * 8 + [1] * 2)
PREDICTED = np.array([0] * 8 + [1, 0])

COHEN = np.array([[88.0, 14, 18], [10, 40, 10], [2, 6, 12]])
"""Two psychiatrists on 200 patients (Cohen 1960, table 1): kappa is .492."""


def test_accuracy_and_balanced_accuracy() -> None:
    confusion = confusion_matrix(PREDICTED, TRUTH, 2)
    assert confusion.tolist() == [[8, 0], [1, 1]]
    assert accuracy(confusion) == 0.9
    assert balanced_accuracy(confusion) == 0.75
    assert balanced_accuracy(confusion_matrix(PREDICTED, TRUTH, 7)) == 0.75


def test_class_metrics() -> None:
    confusion = confusion_matrix(PREDICTED, TRUTH, 3)
    assert precision(confusion) == pytest.approx([8 / 9, 1, np.nan], nan_ok=True)
    assert recall(confusion) == pytest.approx([1, 0.5, np.nan], nan_ok=True)
    assert f1(confusion) == pytest.approx([16 / 17, 2 / 3, np.nan], nan_ok=True)


def test_kappa_of_the_published_example() -> None:
    assert kappa(COHEN) == pytest.approx((0.70 - 0.41) / (1 - 0.41))
    assert round(float(kappa(COHEN)), 3) == 0.492
    assert kappa(COHEN.T) == pytest.approx(kappa(COHEN / 7))
    assert kappa(np.stack([COHEN, np.diag([1.0, 2, 3])])) == pytest.approx([0.4915254, 1])


@pytest.mark.parametrize("undefined", [np.zeros((3, 3)), np.diag([5.0, 0, 0])])
def test_kappa_is_undefined_without_chance_to_differ(undefined: np.ndarray) -> None:
    assert np.isnan(kappa(undefined))


def test_metrics_equal_those_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    truth = random.integers(0, 5, 400)
    predicted = np.where(random.random(400) < 0.5, truth, random.integers(0, 5, 400))
    weights = random.random(400)
    confusion = np.zeros((5, 5))
    np.add.at(confusion, (truth, predicted), weights)
    assert kappa(confusion) == pytest.approx(sklearn.cohen_kappa_score(truth, predicted, sample_weight=weights))
    expected = sklearn.precision_recall_fscore_support(truth, predicted, sample_weight=weights)[:3]
    assert np.stack([precision(confusion), recall(confusion), f1(confusion)]) == pytest.approx(np.stack(expected))
    for label, own in enumerate(kappa(one_against_rest(confusion))):
        expected_kappa = sklearn.cohen_kappa_score(truth == label, predicted == label, sample_weight=weights)
        assert own == pytest.approx(expected_kappa)
