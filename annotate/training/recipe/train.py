"""Training the frame network on stills: ``python -m annotate.training.recipe.train --ferplus F --webfaces F -o DIR``."""

from __future__ import annotations

import copy
import csv
import math
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
from annotate.training.metrics import accuracy, balanced_accuracy
from annotate.training.models.frame_cnn import LOOK_SIZE_PX, FrameNetwork
from annotate.training.models.restore import restore
from annotate.training.recipe.augmentation import augment, frame_plainly
from annotate.training.recipe.evaluate import classify_stills
from annotate.training.recipe.still_faces import (
    TRAIN,
    VALIDATION,
    Stills,
    load_ferplus,
    load_ferplus_majority,
    load_webfaces,
)

STILL_PX = 60
"""Side that training stills are shrunk to: a little more than the network looks at, and quick to move about."""

_SAMPLED_BATCHES = 8


@dataclass(frozen=True)
class TrainingSettings:
    """What a training run can be told; the defaults are those of the shipped model (see its card)."""

    steps: int = 12_000
    """Batches; the rate of learning, the size of crops and the augmentation follow the share of them that is over."""
    batch_size: int = 128
    round_steps: int = 500
    """Batches between two looks at validation, each with a checkpoint."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    balance: float = 0.5
    """Classes of a set are drawn in proportion to their frequency to the power 1 - balance."""
    average_decay: float = 0.998
    """Decay of the running mean of weights that is kept as the result (Polyak averaging)."""
    warmup_share: float = 0.03
    small_size_px: int = 36
    small_share: float = 0.5
    """The first share of the steps sees crops of ``small_size_px``, which are quick; the rest LOOK_SIZE_PX."""
    augmentation: float = 0.5
    """Strength of what spoils a crop: low resolution, covers, noise, light; movement is not weakened."""
    calm_share: float = 0.25
    """The last share of the steps has half the augmentation."""
    seed: int = 0

    def size_px(self, over: float) -> int:
        """Side of the crops when the share ``over`` (0..1) of the steps is over."""
        return self.small_size_px if over < self.small_share else LOOK_SIZE_PX

    def strength(self, over: float) -> float:
        """Strength of the augmentation when the share ``over`` (0..1) of the steps is over."""
        return self.augmentation if over < 1 - self.calm_share else self.augmentation / 2

    def rate(self, over: float) -> float:
        """The learning rate when the share ``over`` (0..1) of the steps is over: a warm-up, then a cosine."""
        if over < self.warmup_share:
            return self.learning_rate * max(over / self.warmup_share, 0.01)
        along = min((over - self.warmup_share) / (1 - self.warmup_share), 1)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * along))


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
    training: dict[str, tuple[Stills, float]],
    validation: dict[str, Stills],
    folder: Path,
    settings: TrainingSettings,
    initial: Path | None = None,
) -> FrameNetwork:
    """Trains a network, keeping ``last.pt`` (to go on after a kill), ``best.pt``, ``final.pt`` and ``log.csv`` in
    ``folder``.

    ``training`` holds sets and the share of a batch that comes from each. The best round is the one whose mean over the
    validation sets of accuracy and balanced accuracy is highest. Training begins with the network of the exported file
    ``initial``, if it is given.

    Raises:
        TrainingError: ``initial`` holds another network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    drawn = _Batches(training, settings)
    network = FrameNetwork() if initial is None else restore(initial, drawn.sample())
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(_parameter_groups(network, settings.weight_decay), lr=settings.learning_rate)
    last = folder / "last.pt"
    done, best = 0, 0.0
    if last.exists():
        state = torch.load(last, weights_only=True)
        for name, part in (("network", network), ("average", average), ("optimizer", optimizer)):
            part.load_state_dict(state[name])
        done, best = state["rounds"], state["best"]
    for start in range(done * settings.round_steps, settings.steps, settings.round_steps):
        losses: list[float] = []
        drawn.start_round(done)
        network.train()
        end = min(start + settings.round_steps, settings.steps)
        bar = tqdm(range(start, end), desc=f"round {done + 1}", mininterval=10)
        for step in bar:
            over = step / settings.steps
            for group in optimizer.param_groups:
                group["lr"] = settings.rate(over)
            faces, targets = drawn.draw(over)
            loss = functional.cross_entropy(network(faces), targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            _move_average(average, network, settings.average_decay)
            losses.append(loss.item())
            bar.set_postfix(loss=f"{np.mean(losses[-100:]):.3f}", refresh=False)
        done += 1
        scores = {
            name: score(predict(average, part.pixels).argmax(1).astype(np.int64), part.labels)
            for name, part in validation.items()
        }
        mean = float(np.mean([list(figures.values()) for figures in scores.values()]))
        _log(folder / "log.csv", done, end, float(np.mean(losses)), scores)
        if mean > best:
            best = mean
            torch.save(average.state_dict(), folder / "best.pt")
        state = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"rounds": done, "best": best}
        torch.save(state, last.with_suffix(".tmp"))
        last.with_suffix(".tmp").replace(last)
    torch.save(average.state_dict(), folder / "final.pt")
    average.load_state_dict(torch.load(folder / "best.pt", weights_only=True))
    return average


def with_judgement(stills: Stills, classifier: Classifier, weight: float) -> Stills:
    """The stills with targets that are to the share ``weight`` (0..1) what ``classifier`` says of them: for noisy labels."""
    judged = classify_stills(classifier, stills.pixels).astype(np.float32)
    return replace(stills, targets=(1 - weight) * stills.targets + weight * judged)


def shrunk(stills: Stills, size_px: int = STILL_PX) -> Stills:
    """The stills with pictures of ``size_px``, antialiased."""
    parts = [
        functional.interpolate(_as_input(part), (size_px, size_px), mode="bilinear", antialias=True)
        for part in np.array_split(stills.pixels, max(1, len(stills) // 1024))
    ]
    pixels = (torch.cat(parts)[:, 0] * 255).round().to(torch.uint8).numpy()
    return replace(stills, pixels=pixels)


def _as_input(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels)[:, None].float() / 255


class _Batches:
    """Draws batches from several sets, the classes of each balanced; a round's draws follow from its number."""

    def __init__(self, sets: dict[str, tuple[Stills, float]], settings: TrainingSettings) -> None:
        self._settings = settings
        self._pixels = [stills.pixels for stills, _ in sets.values()]
        self._targets = [stills.targets for stills, _ in sets.values()]
        self._weights = [_balanced(stills.labels, settings.balance) for stills, _ in sets.values()]
        self._counts = [round(share * settings.batch_size) for _, share in sets.values()]

    def sample(self) -> Tensor:
        """Crops (N, 1, h, w) as training ends with them, for statistics."""
        self.start_round(0)
        return torch.cat([self.draw(over=1)[0] for _ in range(_SAMPLED_BATCHES)])

    def start_round(self, number: int) -> None:
        seed = self._settings.seed * 1000 + number
        self._chooser, self._random = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        needed = [count * self._settings.round_steps for count in self._counts]
        self._orders = [
            self._chooser.choice(len(weights), count, p=weights)
            for weights, count in zip(self._weights, needed, strict=True)
        ]
        self._step = 0

    def draw(self, over: float) -> tuple[Tensor, Tensor]:
        indexes = [
            order[self._step * count : (self._step + 1) * count]
            for order, count in zip(self._orders, self._counts, strict=True)
        ]
        self._step += 1
        pixels = np.concatenate([part[index] for part, index in zip(self._pixels, indexes, strict=True)])
        targets = np.concatenate([part[index] for part, index in zip(self._targets, indexes, strict=True)])
        settings = self._settings
        faces = augment(_as_input(pixels), self._random, settings.strength(over), settings.size_px(over))
        return faces.contiguous(memory_format=torch.channels_last), torch.from_numpy(targets)


def _balanced(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
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


def _move_average(average: FrameNetwork, network: FrameNetwork, decay: float) -> None:
    with torch.no_grad():
        for kept, current in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(current, 1 - decay)
            else:
                kept.copy_(current)


def _log(path: Path, number: int, steps: int, loss: float, scores: dict[str, dict[str, float]]) -> None:
    row: dict[str, object] = {"round": number, "steps": steps, "loss": round(loss, 4)}
    for name, result in scores.items():
        row |= {f"{name}_{figure}": round(value, 4) for figure, value in result.items()}
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row.keys())
        if new:
            writer.writeheader()
        writer.writerow(row)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--ferplus", type=_FILE, required=True)
@click.option("--webfaces", type=_FILE, required=True)
@click.option("--web-share", type=float, default=0.38, show_default=True, help="Share of a batch that is web faces.")
@click.option("--teacher", type=_FILE, help="A model whose judgement is mixed into the web faces' noisy labels.")
@click.option("--teacher-weight", type=float, default=0.4, show_default=True, help="The share of its judgement.")
@click.option("--initial", type=_FILE, help="An exported network of this shape to begin with.")
@click.option("--steps", type=int, default=TrainingSettings.steps, show_default=True)
@click.option("--learning-rate", type=float, default=TrainingSettings.learning_rate, show_default=True)
@click.option("--balance", type=float, default=TrainingSettings.balance, show_default=True, help="Of the classes, 0 to 1.")
@click.option("--augmentation", type=float, default=TrainingSettings.augmentation, show_default=True)
@click.option("--small-share", type=float, default=TrainingSettings.small_share, show_default=True)
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), required=True)
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
    """Trains the default model's network; export it with ``python -m annotate.training.models.export``."""
    web = load_webfaces(webfaces, TRAIN)
    if teacher is not None:
        web = with_judgement(web, Classifier(teacher), teacher_weight)
    sets = {
        "ferplus": (shrunk(load_ferplus(ferplus, TRAIN)), 1 - web_share),
        "webfaces": (shrunk(web), web_share),
    }
    validation = {"ferplus": load_ferplus_majority(ferplus, VALIDATION), "webfaces": load_webfaces(webfaces, VALIDATION)}
    click.echo(", ".join(f"{len(stills)} {name} stills" for name, (stills, _) in sets.items()) + " to train with")
    click.echo(", ".join(f"{len(stills)} {name} stills" for name, stills in validation.items()) + " to validate with")
    train(sets, validation, folder, TrainingSettings(**settings), initial)


if __name__ == "__main__":
    main()
