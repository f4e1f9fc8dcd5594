"""Training the frame network on stills: ``python -m annotate.training.train --ferplus F --webfaces F -o DIR``."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from annotate.emotions.labels import EMOTIONS
from annotate.training.augmentation import augment, frame_plainly
from annotate.training.metrics import accuracy, balanced_accuracy
from annotate.training.network import FrameNetwork
from annotate.training.stills import TRAIN, VALIDATION, Stills, load_ferplus, load_webfaces


@dataclass(frozen=True)
class TrainingSettings:
    """What a training run can be told; the defaults are those of the shipped model's first run (see its card)."""

    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    balance: float = 0.5
    """Classes are drawn in proportion to their frequency to the power 1 - balance."""
    average_decay: float = 0.998
    """Decay of the running mean of weights that is kept as the result (Polyak averaging)."""
    warmup_share: float = 0.05
    augmentation: float = 1.0
    """Strength of what spoils a crop: low resolution, covers, noise, light; movement is not weakened."""
    seed: int = 0


def score(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, float]:
    """What validation looks at."""
    return {"accuracy": accuracy(predicted, truth), "balanced": balanced_accuracy(predicted, truth)}


def predict(network: FrameNetwork, pixels: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
    """Logits (N, 7) float32 of stills (N, h, w) uint8, framed plainly."""
    network.eval()
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            outputs.append(network(frame_plainly(_as_input(pixels[start : start + batch_size]))))
    logits: NDArray[np.float32] = torch.cat(outputs).numpy()
    return logits


def train(
    training: Stills,
    validation: dict[str, Stills],
    folder: Path,
    settings: TrainingSettings,
    initial: FrameNetwork | None = None,
) -> FrameNetwork:
    """Trains a network, keeping ``last.pt`` (to go on after a kill), ``best.pt`` and ``log.csv`` in ``folder``.

    The best epoch is the one whose mean over the validation sets of accuracy and balanced accuracy is highest. Training
    goes on from ``initial`` if it is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    network = copy.deepcopy(initial) if initial is not None else FrameNetwork()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(_parameter_groups(network, settings.weight_decay), lr=settings.learning_rate)
    steps = len(training) // settings.batch_size
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _cosine(steps * settings.epochs, settings.warmup_share))
    first_epoch, best = 0, 0.0
    last = folder / "last.pt"
    if last.exists():
        state = torch.load(last, weights_only=True)
        for name, part in (("network", network), ("average", average), ("optimizer", optimizer), ("schedule", schedule)):
            part.load_state_dict(state[name])
        first_epoch, best = state["epoch"] + 1, state["best"]
    for epoch in range(first_epoch, settings.epochs):
        started = time.monotonic()
        losses = []
        network.train()
        batches = tqdm(_batches(training, settings, epoch), total=steps, desc=f"epoch {epoch + 1}", mininterval=10)
        for faces, targets in batches:
            loss = functional.cross_entropy(network(faces), targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            _move_average(average, network, settings.average_decay)
            losses.append(loss.item())
            batches.set_postfix(loss=f"{np.mean(losses[-100:]):.3f}", refresh=False)
        scores = {
            name: score(predict(average, part.pixels).argmax(1).astype(np.int64), part.labels)
            for name, part in validation.items()
        }
        mean = float(np.mean([list(figures.values()) for figures in scores.values()]))
        _log(folder / "log.csv", epoch, float(np.mean(losses)), time.monotonic() - started, scores)
        if mean > best:
            best = mean
            torch.save(average.state_dict(), folder / "best.pt")
        state = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"schedule": schedule.state_dict(), "epoch": epoch, "best": best}
        torch.save(state, last.with_suffix(".tmp"))
        last.with_suffix(".tmp").replace(last)
    average.load_state_dict(torch.load(folder / "best.pt", weights_only=True))
    return average


def _as_input(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels)[:, None].float() / 255


def _batches(stills: Stills, settings: TrainingSettings, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    seed = settings.seed * 1000 + epoch
    chooser, random = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    labels = stills.labels
    frequency = np.bincount(labels, minlength=len(EMOTIONS)) / len(labels)
    weights = np.maximum(frequency[labels], 1e-9) ** -settings.balance
    order = chooser.choice(len(stills), len(stills), p=weights / weights.sum())
    for start in range(0, len(order) - settings.batch_size + 1, settings.batch_size):
        index = order[start : start + settings.batch_size]
        faces = augment(_as_input(stills.pixels[index]), random, settings.augmentation).contiguous(
            memory_format=torch.channels_last
        )
        yield faces, torch.from_numpy(stills.targets[index])


def _parameter_groups(network: FrameNetwork, weight_decay: float) -> list[dict[str, object]]:
    parameters = list(network.parameters())
    return [
        {"params": [part for part in parameters if part.ndim > 1], "weight_decay": weight_decay},
        {"params": [part for part in parameters if part.ndim <= 1], "weight_decay": 0.0},
    ]


def _cosine(steps: int, warmup_share: float) -> Callable[[int], float]:
    warmup = max(1, round(steps * warmup_share))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return factor


def _move_average(average: FrameNetwork, network: FrameNetwork, decay: float) -> None:
    with torch.no_grad():
        for kept, current in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(current, 1 - decay)
            else:
                kept.copy_(current)


def _log(path: Path, epoch: int, loss: float, duration_s: float, scores: dict[str, dict[str, float]]) -> None:
    row: dict[str, object] = {"epoch": epoch + 1, "loss": round(loss, 4), "duration_s": round(duration_s)}
    for name, result in scores.items():
        row |= {f"{name}_{figure}": round(value, 4) for figure, value in result.items()}
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row.keys())
        if new:
            writer.writeheader()
        writer.writerow(row)


@click.command()
@click.option("--ferplus", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--webfaces", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--epochs", type=int, default=TrainingSettings.epochs, show_default=True)
@click.option("--learning-rate", type=float, default=TrainingSettings.learning_rate, show_default=True)
@click.option("--augmentation", type=float, default=TrainingSettings.augmentation, show_default=True)
@click.option("--initial", type=click.Path(exists=True, path_type=Path), help="Weights to go on from.")
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), required=True)
def main(
    ferplus: Path, webfaces: Path, epochs: int, learning_rate: float, augmentation: float, initial: Path | None, folder: Path
) -> None:
    """Trains the default model's network; export it with ``python -m annotate.training.export``."""
    training = load_ferplus(ferplus, TRAIN) + load_webfaces(webfaces, TRAIN)
    validation = {"ferplus": load_ferplus(ferplus, VALIDATION), "webfaces": load_webfaces(webfaces, VALIDATION)}
    click.echo(f"{len(training)} training stills, {', '.join(f'{len(v)} {k}' for k, v in validation.items())} to validate")
    network = FrameNetwork()
    if initial is not None:
        network.load_state_dict(torch.load(initial, weights_only=True))
    settings = TrainingSettings(epochs=epochs, learning_rate=learning_rate, augmentation=augmentation)
    train(training, validation, folder, settings, network)


if __name__ == "__main__":
    main()
