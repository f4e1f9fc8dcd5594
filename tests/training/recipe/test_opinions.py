from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from annotate.errors import TrainingError  # noqa: E402
from annotate.training.recipe.opinions import (  # noqa: E402
    DescribedFaces,
    Opinions,
    OpinionSettings,
    Panel,
    deal,
    load_opinions,
)
from annotate.training.recipe.sources import NEWS, POSED  # noqa: E402

SETTINGS = OpinionSettings(steps=60, batch_size=64, hidden=32, learning_rate=1e-2, input_dropout=0.1, dropout=0.1)


def described(random: np.random.Generator, shown: np.ndarray, labels: np.ndarray, persons: np.ndarray) -> DescribedFaces:
    """Return faces whose features tell what they show, beside much else."""
    features = random.normal(size=(len(shown), 30))
    features[:, :7] += 6 * np.eye(7)[shown]
    return DescribedFaces(features.astype(np.float16), np.eye(7, dtype=np.float32)[labels], persons)


def test_opinions_correct_labels_that_were_given_by_mistake() -> None:
    random = np.random.default_rng(0)
    faces, shown = {}, {}
    for name, count in ((POSED, 600), (NEWS, 400)):
        shown[name] = random.integers(0, 7, count)
        labels = np.where(random.random(count) < 0.3, random.integers(0, 7, count), shown[name])
        faces[name] = described(random, shown[name], labels, np.arange(count).astype(str))
    panel = Panel(faces, SETTINGS)
    for name, own in shown.items():
        said = panel.own(name)
        assert said.shape == (len(own), 7)
        assert said.sum(1) == pytest.approx(1, abs=1e-5)
        wrong = faces[name].targets.argmax(1) != own
        assert (said.argmax(1) == own)[wrong].mean() > 0.8
    others = random.integers(0, 7, 200)
    assert (panel(described(random, others, others, others.astype(str)).features).argmax(1) == others).mean() > 0.85
    assert np.array_equal(Panel(faces, SETTINGS).own(NEWS), panel.own(NEWS))


def test_nobody_is_judged_by_a_network_that_knows_the_person() -> None:
    random = np.random.default_rng(1)
    persons = np.repeat(np.arange(60), 5)
    features = random.normal(size=(60, 40))[persons] * 3  # a person looks alike in all pictures, and shows one thing
    labels = random.integers(0, 7, 60)[persons]
    faces = DescribedFaces(features.astype(np.float16), np.eye(7, dtype=np.float32)[labels], persons.astype(str))
    panel = Panel({NEWS: faces}, SETTINGS)
    assert (panel(faces.features).argmax(1) == labels).mean() > 0.8
    assert (panel.own(NEWS).argmax(1) == labels).mean() < 0.4


def test_the_faces_of_a_person_go_to_one_part() -> None:
    persons = np.random.default_rng(2).integers(0, 30, 300).astype(str)
    parts = deal(persons, 3, np.random.default_rng(0))
    assert np.bincount([parts[persons == person][0] for person in np.unique(persons)]).tolist() == [10, 10, 10]
    assert all(len(set(parts[persons == person])) == 1 for person in np.unique(persons))


def test_opinions_go_into_targets_by_the_weight_of_their_source() -> None:
    targets, said = np.eye(7, dtype=np.float32)[[0, 1]], np.eye(7, dtype=np.float32)[[2, 1]]
    opinions = Opinions({POSED: said, NEWS: said}, 0.25, {NEWS: 0.5})
    assert opinions.blended(POSED, targets)[0, [0, 2]] == pytest.approx([0.75, 0.25])
    assert opinions.blended(NEWS, targets)[0, [0, 2]] == pytest.approx([0.5, 0.5])
    assert opinions.blended(POSED, targets)[1, 1] == pytest.approx(1)
    assert opinions.blended("talking", targets) is targets
    with pytest.raises(TrainingError, match="--all"):
        opinions.blended(POSED, targets[:1])


def test_files_of_opinions_are_read_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "opinions.npz"
    with pytest.raises(TrainingError, match=r"opinions\.npz"):
        load_opinions(path)
    said = np.full((3, 7), 1 / 7, np.float32)
    for content in ({"other": said}, {NEWS: said[:, :6]}):
        np.savez(path, **content)
        with pytest.raises(TrainingError, match=r"opinions\.npz"):
            load_opinions(path)
    np.savez(path, **{NEWS: said})
    assert np.array_equal(load_opinions(path)[NEWS], said)
    path.write_text("emotion,face\n")
    with pytest.raises(TrainingError, match=r"opinions\.npz"):
        load_opinions(path)
