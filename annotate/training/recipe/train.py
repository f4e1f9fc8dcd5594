"""Train the frame network on stills: ``python -m annotate.training.recipe.train --ferplus F --webfaces F -o DIR``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from annotate.emotions.classifier import Classifier
from annotate.emotions.labels import EMOTIONS
from annotate.training.metrics import accuracy, balanced_accuracy, confusion_matrix
from annotate.training.models.frame_cnn import INPUT_SIZE_PX, FrameNetwork
from annotate.training.models.restore import restore
from annotate.training.recipe.augmentation import augment, resize_to_crop
from annotate.training.recipe.evaluate import classify_stills
from annotate.training.recipe.still_faces import (
    TRAIN,
    VALIDATION,
    Stills,
    load_ferplus,
    load_ferplus_majority,
    load_webfaces,
)
from annotate.training.trainer import Batch, EpochSummary, LogRow, Trainer, TrainingPlan

FINAL_NAME = "final.pt"

STILL_PX = 60
"""Side to which training stills are downscaled: slightly larger than the network's input, and fast to augment."""

_SAMPLED_BATCHES = 8
_AVERAGED_LOSSES = 100
"""Number of losses averaged in the progress bar."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run; the defaults are those of the installed model (see its card)."""

    steps: int = 12_000
    """Total steps; learning rate, crop size and augmentation depend on the share of steps done."""
    batch_size: int = 128
    round_steps: int = 500
    """Steps per round, after which the network is validated and a checkpoint written."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    balance: float = 0.5
    """0 to 1: a class is drawn in proportion to its frequency to the power of 1 - balance."""
    average_decay: float = 0.998
    """Decay of the moving average of the weights, which is the result (Polyak averaging)."""
    warmup_share: float = 0.03
    small_size_px: int = 36
    small_share: float = 0.5
    """Share of the steps, at the start, with crops of ``small_size_px``, which are faster, not INPUT_SIZE_PX."""
    augmentation: float = 0.5
    """Strength of low resolution, occlusion, noise and lighting; geometric transforms always have full strength."""
    mild_share: float = 0.25
    """Share of the steps, at the end, with half the augmentation."""
    seed: int = 0

    def size_px(self, progress: float) -> int:
        """Return the side of the crops in pixels at ``progress`` (0..1), the share of steps done."""
        return self.small_size_px if progress < self.small_share else INPUT_SIZE_PX

    def strength(self, progress: float) -> float:
        """Return the strength of the augmentation at ``progress`` (0..1), the share of steps done."""
        return self.augmentation if progress < 1 - self.mild_share else self.augmentation / 2

    def plan(self) -> TrainingPlan:
        """Return the length, learning rate and averaging of the run."""
        return TrainingPlan(
            steps=self.steps,
            epoch_steps=self.round_steps,
            learning_rate=self.learning_rate,
            warmup_share=self.warmup_share,
            seed=self.seed,
            average_decay=self.average_decay,
        )


def predict(network: FrameNetwork, pixels: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
    """Return logits (N, 7) float32 of stills (N, h, w) uint8, not augmented."""
    network.eval()
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            outputs.append(network(resize_to_crop(_to_tensor(pixels[start : start + batch_size]))))
    logits: NDArray[np.float32] = torch.cat(outputs).numpy()
    return logits


def train(
    training: dict[str, tuple[Stills, float]],
    validation: dict[str, Stills],
    folder: Path,
    settings: TrainingSettings,
    initial: Path | None = None,
) -> FrameNetwork:
    """Return the network of the best round; write checkpoint, weights and log to ``folder``; resume the run there.

    ``training`` maps each set's name to its stills and their share of a batch. The best round has the highest mean accuracy
    and balanced accuracy over the validation sets. Training starts from the exported model ``initial``, if given.

    Raises:
        TrainingError: ``initial`` contains another network, or the checkpoint in ``folder`` cannot be read.
        OutputError: ``folder`` cannot be written.
    """
    task = _StillTask(training, validation, settings)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = FrameNetwork() if initial is None else restore(initial, task.sample())
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(_parameter_groups(network, settings.weight_decay), lr=settings.learning_rate)
    trainer = Trainer(network, optimizer, task, settings.plan(), folder)
    losses: deque[float] = deque(maxlen=_AVERAGED_LOSSES)
    with tqdm(total=settings.steps, mininterval=10) as bar:

        def advance(number: int, step: int, steps: int, loss: float) -> None:
            bar.set_description(f"round {number}", refresh=False)
            losses.append(loss)
            bar.set_postfix(loss=f"{np.mean(losses):.3f}", refresh=False)
            bar.update((number - 1) * settings.round_steps + step - bar.n)

        for _ in trainer.epochs(advance):
            pass
    trainer.save(FINAL_NAME)
    return trainer.load_best()


def mix_in_teacher(stills: Stills, teacher: Classifier, weight: float) -> Stills:
    """Return the stills with their noisy targets blended with the teacher's predictions by ``weight`` (0..1)."""
    predicted = classify_stills(teacher, stills.pixels).astype(np.float32)
    return replace(stills, targets=(1 - weight) * stills.targets + weight * predicted)


def shrink(stills: Stills, size_px: int = STILL_PX) -> Stills:
    """Return the stills downscaled to ``size_px``, antialiased."""
    parts = [
        functional.interpolate(_to_tensor(part), (size_px, size_px), mode="bilinear", antialias=True)
        for part in np.array_split(stills.pixels, max(1, len(stills) // 1024))
    ]
    pixels = (torch.cat(parts)[:, 0] * 255).round().to(torch.uint8).numpy()
    return replace(stills, pixels=pixels)


def _to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels)[:, None].float() / 255


class _StillTask:
    """Draw class-balanced batches from several sets, and validate on others; implements `TrainingTask`."""

    identity = ""
    """Empty, so that any checkpoint is resumed: a longer run continues a shorter one."""

    def __init__(
        self, training: dict[str, tuple[Stills, float]], validation: dict[str, Stills], settings: TrainingSettings
    ) -> None:
        self._settings = settings
        self._validation = validation
        self._pixels = [stills.pixels for stills, _ in training.values()]
        self._targets = [stills.targets for stills, _ in training.values()]
        self._weights = [_sampling_weights(stills.labels, settings.balance) for stills, _ in training.values()]
        self._counts = [round(share * settings.batch_size) for _, share in training.values()]

    def sample(self) -> Tensor:
        """Return crops (N, 1, h, w) like those at the end of training, for batch statistics."""
        last = range(self._settings.steps, self._settings.steps + _SAMPLED_BATCHES)
        return torch.cat([faces for faces, _ in self.batches(1, last)])

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        """Yield crops (B, 1, h, w) in 0..1 and target distributions (B, 7)."""
        seed = self._settings.seed * 1000 + epoch - 1
        sampler, random = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        orders = [
            sampler.choice(len(weights), count * self._settings.round_steps, p=weights)
            for weights, count in zip(self._weights, self._counts, strict=True)
        ]
        for number, step in enumerate(steps):
            indexes = [
                order[number * count : (number + 1) * count] for order, count in zip(orders, self._counts, strict=True)
            ]
            pixels = np.concatenate([part[index] for part, index in zip(self._pixels, indexes, strict=True)])
            targets = np.concatenate([part[index] for part, index in zip(self._targets, indexes, strict=True)])
            progress = step / self._settings.steps
            faces = augment(_to_tensor(pixels), random, self._settings.strength(progress), self._settings.size_px(progress))
            yield faces.contiguous(memory_format=torch.channels_last), torch.from_numpy(targets)

    def validate(self, network: FrameNetwork, summary: EpochSummary) -> LogRow:
        row: LogRow = {"round": summary.number, "steps": summary.steps, "loss": summary.loss}
        for name, stills in self._validation.items():
            predicted = predict(network, stills.pixels).argmax(1).astype(np.int64)
            confusion = confusion_matrix(predicted, stills.labels, len(EMOTIONS))
            row[f"{name}_accuracy"] = float(accuracy(confusion))
            row[f"{name}_balanced"] = float(balanced_accuracy(confusion))
        return row

    def score(self, row: LogRow) -> tuple[float, ...]:
        scores = [row[f"{name}_{metric}"] for name in self._validation for metric in ("accuracy", "balanced")]
        return (float(np.mean(scores)),)


def _sampling_weights(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    frequency = np.bincount(labels, minlength=len(EMOTIONS)) / len(labels)
    weights = np.maximum(frequency[labels], 1e-9) ** -balance
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _parameter_groups(network: FrameNetwork, weight_decay: float) -> list[dict[str, object]]:
    parameters = list(network.parameters())
    return [
        {"params": [part for part in parameters if part.ndim > 1], "weight_decay": weight_decay},
        {"params": [part for part in parameters if part.ndim <= 1], "weight_decay": 0.0},
    ]


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--ferplus", type=_FILE, required=True, help="FER2013 faces with FER+ votes (.npz).")
@click.option("--webfaces", type=_FILE, required=True, help="Web faces (.npz).")
@click.option("--web-share", type=float, default=0.38, show_default=True, help="Share of web faces in a batch.")
@click.option("--teacher", type=_FILE, help="Model whose predictions are blended into the web faces' noisy labels.")
@click.option("--teacher-weight", type=float, default=0.4, show_default=True, help="Weight of the teacher's predictions.")
@click.option("--initial", type=_FILE, help="Exported model to start from.")
@click.option("--steps", type=int, default=TrainingSettings.steps, show_default=True, help="Number of batches.")
@click.option("--learning-rate", type=float, default=TrainingSettings.learning_rate, show_default=True, help="Peak rate.")
@click.option("--balance", type=float, default=TrainingSettings.balance, show_default=True, help="Class balancing, 0 to 1.")
@click.option(
    "--augmentation", type=float, default=TrainingSettings.augmentation, show_default=True, help="Strength, 0 to 1."
)
@click.option(
    "--small-share",
    type=float,
    default=TrainingSettings.small_share,
    show_default=True,
    help="Share of steps with small crops.",
)
@click.option(
    "-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the run."
)
def main(
    ferplus: Path,
    webfaces: Path,
    web_share: float,
    teacher: Path | None,
    teacher_weight: float,
    initial: Path | None,
    folder: Path,
    **settings: Any,
) -> None:
    """Train the network of the installed model; export it with ``python -m annotate.training.models.export``."""
    web = load_webfaces(webfaces, TRAIN)
    if teacher is not None:
        web = mix_in_teacher(web, Classifier(teacher), teacher_weight)
    sets = {
        "ferplus": (shrink(load_ferplus(ferplus, TRAIN)), 1 - web_share),
        "webfaces": (shrink(web), web_share),
    }
    validation = {"ferplus": load_ferplus_majority(ferplus, VALIDATION), "webfaces": load_webfaces(webfaces, VALIDATION)}
    click.echo(", ".join(f"{len(stills)} {name} stills" for name, (stills, _) in sets.items()) + " for training")
    click.echo(", ".join(f"{len(stills)} {name} stills" for name, stills in validation.items()) + " for validation")
    train(sets, validation, folder, TrainingSettings(**settings), initial)


if __name__ == "__main__":
    main()
