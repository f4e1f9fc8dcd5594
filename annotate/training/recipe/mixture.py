"""The stills of a training run: shares of the sources in a batch, and the source left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

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

TALKING = "talking"
"""Name of the faces that are made to talk (`annotate.training.recipe.talking`) of stills of other sources."""

SHARES = {FERPLUS: 0.38, WEB: 0.30, POSED: 0.16, SMALL: 0.08, NEWS: 0.07, SCANS: 0.05, TALKING: 0.14}
"""Relative share of each source in a batch."""

TALKING_COUNTS = {FERPLUS: 4000, POSED: 6000, NEWS: 3000}
"""Number of talking faces made of the stills of each source."""

STILL_PX = 60
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
    talking: list[Stills] = []
    total = sum(share for name, share in shares.items() if name != leave_out)
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
        path = folder / FILES[name]
        training[name] = replace(stills, pixels=resize_faces(stills.pixels, still_px)), shares[name] / total
        if shares[TALKING] > 0 and name in TALKING_COUNTS:
            count = TALKING_COUNTS[name]
            talking.append(_talking(stills, count, f"talking-{name}-{count}-{part}-{label_share:g}", path, cache))
    if talking:
        stills = sum(talking[1:], talking[0])
        training[TALKING] = replace(stills, pixels=resize_faces(stills.pixels, still_px)), shares[TALKING] / total
    return Mixture(training, validation, left_out)


def _talking(stills: Stills, count: int, kept_name: str, path: Path, cache: Path | None) -> Stills:
    """Return talking faces made of stills of the source at ``path``."""

    def make() -> Arrays:
        made = make_talking(stills, count, np.random.default_rng(0))
        return {"pixels": resize_faces(made.pixels, STILL_PX), "targets": made.targets}

    kept = keep(cache, kept_name, [path], make)
    return Stills(kept["pixels"].astype(np.uint8, copy=False), kept["targets"].astype(np.float32, copy=False))
