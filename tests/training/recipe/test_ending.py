from __future__ import annotations

import itertools
from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from annotate.persons.descriptor import (  # noqa: E402
    DIMENSIONS,
    DLIB_DIMENSIONS,
    DLIB_WEIGHT,
    INPUT,
    NETWORK,
    OUTPUT,
    PACKAGE,
    find_file,
    joined,
)
from annotate.persons.network import (  # noqa: E402
    INPUT_PX,
    LAST_STEPS,
    MAP_CHANNELS,
    MAP_PX,
    MAPS,
    STEPS,
    Convolution,
    Ending,
    load_network,
    read_layers,
)
from annotate.training.recipe.ending import (  # noqa: E402
    EndingNetwork,
    EndingSettings,
    contrastive_loss,
    joined_of_pictures,
    train_ending,
)
from annotate.training.recipe.known_faces import KnownFaces  # noqa: E402
from annotate.training.recipe.verification import true_accept_rate  # noqa: E402

PERSONS, FACES = 60, 4


def made_up_faces(random: np.random.Generator, persons: int) -> KnownFaces:
    """Return faces of which some maps say who they are, and other, stronger ones what they express."""
    names = np.repeat([f"{number}" for number in range(persons)], FACES)
    maps = np.zeros((len(names), 2, MAP_CHANNELS, MAP_PX, MAP_PX), np.float16)
    maps[:, :, :8] += np.repeat(random.random((persons, 8)), FACES, axis=0)[:, None, :, None, None]
    maps[:, :, 8:12] += 4 * random.random((len(names), 1, 4, 1, 1))
    return KnownFaces(maps, np.ones((len(names), 2, DLIB_DIMENSIONS), np.float32), names)


def random_ending(random: np.random.Generator) -> Ending:
    """Return an ending that knows nothing."""

    def convolution(channels: int, filters: int) -> Convolution:
        kernel = random.normal(size=(filters, channels, 3, 3)) * (2 / (9 * channels)) ** 0.5
        return Convolution(kernel.astype(np.float32), np.zeros(filters, np.float32))

    channels = [filters for filters, _ in STEPS[-LAST_STEPS - 1 :]]
    steps = tuple(
        (convolution(inputs, filters), convolution(filters, filters)) for inputs, filters in itertools.pairwise(channels)
    )
    return Ending(steps, random.normal(size=(channels[-1], DLIB_DIMENSIONS)).astype(np.float32))


def test_an_ending_learns_what_tells_persons_apart() -> None:
    random = np.random.default_rng(0)
    known, others, negatives = (made_up_faces(random, count) for count in (PERSONS, 12, 12))
    first = random_ending(random)
    settings = EndingSettings(steps=40, warmup_steps=5, persons=40, negatives=20, learning_rate=5e-4)
    trained = train_ending([(known, 1.0)], negatives, first, settings)
    before, after = (
        true_accept_rate(others.descriptors(one.numbers)[:, DLIB_DIMENSIONS:], others.persons)
        for one in (EndingNetwork(first), trained)
    )
    assert before < 0.3
    assert after > before + 0.4
    assert others.descriptors(trained.numbers).shape == (len(others), DIMENSIONS)


def test_loss_falls_with_likeness_of_one_person_and_rises_with_that_of_others() -> None:
    persons = torch.tensor([0, 0, 1])
    apart, alike = torch.tensor([[1.0, 0], [0, 1], [-1, 0]]), torch.tensor([[1.0, 0], [1, 0], [-1, 0]])
    far, near = torch.tensor([[0.0, -1]]), torch.tensor([[1.0, 0]])
    assert contrastive_loss(alike, persons, far, 0.1) < contrastive_loss(apart, persons, far, 0.1)
    assert contrastive_loss(alike, persons, far, 0.1) < contrastive_loss(alike, persons, near, 0.1)


def test_the_loss_is_that_of_the_descriptors_in_use() -> None:
    random = np.random.default_rng(0)
    dlib, numbers = random.normal(size=(2, 5, DLIB_DIMENSIONS)).astype(np.float32)
    expected = joined(np.stack([np.concatenate([dlib, numbers], 1)] * 2, 1))
    vectors = joined_of_pictures(torch.from_numpy(dlib), torch.from_numpy(numbers), DLIB_WEIGHT).numpy()
    assert vectors == pytest.approx(expected, abs=1e-6)


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_training_begins_with_what_dlib_says_and_its_result_runs_in_the_program() -> None:
    layers, random = read_layers(find_file(NETWORK).read_bytes()), np.random.default_rng(0)
    faces = random.integers(0, 256, (2, 3, INPUT_PX, INPUT_PX)).astype(np.float32)
    expected, maps = load_network(layers, has_maps=True).run([OUTPUT, MAPS], {INPUT: faces})
    network = EndingNetwork(layers.ending)
    assert np.abs(network.numbers(maps) - expected).max() < 1e-5
    for parameter in network.parameters():
        parameter.data += 1e-3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    (both,) = load_network(layers, network.ending()).run([OUTPUT], {INPUT: faces})
    assert np.abs(network.numbers(maps) - both[:, DLIB_DIMENSIONS:]).max() < 1e-4
    assert np.abs(expected - both[:, DLIB_DIMENSIONS:]).max() > 1e-2
