from __future__ import annotations

import numpy as np
import pytest

from annotate.training.recipe.verification import b_cubed, training_half, true_accept_rate


def test_true_accept_rate_counts_pairs_closer_than_those_of_two_persons() -> None:
    angles = np.deg2rad([0, 10, 40, 90, 100, 130])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    persons = np.array(["a", "a", "a", "b", "b", "b"])
    assert true_accept_rate(vectors, persons) == pytest.approx(6 / 6)  # the closest of two persons are 50 degrees apart
    angles[2] = np.deg2rad(75)  # now 15 degrees from b: only the pairs 10 degrees apart are closer
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    assert true_accept_rate(3 * vectors, persons) == pytest.approx(2 / 6)


def test_b_cubed_of_joined_and_split_persons() -> None:
    persons = np.array(["a", "a", "b", "b"])
    assert b_cubed(np.array([0, 0, 1, 1]), persons) == (1.0, 1.0, 1.0)
    assert b_cubed(np.zeros(4, np.int64), persons) == pytest.approx((0.5, 1.0, 2 / 3))
    assert b_cubed(np.arange(4), persons) == pytest.approx((1.0, 0.5, 2 / 3))


def test_half_of_the_persons_trains_in_order_of_their_numbers() -> None:
    assert training_half(np.array(["10", "9", "2", "10", "100"])) == ["2", "10"]
