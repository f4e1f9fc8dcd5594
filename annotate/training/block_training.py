"""Train a network on sets of blocks: `annotate train`, with early stopping, calibration and export."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from annotate.emotions.contract import Contract
from annotate.emotions.labels import EMOTIONS
from annotate.errors import DatasetError, unwritable
from annotate.training.dataset.storage import ORIGINS_NAME, TRAIN, VALIDATION, Dataset
from annotate.training.metrics import accuracy, balanced_accuracy, confusion_matrix
from annotate.training.models.architectures import ARCHITECTURES, Architecture, fit_temperature
from annotate.training.models.export import export
from annotate.training.models.frame_cnn import BlockNetwork
from annotate.training.still_motion import pseudo_blocks
from annotate.training.trainer import Batch, EpochEnd, EpochProgress, LogRow, Trainer, TrainingPlan, epoch_seed

CURVE_NAME = "curve.png"

_BATCH_BLOCKS = 16
"""Blocks of validation that are predicted at a time."""


@dataclass(frozen=True)
class FitSettings:
    """Settings of a training run."""

    architecture: str = "frames"
    epochs: int = 30
    patience: int = 6
    """Training ends when validation has not improved for so many epochs."""
    batch_size: int = 32
    min_steps: int = 20
    """An epoch of a small set draws its blocks several times over: validation after a step or two would say nothing."""
    learning_rate: float = 1e-3
    """The highest; see `annotate.training.trainer.TrainingPlan`."""
    weight_decay: float = 0.02
    warmup_share: float = 0.05
    balance: float = 0.5
    """Classes are drawn in proportion to their frequency to the power 1 - balance."""
    label_smoothing: float = 0.1
    augmentation: float = 1.0
    """How far training blocks are moved, lit and degraded: 0 not at all, 1 as `annotate.training.still_motion` says."""
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """A finished epoch; validation sees blocks as they are."""

    epoch: int
    loss: float
    validation_loss: float
    accuracy: float
    balanced_accuracy: float
    duration_s: float

    @property
    def score(self) -> tuple[float, float]:
        """By what epochs are compared: balanced accuracy, and where that is equal, the loss."""
        return self.balanced_accuracy, -self.validation_loss


class TrainingRun:
    """A training run whose checkpoint, log and curve lie in ``folder``; it resumes what is there.

    Raises:
        DatasetError: the sets do not fit the contract, or have no block to train with or to validate with.
        TrainingError: ``folder`` holds a run with other settings or sets.
        OutputError: ``folder`` cannot be made.
    """

    def __init__(self, datasets: Sequence[Dataset], folder: Path, settings: FitSettings) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._task = _BlockTask(datasets, settings, self.device)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.network = ARCHITECTURES[settings.architecture]().to(self.device)
        self._trainer = Trainer(
            self.network,
            torch.optim.AdamW(self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay),
            self._task,
            _plan(settings, self._task.training_blocks),
            folder,
        )
        self.history = [Epoch(**row) for row in self._trainer.rows]

    @property
    def best(self) -> Epoch:
        """The best epoch so far, the first of equals."""
        return max(self.history, key=lambda each: each.score)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or validation has not improved for long enough."""
        return self._trainer.is_over

    def epochs(self, progress: EpochProgress | None = None) -> Iterator[Epoch]:
        """Train, and yield every epoch once its checkpoint is written.

        Raises:
            OutputError: the checkpoint cannot be written.
        """
        for row in self._trainer.epochs(progress):
            epoch = Epoch(**row)
            self.history.append(epoch)
            yield epoch

    def export(self, path: Path) -> float:
        """Write the best epoch's network, calibrated on validation, as ONNX; return its difference from torch.

        Raises:
            TrainingError: the best checkpoint cannot be read, or the file does not give what torch gives.
            OutputError: it cannot be written.
        """
        self._trainer.load_best()
        self.network.temperature.fill_(fit_temperature(*self._task.predict_validation(self.network)))
        network = self.network.cpu()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return export(cast(BlockNetwork, network), path)
        except OSError as error:
            raise unwritable(path, error) from None
        finally:
            self.network.to(self.device)


class _BlockTask:
    """Training and validation on the blocks of several sets; satisfies `TrainingTask`."""

    def __init__(self, datasets: Sequence[Dataset], settings: FitSettings, device: torch.device) -> None:
        self.identity = _identity(datasets, settings)
        self._settings = settings
        self._device = device
        self._training = _BlockSource(datasets, TRAIN)
        self._validation = _BlockSource(datasets, VALIDATION)

    @property
    def training_blocks(self) -> int:
        """How many blocks there are to train with."""
        return len(self._training)

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        return self._training.batches(self._settings, epoch, len(steps), self._device)

    def validate(self, network: Architecture, ended: EpochEnd) -> LogRow:
        logits, labels = self.predict_validation(network)
        predicted = logits.argmax(1).numpy().astype(np.int64)
        confusion = confusion_matrix(predicted, labels.numpy(), len(EMOTIONS))
        epoch = Epoch(
            epoch=ended.number,
            loss=ended.loss,
            validation_loss=float(functional.cross_entropy(logits, labels)),
            accuracy=float(accuracy(confusion)),
            balanced_accuracy=float(balanced_accuracy(confusion)),
            duration_s=ended.elapsed_s(),
        )
        return asdict(epoch)

    def score(self, row: LogRow) -> tuple[float, ...]:
        return Epoch(**row).score

    def predict_validation(self, network: Architecture) -> Batch:
        """Return logits (n, 7) and labels (n,) of all validation blocks."""
        network.eval()
        logits, labels = [], []
        with torch.inference_mode():
            for blocks, own_labels in self._validation.in_order(self._device):
                logits.append(network.logits(blocks).cpu())
                labels.append(own_labels)
        return torch.cat(logits), torch.cat(labels)


class _BlockSource:
    """The blocks of one part of several sets, as one."""

    def __init__(self, datasets: Sequence[Dataset], part: str) -> None:
        for dataset in datasets:
            if dataset.contract != Contract():
                raise DatasetError("was cut for another model's contract", "build it again", path=dataset.path)
        self._datasets = datasets
        rows = [dataset.rows(part) for dataset in datasets]
        self._owner = np.repeat(np.arange(len(datasets)), [len(own) for own in rows])
        self._rows = np.concatenate(rows)
        self._labels = np.concatenate([dataset.labels[own] for dataset, own in zip(datasets, rows, strict=True)])
        if not len(self):
            names = " ".join(str(dataset.path) for dataset in datasets)
            remedy = "add videos, or build with another --seed or other shares"
            raise DatasetError(f"no block is in {part}", remedy, path=names)

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, settings: FitSettings, epoch: int, steps: int, device: torch.device) -> Iterator[Batch]:
        """Yield varied blocks (B, 20, 80, 80) in 0..1 and labels (B,), drawn so that rare classes come more often."""
        seed = epoch_seed(settings.seed, epoch)
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
        """Yield all blocks as they are, (B, 20, 80, 80) in 0..1, and their labels (B,)."""
        for number, dataset in enumerate(self._datasets):
            mine = np.flatnonzero(self._owner == number)
            for start in range(0, len(mine), _BATCH_BLOCKS):
                own = mine[start : start + _BATCH_BLOCKS]
                blocks = _as_input(dataset.whole_blocks(self._rows[own]), device)
                yield blocks, torch.from_numpy(self._labels[own])


def _as_input(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    return torch.from_numpy(pixels).to(device).float() / 255


def _identity(datasets: Sequence[Dataset], settings: FitSettings) -> str:
    """Return what differs between runs that must not be mixed: settings and sets."""
    tables = [hashlib.sha256((dataset.path / ORIGINS_NAME).read_bytes()).hexdigest() for dataset in datasets]
    return json.dumps({"settings": asdict(settings), "sets": tables}, sort_keys=True)


def _plan(settings: FitSettings, blocks: int) -> TrainingPlan:
    epoch_steps = max(settings.min_steps, blocks // settings.batch_size)
    return TrainingPlan(
        steps=epoch_steps * settings.epochs,
        epoch_steps=epoch_steps,
        learning_rate=settings.learning_rate,
        warmup_share=settings.warmup_share,
        seed=settings.seed,
        label_smoothing=settings.label_smoothing,
        patience=settings.patience,
    )
