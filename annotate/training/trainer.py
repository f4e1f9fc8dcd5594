"""Training a network on sets of blocks: early stopping, the best checkpoint, going on after a kill, export.

An epoch's random numbers follow from the seed and the epoch's number alone, so that a run that was killed and goes on
gives what it would have given in one piece.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from annotate.emotions.contract import Contract
from annotate.errors import DatasetError, OutputError, TrainingError
from annotate.storage.local.files import make_folder, sentence, write_whole
from annotate.training.dataset.storage import ORIGINS_NAME, TRAIN, VALIDATION, Dataset
from annotate.training.metrics import accuracy, balanced_accuracy
from annotate.training.models.architectures import ARCHITECTURES, fit_temperature
from annotate.training.models.export import export
from annotate.training.models.frame_cnn import BlockNetwork
from annotate.training.still_motion import pseudo_blocks

CHECKPOINT_NAME, BEST_NAME, LOG_NAME, CURVE_NAME = "last.pt", "best.pt", "log.csv", "curve.png"

Progress = Callable[[int, int, int, float], None]
"""Called with the epoch, the steps of it done, the steps it has, and the loss of the last one."""

Batch = tuple[Tensor, Tensor]

_CLIP_NORM = 5.0
_PREDICTED_BLOCKS = 16


@dataclass(frozen=True)
class FitSettings:
    """What a run can be told."""

    architecture: str = "frames"
    epochs: int = 30
    patience: int = 6
    """Training ends when validation has not improved for so many epochs."""
    batch_size: int = 32
    least_steps: int = 20
    """An epoch of a small set draws its blocks several times over: one of a step or two would tell validation nothing."""
    learning_rate: float = 1e-3
    """The highest; it rises over the first steps and falls along a cosine (Loshchilov and Hutter, ICLR 2017)."""
    weight_decay: float = 0.02
    warmup_share: float = 0.05
    balance: float = 0.5
    """Classes are drawn in proportion to their frequency to the power 1 - balance."""
    label_smoothing: float = 0.1
    augmentation: float = 1.0
    """How far training blocks are moved, lit and spoilt: 0 not at all, 1 as `annotate.training.still_motion` says."""
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What is known of an epoch when it has ended; validation sees blocks as they are."""

    epoch: int
    loss: float
    validation_loss: float
    accuracy: float
    balanced_accuracy: float
    duration_s: float

    @property
    def worth(self) -> tuple[float, float]:
        """By what epochs are compared: balanced accuracy, and where that is equal, the loss."""
        return self.balanced_accuracy, -self.validation_loss


class Run:
    """A training run whose checkpoint, log and curve lie in ``folder``; it goes on where they left off.

    Raises:
        DatasetError: the sets do not fit the contract, or have no block to train with or to validate with.
        TrainingError: ``folder`` holds a run with other settings or sets.
    """

    def __init__(self, datasets: Sequence[Dataset], folder: Path, settings: FitSettings) -> None:
        self.settings = settings
        self.history: list[Epoch] = []
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._folder = folder
        self._training = _Source(datasets, TRAIN)
        self._validation = _Source(datasets, VALIDATION)
        self._identity = _identity(datasets, settings)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.network = ARCHITECTURES[settings.architecture]().to(self.device)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._steps = max(settings.least_steps, len(self._training) // settings.batch_size)
        factor = _warm_cosine(self._steps * settings.epochs, settings.warmup_share)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, factor)
        make_folder(folder)
        self._resume()

    @property
    def best(self) -> Epoch:
        """The best epoch so far, the first of equals."""
        return max(self.history, key=lambda each: each.worth)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or validation has not improved for long enough."""
        done = len(self.history)
        return done >= self.settings.epochs or (done > 0 and done - self.best.epoch >= self.settings.patience)

    def epochs(self, progress: Progress | None = None) -> Iterator[Epoch]:
        """Trains, and yields every epoch once it is safe on disk.

        Raises:
            OutputError: the checkpoint cannot be written.
        """
        while not self.is_over:
            started_s = time.monotonic()
            number = len(self.history) + 1
            loss = self._train_epoch(number, progress)
            logits, labels = self._validated()
            predicted = logits.argmax(1).numpy().astype(np.int64)
            validation_loss = float(functional.cross_entropy(logits, labels))
            truth = labels.numpy()
            scores = accuracy(predicted, truth), balanced_accuracy(predicted, truth)
            epoch = Epoch(number, loss, validation_loss, *scores, time.monotonic() - started_s)
            self.history.append(epoch)
            if self.best is epoch:
                _save(self.network.state_dict(), self._folder / BEST_NAME)
            self._keep()
            yield epoch

    def export(self, path: Path) -> float:
        """Writes the best epoch's network, calibrated on validation, as ONNX; returns its difference from torch.

        Raises:
            TrainingError: the best checkpoint is gone, or the file does not give what torch gives.
            OutputError: it cannot be written.
        """
        self.network.load_state_dict(self._load(BEST_NAME))
        self.network.temperature.fill_(fit_temperature(*self._validated()))
        network = self.network.cpu()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return export(cast(BlockNetwork, network), path)
        except ValueError as error:
            raise TrainingError(f"{error}; report this, or choose another --architecture") from error
        except OSError as error:
            raise OutputError(sentence(path, error)) from None
        finally:
            self.network.to(self.device)

    def _train_epoch(self, number: int, progress: Progress | None) -> float:
        losses: list[float] = []
        self.network.train()
        with torch.random.fork_rng():
            torch.manual_seed(_seed_of(self.settings.seed, number))
            for blocks, labels in self._training.batches(self.settings, number, self._steps, self.device):
                loss = functional.cross_entropy(self.network(blocks), labels, label_smoothing=self.settings.label_smoothing)
                self._optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP_NORM)
                self._optimizer.step()
                self._schedule.step()
                losses.append(float(loss.detach()))
                if progress is not None:
                    progress(number, len(losses), self._steps, losses[-1])
        return float(np.mean(losses))

    def _validated(self) -> Batch:
        """Logits (n, 7) and labels (n,) of all validation blocks."""
        self.network.eval()
        logits, labels = [], []
        with torch.inference_mode():
            for blocks, own_labels in self._validation.in_order(self.device):
                logits.append(self.network.logits(blocks).cpu())
                labels.append(own_labels)
        return torch.cat(logits), torch.cat(labels)

    def _keep(self) -> None:
        state = {
            "identity": self._identity,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
        }
        _save(state, self._folder / CHECKPOINT_NAME)
        write_whole(self._folder / LOG_NAME, _as_csv(self.history))

    def _resume(self) -> None:
        if not (self._folder / CHECKPOINT_NAME).exists():
            return
        state = self._load(CHECKPOINT_NAME)
        if state.get("identity") != self._identity:
            raise TrainingError(f"{self._folder}: holds a run with other settings or sets; remove it or give another -o")
        for name, part in (("network", self.network), ("optimizer", self._optimizer), ("schedule", self._schedule)):
            part.load_state_dict(state[name])
        self.history = [Epoch(**epoch) for epoch in state["history"]]

    def _load(self, name: str) -> dict[str, Any]:
        path = self._folder / name
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location=self.device)
        except Exception as error:
            raise TrainingError(f"{path}: the checkpoint cannot be read; remove {self._folder} to begin anew") from error
        return state


class _Source:
    """The blocks of one part of several sets, as one."""

    def __init__(self, datasets: Sequence[Dataset], part: str) -> None:
        for dataset in datasets:
            if dataset.contract != Contract():
                raise DatasetError(f"{dataset.path}: was cut for another model's contract; build it again")
        self._datasets = datasets
        rows = [dataset.rows(part) for dataset in datasets]
        self._owner = np.repeat(np.arange(len(datasets)), [len(own) for own in rows])
        self._rows = np.concatenate(rows)
        self._labels = np.concatenate([dataset.labels[own] for dataset, own in zip(datasets, rows, strict=True)])
        if not len(self):
            names = " ".join(str(dataset.path) for dataset in datasets)
            raise DatasetError(f"{names}: no block is in {part}; add videos, or build with another --seed or other shares")

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, settings: FitSettings, epoch: int, steps: int, device: torch.device) -> Iterator[Batch]:
        """Varied blocks (B, 20, 80, 80) in 0..1 and labels (B,), drawn so that rare classes come more often."""
        seed = _seed_of(settings.seed, epoch)
        chooser, random = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        weights = np.bincount(self._labels)[self._labels].astype(float) ** -settings.balance
        order = chooser.choice(len(self), steps * settings.batch_size, p=weights / weights.sum())
        for index in order.reshape(steps, settings.batch_size):
            parts, labels = [], []
            for number, dataset in enumerate(self._datasets):
                own = np.sort(index[self._owner[index] == number])
                if len(own):
                    pixels = _as_input(np.asarray(dataset.pixels[self._rows[own]]), device)
                    parts.append(pseudo_blocks(pixels, random, settings.augmentation))
                    labels.append(self._labels[own])
            yield torch.cat(parts), torch.from_numpy(np.concatenate(labels)).to(device)

    def in_order(self, device: torch.device) -> Iterator[Batch]:
        """All blocks as they are, and their labels."""
        for number, dataset in enumerate(self._datasets):
            mine = np.flatnonzero(self._owner == number)
            for start in range(0, len(mine), _PREDICTED_BLOCKS):
                own = mine[start : start + _PREDICTED_BLOCKS]
                blocks = _as_input(dataset.whole_blocks(self._rows[own]), device)
                yield blocks, torch.from_numpy(self._labels[own])


def _as_input(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    return torch.from_numpy(pixels).to(device).float() / 255


def _seed_of(seed: int, epoch: int) -> int:
    return seed * 100_003 + epoch


def _identity(datasets: Sequence[Dataset], settings: FitSettings) -> str:
    """Tells runs apart that must not be mixed."""
    tables = [hashlib.sha256((dataset.path / ORIGINS_NAME).read_bytes()).hexdigest() for dataset in datasets]
    return json.dumps({"settings": asdict(settings), "sets": tables}, sort_keys=True)


def _warm_cosine(steps: int, warmup_share: float) -> Callable[[int], float]:
    warmup = max(1, round(steps * warmup_share))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return factor


def _as_csv(history: Sequence[Epoch]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, Epoch.__dataclass_fields__, lineterminator="\n")
    writer.writeheader()
    for epoch in history:
        values: dict[str, Any] = asdict(epoch)
        writer.writerow({name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()})
    return text.getvalue()


def _save(state: object, path: Path) -> None:
    unfinished = path.with_suffix(".tmp")
    try:
        torch.save(state, unfinished)
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{path}: cannot be written ({error}); check permissions and the space left") from error
