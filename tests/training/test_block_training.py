from __future__ import annotations

import csv
from functools import partial
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
    """12 blocks of two classes, 4 of them for validation."""
    return make_dataset("blocks", [0, 3] * 6, parts=["train"] * 8 + ["validation"] * 4)


@pytest.mark.parametrize("name", ARCHITECTURE_NAMES)
def test_architectures_return_logits_in_training_and_export_to_equal_onnx_models(name: str, tmp_path: Path) -> None:
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


def test_the_command_offers_all_architectures() -> None:
    assert tuple(ARCHITECTURES) == ARCHITECTURE_NAMES
    assert all(issubclass(architecture, Architecture) for architecture in ARCHITECTURES.values())


def test_temperature_calibrates_overconfident_logits() -> None:
    """Logits of near certainty that are right three times in four get a top probability of 0.75."""
    logits = torch.tensor([[8.0, 0.0]]).repeat(400, 1)
    labels = torch.tensor([0, 0, 0, 1]).repeat(100)
    temperature = fit_temperature(logits, labels)
    assert float(torch.softmax(logits / temperature, 1)[0, 0]) == pytest.approx(0.75, abs=0.01)


def test_a_resumed_run_equals_an_uninterrupted_one(blocks: Dataset, tmp_path: Path) -> None:
    whole = TrainingRun([blocks], tmp_path / "whole", SETTINGS)
    assert [epoch.epoch for epoch in whole.epochs()] == [1, 2, 3]
    killed = TrainingRun([blocks], tmp_path / "killed", SETTINGS)
    next(killed.epochs())

    def kill(epoch: int, step: int, steps: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(TrainingRun([blocks], tmp_path / "killed", SETTINGS).epochs(kill))
    resumed = TrainingRun([blocks], tmp_path / "killed", SETTINGS)
    assert [epoch.epoch for epoch in resumed.epochs()] == [2, 3]
    assert without_times(resumed.history) == without_times(whole.history)
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(weights, resumed.network.state_dict()[name]), name
    assert '"least_steps": 2' in torch.load(tmp_path / "killed/last.pt")["identity"], "earlier checkpoints have this name"
    with (tmp_path / "killed/log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == [round(epoch.loss, 4) for epoch in whole.history]
    assert resumed.is_finished
    first, second = (run.export(tmp_path / f"{name}.onnx") for name, run in (("first", whole), ("second", resumed)))
    assert first == second < TOLERANCE
    assert (tmp_path / "first.onnx").read_bytes() == (tmp_path / "second.onnx").read_bytes()


def test_training_on_blocks_and_stills_generalizes(make_dataset: MakeDataset, tmp_path: Path) -> None:
    moving = make_dataset("blocks", [0, 3] * 8, parts=["train"] * 12 + ["validation"] * 4)
    still = make_dataset("faces", [0, 3] * 8, parts=["train"] * 12 + ["validation"] * 4, frames=1, seed=1)
    unseen = make_dataset("unseen", [0, 3] * 4, parts=["test"] * 8, seed=2)
    run = TrainingRun([moving, still], tmp_path / "run", FitSettings(**{**vars(SETTINGS), "epochs": 2, "min_steps": 18}))
    list(run.epochs())
    run.export(tmp_path / "model.onnx")
    probabilities = predict(Classifier(tmp_path / "model.onnx"), unseen, unseen.rows("test"))
    assert (probabilities.argmax(1) == unseen.labels).mean() == 1


def test_training_stops_early_when_validation_does_not_improve(blocks: Dataset, tmp_path: Path) -> None:
    settings = FitSettings(**{**vars(SETTINGS), "epochs": 50, "patience": 2, "learning_rate": 1e-12, "augmentation": 0.0})
    run = TrainingRun([blocks], tmp_path / "run", settings)
    history = list(run.epochs())
    assert len(history) == run.best.epoch + 2 < 50
    assert run.best is max(history, key=lambda each: (each.balanced_accuracy, -each.validation_loss))


def test_runs_with_other_settings_or_unusable_data_are_refused(
    blocks: Dataset, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    next(TrainingRun([blocks], tmp_path / "run", SETTINGS).epochs())
    with pytest.raises(TrainingError) as other:
        TrainingRun([blocks], tmp_path / "run", FitSettings(**{**vars(SETTINGS), "seed": 1}))
    assert (other.value.path, "other settings" in other.value.problem) == (tmp_path / "run", True)
    (tmp_path / "run/last.pt").write_bytes(b"half")
    with pytest.raises(TrainingError) as damaged:
        TrainingRun([blocks], tmp_path / "run", SETTINGS)
    assert damaged.value.path == tmp_path / "run/last.pt"
    assert str(tmp_path / "run") in damaged.value.remedy
    some = make_dataset("some", [0, 1], parts=["train", "test"])
    with pytest.raises(DatasetError) as empty:
        TrainingRun([some], tmp_path / "other", SETTINGS)
    assert (empty.value.path, "validation" in empty.value.problem) == (str(some.path), True)
    different = make_dataset("different", [0, 1], parts=["train", "validation"], contract=Contract(crop_margin=0.3))
    with pytest.raises(DatasetError) as refused:
        TrainingRun([different], tmp_path / "other", SETTINGS)
    assert (refused.value.path, "contract" in refused.value.problem) == (different.path, True)


def test_train_command_writes_model_and_run_folder(blocks: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.training.block_training.FitSettings", partial(FitSettings, min_steps=2))
    arguments = ["train", str(blocks.path), "-o", str(tmp_path / "model.onnx"), "--architecture", "recurrent"]
    arguments += ["--epochs", "1", "--batch-size", "8"]
    first, second = CliRunner().invoke(main, arguments), CliRunner().invoke(main, arguments)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert first.stderr.startswith("epoch 1: loss ")
    assert "epoch 1 " in second.stderr
    assert f"{tmp_path}/model.run" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert first.stdout == second.stdout
    assert first.stdout.startswith(f"{tmp_path}/model.onnx: epoch 1, ")
    assert {path.name for path in (tmp_path / "model.run").iterdir()} == {"best.pt", "curve.png", "last.pt", "log.csv"}
    block = np.zeros((1, 20, 80, 80), np.uint8)
    assert Classifier(tmp_path / "model.onnx")(block).shape == (1, 7)
