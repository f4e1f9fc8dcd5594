"""Train the second ending of the descriptor of persons: ``python -m annotate.training.recipe.ending --data DIR -o FILE``.

dlib's network takes two strong expressions of one person for two persons. A copy of its last steps and last layer is
trained on people with many expressions, by the supervised contrastive loss (Khosla et al., "Supervised Contrastive
Learning", NeurIPS 2020): the faces of one person become more alike than those of any others, among which are negatives,
persons with one face each. All other layers stay, and so does dlib's own ending, beside which the second one is used: alone,
it does less well on press photographs. The loss is that of both together (`annotate.persons.descriptor`), so that the second
one learns what dlib's lacks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn import functional

from annotate.faces.portraits import Portrait
from annotate.persons.clusters import cluster
from annotate.persons.descriptor import NETWORK, Vectors, find_file, unit
from annotate.persons.ending import pack
from annotate.persons.network import LAST_STEPS, MAP_CHANNELS, STEPS, Convolution, Ending, read_layers
from annotate.storage.local.files import write_atomic
from annotate.training.models.descriptor_cnn import ResidualStep
from annotate.training.recipe.framing import keep
from annotate.training.recipe.known_faces import KnownFaces, close_portraits, describe, find_portraits
from annotate.training.recipe.verification import b_cubed, training_half, true_accept_rate

NEGATIVES_FILE = "ferplus48.npz"
POSED, NEWS = "posed200", "news96"
SHARES = {POSED: 0.25, NEWS: 0.6, "scans": 0.15}
"""The sources, by the names of their files, and their shares of the persons of a batch."""

NEGATIVES = 5000
"""Number of faces of FER+ whose persons are not known, and count as different ones."""

FOLDS = 3
"""Number of trials, each of which leaves out as large a part of the persons."""

THRESHOLDS = np.arange(0.6, 0.97, 0.005)
"""Thresholds of clustering to choose from."""

_AT_ONCE = 256
"""Number of faces that go through an ending together."""


@dataclass(frozen=True)
class EndingSettings:
    """How an ending is trained: sizes of a batch, and the temperature of the loss."""

    steps: int = 300
    warmup_steps: int = 50
    persons: int = 80
    faces: int = 4
    """Maximum number of faces of a person in a batch."""
    negatives: int = 144
    dlib_weight: float = 2.0
    """Weight of dlib's part in the loss; that in use, `DLIB_WEIGHT`, makes a worse ending (tests/benchmarks/README.md)."""
    temperature: float = 0.05
    learning_rate: float = 2e-4
    weight_decay: float = 1e-4


class EndingNetwork(nn.Module):
    """The last steps and the last layer of the network, beginning with the weights of ``first``."""

    def __init__(self, first: Ending) -> None:
        super().__init__()
        last, channels = STEPS[-LAST_STEPS:], [MAP_CHANNELS, *(filters for filters, _ in STEPS[-LAST_STEPS:])]
        self.steps = nn.Sequential(
            *(
                ResidualStep(inputs, filters, _convolution, is_halved=is_halved)
                for inputs, (filters, is_halved) in zip(channels[:-1], last, strict=True)
            )
        )
        self.matrix = nn.Parameter(torch.tensor(first.matrix))
        with torch.no_grad():
            for layer, read in zip(self._layers(), itertools.chain.from_iterable(first.steps), strict=True):
                layer.weight.copy_(torch.from_numpy(read.kernel))
                _bias(layer).copy_(torch.from_numpy(read.bias))

    def forward(self, maps: Tensor) -> Tensor:
        """Return numbers (n, d) of maps (n, `MAP_CHANNELS`, `MAP_PX`, `MAP_PX`)."""
        features: Tensor = self.steps(maps).mean((2, 3))
        return features @ self.matrix

    @torch.no_grad()
    def numbers(self, maps: NDArray[np.float16]) -> Vectors:
        """Return numbers as `forward` does, of arrays."""
        starts = range(0, len(maps), _AT_ONCE)
        return np.concatenate([self(torch.from_numpy(maps[at : at + _AT_ONCE]).float()).numpy() for at in starts])

    def ending(self) -> Ending:
        """Return the weights."""
        parts = [Convolution(layer.weight.detach().numpy(), _bias(layer).detach().numpy()) for layer in self._layers()]
        return Ending(tuple(zip(parts[::2], parts[1::2], strict=True)), self.matrix.detach().numpy())

    def _layers(self) -> list[nn.Conv2d]:
        return [layer for layer in self.steps.modules() if isinstance(layer, nn.Conv2d)]


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _convolution(inputs: int, outputs: int, stride: int, padding: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, stride, padding)


def train_ending(
    known: Sequence[tuple[KnownFaces, float]],
    negatives: KnownFaces,
    first: Ending,
    settings: EndingSettings = EndingSettings(),
    seed: int = 0,
) -> EndingNetwork:
    """Return an ending that tells persons apart, beginning with ``first``.

    Args:
        known: the faces of each source, and the share of its persons in a batch.
        negatives: faces of other persons.
        first: the weights to begin with.
        settings: how to train.
        seed: of the random draws.
    """
    random, network = np.random.default_rng(seed), EndingNetwork(first)
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / settings.warmup_steps, total_iters=settings.warmup_steps)
    cooling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    schedule = torch.optim.lr_scheduler.ChainedScheduler([warmup, cooling])
    sources = [_Source.of(faces, share) for faces, share in known]
    other_maps, other_dlib = _tensors(negatives)
    for _ in range(settings.steps):
        maps, dlib, persons = _batch(sources, settings, random)
        rows = torch.from_numpy(random.choice(len(negatives), min(settings.negatives, len(negatives)), replace=False))
        sides = torch.from_numpy(random.integers(0, 2, len(rows)))
        numbers = network(torch.cat([maps, other_maps[rows, sides]]).float())
        vectors = joined_of_pictures(torch.cat([dlib, other_dlib[rows, sides]]), numbers, settings.dlib_weight)
        loss = contrastive_loss(vectors[: len(maps)], persons, vectors[len(maps) :], settings.temperature)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network


def contrastive_loss(vectors: Tensor, persons: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Return how little vectors (n, d) of the same of ``persons`` (n,) stand out from others and ``negatives`` (m, d).

    All have length 1.
    """
    cosines = vectors @ torch.cat([vectors, negatives]).T / temperature
    itself = torch.eye(len(vectors), len(cosines.T), dtype=torch.bool)
    logs = functional.log_softmax(cosines.masked_fill(itself, -torch.inf), 1)[:, : len(vectors)]
    is_same = (persons[:, None] == persons) & ~itself[:, : len(vectors)]
    counts = is_same.sum(1)
    means = logs.masked_fill(~is_same, 0).sum(1)[counts > 0] / counts[counts > 0]
    return -means.mean()


def joined_of_pictures(dlib: Tensor, numbers: Tensor, weight: float) -> Tensor:
    """Return the descriptors (n, 2 d) of single pictures, as `annotate.persons.descriptor.joined` makes those of pairs.

    ``dlib`` and ``numbers`` (n, d) are what both endings say, ``weight`` is that of the former.
    """
    parts = weight**0.5 * functional.normalize(dlib), functional.normalize(numbers)
    return functional.normalize(torch.cat(parts, 1))


def _tensors(faces: KnownFaces) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(faces.maps), torch.from_numpy(faces.dlib)


@dataclass(frozen=True)
class _Source:
    """Maps and dlib's numbers of faces and mirror images, as in `KnownFaces`, and the rows of each person with several."""

    maps: Tensor
    dlib: Tensor
    rows: tuple[NDArray[np.int64], ...]
    share: float

    @classmethod
    def of(cls, faces: KnownFaces, share: float) -> _Source:
        _, persons = np.unique(faces.persons, return_inverse=True)
        rows = np.split(np.argsort(persons, kind="stable"), np.cumsum(np.bincount(persons))[:-1])
        return cls(*_tensors(faces), tuple(own for own in rows if len(own) > 1), share)


def _batch(
    sources: Sequence[_Source], settings: EndingSettings, random: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the maps and dlib's numbers of some faces of some persons, and the number of the person of each (n,)."""
    maps, dlib, persons = list[Tensor](), list[Tensor](), list[Tensor]()
    for source in sources:
        count = min(len(source.rows), round(settings.persons * source.share))
        for number in random.choice(len(source.rows), count, replace=False):
            rows = source.rows[number]
            rows = random.choice(rows, min(settings.faces, len(rows)), replace=False)
            sides = random.integers(0, 2, len(rows))
            maps.append(source.maps[rows, sides])
            dlib.append(source.dlib[rows, sides])
            persons.append(torch.full((len(rows),), len(persons)))
    return torch.cat(maps), torch.cat(dlib), torch.cat(persons)


def load_known(data: Path, cache: Path | None = None) -> dict[str, KnownFaces]:
    """Return the faces of each of the ``SHARES``; maps are kept in ``cache``, if given, for the next run.

    Raises:
        OSError: a file cannot be read.
    """
    paths = {name: data / f"{name}.npz" for name in SHARES}
    return {name: _described(path, cache, partial(find_portraits, path)) for name, path in paths.items()}


def load_negatives(data: Path, cache: Path | None = None) -> KnownFaces:
    """Return ``NEGATIVES`` faces of the training part of FER+, and degraded ones.

    Raises:
        OSError: the file cannot be read.
    """
    path = data / NEGATIVES_FILE

    def find() -> Iterator[tuple[Portrait, str]]:
        with np.load(path) as arrays:
            faces = arrays["pixels"][arrays["split"] == 0]
        chosen = np.random.default_rng(0).permutation(len(faces))[:NEGATIVES]
        return zip(close_portraits(faces[chosen]), map(str, chosen.tolist()), strict=True)

    return _described(path, cache, find)


def _described(path: Path, cache: Path | None, find: Callable[[], Iterator[tuple[Portrait, str]]]) -> KnownFaces:
    def describe_faces() -> dict[str, NDArray[Any]]:
        faces = describe(find(), np.random.default_rng(0))
        return {"maps": faces.maps, "dlib": faces.dlib, "persons": faces.persons}

    arrays = keep(cache, f"maps-{path.stem}", [path], describe_faces)
    maps, dlib = np.asarray(arrays["maps"], np.float16), np.asarray(arrays["dlib"], np.float32)
    return KnownFaces(maps, dlib, np.asarray(arrays["persons"], np.str_))


def train_without(
    known: Mapping[str, KnownFaces], negatives: KnownFaces, first: Ending, left_out: Mapping[str, set[str]]
) -> EndingNetwork:
    """Return the ending that is trained on all persons but those left out of each source.

    ``known`` are the faces of each of the ``SHARES``, ``negatives`` are faces of other persons, ``first`` are the weights to
    begin with.
    """
    kept = [
        (faces.take(~np.isin(faces.persons, list(left_out.get(name, ())))), SHARES[name]) for name, faces in known.items()
    ]
    return train_ending(kept, negatives, first)


def measure(faces: KnownFaces, vectors: Vectors) -> tuple[float, float, float, float]:
    """Return true accept rates of faces that are not degraded and of all, and the best threshold with its F of the former.

    ``vectors`` (n, d) are the descriptors of ``faces``, of which the second half are the degraded ones.
    """
    clean, persons = np.split(vectors, 2)[0], np.split(faces.persons, 2)[0]
    scores = [b_cubed(cluster(clean, min_cosine=value), persons)[2] for value in THRESHOLDS.tolist()]
    best = int(np.argmax(scores))
    return (
        true_accept_rate(clean, persons),
        true_accept_rate(vectors, faces.persons),
        float(THRESHOLDS[best]),
        scores[best],
    )


_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option("--cache", type=_FOLDER, help="Folder to keep the faces in.")
@click.option("--all", "use_all", is_flag=True, help="Train on all posed people, not only on half of them.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (.npz).")
def main(data: Path, cache: Path | None, use_all: bool, output: Path) -> None:
    """Train the ending, and print what it tells of a third of the persons that a trial does not train on."""
    known, negatives = load_known(data, cache), load_negatives(data, cache)
    dlibs = read_layers(find_file(NETWORK).read_bytes()).ending
    posed = known[POSED]
    if not use_all:
        known[POSED] = posed.take(np.isin(posed.persons, training_half(posed.persons)))
    rows = []
    for fold in range(FOLDS):
        left_out = {name: set(np.unique(known[name].persons)[fold::FOLDS].tolist()) for name in (POSED, NEWS)}
        trial = train_without(known, negatives, dlibs, left_out)
        for name, persons in left_out.items():
            faces = known[name].take(np.isin(known[name].persons, list(persons)))
            described = {"dlib": unit(unit(faces.dlib).mean(1)), "both": faces.descriptors(trial.numbers)}
            rows += [(fold, name, what, *measure(faces, vectors)) for what, vectors in described.items()]
    headers = ("trial", "source", "descriptor", "true accept rate", "with degraded faces", "best threshold", "B-cubed F")
    click.echo(tabulate(rows, headers, floatfmt=".3f"))
    write_atomic(output, pack(train_without(known, negatives, dlibs, {}).ending(), dlibs))


if __name__ == "__main__":
    main()
