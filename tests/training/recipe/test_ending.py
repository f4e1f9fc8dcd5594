from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from annotate.persons.descriptor import DIMENSIONS, PART, WEIGHTS, joined, unit  # noqa: E402
from annotate.persons.network import LAST_STEPS, MAP_CHANNELS, STEPS, Convolution, Ending  # noqa: E402
from annotate.training.models.ending_network import EndingNetwork  # noqa: E402
from annotate.training.recipe.ending import (  # noqa: E402
    COUNTS,
    SHARES,
    THRESHOLDS,
    EndingSettings,
    contrastive_loss,
    joined_of_pictures,
    measure,
    train_ending,
    without,
)
from annotate.training.recipe.known_faces import KnownFaces  # noqa: E402
from annotate.training.recipe.sources import NEWS, POSED  # noqa: E402
from annotate.training.recipe.verification import true_accept_rate  # noqa: E402

FACES = 4
SMALL_PX = 13
"""Side of maps that are smaller than those of faces, and as small as steps that halve them allow."""


def made_up_faces(random: np.random.Generator, persons: int) -> KnownFaces:
    """Return faces of which some maps say who they are, and other, stronger ones what they express.

    The teacher knows who they are.
    """
    names = np.repeat([f"{number}" for number in range(persons)], FACES)
    shown = np.repeat(random.random((persons, 8)), FACES, axis=0)
    maps = np.zeros((len(names), 2, MAP_CHANNELS, SMALL_PX, SMALL_PX), np.float16)
    maps[:, :, :8] += shown[:, None, :, None, None]
    maps[:, :, 8:12] += 2 * random.random((len(names), 1, 4, 1, 1))
    taught = np.repeat(shown - 0.5, PART // 8, axis=1).astype(np.float32)
    return KnownFaces(maps, np.ones((len(names), 2, PART), np.float32), taught, names)


def random_ending(random: np.random.Generator) -> Ending:
    """Return an ending that knows nothing."""

    def convolution(channels: int, filters: int) -> Convolution:
        kernel = random.normal(size=(filters, channels, 3, 3)) * (2 / (9 * channels)) ** 0.5
        return Convolution(kernel.astype(np.float32), np.zeros(filters, np.float32))

    channels = [filters for filters, _ in STEPS[-LAST_STEPS - 1 :]]
    steps = tuple(
        (convolution(inputs, filters), convolution(filters, filters)) for inputs, filters in itertools.pairwise(channels)
    )
    return Ending(steps, random.normal(size=(channels[-1], PART)).astype(np.float32))


def test_an_ending_learns_what_tells_persons_apart_and_what_it_is_taught() -> None:
    random = np.random.default_rng(0)
    faces = {name: made_up_faces(random, 24) for name in (*SHARES, *COUNTS)}
    others, first = made_up_faces(random, 12), random_ending(random)
    settings = EndingSettings(
        steps=40, warmup_steps=5, persons=20, negatives=10, web_faces=10, taught_weight=1, learning_rate=7e-4
    )
    rates, likenesses = [], []
    for network in (EndingNetwork(first, random), train_ending(faces, first, settings)):
        descriptors = others.descriptors(network.numbers)
        assert descriptors.shape == (len(others), DIMENSIONS)
        _, apart, taught = np.split(descriptors, len(WEIGHTS), axis=1)
        rates.append(true_accept_rate(unit(apart), others.persons))
        likenesses.append(float((unit(taught) * unit(others.taught)).sum(1).mean()))
    assert rates[0] < 0.3
    assert rates[1] > rates[0] + 0.4
    assert abs(likenesses[0]) < 0.3
    assert likenesses[1] > likenesses[0] + 0.4


def test_loss_falls_with_likeness_of_one_person_and_rises_with_that_of_others() -> None:
    persons = torch.tensor([0, 0, 1])
    apart, alike = torch.tensor([[1.0, 0], [0, 1], [-1, 0]]), torch.tensor([[1.0, 0], [1, 0], [-1, 0]])
    far, near = torch.tensor([[0.0, -1]]), torch.tensor([[1.0, 0]])
    assert contrastive_loss(alike, persons, far, 0.1) < contrastive_loss(apart, persons, far, 0.1)
    assert contrastive_loss(alike, persons, far, 0.1) < contrastive_loss(alike, persons, near, 0.1)


def test_the_loss_is_that_of_two_parts_of_the_descriptors_in_use() -> None:
    random = np.random.default_rng(0)
    dlib, numbers, taught = random.normal(size=(len(WEIGHTS), 5, PART)).astype(np.float32)
    expected = joined(np.stack([np.concatenate([dlib, numbers, taught], 1)] * 2, 1))[:, : 2 * PART]
    vectors = joined_of_pictures(torch.from_numpy(dlib), torch.from_numpy(numbers), WEIGHTS[0] / WEIGHTS[1]).numpy()
    assert vectors == pytest.approx(unit(expected), abs=1e-6)


def known(persons: str) -> KnownFaces:
    """Return empty faces of persons with one letter each."""
    numbers = np.zeros((len(persons), 2, 1), np.float32)
    return KnownFaces(np.zeros((len(persons), 2, 1, 1, 1), np.float16), numbers, numbers[:, 0], np.array(list(persons)))


def test_persons_are_left_out_of_the_source_that_names_them() -> None:
    rest = without({POSED: known("aabbc"), NEWS: known("abd")}, {POSED: {"a"}})
    assert {name: "".join(faces.persons) for name, faces in rest.items()} == {POSED: "bbc", NEWS: "abd"}


def test_measures_are_of_clean_faces_and_of_all() -> None:
    clean = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    degraded = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    rate, rate_of_all, threshold, f = measure(known("aabbaabb"), np.concatenate([clean, degraded]))
    assert (rate, f) == (1.0, 1.0)
    assert rate_of_all == pytest.approx(9 / 12)
    assert threshold == pytest.approx(THRESHOLDS.mean())  # all are as good
