"""Making large classes smaller."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.training.dataset.storage import ORIGIN_COLUMNS, Dataset, Origin, write_dataset

SMALLEST, MEDIAN = "smallest", "median"
MEASURES = (SMALLEST, MEDIAN)
"""To what the ratio is applied: the blocks of the smallest class, or the median of the classes'."""


def chosen_rows(origins: pd.DataFrame, ratio: float, measure: str, parts: Iterable[str], seed: int) -> NDArray[np.int64]:
    """The blocks that stay, in their order.

    Within each part named in ``parts``, every class keeps at most ``ratio`` times the blocks of the smallest (or median)
    class there, and at least one; other parts stay whole. Blocks are taken from a class's videos in turn, one each a
    round, so that no video loses one while another has two more. Which, follows from ``seed``.
    """
    stays = np.ones(len(origins), bool)
    for part in parts:
        inside = np.flatnonzero(origins["split"] == part)
        emotions = origins["emotion"].to_numpy()[inside]
        classes, counts = np.unique(emotions, return_counts=True)
        if not len(classes):
            continue
        most = max(1, int(ratio * float(counts.min() if measure == SMALLEST else np.median(counts))))
        for emotion in classes:
            rows = inside[emotions == emotion]
            stays[rows] = False
            stays[_in_turn(rows, origins["video"].to_numpy()[rows], seed)[:most]] = True
    return np.flatnonzero(stays).astype(np.int64)


def balance(dataset: Dataset, output: Path, ratio: float, measure: str, parts: Iterable[str], seed: int) -> list[Origin]:
    """Writes the blocks that `chosen_rows` leaves as a set of their own and returns their origins.

    Raises:
        DatasetError: ``output`` exists.
        OutputError: it cannot be written.
    """
    parts = tuple(parts)
    rows = chosen_rows(dataset.origins, ratio, measure, parts, seed)
    how = {"ratio": ratio, "measure": measure, "parts": parts, "seed": seed}
    details = {name: value for name, value in dataset.details.items() if name != "program_version"} | {"balance": how}
    names = [name for name in ORIGIN_COLUMNS if name != "block"]
    with write_dataset(output, dataset.contract, details, frames=dataset.pixels.shape[1]) as writer:
        for row, origin in zip(rows, dataset.origins.loc[rows, names].itertuples(index=False, name=None), strict=True):
            writer.add(np.asarray(dataset.pixels[row]), Origin(*origin))
    return writer.origins


def _in_turn(rows: NDArray[np.int64], videos: NDArray[np.object_], seed: int) -> NDArray[np.int64]:
    """Rows in the order in which they are taken: the first of every video, then the second of every video, and so on."""
    luck = [_luck(seed, video, row) for video, row in zip(videos, rows, strict=True)]
    drawn = pd.DataFrame({"row": rows, "video": videos, "luck": luck})
    drawn = drawn.sort_values("luck", kind="stable")
    drawn["round"] = drawn.groupby("video").cumcount()
    drawn["turn"] = [_luck(seed, video) for video in drawn["video"]]
    taken: NDArray[np.int64] = drawn.sort_values(["round", "turn"], kind="stable")["row"].to_numpy(np.int64)
    return taken


def _luck(seed: int, *key: object) -> str:
    return hashlib.sha256(repr((seed, *map(str, key))).encode()).hexdigest()
