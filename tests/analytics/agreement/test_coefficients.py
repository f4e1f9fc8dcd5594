"""Coefficients, compared with published examples and with the package krippendorff."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.analytics.agreement.coefficients import fleiss_kappa, krippendorff_alpha

FLEISS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ],
    float,
)
"""The worked example of the article "Fleiss' kappa" in Wikipedia: 14 raters, 10 units, kappa is 0.210."""

KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)
"""Example C of Krippendorff (2011): four observers, twelve units, 0 is missing; nominal alpha is 0.743."""


def ratings_of(values: np.ndarray, classes: int) -> np.ndarray:
    """Return how many of the coders (rows) gave each unit (columns) each class; values are from 1, 0 is missing."""
    return np.stack([(values == number).sum(axis=0) for number in range(1, classes + 1)], axis=1).astype(float)


def test_published_examples() -> None:
    assert round(fleiss_kappa(FLEISS, np.ones(10)), 3) == 0.210
    assert round(krippendorff_alpha(ratings_of(KRIPPENDORFF, 5), np.ones(12)), 3) == 0.743


def test_weights_are_numbers_of_equal_units() -> None:
    weights = np.arange(1, 11)
    repeated = np.repeat(FLEISS, weights, axis=0)
    for coefficient in (fleiss_kappa, krippendorff_alpha):
        assert coefficient(FLEISS, weights.astype(float)) == pytest.approx(coefficient(repeated, np.ones(len(repeated))))


def test_alpha_equals_that_of_the_package() -> None:
    krippendorff = pytest.importorskip("krippendorff")
    random = np.random.default_rng(1)
    truth = random.integers(1, 5, 80)
    values = np.where(random.random((3, 80)) < 0.6, truth, random.integers(0, 5, (3, 80)))
    data = np.where(values == 0, np.nan, values.astype(float))
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    assert krippendorff_alpha(ratings_of(values, 4), np.ones(80)) == pytest.approx(expected)


def test_undefined_coefficients() -> None:
    alike, single = np.array([[2.0, 0], [2, 0]]), np.array([[1.0, 0], [0, 1]])
    for coefficient in (fleiss_kappa, krippendorff_alpha):
        for ratings in (alike, single, np.zeros((0, 2))):
            assert np.isnan(coefficient(ratings, np.ones(len(ratings))))
    with pytest.raises(ValueError, match="different numbers"):
        fleiss_kappa(np.array([[2.0, 0], [1, 0]]), np.ones(2))
