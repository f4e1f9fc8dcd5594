from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from annotate.cli.main import main
from annotate.cli.training_options import ARCHITECTURE_NAMES
from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import Contract
from annotate.errors import DatasetError, TrainingError
from annotate.training.block_training import Epoch, FitSettings, TrainingRun
from annotate.training.dataset.storage import Dataset
from annotate.training.evaluation import predict
from annotate.training.models.architectures import ARCHITECTURES, Architecture, fit_temperature
from annotate.training.models.export import TOLERANCE, export
from tests.training.conftest import MakeDataset

SETTINGS = FitSettings(architecture="recurrent", epochs=3, batch_size=4, min_steps=2, learning_rate=3e-3, augmentation=0.2)


def without_times(history: list[Epoch]) -> list[tuple[float, ...]]:
    return [(each.epoch, each.loss, each.validation_loss, each.accuracy) for each in history]


@pytest.fixture
def blocks(make_dataset: MakeDataset) -> Dataset:
    """12 blocks of two classes, 4 of them to validate."""
    return make_dataset("blocks", [0, 3] * 6, parts=["train"] * 8 + ["validation"] * 4)


@pytest.mark.parametrize("name", ARCHITECTURE_NAMES)
def test_architectures_give_logits_in_training_and_export_as_torch_says(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ARCHITECTURES[name]()
    example = torch.rand(2, 20, 80, 80)
    logits = network(example)
    assert logits.shape == (2, 7)
    assert not torch.allclose(logits.exp().sum(1), torch.ones(2)) or name == "frames"
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.eval()
    network.temperature.fill_(2.0)
    with torch.inference_mode():
        assert torch.allclose(network(example), torch.softmax(network.logits(example) / 2, 1))
    assert export(network, tmp_path / "model.onnx") < TOLERANCE  # type: ignore[arg-type]
    assert Classifier(tmp_path / "model.onnx").contract == Contract()


def test_the_registry_is_what_the_command_offers() -> None:
    assert tuple(ARCHITECTURES) == ARCHITECTURE_NAMES
    assert all(issubclass(architecture, Architecture) for architecture in ARCHITECTURES.values())


def test_a_temperature_makes_sure_logits_honest() -> None:
    """Right three times of four, and as sure as can be: the probability of the top class becomes .75."""
    logits = torch.tensor([[8.0, 0.0]]).repeat(400, 1)
    labels = torch.tensor([0, 0, 0, 1]).repeat(100)
    temperature = fit_temperature(logits, labels)
    assert float(torch.softmax(logits / temperature, 1)[0, 0]) == pytest.approx(0.75, abs=0.01)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(blocks: Dataset, tmp_path: Path) -> None:
    whole = TrainingRun([blocks], tmp_path / "whole", SETTINGS)
    assert [epoch.epoch for epoch in whole.epochs()] == [1, 2, 3]
    killed = TrainingRun([blocks], tmp_path / "killed", SETTINGS)
    next(killed.epochs())

    def kill(epoch: int, step: int, steps: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(TrainingRun([blocks], tmp_path / "killed", SETTINGS).epochs(kill))
    again = TrainingRun([blocks], tmp_path / "killed", SETTINGS)
    assert [epoch.epoch for epoch in again.epochs()] == [2, 3]
    assert without_times(again.history) == without_times(whole.history)
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(weights, again.network.state_dict()[name]), name
    with (tmp_path / "killed/log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == [round(epoch.loss, 4) for epoch in whole.history]
    assert again.is_over
    first, second = (run.export(tmp_path / f"{name}.onnx") for name, run in (("first", whole), ("second", again)))
    assert first == second < TOLERANCE
    assert (tmp_path / "first.onnx").read_bytes() == (tmp_path / "second.onnx").read_bytes()


def test_blocks_and_stills_are_mixed_learned_and_evaluated(make_dataset: MakeDataset, tmp_path: Path) -> None:
    moving = make_dataset("blocks", [0, 3] * 8, parts=["train"] * 12 + ["validation"] * 4)
    still = make_dataset("faces", [0, 3] * 8, parts=["train"] * 12 + ["validation"] * 4, frames=1, seed=1)
    fresh = make_dataset("fresh", [0, 3] * 4, parts=["test"] * 8, seed=2)
    run = TrainingRun([moving, still], tmp_path / "run", FitSettings(**{**vars(SETTINGS), "epochs": 2, "least_steps": 18}))
    list(run.epochs())
    run.export(tmp_path / "model.onnx")
    probabilities = predict(Classifier(tmp_path / "model.onnx"), fresh, fresh.rows("test"))
    assert (probabilities.argmax(1) == fresh.labels).mean() == 1


def test_training_ends_when_validation_does_not_improve(blocks: Dataset, tmp_path: Path) -> None:
    settings = FitSettings(**{**vars(SETTINGS), "epochs": 50, "patience": 2, "learning_rate": 1e-12, "augmentation": 0.0})
    run = TrainingRun([blocks], tmp_path / "run", settings)
    history = list(run.epochs())
    assert len(history) == run.best.epoch + 2 < 50
    assert run.best is max(history, key=lambda each: (each.balanced_accuracy, -each.validation_loss))


def test_runs_are_not_mixed_up(blocks: Dataset, make_dataset: MakeDataset, tmp_path: Path) -> None:
    next(TrainingRun([blocks], tmp_path / "run", SETTINGS).epochs())
    with pytest.raises(TrainingError) as mixed:
        TrainingRun([blocks], tmp_path / "run", FitSettings(**{**vars(SETTINGS), "seed": 1}))
    assert (mixed.value.path, "other settings or sets" in mixed.value.problem) == (tmp_path / "run", True)
    (tmp_path / "run/last.pt").write_bytes(b"half")
    with pytest.raises(TrainingError) as damaged:
        TrainingRun([blocks], tmp_path / "run", SETTINGS)
    assert damaged.value.path == tmp_path / "run/last.pt"
    assert str(tmp_path / "run") in damaged.value.remedy
    some = make_dataset("some", [0, 1], parts=["train", "test"])
    with pytest.raises(DatasetError) as empty:
        TrainingRun([some], tmp_path / "other", SETTINGS)
    assert (empty.value.path, "validation" in empty.value.problem) == (str(some.path), True)
    foreign = make_dataset("foreign", [0, 1], parts=["train", "validation"], contract=Contract(crop_margin=0.3))
    with pytest.raises(DatasetError) as refused:
        TrainingRun([foreign], tmp_path / "other", SETTINGS)
    assert (refused.value.path, "contract" in refused.value.problem) == (foreign.path, True)


def test_the_command_trains_draws_and_exports(blocks: Dataset, tmp_path: Path) -> None:
    arguments = ["train", str(blocks.path), "-o", str(tmp_path / "model.onnx"), "--architecture", "recurrent"]
    arguments += ["--epochs", "1", "--batch-size", "8"]
    first, again = CliRunner().invoke(main, arguments), CliRunner().invoke(main, arguments)
    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert first.stderr.startswith("epoch 1: loss ")
    assert again.stderr == f"going on after epoch 1, as {tmp_path}/model.run says\n"
    assert first.stdout == again.stdout
    assert "differs from torch by" in first.stdout
    assert {path.name for path in (tmp_path / "model.run").iterdir()} == {"best.pt", "curve.png", "last.pt", "log.csv"}
    blocks_seen = np.zeros((1, 20, 80, 80), np.uint8)
    assert Classifier(tmp_path / "model.onnx")(blocks_seen).shape == (1, 7)
