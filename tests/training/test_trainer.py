from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from annotate.errors import OutputError, TrainingError
from annotate.training.trainer import Batch, EpochSummary, LogRow, Trainer, TrainingPlan

PLAN = TrainingPlan(steps=10, epoch_steps=4, learning_rate=0.1, warmup_share=0.2, seed=0, average_decay=0.5)


class PointsTask:
    """Separate two point clouds; scores are given, so that tests choose the best epoch."""

    def __init__(self, scores: tuple[float, ...] = (0.0, 1.0, 1.0, 0.5, 0.5), identity: str = "points") -> None:
        self.identity = identity
        self.steps: list[range] = []
        self._scores = scores

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        self.steps.append(steps)
        random = torch.Generator().manual_seed(epoch)
        for _ in steps:
            labels = torch.randint(2, (8,), generator=random)
            yield torch.randn(8, 2, generator=random) + labels[:, None] * 2, labels

    def validate(self, network: nn.Module, summary: EpochSummary) -> LogRow:
        network.eval()
        return {
            "epoch": summary.number,
            "steps": summary.steps,
            "loss": summary.loss,
            "score": self._scores[summary.number - 1],
        }

    def score(self, row: LogRow) -> tuple[float, ...]:
        return (row["score"],)


def make_trainer(folder: Path, task: PointsTask | None = None, plan: TrainingPlan = PLAN) -> Trainer[nn.Sequential]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))
    return Trainer(network, torch.optim.AdamW(network.parameters()), task or PointsTask(), plan, folder)


def test_steps_count_across_epochs_and_the_last_epoch_may_be_short(tmp_path: Path) -> None:
    task, progress = PointsTask(), []
    run = make_trainer(tmp_path, task)
    rows = list(run.epochs(lambda *done: progress.append(done[:3])))
    assert task.steps == [range(4), range(4, 8), range(8, 10)]
    assert [row["steps"] for row in rows] == [4, 8, 10]
    assert progress[-3:] == [(2, 4, 4), (3, 1, 2), (3, 2, 2)]
    assert run.is_finished


def test_learning_rate_warms_up_and_decays_along_a_cosine() -> None:
    plan = TrainingPlan(steps=110, epoch_steps=10, learning_rate=2.0, warmup_share=1 / 11, seed=0)
    assert [plan.rate(step) for step in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    assert [plan.rate(step) for step in (10, 60, 110)] == pytest.approx([2.0, 1.0, 0.0])


def test_best_epoch_is_the_earliest_of_equals_and_weights_are_averaged(tmp_path: Path) -> None:
    run = make_trainer(tmp_path)
    averages = []
    for _ in run.epochs():
        averages.append(run.result[1].weight.detach().clone())
    assert run.best_row == run.rows[1]
    assert run.result is not run.network
    assert not torch.equal(run.result[1].weight, run.network[1].weight)
    assert torch.equal(run.load_best()[1].weight, averages[1])
    plain = make_trainer(tmp_path / "plain", plan=replace(PLAN, average_decay=None))
    assert plain.result is plain.network


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (None, 5)])
def test_training_stops_early_after_patience_epochs(tmp_path: Path, patience: int | None, epochs: int) -> None:
    run = make_trainer(tmp_path, plan=replace(PLAN, steps=20, patience=patience))
    assert len(list(run.epochs())) == epochs


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    """Dropout, averaged weights and optimizer state are resumed too; the global random state is unchanged."""
    whole = make_trainer(tmp_path / "whole")
    before = torch.get_rng_state()
    list(whole.epochs())
    assert torch.equal(torch.get_rng_state(), before)
    next(make_trainer(tmp_path / "killed").epochs())
    torch.rand(7)
    resumed = make_trainer(tmp_path / "killed")
    list(resumed.epochs())
    assert resumed.rows == whole.rows
    for first, second in ((whole.network, resumed.network), (whole.result, resumed.result)):
        assert torch.equal(first[1].weight, second[1].weight)
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]
    rows = list(csv.DictReader(logs[0].splitlines()))
    assert [float(row["loss"]) for row in rows] == [round(row["loss"], 4) for row in whole.rows]


def test_other_runs_and_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    list(make_trainer(tmp_path).epochs())
    with pytest.raises(TrainingError) as other:
        make_trainer(tmp_path, PointsTask(identity="other"))
    assert other.value.path == tmp_path
    run = make_trainer(tmp_path)
    (tmp_path / "best.pt").unlink()
    with pytest.raises(TrainingError) as missing:
        run.load_best()
    assert missing.value.path == tmp_path / "best.pt"


def test_an_unwritable_checkpoint_is_reported(tmp_path: Path) -> None:
    run = make_trainer(tmp_path / "run")
    (tmp_path / "run").rmdir()
    with pytest.raises(OutputError) as refused:
        next(run.epochs())
    assert refused.value.path == tmp_path / "run/best.pt"
