"""Probabilities relative to each face's own baseline: how its expression differs from how the face usually looks.

A resting face may read as sad or angry. Here the distribution that is usual for a face, its baseline, is mapped to that of
a neutral reference face, and every block is shifted alike. For a block with probabilities p, in log ratios c(p), which are
log(max(p, `FLOOR`)) minus its mean over the classes, with the baseline b (see `face_baseline`) and the reference r::

    relative = softmax(c(p) - b + log(r))

So a block that is like the baseline has exactly the reference's probabilities, and a constant that is added to the
network's scores of one face changes nothing, as long as no probability is below `FLOOR`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from annotate.emotions.labels import resolve_emotion
from annotate.errors import SettingsError
from annotate.results.table import class_names_of, relative_columns
from annotate.settings import FIRST_SECONDS, MEDIAN, NO_BASELINE, WHOLE_BLOCK

if TYPE_CHECKING:
    import pandas as pd

FIRST_S = 3.0
"""The baseline ``first-seconds`` is taken from the blocks that start within this time from the start of the face track."""

MIN_BASELINE_BLOCKS = 3
"""Number of blocks from which a baseline is taken at least; face tracks with fewer have none."""

FLOOR = 0.01
"""Smaller probabilities count as this: a millionth and a thousandth look alike, but their ratio is large."""

REFERENCE_NEUTRAL = 0.7
"""Probability of neutral in the reference; the other classes share the rest equally."""

_PROBABILITY_DECIMALS = 4

Floats = npt.NDArray[np.float64]


def check_baseline(method: str, class_names: Sequence[str]) -> None:
    """Check that a model's classes permit a method.

    Raises:
        SettingsError: the method is not none, and no class is neutral.
    """
    if method != NO_BASELINE and _neutral(class_names) is None:
        raise SettingsError(
            f"no baseline {method} (the model has no class neutral, only {', '.join(class_names)})",
            "leave out --baseline, or choose another model",
        )


def add_baseline(table: pd.DataFrame, method: str, hop: int = WHOLE_BLOCK) -> pd.DataFrame:
    """Return a table with `annotate.results.table.relative_columns` at its end, or the same table if the method is none.

    They are computed from the table's probabilities, as they are written. In the rows of a face track that has no baseline
    they are empty. ``hop`` is that of the table's settings.

    Raises:
        SettingsError: no class of the table is neutral.
    """
    if method == NO_BASELINE:
        return table
    names = class_names_of(table)
    check_baseline(method, names)
    probabilities = table[list(names)].to_numpy(float)
    relative = relative_probabilities(
        probabilities,
        table["face_id"].to_numpy(np.int64),
        table["start_time"].to_numpy(float),
        reference(names),
        method,
        min_blocks(hop),
    ).round(_PROBABILITY_DECIMALS)
    has_baseline = np.isfinite(relative).all(axis=1)
    best = np.where(has_baseline, np.array(names, object)[relative.argmax(axis=1)], "")
    columns = [best, relative.max(axis=1), *relative.T]
    result = table.assign(**dict(zip(relative_columns(names), columns, strict=True)))
    return result.astype({"relative_emotion": str})


def relative_probabilities(
    probabilities: Floats,
    face_ids: npt.NDArray[np.int64],
    start_s: Floats,
    reference: Floats,
    method: str,
    min_blocks: int = MIN_BASELINE_BLOCKS,
) -> Floats:
    """Return the probabilities of blocks relative to the baselines of their faces, shaped (blocks, classes).

    Args:
        probabilities: probabilities of the classes, shaped (blocks, classes).
        face_ids: number of the face track of each block, shaped (blocks,).
        start_s: start of each block in seconds, shaped (blocks,).
        reference: probabilities of a face that is like its baseline, all greater than 0, shaped (classes,).
        method: ``"first-seconds"`` or ``"median"``.
        min_blocks: number of blocks that a baseline needs at least (`min_blocks`).

    Rows of faces without a baseline are NaN.

    Raises:
        ValueError: the method is another one.
    """
    ratios = log_ratios(probabilities)
    relative = np.full(ratios.shape, np.nan)
    for face_id in np.unique(face_ids):
        own = face_ids == face_id
        baseline = face_baseline(ratios[own], start_s[own], method, min_blocks)
        if baseline is not None:
            scores = np.exp(ratios[own] - baseline + np.log(reference))
            relative[own] = scores / scores.sum(axis=1, keepdims=True)
    return relative


def min_blocks(hop: int) -> int:
    """Return the number of blocks that are as long as `MIN_BASELINE_BLOCKS` that do not overlap.

    >>> min_blocks(20), min_blocks(10), min_blocks(1)
    (3, 5, 41)
    """
    return 1 + -(-(MIN_BASELINE_BLOCKS - 1) * WHOLE_BLOCK // hop)


def face_baseline(ratios: Floats, start_s: Floats, method: str, min_blocks: int = MIN_BASELINE_BLOCKS) -> Floats | None:
    """Return the baseline of one face, shaped (classes,), from the `log_ratios` of all of its blocks.

    ``first-seconds`` is their mean (a geometric mean of the probabilities) over the blocks that start less than `FIRST_S`
    seconds after the first one, ``median`` the median of each class over all blocks. Return None if these are fewer than
    ``min_blocks``.

    Raises:
        ValueError: the method is another one.
    """
    if method not in (FIRST_SECONDS, MEDIAN):
        raise ValueError(f"{method!r} is not a method")
    chosen = ratios[start_s < start_s.min() + FIRST_S] if method == FIRST_SECONDS else ratios
    if len(chosen) < min_blocks:
        return None
    baseline: Floats = chosen.mean(axis=0) if method == FIRST_SECONDS else np.median(chosen, axis=0)
    return baseline


def log_ratios(probabilities: Floats) -> Floats:
    """Return the logarithms of probabilities (`FLOOR` at least) minus their mean over the classes, the last axis.

    They are the network's scores but for a constant of each block, so that blocks can be averaged and subtracted.
    """
    logs = np.log(np.maximum(probabilities, FLOOR))
    ratios: Floats = logs - logs.mean(axis=-1, keepdims=True)
    return ratios


def reference(class_names: Sequence[str]) -> Floats:
    """Return the probabilities of a face that is like its baseline, in the order of classes, of which one is neutral.

    >>> reference(["anger", "neutral", "sadness"]).round(2).tolist()
    [0.15, 0.7, 0.15]
    """
    neutral = _neutral(class_names)
    others = (1 - REFERENCE_NEUTRAL) / max(1, len(class_names) - 1)
    return np.array([REFERENCE_NEUTRAL if name == neutral else others for name in class_names])


def _neutral(class_names: Sequence[str]) -> str | None:
    return resolve_emotion("neutral", class_names)
