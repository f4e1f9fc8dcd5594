"""Train the second ending of the descriptor of persons: ``python -m annotate.training.recipe.ending --help``.

dlib's network takes two strong expressions of one person for two persons, and some people who look alike for one. A copy of
its last steps, with two last layers, learns both at once. The numbers of the one tell people with many expressions apart, by
the supervised contrastive loss (Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020): the faces of one person
become more alike than those of any others, among which are negatives, persons with one face each. The loss is that of dlib's
numbers and these together, so that these learn what dlib's lack. The numbers of the other say what a network says that tells
people apart better (`annotate.training.recipe.face_teacher`), by knowledge distillation (Hinton et al., "Distilling the
Knowledge in a Neural Network", 2015); of posed people, the mean of what it says of their faces. All other layers stay, and
so does dlib's own ending, beside which the second one is used: alone, it does less well on press photographs.
"""

from __future__ import annotations

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
from torch import Tensor
from torch.nn import functional

from annotate.errors import AnnotateError
from annotate.faces.portraits import Portrait
from annotate.persons.clusters import cluster
from annotate.persons.descriptor import NETWORK, Vectors, find_file, unit
from annotate.persons.ending import pack
from annotate.persons.network import Ending, read_layers
from annotate.storage.local.files import write_atomic
from annotate.training.models.ending_network import EndingNetwork
from annotate.training.models.recognizer_cnn import FILE_NAME
from annotate.training.recipe.face_teacher import FaceTeacher
from annotate.training.recipe.framing import keep
from annotate.training.recipe.known_faces import KnownFaces, close_portraits, describe, find_portraits
from annotate.training.recipe.sources import FERPLUS, FILES, NEWS, POSED, SCANS, WEB, load_source
from annotate.training.recipe.still_faces import TRAIN
from annotate.training.recipe.verification import b_cubed, training_half, true_accept_rate

SHARES = {POSED: 0.25, NEWS: 0.6, SCANS: 0.15}
"""The sources of known persons, and their shares of the persons of a batch."""

COUNTS = {FERPLUS: 5_000, WEB: 27_000}
"""The sources of faces of unknown persons, and how many are drawn from each. Those of FER+ also count as negatives."""

FOLDS = 3
"""Number of trials, each of which leaves out as large a part of the persons."""

THRESHOLDS = np.arange(0.6, 0.97, 0.005)
"""Thresholds of clustering to choose from."""

Faces = Mapping[str, KnownFaces]
"""The faces of each of the ``SHARES`` and ``COUNTS``."""


@dataclass(frozen=True)
class EndingSettings:
    """How an ending is trained: sizes of a batch, the temperature of the contrastive loss, weights and rates."""

    steps: int = 350
    warmup_steps: int = 50
    persons: int = 80
    faces: int = 4
    """Maximum number of faces of a person in a batch."""
    negatives: int = 80
    web_faces: int = 300
    dlib_weight: float = 2.0
    """Weight of dlib's part in the loss; with one as high as that in use, endings are worse (tests/benchmarks/README.md)."""
    temperature: float = 0.05
    taught_weight: float = 4.0
    """Weight of the loss of what the teacher says, relative to that of telling persons apart."""
    learning_rate: float = 3e-4
    layer_rate: float = 2e-3
    """Rate of the new last layer, which begins with random numbers."""
    weight_decay: float = 1e-4


def train_ending(faces: Faces, first: Ending, settings: EndingSettings = EndingSettings(), seed: int = 0) -> EndingNetwork:
    """Return an ending that tells persons apart and says what the teacher says.

    Args:
        faces: those of each source; a batch takes a share of the persons of each.
        first: the weights to begin with.
        settings: how to train.
        seed: of the random draws.
    """
    random = np.random.default_rng(seed)
    network = EndingNetwork(first, random)
    layer: dict[str, Any] = {"params": [network.new_matrix], "lr": settings.layer_rate}
    groups = [{"params": [*network.steps.parameters(), network.matrix]}, layer]
    optimizer = torch.optim.AdamW(groups, settings.learning_rate, weight_decay=settings.weight_decay)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / settings.warmup_steps, total_iters=settings.warmup_steps)
    cooling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    schedule = torch.optim.lr_scheduler.ChainedScheduler([warmup, cooling])
    sources = [_Source.of(faces[name], share, is_mean=name == POSED) for name, share in SHARES.items()]
    counts = {FERPLUS: settings.negatives, WEB: settings.web_faces}
    for step in range(settings.steps):
        parts, persons = _draw_persons(sources, settings, random)
        parts += [
            _of_rows(faces[name], random.integers(0, len(faces[name]), count), random) for name, count in counts.items()
        ]
        maps, dlib, taught = (torch.from_numpy(np.concatenate(arrays)) for arrays in zip(*parts, strict=True))
        apart, said = network(maps.float())
        vectors = joined_of_pictures(dlib, apart, settings.dlib_weight)
        known, negatives, _ = torch.split(vectors, [len(persons), *counts.values()])
        told = contrastive_loss(known, persons, negatives, settings.temperature)
        untaught = 1 - functional.cosine_similarity(said, taught).mean()
        optimizer.zero_grad()
        (told + settings.taught_weight * untaught).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            click.echo(f"step {step + 1}: contrastive loss {told.item():.3f}, 1 - cosine {untaught.item():.3f}", err=True)
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
    """Return descriptors (n, 2 d) of single pictures, of two parts, made as those in use are of three.

    ``dlib`` and ``numbers`` (n, d) are the parts, ``weight`` is that of the former.
    """
    parts = weight**0.5 * functional.normalize(dlib), functional.normalize(numbers)
    return functional.normalize(torch.cat(parts, 1))


@dataclass(frozen=True)
class _Source:
    """Faces of known persons, the rows of each person with several, and their share of the persons of a batch."""

    faces: KnownFaces
    rows: tuple[NDArray[np.int64], ...]
    share: float

    @classmethod
    def of(cls, faces: KnownFaces, share: float, *, is_mean: bool) -> _Source:
        _, persons = np.unique(faces.persons, return_inverse=True)
        rows = np.split(np.argsort(persons, kind="stable"), np.cumsum(np.bincount(persons))[:-1])
        return cls(faces.taught_by_person() if is_mean else faces, tuple(own for own in rows if len(own) > 1), share)


_Drawn = tuple[NDArray[np.float16], Vectors, Vectors]
"""Maps, dlib's numbers and what the teacher says of some faces."""


def _draw_persons(
    sources: Sequence[_Source], settings: EndingSettings, random: np.random.Generator
) -> tuple[list[_Drawn], Tensor]:
    """Return some faces of some persons, and the number of the person of each (n,)."""
    parts, persons = list[_Drawn](), list[int]()
    for source in sources:
        count = min(len(source.rows), round(settings.persons * source.share))
        for number in random.choice(len(source.rows), count, replace=False):
            rows = source.rows[number]
            rows = random.choice(rows, min(settings.faces, len(rows)), replace=False)
            persons += [len(parts)] * len(rows)
            parts.append(_of_rows(source.faces, rows, random))
    return parts, torch.tensor(persons)


def _of_rows(faces: KnownFaces, rows: NDArray[np.int64], random: np.random.Generator) -> _Drawn:
    """Return the faces of ``rows``, or their mirror images."""
    sides = random.integers(0, 2, len(rows))
    return faces.maps[rows, sides], faces.dlib[rows, sides], faces.taught[rows]


def load_faces(data: Path, teacher: Path, cache: Path | None = None) -> dict[str, KnownFaces]:
    """Return the faces of each of the ``SHARES`` and ``COUNTS``; they are kept in ``cache``, if given, for the next run.

    Raises:
        OSError: a file cannot be read.
        ModelError: the file is not that of the teacher.
    """

    def load(name: str, find: Callable[[], Iterator[tuple[Portrait, str]]]) -> KnownFaces:
        def see() -> dict[str, NDArray[Any]]:
            return vars(describe(find(), FaceTeacher(teacher), np.random.default_rng(0)))

        kept = keep(cache, f"faces-{name}-{COUNTS.get(name, 'all')}", [data / FILES[name], teacher], see)
        dlib, taught = (np.asarray(kept[part], np.float32) for part in ("dlib", "taught"))
        return KnownFaces(np.asarray(kept["maps"], np.float16), dlib, taught, np.asarray(kept["persons"], np.str_))

    known = {name: partial(find_portraits, data / FILES[name]) for name in SHARES}
    unknown = {name: partial(_find_unknown, name, data, cache) for name in COUNTS}
    return {name: load(name, find) for name, find in {**known, **unknown}.items()}


def _find_unknown(name: str, data: Path, cache: Path | None) -> Iterator[tuple[Portrait, str]]:
    """Yield faces of unknown persons, each of whom counts as another one."""
    if name == WEB:
        pixels = load_source(WEB, data, cache=cache).training.pixels
    else:
        with np.load(data / FILES[name]) as arrays:
            pixels = arrays["pixels"][arrays["split"] == TRAIN]
    chosen = np.random.default_rng(0).permutation(len(pixels))[: COUNTS[name]]
    return zip(close_portraits(pixels[chosen]), map(str, chosen.tolist()), strict=True)


def without(faces: Faces, left_out: Mapping[str, set[str]]) -> dict[str, KnownFaces]:
    """Return the faces of all but some persons of each source."""
    some = {name: faces[name].take(~np.isin(faces[name].persons, list(persons))) for name, persons in left_out.items()}
    return {**faces, **some}


def measure(faces: KnownFaces, vectors: Vectors) -> tuple[float, float, float, float]:
    """Return true accept rates of faces that are not degraded and of all, and the best threshold with its F of the former.

    ``vectors`` (n, d) are the descriptors of ``faces``, of which the second half are the degraded ones. Where several
    thresholds are as good, the best is their mean.
    """
    clean, persons = np.split(vectors, 2)[0], np.split(faces.persons, 2)[0]
    scores = np.array([b_cubed(cluster(clean, min_cosine=value), persons)[2] for value in THRESHOLDS.tolist()])
    is_best = scores == scores.max()
    return (
        true_accept_rate(clean, persons),
        true_accept_rate(vectors, faces.persons),
        float(THRESHOLDS[is_best].mean()),
        float(scores.max()),
    )


_FOLDER, _FILE = click.Path(file_okay=False, path_type=Path), click.Path(dir_okay=False, path_type=Path)
_EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--data", type=_EXISTING_FOLDER, required=True, help="Folder of the sources' files.")
@click.option("--teacher", type=_EXISTING_FILE, required=True, help=f"{FILE_NAME} of OpenCV Zoo.")
@click.option("--cache", type=_FOLDER, help="Folder to keep the faces in.")
@click.option("--all", "use_all", is_flag=True, help="Train on all posed people, not only on half of them.")
@click.option("--trials", type=click.IntRange(0, FOLDS), default=FOLDS, show_default=True, help="Number of trials.")
@click.option("-o", "--output", type=_FILE, required=True, help="File to write (.npz).")
def main(data: Path, teacher: Path, cache: Path | None, use_all: bool, trials: int, output: Path) -> None:
    """Train the ending, and print what it tells of a third of the persons that a trial does not train on."""
    try:
        faces = load_faces(data, teacher, cache)
    except AnnotateError as error:
        raise click.ClickException(str(error)) from error
    dlibs = read_layers(find_file(NETWORK).read_bytes()).ending
    if not use_all:
        posing = faces[POSED].persons
        faces = without(faces, {POSED: set(posing.tolist()) - set(training_half(posing))})
    rows = []
    for fold in range(FOLDS)[FOLDS - trials :]:
        left_out = {name: set(np.unique(faces[name].persons)[fold::FOLDS].tolist()) for name in (POSED, NEWS)}
        trial = train_ending(without(faces, left_out), dlibs)
        for name, persons in left_out.items():
            others = faces[name].take(np.isin(faces[name].persons, list(persons)))
            described = {"dlib": unit(unit(others.dlib).mean(1)), "both": others.descriptors(trial.numbers)}
            rows += [(fold, name, what, *measure(others, vectors)) for what, vectors in described.items()]
    headers = ("trial", "source", "descriptor", "true accept rate", "with degraded faces", "best threshold", "B-cubed F")
    if rows:
        click.echo(tabulate(rows, headers, floatfmt=".3f"))
    write_atomic(output, pack(train_ending(faces, dlibs).ending(), dlibs))


if __name__ == "__main__":
    main()
