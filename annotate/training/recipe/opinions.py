"""Ask small networks what faces show that they did not train on: ``python -m annotate.training.recipe.opinions``.

They look at what the middle of SFace holds of a face (`annotate.training.recipe.face_teacher`), which has seen far more
people than all sources show. The people of each source are dealt into parts; a network learns from all parts but one and
says what the faces of that one show (cross-fitting). A label that was given by mistake cannot speak for itself then, so
with these opinions, targets are better than labels alone: `annotate.training.recipe.train` blends them in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from annotate.emotions.confusion import accuracy, balanced_accuracy, confusion_matrix
from annotate.emotions.labels import EMOTIONS
from annotate.errors import AnnotateError, TrainingError
from annotate.storage.local.files import ensure_dir
from annotate.training.models.recognizer_cnn import FILE_NAME
from annotate.training.recipe.augmentation import mix
from annotate.training.recipe.face_teacher import FaceFeatures
from annotate.training.recipe.framing import Arrays, keep
from annotate.training.recipe.mixture import SHARES, sampling_weights
from annotate.training.recipe.sources import FILES, NAMES, Source, is_certain, load_source
from annotate.training.recipe.still_faces import Stills, resize_faces

STILL_PX = 96
"""Side of the crops that are looked at."""

_SAMPLED = 3000
"""Faces of each source by which features are normalized."""

_SEEN_AT_ONCE, _SAID_AT_ONCE = 128, 2048


@dataclass(frozen=True)
class OpinionSettings:
    """Settings of the networks."""

    parts: int = 3
    """Into how many parts people are dealt."""
    steps: int = 1300
    batch_size: int = 512
    hidden: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    balance: float = 0.95
    """0 to 1: a class is drawn in proportion to its frequency to the power of 1 - balance."""
    input_dropout: float = 0.4
    dropout: float = 0.5
    mixup: float = 0.4
    """Share of the faces whose features are blended with those of another."""
    seed: int = 0


@dataclass(frozen=True)
class DescribedFaces:
    """The features (N, F) of faces, their targets (N, 7), and the person of each (N,)."""

    features: NDArray[np.float16]
    targets: NDArray[np.float32]
    persons: NDArray[np.str_]

    def first(self, count: int) -> DescribedFaces:
        """Return the first faces."""
        return DescribedFaces(self.features[:count], self.targets[:count], self.persons[:count])


@dataclass(frozen=True)
class Opinions:
    """What faces show, by source: probabilities (N, 7) in the order of the source's stills, and their weight in targets."""

    said: Mapping[str, NDArray[np.float32]]
    weight: float = 0.65
    weight_on: Mapping[str, float] = field(default_factory=dict)
    """The weight on some sources, by name."""

    def blended(self, name: str, targets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the targets (N, 7) of a source with the opinions in them; there may be none on that source.

        Raises:
            TrainingError: the opinions are on other faces.
        """
        if name not in self.said:
            return targets
        said = self.said[name]
        if said.shape != targets.shape:
            problem = f"there are {len(said)} opinions on {len(targets)} faces of {name}"
            raise TrainingError(problem, "write opinions for this run, with or without --all")
        weight = np.float32(self.weight_on.get(name, self.weight))
        return targets + weight * (said - targets)


class _Network(nn.Module):
    """Map features (N, F) to logits (N, 7); ``sample`` gives the mean and spread by which they are normalized."""

    mean: Tensor
    spread: Tensor

    def __init__(self, sample: Tensor, settings: OpinionSettings) -> None:
        super().__init__()
        self.register_buffer("mean", sample.mean(0))
        self.register_buffer("spread", sample.std(0) + 1e-3)
        self.layers = nn.Sequential(
            nn.Dropout(settings.input_dropout),
            nn.Linear(sample.shape[1], settings.hidden),
            nn.BatchNorm1d(settings.hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.hidden, len(EMOTIONS)),
        )

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.layers((features - self.mean) / self.spread)
        return logits


class Panel:
    """Networks that each train on the ``faces`` of all sources but those of one part of the people.

    What they say are probabilities (N, 7), in the order of `EMOTIONS`.
    """

    def __init__(self, faces: Mapping[str, DescribedFaces], settings: OpinionSettings | None = None) -> None:
        self._settings = settings or OpinionSettings()
        self._faces = faces
        random = np.random.default_rng(self._settings.seed)
        self._parts = {name: deal(each.persons, self._settings.parts, random) for name, each in faces.items()}
        self._networks = [self._train(part) for part in tqdm(range(self._settings.parts), disable=None)]

    def own(self, name: str) -> NDArray[np.float32]:
        """Return what the faces of a source show (N, 7), each by the network that did not train on its part."""
        faces, parts = self._faces[name], self._parts[name]
        said = np.empty_like(faces.targets)
        for part, network in enumerate(self._networks):
            said[parts == part] = _say(network, faces.features[parts == part])
        return said

    def __call__(self, features: NDArray[np.float16]) -> NDArray[np.float32]:
        """Return the mean opinion (N, 7) on faces that no network trained on."""
        mean: NDArray[np.float32] = np.mean([_say(network, features) for network in self._networks], 0)
        return mean

    def _train(self, left_out: int) -> _Network:
        settings = self._settings
        random = np.random.default_rng([settings.seed, left_out])
        rows = {name: np.flatnonzero(parts != left_out) for name, parts in self._parts.items()}
        sample = np.concatenate([self._faces[name].features[own[:_SAMPLED]] for name, own in rows.items()])
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed + left_out)
            network = _Network(torch.from_numpy(sample).float(), settings).train()
            optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, settings.steps)
            for features, targets in self._batches(rows, random):
                optimizer.zero_grad()
                loss = -(targets * functional.log_softmax(network(features), 1)).sum(1).mean()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        return network.eval()

    def _batches(self, rows: Mapping[str, NDArray[np.intp]], random: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        settings, total = self._settings, sum(SHARES[name] for name in rows)
        drawn = {
            name: random.choice(
                own,
                (settings.steps, max(1, round(settings.batch_size * SHARES[name] / total))),
                p=sampling_weights(self._faces[name].targets[own].argmax(1), settings.balance),
            )
            for name, own in rows.items()
        }
        for step in range(settings.steps):
            features = np.concatenate([self._faces[name].features[order[step]] for name, order in drawn.items()])
            targets = np.concatenate([self._faces[name].targets[order[step]] for name, order in drawn.items()])
            yield mix(torch.from_numpy(features).float(), torch.from_numpy(targets), random, settings.mixup)


def deal(persons: NDArray[np.str_], parts: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return the part (N,) from 0 that each face goes to; the faces of a person go to the same."""
    names, numbers = np.unique(persons, return_inverse=True)
    dealt: NDArray[np.intp] = random.permutation(len(names))[numbers] % parts
    return dealt


def load_opinions(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the opinions that `main` wrote, by source.

    Raises:
        TrainingError: the file cannot be read, or holds something else.
    """
    try:
        with np.load(path) as archive:
            said = {name: archive[name].astype(np.float32) for name in NAMES if name in archive}
    except (OSError, ValueError, AttributeError) as error:
        raise _no_opinions(path) from error
    if not said or any(each.shape[1:] != (len(EMOTIONS),) for each in said.values()):
        raise _no_opinions(path)
    return said


def _no_opinions(path: Path) -> TrainingError:
    return TrainingError("holds no opinions on faces", "write it with annotate.training.recipe.opinions", path=path)


def _describe(
    name: str, data: Path, recognizer: Path, look: FaceFeatures, cache: Path | None
) -> tuple[DescribedFaces, Source]:
    """Return the faces of all of a source as ``look`` describes them, by the file ``recognizer``, and the source."""
    source = load_source(name, data, cache=cache)

    def describe() -> Arrays:
        pixels = source.whole.pixels
        parts = np.array_split(pixels, max(1, len(pixels) // _SEEN_AT_ONCE))
        return {"features": np.concatenate([look(resize_faces(part, STILL_PX)) for part in tqdm(parts, name, disable=None)])}

    features = keep(cache, f"features-{name}", [data / FILES[name], recognizer], describe)["features"]
    return DescribedFaces(features.astype(np.float16, copy=False), source.whole.targets, source.persons), source


def _say(network: _Network, features: NDArray[np.float16]) -> NDArray[np.float32]:
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(features[start : start + _SAID_AT_ONCE]).float()).softmax(1)
            for start in range(0, len(features), _SAID_AT_ONCE)
        ]
    said: NDArray[np.float32] = torch.cat(parts).numpy()
    return said


def _scores(said: NDArray[np.float32], stills: Stills) -> tuple[float, float]:
    """Return accuracy and balanced accuracy on the stills that have one most likely class."""
    sure = is_certain(stills)
    confusion = confusion_matrix(said[sure].argmax(1).astype(np.int64), stills.labels[sure], len(EMOTIONS))
    return float(accuracy(confusion)), float(balanced_accuracy(confusion))


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option("--recognizer", type=_FILE, required=True, help=f"The network whose middle is looked at: {FILE_NAME}.")
@click.option("--leave-out", type=click.Choice(NAMES), multiple=True, help="Source not to learn from, only to report.")
@click.option("--all", "use_all", is_flag=True, help="Learn from what validates, too.")
@click.option("--cache", type=_FOLDER, help="Folder to keep framed faces and their features in.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (.npz).")
def main(data: Path, recognizer: Path, leave_out: tuple[str, ...], use_all: bool, cache: Path | None, output: Path) -> None:
    """Write opinions on the faces that train, and print how often they agree with the labels."""
    try:
        ensure_dir(output.parent)
        look = FaceFeatures(recognizer)
        described = {name: _describe(name, data, recognizer, look, cache) for name in NAMES}
    except (AnnotateError, OSError) as error:
        raise click.ClickException(str(error)) from error
    learned = {
        name: faces if use_all else faces.first(len(source.training))
        for name, (faces, source) in described.items()
        if name not in leave_out
    }
    panel, lines = Panel(learned), []
    said = {name: panel.own(name) for name in learned}
    for name, (faces, source) in described.items():
        if name not in learned:
            lines.append((name, "left out", *_scores(panel(faces.features), source.whole)))
            continue
        lines.append((name, "learned from", *_scores(said[name], source.whole if use_all else source.training)))
        if not use_all:
            others = panel(faces.features[len(source.training) :])
            lines.append((name, "held back", *_scores(others, source.held_back)))
    with output.open("wb") as file:
        np.savez(file, **said)  # type: ignore[arg-type]
    click.echo(tabulate(lines, ("source", "faces", "accuracy", "balanced accuracy"), floatfmt=".3f"))


if __name__ == "__main__":
    main()
