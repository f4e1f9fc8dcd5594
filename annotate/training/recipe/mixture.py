"""The stills of a training run: shares of the sources in a batch, and the source left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.labels import EMOTIONS
from annotate.training.recipe.framing import Arrays, keep
from annotate.training.recipe.sources import (
    FERPLUS,
    FILES,
    LABEL_SHARE,
    NAMES,
    NEWS,
    POSED,
    SCANS,
    SMALL,
    WEB,
    certain,
    load_source,
)
from annotate.training.recipe.still_faces import Stills, resize_faces
from annotate.training.recipe.talking import make_talking
from annotate.training.recipe.transfer import SIDE_PX, load_expressions, transfer_expressions

TALKING = "talking"
"""Name of the faces that are made to talk (`annotate.training.recipe.talking`) of stills of other sources."""

TRANSFERRED = "transferred"
"""Name of the faces to which expressions were transferred (`annotate.training.recipe.transfer`)."""

SHARES = {FERPLUS: 0.38, WEB: 0.30, POSED: 0.16, SMALL: 0.08, NEWS: 0.07, SCANS: 0.05, TALKING: 0.14, TRANSFERRED: 0.2}
"""Relative share of each source in a batch."""

TALKING_COUNTS = {FERPLUS: 4000, POSED: 6000, NEWS: 3000}
"""Number of talking faces made of the stills of each source."""

TRANSFERRED_COUNTS = {FERPLUS: 8000, WEB: 8000, POSED: 4000, SMALL: 2000, NEWS: 4000}
"""Number of faces of each source to which expressions of ``posed`` are transferred."""

STILL_PX = 70
"""Side to which training stills are resized: slightly larger than the network's input, and fast to augment."""


@dataclass(frozen=True)
class Mixture:
    """The stills of a run by source: those to train on with their share of a batch, and those to validate on.

    The stills of ``left_out`` are reported, never used for choosing the best round.
    """

    training: dict[str, tuple[Stills, float]]
    validation: dict[str, Stills]
    left_out: dict[str, Stills]


def load_mixture(
    folder: Path,
    shares: Mapping[str, float] = SHARES,
    *,
    leave_out: str | None = None,
    use_all: bool = False,
    label_share: float = LABEL_SHARE,
    still_px: int = STILL_PX,
    cache: Path | None = None,
) -> Mixture:
    """Return the mixture of the sources in ``folder``, those with a share of 0 only to validate on.

    The whole source ``leave_out`` is left out of training. With ``use_all``, the stills held back to validate are trained on
    too, and none validate. Stills to train on get a side of ``still_px``. ``cache`` keeps what takes long to compute.
    """
    training: dict[str, tuple[Stills, float]] = {}
    validation, left_out = {}, {}
    made: dict[str, list[Stills]] = {TALKING: [], TRANSFERRED: []}
    total = sum(share for name, share in shares.items() if name != leave_out)
    posed = folder / FILES[POSED]
    has_expressions = shares[TRANSFERRED] > 0 and leave_out != POSED
    expressions = load_expressions(posed, use_all=use_all) if has_expressions else []
    for name in NAMES:
        if name == leave_out:
            left_out[name] = certain(load_source(name, folder, label_share=0, cache=cache).whole)
            continue
        source = load_source(name, folder, label_share=label_share, cache=cache)
        if not use_all:
            validation[name] = source.validation
        if shares[name] == 0:
            continue
        part, stills = ("all", source.whole) if use_all else ("training", source.training)
        path, kept = folder / FILES[name], f"{part}-{label_share:g}"
        training[name] = replace(stills, pixels=resize_faces(stills.pixels, still_px)), shares[name] / total
        if shares[TALKING] > 0 and name in TALKING_COUNTS:
            count = TALKING_COUNTS[name]
            talking = partial(make_talking, stills, count)
            made[TALKING].append(_made(talking, f"talking-{name}-{count}-{kept}", [path], cache))
        if expressions and name in TRANSFERRED_COUNTS:
            count = TRANSFERRED_COUNTS[name]
            transferring = partial(transfer_expressions, stills, expressions, count)
            made[TRANSFERRED].append(_made(transferring, f"transferred-{name}-{count}-{kept}", [path, posed], cache))
    for name, parts in made.items():
        if parts:
            stills = sum(parts[1:], parts[0])
            training[name] = replace(stills, pixels=resize_faces(stills.pixels, still_px)), shares[name] / total
    return Mixture(training, validation, left_out)


def sampling_weights(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """Return the probability (N,) to draw each still: by the frequency of its class to the power of 1 - ``balance``."""
    frequency = np.bincount(labels, minlength=len(EMOTIONS)) / len(labels)
    weights = np.maximum(frequency[labels], 1e-9) ** -balance
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _made(make: Callable[[np.random.Generator], Stills], name: str, sources: Sequence[Path], cache: Path | None) -> Stills:
    """Return the stills that ``make`` returns; keep them as ``name`` while the files of their ``sources`` are the same."""

    def make_arrays() -> Arrays:
        stills = make(np.random.default_rng(0))
        return {"pixels": resize_faces(stills.pixels, SIDE_PX), "targets": stills.targets}

    kept = keep(cache, name, sources, make_arrays)
    return Stills(kept["pixels"].astype(np.uint8, copy=False), kept["targets"].astype(np.float32, copy=False))
