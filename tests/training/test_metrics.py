from __future__ import annotations

import numpy as np
import pytest

from annotate.training.metrics import accuracy, balanced_accuracy, bootstrap, calibration_error

TRUTH = np.array([0] * 8 + [1] * 2)
PREDICTED = np.array([0] * 8 + [1, 0])


def test_accuracy_and_its_balanced_kind() -> None:
    assert accuracy(PREDICTED, TRUTH) == 0.9
    assert balanced_accuracy(PREDICTED, TRUTH) == 0.75


def test_bootstrap_holds_the_figure_and_repeats() -> None:
    interval = bootstrap(accuracy, PREDICTED, TRUTH)
    assert interval.low < interval.value == 0.9 < interval.high <= 1
    assert interval == bootstrap(accuracy, PREDICTED, TRUTH)


def test_calibration_error() -> None:
    """Sure at .9 and right half of the time: off by .4; sure at .6 and always right: off by .4."""
    sure = np.tile(np.array([0.9, 0.1], np.float32), (4, 1))
    less = np.tile(np.array([0.6, 0.4], np.float32), (4, 1))
    truth = np.array([0, 0, 1, 1])
    assert calibration_error(sure, truth) == pytest.approx(0.4, abs=1e-6)
    assert calibration_error(less, np.zeros(4, int)) == pytest.approx(0.4, abs=1e-6)
