"""Train the projection in the descriptor of persons: ``python -m annotate.training.recipe.projection --data DIR -o FILE``.

dlib's network takes two strong expressions of one person for two persons. A copy of its last layer, a matrix, is trained on
its features of people with many expressions, by the supervised contrastive loss (Khosla et al., "Supervised Contrastive
Learning", NeurIPS 2020): the faces of one person become more alike than those of any others, among which are negatives,
persons with one face each. All other layers stay, and so does the last one, beside which the projection is used
(`annotate.persons.descriptor`): alone, the projection does less well on press photographs than dlib's descriptor.
"""

from __future__ import annotations

import io
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
from annotate.persons.network import read_last_layer
from annotate.storage.local.files import write_atomic
from annotate.training.recipe.framing import keep
from annotate.training.recipe.known_faces import KnownFaces, close_portraits, describe, find_portraits
from annotate.training.recipe.verification import b_cubed, training_half, true_accept_rate

NEGATIVES_FILE = "ferplus48.npz"
POSED, NEWS = "posed200", "news96"
SHARES = {POSED: 0.35, NEWS: 0.5, "scans": 0.15}
"""The sources, by the names of their files, and their shares of the persons of a batch."""

NEGATIVES = 5000
"""Number of faces of FER+ whose persons are not known, and count as different ones."""

FOLDS = 3
"""Number of trials, each of which leaves out as large a part of the persons."""

THRESHOLDS = np.arange(0.7, 0.97, 0.005)
"""Thresholds of clustering to choose from."""


@dataclass(frozen=True)
class ProjectionSettings:
    """How a projection is trained: sizes of a batch, and the temperature of the loss."""

    steps: int = 800
    persons: int = 128
    faces: int = 4
    """Maximum number of faces of a person in a batch."""
    negatives: int = 1000
    temperature: float = 0.08
    learning_rate: float = 2e-4


def train_projection(
    known: Sequence[tuple[KnownFaces, float]],
    negatives: Tensor,
    first: Vectors,
    settings: ProjectionSettings = ProjectionSettings(),
    seed: int = 0,
) -> Vectors:
    """Return the projection (`FEATURES`, d) of features that tells persons apart, beginning with ``first``.

    Args:
        known: the faces of each source, and the share of its persons in a batch.
        negatives: features (n, `FEATURES`) of faces of other persons.
        first: a projection of the same shape.
        settings: how to train.
        seed: of the random draws.
    """
    random = np.random.default_rng(seed)
    projection = nn.Parameter(torch.tensor(first))
    optimizer = torch.optim.Adam([projection], settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    sources = [_Source.of(faces, share) for faces, share in known]
    for _ in range(settings.steps):
        features, persons = _batch(sources, settings, random)
        others = torch.from_numpy(random.choice(len(negatives), min(settings.negatives, len(negatives)), replace=False))
        loss = contrastive_loss(features @ projection, persons, negatives[others] @ projection, settings.temperature)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    trained: Vectors = projection.detach().numpy()
    return trained


def contrastive_loss(vectors: Tensor, persons: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Return how little vectors (n, d) of the same of ``persons`` (n,) stand out from others and ``negatives`` (m, d)."""
    vectors, negatives = functional.normalize(vectors), functional.normalize(negatives)
    cosines = vectors @ torch.cat([vectors, negatives]).T / temperature
    itself = torch.eye(len(vectors), len(cosines.T), dtype=torch.bool)
    logs = functional.log_softmax(cosines.masked_fill(itself, -torch.inf), 1)[:, : len(vectors)]
    is_same = (persons[:, None] == persons) & ~itself[:, : len(vectors)]
    counts = is_same.sum(1)
    means = logs.masked_fill(~is_same, 0).sum(1)[counts > 0] / counts[counts > 0]
    return -means.mean()


@dataclass(frozen=True)
class _Source:
    """The features of faces and mirror images (n, 2, `FEATURES`), and the rows of each person with several."""

    features: Tensor
    rows: tuple[NDArray[np.int64], ...]
    share: float

    @classmethod
    def of(cls, faces: KnownFaces, share: float) -> _Source:
        _, persons = np.unique(faces.persons, return_inverse=True)
        rows = np.split(np.argsort(persons, kind="stable"), np.cumsum(np.bincount(persons))[:-1])
        return cls(torch.from_numpy(faces.features), tuple(own for own in rows if len(own) > 1), share)


def _batch(sources: Sequence[_Source], settings: ProjectionSettings, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return the features (n, `FEATURES`) of some faces of some persons, and the number of the person of each (n,)."""
    features, persons = list[Tensor](), list[Tensor]()
    for source in sources:
        count = min(len(source.rows), round(settings.persons * source.share))
        for number in random.choice(len(source.rows), count, replace=False):
            rows = source.rows[number]
            rows = random.choice(rows, min(settings.faces, len(rows)), replace=False)
            features.append(source.features[rows, random.integers(0, 2, len(rows))])
            persons.append(torch.full((len(rows),), len(persons)))
    return torch.cat(features), torch.cat(persons)


def load_known(data: Path, cache: Path | None = None) -> dict[str, KnownFaces]:
    """Return the faces of each of the ``SHARES``; features are kept in ``cache``, if given, for the next run.

    Raises:
        OSError: a file cannot be read.
    """
    paths = {name: data / f"{name}.npz" for name in SHARES}
    return {name: _described(path, cache, partial(find_portraits, path)) for name, path in paths.items()}


def load_negatives(data: Path, cache: Path | None = None) -> Tensor:
    """Return features (n, `FEATURES`) of ``NEGATIVES`` faces of the training part of FER+ and of their mirror images.

    Raises:
        OSError: the file cannot be read.
    """
    path = data / NEGATIVES_FILE

    def find() -> Iterator[tuple[Portrait, str]]:
        with np.load(path) as arrays:
            faces = arrays["pixels"][arrays["split"] == 0]
        chosen = np.random.default_rng(0).permutation(len(faces))[:NEGATIVES]
        return zip(close_portraits(faces[chosen]), map(str, chosen.tolist()), strict=True)

    return torch.from_numpy(_described(path, cache, find).features).flatten(0, 1)


def _described(path: Path, cache: Path | None, find: Callable[[], Iterator[tuple[Portrait, str]]]) -> KnownFaces:
    def describe_faces() -> dict[str, NDArray[Any]]:
        faces = describe(find(), np.random.default_rng(0))
        return {"features": faces.features, "dlib": faces.dlib, "persons": faces.persons}

    arrays = keep(cache, f"persons-{path.stem}", [path], describe_faces)
    features, dlib = (np.asarray(arrays[name], np.float32) for name in ("features", "dlib"))
    return KnownFaces(features, dlib, np.asarray(arrays["persons"], np.str_))


def train_without(known: Mapping[str, KnownFaces], negatives: Tensor, left_out: Mapping[str, set[str]]) -> Vectors:
    """Return the projection (`FEATURES`, 128) that is trained on all persons but those left out of each source.

    ``known`` are the faces of each of the ``SHARES``, ``negatives`` features (n, `FEATURES`). Training begins with the last
    layer of dlib's network.

    Raises:
        ModelError: the network's file is missing or is another one.
    """
    kept = [
        (faces.take(~np.isin(faces.persons, list(left_out.get(name, ())))), SHARES[name]) for name, faces in known.items()
    ]
    return train_projection(kept, negatives, read_last_layer(find_file(NETWORK).read_bytes()))


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
@click.option("--cache", type=_FOLDER, help="Folder to keep features in.")
@click.option("--all", "use_all", is_flag=True, help="Train on all posed people, not only on half of them.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (.npy).")
def main(data: Path, cache: Path | None, use_all: bool, output: Path) -> None:
    """Train the projection, and print what it tells of a third of the persons that a trial does not train on."""
    known, negatives = load_known(data, cache), load_negatives(data, cache)
    posed = known[POSED]
    if not use_all:
        known[POSED] = posed.take(np.isin(posed.persons, training_half(posed.persons)))
    rows = []
    for fold in range(FOLDS):
        left_out = {name: set(np.unique(known[name].persons)[fold::FOLDS].tolist()) for name in (POSED, NEWS)}
        trial = train_without(known, negatives, left_out)
        for name, persons in left_out.items():
            faces = known[name].take(np.isin(known[name].persons, list(persons)))
            described = {"dlib": unit(unit(faces.dlib).mean(1)), "both": faces.descriptors(trial)}
            rows += [(fold, name, what, *measure(faces, vectors)) for what, vectors in described.items()]
    headers = ("trial", "source", "descriptor", "true accept rate", "with degraded faces", "best threshold", "B-cubed F")
    click.echo(tabulate(rows, headers, floatfmt=".3f"))
    stream = io.BytesIO()
    np.save(stream, train_without(known, negatives, {}).astype(np.float16))
    write_atomic(output, stream.getvalue())


if __name__ == "__main__":
    main()
