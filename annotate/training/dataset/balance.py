"""Reduce the large classes of a set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.training.dataset.storage import ORIGIN_COLUMNS, BlockOrigin, Dataset, write_dataset

SMALLEST, MEDIAN = "smallest", "median"
MEASURES = (SMALLEST, MEDIAN)
"""Bases of the ratio: the number of blocks of the smallest class, or the median of the classes' numbers."""


def chosen_rows(origins: pd.DataFrame, ratio: float, measure: str, parts: Iterable[str], seed: int) -> NDArray[np.int64]:
    """Return the rows of the blocks that stay, in their order.

    Within each part named in ``parts``, every class keeps at most ``ratio`` times the blocks of the smallest (or median)
    class there, and at least one; other parts stay whole. Blocks are taken from a class's videos in turn, one each a
    round, so that no video loses one while another has two more; ``seed`` decides which.
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


def balance(
    dataset: Dataset, output: Path, ratio: float, measure: str, parts: Iterable[str], seed: int
) -> list[BlockOrigin]:
    """Write the blocks at `chosen_rows` as a new set; return their origins.

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
            writer.add(np.asarray(dataset.pixels[row]), BlockOrigin(*origin))
    return writer.origins


def _in_turn(rows: NDArray[np.int64], videos: NDArray[np.object_], seed: int) -> NDArray[np.int64]:
    """Return rows in the order in which they are taken: the first of every video, then the second of every video, ..."""
    hashes = [_hash(seed, video, row) for video, row in zip(videos, rows, strict=True)]
    drawn = pd.DataFrame({"row": rows, "video": videos, "hash": hashes})
    drawn = drawn.sort_values("hash", kind="stable")
    drawn["round"] = drawn.groupby("video").cumcount()
    drawn["turn"] = [_hash(seed, video) for video in drawn["video"]]
    taken: NDArray[np.int64] = drawn.sort_values(["round", "turn"], kind="stable")["row"].to_numpy(np.int64)
    return taken


def _hash(seed: int, *key: object) -> str:
    return hashlib.sha256(repr((seed, *map(str, key))).encode()).hexdigest()
