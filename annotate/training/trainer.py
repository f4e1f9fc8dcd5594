"""The training loop: steps, learning rate, averaged weights, validation, checkpoints and log.

A `Trainer` trains a network on a `TrainingTask`, which supplies the batches and validates. Each epoch is seeded by the run's
seed and the epoch's number alone, so a resumed run gives the same result as an uninterrupted one.
"""

from __future__ import annotations

import copy
import csv
import io
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from annotate.errors import OutputError, TrainingError, write_error
from annotate.storage.local.files import ensure_dir, write_atomic

CHECKPOINT_NAME, BEST_NAME, LOG_NAME = "last.pt", "best.pt", "log.csv"
CLIP_NORM = 5.0

_LOG_DECIMALS = 4

Batch = tuple[Tensor, Tensor]
"""Inputs and targets: class indices (B,) or distributions (B, classes)."""

LogRow = dict[str, Any]
"""A finished epoch as a row of the log, by column name; the first column counts epochs from 1."""

EpochProgress = Callable[[int, int, int, float], None]
"""Called after each step with the epoch's number, its steps done, its total steps, and the loss of the last step."""

Network = TypeVar("Network", bound=nn.Module)
_Trained = TypeVar("_Trained", bound=nn.Module, contravariant=True)


@dataclass(frozen=True)
class TrainingPlan:
    """Length, learning rate and regularization of a run."""

    steps: int
    """Total steps of the run; one step is one batch."""
    epoch_steps: int
    """Steps per epoch, after which the network is validated and a checkpoint written; the last epoch may have fewer."""
    learning_rate: float
    """Peak learning rate: linear warm-up, then cosine decay (Loshchilov and Hutter, ICLR 2017)."""
    warmup_share: float
    """Share of the steps used for warm-up."""
    seed: int
    label_smoothing: float = 0.0
    is_mixed_precision: bool = False
    """Whether the network computes in bfloat16, as is fast on a GPU."""
    average_decay: float | None = None
    """Decay of the moving average of the weights (Polyak averaging), which is validated and saved; None disables it."""
    patience: int | None = None
    """Number of epochs without improvement in validation after which training stops; None disables early stopping."""

    def rate(self, step: int) -> float:
        """Return the learning rate of a step; steps count from 0."""
        warmup = max(1, round(self.steps * self.warmup_share))
        if step < warmup:
            return self.learning_rate * ((step + 1) / warmup)
        progress = (step - warmup) / max(1, self.steps - warmup)
        return self.learning_rate * (0.5 * (1 + math.cos(math.pi * progress)))


@dataclass(frozen=True)
class EpochSummary:
    """Number, steps, loss and start of an epoch whose steps are done."""

    number: int
    steps: int
    """Steps since the start of the run."""
    loss: float
    """Mean training loss over the epoch's steps."""
    started_s: float
    """Value of `time.monotonic` at the start of the epoch."""

    def elapsed_s(self) -> float:
        """Return the seconds since the epoch started."""
        return time.monotonic() - self.started_s


class TrainingTask(Protocol[_Trained]):
    """Supplies training batches and validates a network."""

    @property
    def identity(self) -> str:
        """Fingerprint stored in the checkpoint; only a run with the same one is resumed."""

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        """Yield one batch per step (from 0) of an epoch (from 1); equal arguments give equal batches."""

    def validate(self, network: _Trained, summary: EpochSummary) -> LogRow:
        """Return the epoch's row of the log, including the validation metrics of ``network``."""

    def score(self, row: LogRow) -> tuple[float, ...]:
        """Return the sort key for choosing the best epoch; higher is better."""


class Trainer(Generic[Network]):
    """A training run with its checkpoint, best weights and log in ``folder``; resumes the run found there.

    ``network`` is on the device used for training, and ``optimizer`` holds its parameters.

    Raises:
        TrainingError: ``folder`` contains another run, or its checkpoint cannot be read.
        OutputError: ``folder`` cannot be created.
    """

    def __init__(
        self,
        network: Network,
        optimizer: torch.optim.Optimizer,
        task: TrainingTask[Network],
        plan: TrainingPlan,
        folder: Path,
    ) -> None:
        self.network = network
        self.rows: list[LogRow] = []
        self._optimizer = optimizer
        self._task = task
        self._plan = plan
        self._folder = folder
        self._average = None if plan.average_decay is None else copy.deepcopy(network)
        ensure_dir(folder)
        self._resume()

    @property
    def result(self) -> Network:
        """The network that is validated and saved: the averaged one if averaging is enabled."""
        return self.network if self._average is None else self._average

    @property
    def best_row(self) -> LogRow:
        """The row of the best epoch so far; the earliest if several are equal."""
        return max(self.rows, key=self._task.score)

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done or early stopping applies."""
        done, patience = len(self.rows), self._plan.patience
        if done * self._plan.epoch_steps >= self._plan.steps:
            return True
        return patience is not None and done > 0 and done - 1 - self.rows.index(self.best_row) >= patience

    def epochs(self, progress: EpochProgress | None = None) -> Iterator[LogRow]:
        """Train; yield each epoch's row of the log after its checkpoint is written.

        Raises:
            OutputError: the checkpoint cannot be written.
        """
        while not self.is_finished:
            summary = self._train_epoch(len(self.rows) + 1, progress)
            row = self._task.validate(self.result, summary)
            self.rows.append(row)
            if self.best_row is row:
                self.save(BEST_NAME)
            self._write_checkpoint()
            yield row

    def save(self, name: str) -> None:
        """Write the weights of `result` as ``name`` in the run's folder; raise OutputError on failure."""
        _save(self.result.state_dict(), self._folder / name)

    def load_best(self) -> Network:
        """Load the best epoch's weights into `result` and return it; raise TrainingError if the file is unreadable."""
        self.result.load_state_dict(self._load(BEST_NAME))
        return self.result

    def _train_epoch(self, number: int, progress: EpochProgress | None) -> EpochSummary:
        plan, started_s = self._plan, time.monotonic()
        start = (number - 1) * plan.epoch_steps
        steps = range(start, min(start + plan.epoch_steps, plan.steps))
        losses: list[float] = []
        self.network.train()
        with torch.random.fork_rng():
            torch.manual_seed(epoch_seed(plan.seed, number))
            for step, (inputs, targets) in zip(steps, self._task.batches(number, steps), strict=True):
                losses.append(self._train_step(inputs, targets, plan.rate(step)))
                if progress is not None:
                    progress(number, len(losses), len(steps), losses[-1])
        return EpochSummary(number, steps.stop, float(np.mean(losses)), started_s)

    def _train_step(self, inputs: Tensor, targets: Tensor, rate: float) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._plan.is_mixed_precision):
            predicted = self.network(inputs)
        loss = functional.cross_entropy(predicted.float(), targets, label_smoothing=self._plan.label_smoothing)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        self._optimizer.step()
        if self._average is not None and self._plan.average_decay is not None:
            _update_average(self._average, self.network, self._plan.average_decay)
        return loss.item()

    def _stateful_parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """Return the objects whose state a checkpoint saves, by name."""
        parts: dict[str, nn.Module | torch.optim.Optimizer] = {"network": self.network, "optimizer": self._optimizer}
        return parts if self._average is None else parts | {"average": self._average}

    def _write_checkpoint(self) -> None:
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._stateful_parts().items()}
        _save(state | {"identity": self._task.identity, "history": self.rows}, self._folder / CHECKPOINT_NAME)
        write_atomic(self._folder / LOG_NAME, _format_csv(self.rows))

    def _resume(self) -> None:
        if not (self._folder / CHECKPOINT_NAME).exists():
            return
        state = self._load(CHECKPOINT_NAME)
        if state.get("identity") != self._task.identity:
            raise TrainingError(
                "contains a run with other settings or datasets", "delete it or choose another -o", path=self._folder
            )
        for name, part in self._stateful_parts().items():
            part.load_state_dict(state[name])
        self.rows = state["history"]

    def _load(self, name: str) -> dict[str, Any]:
        path, device = self._folder / name, next(self.network.parameters()).device
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
        except Exception as error:
            raise TrainingError(
                "the checkpoint cannot be read", f"delete {self._folder} to start over", path=path
            ) from error
        return state


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch of a run with the seed ``seed``."""
    return seed * 100_003 + epoch


def _update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for averaged, current in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if averaged.dtype.is_floating_point:
                averaged.lerp_(current, 1 - decay)
            else:
                averaged.copy_(current)


def _format_csv(rows: list[LogRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: round(value, _LOG_DECIMALS) for name, value in row.items()})
    return text.getvalue()


def _save(state: object, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        torch.save(state, temporary)
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    except RuntimeError as error:
        raise OutputError(
            f"cannot be written ({error})", "check its permissions and the free disk space", path=path
        ) from error
