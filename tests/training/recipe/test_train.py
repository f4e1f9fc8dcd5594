from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import Contract
from annotate.training.models import recognizer_cnn
from annotate.training.models.descriptor_cnn import DescriptorNetwork
from annotate.training.models.export import TOLERANCE, export
from annotate.training.models.frame_cnn import VIEWS, BlockNetwork, FrameNetwork, view_matrix
from annotate.training.models.recognizer_cnn import RecognizerNetwork
from annotate.training.models.weights import load_frames, load_network
from annotate.training.recipe.augmentation import MIN_LIGHT, augment, degrade
from annotate.training.recipe.evaluate import classify_stills, report
from annotate.training.recipe.mixture import Mixture
from annotate.training.recipe.opinions import Opinions
from annotate.training.recipe.still_faces import CANVAS_PX, Stills
from annotate.training.recipe.teaching import Teaching
from annotate.training.recipe.train import FINAL_NAME, StillTask, TrainingRun, TrainingSettings, train
from tests.training.models.recognizer_file import recognizer_file


def two_classes(count: int, seed: int = 0) -> Stills:
    """Return noisy stills of two easily separated classes: bright above, bright below."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count) * 3
    pixels = random.integers(60, 120, (count, CANVAS_PX, CANVAS_PX)).astype(np.uint8)
    for number, label in enumerate(labels):
        half = slice(0, CANVAS_PX // 2) if label else slice(CANVAS_PX // 2, CANVAS_PX)
        pixels[number, half] += 100
    return Stills(pixels, np.eye(7, dtype=np.float32)[labels])


def test_augmented_crops_are_valid_and_reproducible() -> None:
    faces = torch.rand(16, 1, CANVAS_PX, CANVAS_PX)
    first, second = (augment(faces, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.shape == (16, 1, 80, 80)
    assert (first >= 0).all()
    assert (first <= 1).all()
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(faces, torch.Generator().manual_seed(2)))


def test_a_network_trains_resumes_and_exports(tmp_path: Path) -> None:
    training, validation = two_classes(512), two_classes(64, seed=1)
    settings = TrainingSettings(steps=40, round_steps=16, batch_size=32, average_decay=0.9, mixup=0.2, width=0.75)
    sets = {"more": (training, 0.75), "less": (two_classes(64, seed=2), 0.25)}
    wrong = replace(validation, targets=np.roll(validation.targets, 1, 1))
    mixture = Mixture(sets, {"own": validation}, {"other": wrong})
    train(mixture, tmp_path / "run", replace(settings, steps=16))
    run = train(mixture, tmp_path / "run", settings)
    with (tmp_path / "run" / "log.csv").open() as file:
        log = list(csv.DictReader(file))
    assert [(row["round"], row["steps"]) for row in log] == [("1", "16"), ("2", "32"), ("3", "40")]
    assert run.row["own_accuracy"] == max(float(row["own_accuracy"]) for row in log) > 0.95
    assert run.row["own_worst"] > 0.9
    assert run.row["other_accuracy"] < 0.05
    path = tmp_path / "model.onnx"
    assert export(BlockNetwork(run.network), path) < TOLERANCE
    assert load_frames(tmp_path / "run" / FINAL_NAME).head[1].in_features == 144
    classifier = Classifier(path)
    assert classifier.contract == Contract(frame_stride=4)
    probabilities = classify_stills(classifier, validation.pixels)
    assert (probabilities.argmax(1) == validation.labels).mean() > 0.95
    text = report(probabilities, validation.labels)
    assert "balanced accuracy" in text
    assert "happiness" in text


def test_the_round_is_chosen_by_what_validates() -> None:
    stills, settings = two_classes(8), TrainingSettings()
    row = {"round": 2, "own_accuracy": 0.5, "own_balanced": 0.7, "other_accuracy": 1.0, "other_balanced": 1.0}
    training = {"own": (stills, 1.0)}
    assert StillTask(Mixture(training, {"own": stills}, {"other": stills}), settings).score(row) == pytest.approx((0.6,))
    assert StillTask(Mixture(training, {}, {"other": stills}), settings).score(row) == (2,)


def certain_of(label: int, path: Path) -> Path:
    """Write the weights of a network with larger crops that always predicts one class."""
    network = FrameNetwork(width=0.25, input_px=64)
    with torch.no_grad():
        network.head[1].weight.zero_()
        network.head[1].bias.copy_(torch.eye(7)[label] * 50)
    torch.save(network.state_dict(), path)
    return path


def test_the_mean_of_the_teachers_goes_into_the_targets_of_their_sources(tmp_path: Path) -> None:
    teachers = tuple(certain_of(label, tmp_path / f"{label}.pt") for label in (1, 2))
    training = {"taught": (two_classes(8), 0.75), "other": (two_classes(8, seed=1), 0.25)}
    settings = TrainingSettings(batch_size=8, small_share=0.5, steps=2)
    task = StillTask(Mixture(training, {}, {}), settings, Teaching(teachers, 0, {"taught": 0.5}))
    (faces, targets), (larger_faces, _) = task.batches(1, range(2))
    assert faces.shape == (8, 1, settings.small_size_px, settings.small_size_px)
    assert larger_faces.shape == (8, 1, settings.input_px, settings.input_px)
    assert targets[:6, 1:3] == pytest.approx(0.25)
    assert targets[:6].max(1).values == pytest.approx(0.5)
    assert targets[6:].max(1).values == pytest.approx(1)


def test_opinions_go_into_targets_before_teachers_do(tmp_path: Path) -> None:
    stills = two_classes(8)
    said = {"taught": np.tile(np.eye(7, dtype=np.float32)[1], (8, 1))}
    training, settings = {"taught": (stills, 0.75), "other": (stills, 0.25)}, TrainingSettings(batch_size=8, steps=1)
    ((_, targets),) = StillTask(Mixture(training, {}, {}), settings, Teaching((), opinions=Opinions(said, 0.6))).batches(
        1, range(1)
    )
    assert targets[:6, 1] == pytest.approx(0.6)
    assert targets[6:].max(1).values == pytest.approx(1)
    teaching = Teaching((certain_of(2, tmp_path / "teacher.pt"),), 0.5, opinions=Opinions(said, 0.6))
    ((_, targets),) = StillTask(Mixture(training, {}, {}), settings, teaching).batches(1, range(1))
    assert targets[:6, 1:3].numpy() == pytest.approx(np.tile([0.3, 0.5], (6, 1)))


def test_a_share_of_faces_is_degraded() -> None:
    faces = torch.rand(16, 1, 80, 80, generator=torch.Generator().manual_seed(0)).round()
    first, second = (degrade(faces, torch.Generator().manual_seed(1), 0.5) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(degrade(faces, torch.Generator(), 0), faces)
    changed = (first != faces).any(3).any(2).flatten()
    assert changed.sum() == 8
    assert (first[changed].std((2, 3)) < 0.6 * faces[changed].std((2, 3))).all()
    light = (first[changed].mean((2, 3)) / faces[changed].mean((2, 3))).flatten().sort().values
    assert light[4:] == pytest.approx(1, abs=0.02)
    assert (light[:4] < 0.98).all()
    assert (light > MIN_LIGHT - 0.02).all()


def test_teachers_see_faces_before_they_are_degraded(tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.pt"
    torch.save(FrameNetwork().state_dict(), teacher)
    mixture, teaching = Mixture({"own": (two_classes(8), 1.0)}, {}, {}), Teaching((teacher,), 1.0)
    settings = TrainingSettings(batch_size=8, steps=1, small_share=0, augmentation=0)
    ((good, seen),) = StillTask(mixture, settings, teaching).batches(1, range(1))
    ((poor, kept),) = StillTask(mixture, replace(settings, degraded=1.0), teaching).batches(1, range(1))
    assert torch.equal(seen, kept)
    assert (poor.std((2, 3)) < good.std((2, 3))).all()


def test_a_teacher_trains_from_the_face_descriptor(tmp_path: Path) -> None:
    side_px = DescriptorNetwork.input_px
    settings = TrainingSettings(steps=6, batch_size=16, round_steps=6, learning_rate=3e-4, average_decay=0.5)
    settings = replace(settings, small_share=0, input_px=side_px, is_descriptor=True)
    run = train(Mixture({"own": (two_classes(64), 1.0)}, {"own": two_classes(16, seed=1)}, {}), tmp_path / "run", settings)
    assert isinstance(run.network, DescriptorNetwork)
    assert run.row["own_accuracy"] > 0.9
    check_teaching(run, tmp_path / "run" / FINAL_NAME, settings)


def test_a_teacher_trains_from_the_face_recognizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "recognizer.onnx"
    path.write_bytes(recognizer_file())
    monkeypatch.setattr(recognizer_cnn, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    settings = TrainingSettings(steps=12, batch_size=8, round_steps=12, learning_rate=3e-3, average_decay=0.5)
    settings = replace(settings, small_share=0, input_px=RecognizerNetwork.input_px, recognizer="middle")
    mixture = Mixture({"own": (two_classes(64), 1.0)}, {"own": two_classes(16, seed=1)}, {})
    run = train(mixture, tmp_path / "run", settings, path)
    assert isinstance(run.network, RecognizerNetwork)
    assert run.row["own_accuracy"] > 0.9
    check_teaching(run, tmp_path / "run" / FINAL_NAME, settings)


def check_teaching(run: TrainingRun, weights: Path, settings: TrainingSettings) -> None:
    teacher = load_network(weights).eval()
    faces = torch.rand(2, 1, 80, 80)
    with torch.inference_mode():
        assert torch.allclose(teacher(faces), run.network.eval()(faces), atol=1e-5)
    task = StillTask(Mixture({"own": (two_classes(8), 1.0)}, {}, {}), settings, Teaching((weights,), 1.0))
    ((seen, targets),) = task.batches(1, range(1))
    with torch.inference_mode():
        assert torch.allclose(teacher(seen).softmax(1), targets, atol=1e-5)


def test_block_prediction_is_the_softmax_of_the_mean_frame_logits() -> None:
    frames = FrameNetwork().eval()
    blocks = torch.rand(2, 20, 80, 80)
    with torch.inference_mode():
        views = []
        for number, (share, mirrored) in enumerate(VIEWS):
            frame = blocks[:, 4 * number].flip(2) if mirrored else blocks[:, 4 * number]
            views.append(view_matrix(share) @ frame @ view_matrix(share).T)
        logits = torch.stack([frames(view[:, None]) for view in views]).mean(0)
        found = BlockNetwork(frames, temperature=2.0).eval()(blocks)
    assert found.numpy() == pytest.approx(torch.softmax(logits / 2, 1).numpy(), abs=1e-5)
