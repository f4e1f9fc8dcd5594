"""The training loop: steps, learning rate, averaged weights, validation, checkpoints, the log.

A `Trainer` trains a network on a `TrainingTask`, which draws the batches and validates. The random numbers of an epoch
follow from the seed and the number of the epoch alone, so that a run that was killed and resumed gives the same result.
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

from annotate.errors import OutputError, TrainingError, unwritable
from annotate.storage.local.files import ensure_dir, write_atomic

CHECKPOINT_NAME, BEST_NAME, LOG_NAME = "last.pt", "best.pt", "log.csv"
CLIP_NORM = 5.0

_LOG_DECIMALS = 4

Batch = tuple[Tensor, Tensor]
"""Inputs and targets: class indices (B,) or distributions (B, classes)."""

LogRow = dict[str, Any]
"""A finished epoch by column of the log; its first column counts epochs from 1."""

EpochProgress = Callable[[int, int, int, float], None]
"""Called with the number of the epoch, its steps done, the number of its steps, and the loss of the last one."""

Network = TypeVar("Network", bound=nn.Module)
_Trained = TypeVar("_Trained", bound=nn.Module, contravariant=True)


@dataclass(frozen=True)
class TrainingPlan:
    """Length, learning rate and regularization of a run."""

    steps: int
    """Batches of the whole run."""
    epoch_steps: int
    """Batches between two validations, each with a checkpoint; the last epoch may have fewer."""
    learning_rate: float
    """The highest; it rises over the first steps and falls along a cosine (Loshchilov and Hutter, ICLR 2017)."""
    warmup_share: float
    """Share of the steps over which the learning rate rises."""
    seed: int
    label_smoothing: float = 0.0
    average_decay: float | None = None
    """Decay of the running mean of weights that is validated and kept (Polyak averaging); None keeps the weights."""
    patience: int | None = None
    """Epochs without a better validation after which training ends; None never ends early."""

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        warmup = max(1, round(self.steps * self.warmup_share))
        if step < warmup:
            return self.learning_rate * ((step + 1) / warmup)
        along = (step - warmup) / max(1, self.steps - warmup)
        return self.learning_rate * (0.5 * (1 + math.cos(math.pi * along)))


@dataclass(frozen=True)
class EpochEnd:
    """What the loop knows of an epoch whose last step is done."""

    number: int
    steps: int
    """Steps since the beginning of the run."""
    loss: float
    """Mean loss of its steps."""
    started_s: float
    """Reading of `time.monotonic` when it began."""

    def elapsed_s(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self.started_s


class TrainingTask(Protocol[_Trained]):
    """What a network is trained on, and how it is validated."""

    @property
    def identity(self) -> str:
        """What tells runs apart that cannot be continued by each other."""

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        """Yield a batch for each of ``steps``, counted from 0; the same for the same epoch, counted from 1."""

    def validate(self, network: _Trained, ended: EpochEnd) -> LogRow:
        """Return the epoch's row of the log, with how well ``network`` does on validation."""

    def score(self, row: LogRow) -> tuple[float, ...]:
        """Return by what epochs are compared: the higher, the better."""


class Trainer(Generic[Network]):
    """A training run with its checkpoint, best weights and log in ``folder``; it resumes what is there.

    ``network`` lies on the device on which it is trained and ``optimizer`` has its parameters.

    Raises:
        TrainingError: ``folder`` holds another run, or its checkpoint cannot be read.
        OutputError: ``folder`` cannot be made.
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
        """The network that is validated and kept: the averaged one if there is one."""
        return self.network if self._average is None else self._average

    @property
    def best_row(self) -> LogRow:
        """The row of the best epoch so far, the first of equals."""
        return max(self.rows, key=self._task.score)

    @property
    def is_over(self) -> bool:
        """Whether all steps are done, or validation has not improved for long enough."""
        done, patience = len(self.rows), self._plan.patience
        if done * self._plan.epoch_steps >= self._plan.steps:
            return True
        return patience is not None and done > 0 and done - 1 - self.rows.index(self.best_row) >= patience

    def epochs(self, progress: EpochProgress | None = None) -> Iterator[LogRow]:
        """Train, and yield every epoch's row of the log once its checkpoint is written.

        Raises:
            OutputError: the checkpoint cannot be written.
        """
        while not self.is_over:
            ended = self._train_epoch(len(self.rows) + 1, progress)
            row = self._task.validate(self.result, ended)
            self.rows.append(row)
            if self.best_row is row:
                self.save(BEST_NAME)
            self._write_checkpoint()
            yield row

    def save(self, name: str) -> None:
        """Write the weights of `result` as ``name`` in the run's folder; raises OutputError."""
        _save(self.result.state_dict(), self._folder / name)

    def load_best(self) -> Network:
        """Return `result` with the weights of the best epoch; raises TrainingError if their file cannot be read."""
        self.result.load_state_dict(self._load(BEST_NAME))
        return self.result

    def _train_epoch(self, number: int, progress: EpochProgress | None) -> EpochEnd:
        plan, started_s = self._plan, time.monotonic()
        start = (number - 1) * plan.epoch_steps
        steps = range(start, min(start + plan.epoch_steps, plan.steps))
        losses: list[float] = []
        self.network.train()
        with torch.random.fork_rng():
            torch.manual_seed(epoch_seed(plan.seed, number))
            for step, (inputs, targets) in zip(steps, self._task.batches(number, steps), strict=True):
                losses.append(self._take_step(inputs, targets, plan.rate(step)))
                if progress is not None:
                    progress(number, len(losses), len(steps), losses[-1])
        return EpochEnd(number, steps.stop, float(np.mean(losses)), started_s)

    def _take_step(self, inputs: Tensor, targets: Tensor, rate: float) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = functional.cross_entropy(self.network(inputs), targets, label_smoothing=self._plan.label_smoothing)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        self._optimizer.step()
        if self._average is not None and self._plan.average_decay is not None:
            _move_average(self._average, self.network, self._plan.average_decay)
        return loss.item()

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """Return what a checkpoint holds the state of."""
        parts: dict[str, nn.Module | torch.optim.Optimizer] = {"network": self.network, "optimizer": self._optimizer}
        return parts if self._average is None else parts | {"average": self._average}

    def _write_checkpoint(self) -> None:
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        _save(state | {"identity": self._task.identity, "history": self.rows}, self._folder / CHECKPOINT_NAME)
        write_atomic(self._folder / LOG_NAME, _as_csv(self.rows))

    def _resume(self) -> None:
        if not (self._folder / CHECKPOINT_NAME).exists():
            return
        state = self._load(CHECKPOINT_NAME)
        if state.get("identity") != self._task.identity:
            raise TrainingError("holds a run with other settings or sets", "remove it or give another -o", path=self._folder)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.rows = state["history"]

    def _load(self, name: str) -> dict[str, Any]:
        path, device = self._folder / name, next(self.network.parameters()).device
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
        except Exception as error:
            raise TrainingError(
                "the checkpoint cannot be read", f"remove {self._folder} to begin anew", path=path
            ) from error
        return state


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch of the run with ``seed``."""
    return seed * 100_003 + epoch


def _move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for kept, current in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(current, 1 - decay)
            else:
                kept.copy_(current)


def _as_csv(rows: list[LogRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: round(value, _LOG_DECIMALS) for name, value in row.items()})
    return text.getvalue()


def _save(state: object, path: Path) -> None:
    unfinished = path.with_suffix(".tmp")
    try:
        torch.save(state, unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    except RuntimeError as error:
        raise OutputError(f"cannot be written ({error})", "check permissions and the space left", path=path) from error
