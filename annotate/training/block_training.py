"""Train a network on datasets of blocks for `annotate train`, with early stopping, calibration and export."""

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

from annotate.emotions.confusion import accuracy, balanced_accuracy, confusion_matrix
from annotate.emotions.contract import Contract
from annotate.emotions.labels import EMOTIONS
from annotate.errors import DatasetError, write_error
from annotate.training.dataset.storage import ORIGINS_NAME, TRAIN, VALIDATION, Dataset
from annotate.training.models.architectures import ARCHITECTURES, Architecture, fit_temperature
from annotate.training.models.export import export
from annotate.training.models.frame_cnn import BlockNetwork
from annotate.training.still_motion import augment_blocks
from annotate.training.trainer import Batch, EpochProgress, EpochSummary, LogRow, Trainer, TrainingPlan, epoch_seed

CURVE_NAME = "curve.png"

_BATCH_BLOCKS = 16
"""Number of validation blocks per forward pass."""


@dataclass(frozen=True)
class FitSettings:
    """Settings of a training run."""

    architecture: str = "frames"
    epochs: int = 30
    patience: int = 6
    """Number of epochs without improvement in validation after which training stops."""
    batch_size: int = 32
    min_steps: int = 20
    """Minimum steps per epoch; blocks of a small dataset are drawn several times, so that each epoch makes progress."""
    learning_rate: float = 1e-3
    """Peak learning rate; see `annotate.training.trainer.TrainingPlan`."""
    weight_decay: float = 0.02
    warmup_share: float = 0.05
    balance: float = 0.5
    """0 to 1: a class is drawn in proportion to its frequency to the power of 1 - balance."""
    label_smoothing: float = 0.1
    augmentation: float = 1.0
    """Strength of the augmentation of training blocks, 0 to 1; see `annotate.training.still_motion`."""
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """Metrics of a finished epoch; validation blocks are not augmented."""

    epoch: int
    loss: float
    validation_loss: float
    accuracy: float
    balanced_accuracy: float
    duration_s: float

    @property
    def score(self) -> tuple[float, float]:
        """Sort key for choosing the best epoch: balanced accuracy, ties broken by the lower validation loss."""
        return self.balanced_accuracy, -self.validation_loss


class TrainingRun:
    """A training run with its checkpoint, log and curve in ``folder``; resumes the run found there.

    Raises:
        DatasetError: a dataset does not fit the contract, or there is no training or no validation block.
        TrainingError: ``folder`` contains a run with other settings or datasets.
        OutputError: ``folder`` cannot be created.
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
        """The best epoch so far; the earliest if several are equal."""
        return max(self.history, key=lambda each: each.score)

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done or early stopping applies."""
        return self._trainer.is_finished

    def epochs(self, progress: EpochProgress | None = None) -> Iterator[Epoch]:
        """Train; yield each epoch after its checkpoint is written.

        Raises:
            OutputError: the checkpoint cannot be written.
        """
        for row in self._trainer.epochs(progress):
            epoch = Epoch(**row)
            self.history.append(epoch)
            yield epoch

    def export(self, path: Path) -> float:
        """Write the best epoch's network as ONNX, calibrated on validation; return its largest difference from torch.

        Raises:
            TrainingError: the best weights cannot be read, or the ONNX model's output differs from torch's.
            OutputError: the file cannot be written.
        """
        self._trainer.load_best()
        self.network.temperature.fill_(fit_temperature(*self._task.predict_validation(self.network)))
        network = self.network.cpu()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return export(cast(BlockNetwork, network), path)
        except OSError as error:
            raise write_error(path, error) from None
        finally:
            self.network.to(self.device)


class _BlockTask:
    """Train and validate on the blocks of several datasets; implements `TrainingTask`."""

    def __init__(self, datasets: Sequence[Dataset], settings: FitSettings, device: torch.device) -> None:
        self.identity = _identity(datasets, settings)
        self._settings = settings
        self._device = device
        self._training = _BlockSource(datasets, TRAIN)
        self._validation = _BlockSource(datasets, VALIDATION)

    @property
    def training_blocks(self) -> int:
        """Number of training blocks."""
        return len(self._training)

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        return self._training.batches(self._settings, epoch, len(steps), self._device)

    def validate(self, network: Architecture, summary: EpochSummary) -> LogRow:
        logits, labels = self.predict_validation(network)
        predicted = logits.argmax(1).numpy().astype(np.int64)
        confusion = confusion_matrix(predicted, labels.numpy(), len(EMOTIONS))
        epoch = Epoch(
            epoch=summary.number,
            loss=summary.loss,
            validation_loss=float(functional.cross_entropy(logits, labels)),
            accuracy=float(accuracy(confusion)),
            balanced_accuracy=float(balanced_accuracy(confusion)),
            duration_s=summary.elapsed_s(),
        )
        return asdict(epoch)

    def score(self, row: LogRow) -> tuple[float, ...]:
        return Epoch(**row).score

    def predict_validation(self, network: Architecture) -> Batch:
        """Return logits (N, 7) and labels (N,) of all validation blocks."""
        network.eval()
        logits, labels = [], []
        with torch.inference_mode():
            for blocks, batch_labels in self._validation.sequential_batches(self._device):
                logits.append(network.logits(blocks).cpu())
                labels.append(batch_labels)
        return torch.cat(logits), torch.cat(labels)


class _BlockSource:
    """The blocks of one part (train, validation or test) of several datasets, joined."""

    def __init__(self, datasets: Sequence[Dataset], part: str) -> None:
        for dataset in datasets:
            if dataset.contract != Contract():
                raise DatasetError("was built for another model's contract", "rebuild it", path=dataset.path)
        self._datasets = datasets
        rows = [dataset.rows(part) for dataset in datasets]
        self._dataset_of_row = np.repeat(np.arange(len(datasets)), [len(own) for own in rows])
        self._rows = np.concatenate(rows)
        self._labels = np.concatenate([dataset.labels[own] for dataset, own in zip(datasets, rows, strict=True)])
        if not len(self):
            names = " ".join(str(dataset.path) for dataset in datasets)
            remedy = "add videos, or rebuild with another --seed or other --validation and --test shares"
            raise DatasetError(f"no {part} blocks", remedy, path=names)

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, settings: FitSettings, epoch: int, steps: int, device: torch.device) -> Iterator[Batch]:
        """Yield augmented blocks (B, 20, 80, 80) in 0..1 and labels (B,); rare classes are oversampled."""
        seed = epoch_seed(settings.seed, epoch)
        sampler, random = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        weights = np.bincount(self._labels)[self._labels].astype(float) ** -settings.balance
        order = sampler.choice(len(self), steps * settings.batch_size, p=weights / weights.sum())
        for index in order.reshape(steps, settings.batch_size):
            parts, labels = [], []
            for number, dataset in enumerate(self._datasets):
                own = np.sort(index[self._dataset_of_row[index] == number])
                if len(own):
                    pixels = _to_tensor(np.asarray(dataset.pixels[self._rows[own]]), device)
                    parts.append(augment_blocks(pixels, random, settings.augmentation))
                    labels.append(self._labels[own])
            yield torch.cat(parts), torch.from_numpy(np.concatenate(labels)).to(device)

    def sequential_batches(self, device: torch.device) -> Iterator[Batch]:
        """Yield all blocks (B, 20, 80, 80) in 0..1, not augmented, and their labels (B,)."""
        for number, dataset in enumerate(self._datasets):
            indexes = np.flatnonzero(self._dataset_of_row == number)
            for start in range(0, len(indexes), _BATCH_BLOCKS):
                own = indexes[start : start + _BATCH_BLOCKS]
                blocks = _to_tensor(dataset.full_blocks(self._rows[own]), device)
                yield blocks, torch.from_numpy(self._labels[own])


def _to_tensor(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    return torch.from_numpy(pixels).to(device).float() / 255


def _identity(datasets: Sequence[Dataset], settings: FitSettings) -> str:
    """Return a fingerprint of settings and datasets; only a run with the same one is resumed."""
    values = asdict(settings)
    values["least_steps"] = values.pop("min_steps")  # its name in checkpoints of earlier versions
    tables = [hashlib.sha256((dataset.path / ORIGINS_NAME).read_bytes()).hexdigest() for dataset in datasets]
    return json.dumps({"settings": values, "sets": tables}, sort_keys=True)


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
