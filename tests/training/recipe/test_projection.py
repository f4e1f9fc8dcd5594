from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from annotate.persons.descriptor import DLIB_DIMENSIONS, INPUT, NETWORK, OUTPUT, PACKAGE, find_file  # noqa: E402
from annotate.persons.network import FEATURES, INPUT_PX, load_network, read_last_layer  # noqa: E402
from annotate.training.recipe.known_faces import KnownFaces  # noqa: E402
from annotate.training.recipe.projection import (  # noqa: E402
    ProjectionSettings,
    contrastive_loss,
    train_projection,
)
from annotate.training.recipe.verification import true_accept_rate  # noqa: E402

PERSONS, FACES = 40, 6


def made_up_faces(random: np.random.Generator, persons: int) -> KnownFaces:
    """Return faces whose first features say who they are, and whose other, stronger ones what they express."""
    names = np.repeat([f"{number}" for number in range(persons)], FACES)
    own = np.repeat(random.normal(size=(persons, 8)), FACES, axis=0)[:, None].repeat(2, 1)
    expression = 3 * random.normal(size=(len(names), 1, 16)).repeat(2, 1)
    features = np.zeros((len(names), 2, FEATURES), np.float32)
    features[..., :8] = own + 0.1 * random.normal(size=own.shape)
    features[..., 8:24] = expression
    return KnownFaces(features, np.ones((len(names), 2, DLIB_DIMENSIONS), np.float32), names)


def test_a_projection_learns_what_tells_persons_apart() -> None:
    random = np.random.default_rng(0)
    known, others, negatives = (made_up_faces(random, count) for count in (PERSONS, 20, 50))
    first = random.normal(size=(FEATURES, DLIB_DIMENSIONS)).astype(np.float32) * 0.1
    settings = ProjectionSettings(steps=60, persons=32, negatives=100, learning_rate=1e-2)
    trained = train_projection([(known, 1.0)], torch.from_numpy(negatives.features[:, 0]), first, settings)
    before, after = (true_accept_rate(others.descriptors(one), others.persons) for one in (first, trained))
    assert before < 0.5
    assert after > 0.9
    again = train_projection([(known, 1.0)], torch.from_numpy(negatives.features[:, 0]), first, settings)
    assert np.array_equal(trained, again)


def test_loss_falls_with_likeness_of_one_person_and_rises_with_that_of_others() -> None:
    persons = torch.tensor([0, 0, 1])
    apart, alike = torch.tensor([[1.0, 0], [0, 1], [-1, 0]]), torch.tensor([[1.0, 0], [1, 0.1], [-1, 0]])
    far, near = torch.tensor([[-1.0, -1]]), torch.tensor([[1.0, 0]])
    assert contrastive_loss(alike, persons, far, 0.1) < contrastive_loss(apart, persons, far, 0.1)
    assert contrastive_loss(alike, persons, far, 0.1) < contrastive_loss(alike, persons, near, 0.1)
    assert contrastive_loss(alike, persons, far, 0.1) == pytest.approx(contrastive_loss(5 * alike, persons, 2 * far, 0.1))


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_training_begins_with_the_last_layer_of_dlib() -> None:
    content = find_file(NETWORK).read_bytes()
    faces = np.random.default_rng(0).integers(0, 256, (2, 3, INPUT_PX, INPUT_PX)).astype(np.float32)
    (outputs,) = load_network(content, np.eye(FEATURES, dtype=np.float32)).run([OUTPUT], {INPUT: faces})
    expected, features = np.split(outputs, [DLIB_DIMENSIONS], axis=1)
    assert np.abs(features @ read_last_layer(content) - expected).max() < 1e-5
