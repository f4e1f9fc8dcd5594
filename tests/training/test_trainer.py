from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from annotate.errors import OutputError, TrainingError
from annotate.training.trainer import Batch, EpochEnd, LogRow, Trainer, TrainingPlan

PLAN = TrainingPlan(steps=10, epoch_steps=4, learning_rate=0.1, warmup_share=0.2, seed=0, average_decay=0.5)


class Line:
    """Tells two clouds of points apart; scores are given, so that tests choose the best epoch."""

    def __init__(self, scores: tuple[float, ...] = (0.0, 1.0, 1.0, 0.5, 0.5), identity: str = "line") -> None:
        self.identity = identity
        self.steps: list[range] = []
        self._scores = scores

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        self.steps.append(steps)
        random = torch.Generator().manual_seed(epoch)
        for _ in steps:
            labels = torch.randint(2, (8,), generator=random)
            yield torch.randn(8, 2, generator=random) + labels[:, None] * 2, labels

    def validate(self, network: nn.Module, ended: EpochEnd) -> LogRow:
        network.eval()
        return {"epoch": ended.number, "steps": ended.steps, "loss": ended.loss, "score": self._scores[ended.number - 1]}

    def score(self, row: LogRow) -> tuple[float, ...]:
        return (row["score"],)


def trainer(folder: Path, task: Line | None = None, plan: TrainingPlan = PLAN) -> Trainer[nn.Sequential]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))
    return Trainer(network, torch.optim.AdamW(network.parameters()), task or Line(), plan, folder)


def test_steps_are_numbered_through_and_the_last_epoch_may_be_short(tmp_path: Path) -> None:
    task, reached = Line(), []
    run = trainer(tmp_path, task)
    rows = list(run.epochs(lambda *done: reached.append(done[:3])))
    assert task.steps == [range(4), range(4, 8), range(8, 10)]
    assert [row["steps"] for row in rows] == [4, 8, 10]
    assert reached[-3:] == [(2, 4, 4), (3, 1, 2), (3, 2, 2)]
    assert run.is_over


def test_the_rate_rises_and_falls_along_a_cosine() -> None:
    plan = TrainingPlan(steps=110, epoch_steps=10, learning_rate=2.0, warmup_share=1 / 11, seed=0)
    assert [plan.rate(step) for step in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    assert [plan.rate(step) for step in (10, 60, 110)] == pytest.approx([2.0, 1.0, 0.0])


def test_the_best_is_the_first_of_equals_and_the_result_is_averaged(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    averages = []
    for _ in run.epochs():
        averages.append(run.result[1].weight.detach().clone())
    assert run.best_row == run.rows[1]
    assert run.result is not run.network
    assert not torch.equal(run.result[1].weight, run.network[1].weight)
    assert torch.equal(run.load_best()[1].weight, averages[1])
    plain = trainer(tmp_path / "plain", plan=replace(PLAN, average_decay=None))
    assert plain.result is plain.network


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (None, 5)])
def test_training_ends_when_nothing_improves(tmp_path: Path, patience: int | None, epochs: int) -> None:
    run = trainer(tmp_path, plan=replace(PLAN, steps=20, patience=patience))
    assert len(list(run.epochs())) == epochs


def test_a_killed_run_gives_what_it_would_have_given(tmp_path: Path) -> None:
    """Dropout, the averaged weights and the optimizer's moments go on too; the caller's random numbers are left alone."""
    whole = trainer(tmp_path / "whole")
    before = torch.get_rng_state()
    list(whole.epochs())
    assert torch.equal(torch.get_rng_state(), before)
    next(trainer(tmp_path / "killed").epochs())
    torch.rand(7)
    again = trainer(tmp_path / "killed")
    list(again.epochs())
    assert again.rows == whole.rows
    for first, second in ((whole.network, again.network), (whole.result, again.result)):
        assert torch.equal(first[1].weight, second[1].weight)
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]
    rows = list(csv.DictReader(logs[0].splitlines()))
    assert [float(row["loss"]) for row in rows] == [round(row["loss"], 4) for row in whole.rows]


def test_other_runs_and_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    list(trainer(tmp_path).epochs())
    with pytest.raises(TrainingError) as mixed:
        trainer(tmp_path, Line(identity="other"))
    assert mixed.value.path == tmp_path
    run = trainer(tmp_path)
    (tmp_path / "best.pt").unlink()
    with pytest.raises(TrainingError) as missing:
        run.load_best()
    assert missing.value.path == tmp_path / "best.pt"


def test_a_folder_that_takes_no_checkpoint_is_reported(tmp_path: Path) -> None:
    run = trainer(tmp_path / "run")
    (tmp_path / "run").rmdir()
    with pytest.raises(OutputError) as refused:
        next(run.epochs())
    assert refused.value.path == tmp_path / "run/best.pt"
