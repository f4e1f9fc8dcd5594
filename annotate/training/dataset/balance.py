"""Reduce the large classes of a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.training.dataset.storage import ORIGIN_COLUMNS, BlockOrigin, Dataset, write_dataset

SMALLEST, MEDIAN = "smallest", "median"
REFERENCES = (SMALLEST, MEDIAN)
"""What the ratio is relative to: the size of the smallest class, or the median class size."""


def select_rows(origins: pd.DataFrame, ratio: float, reference: str, parts: Iterable[str], seed: int) -> NDArray[np.int64]:
    """Return the sorted row numbers of the blocks to keep.

    In each of ``parts``, every class keeps at most ``ratio`` times the size of that part's smallest (or median) class, and
    at least one block; other parts are kept whole. Blocks are taken round-robin from the videos of a class, which reduces
    all its videos evenly. ``seed`` determines the order of videos and blocks.
    """
    kept = np.ones(len(origins), bool)
    for part in parts:
        part_rows = np.flatnonzero(origins["split"] == part)
        emotions = origins["emotion"].to_numpy()[part_rows]
        classes, counts = np.unique(emotions, return_counts=True)
        if not len(classes):
            continue
        limit = max(1, int(ratio * float(counts.min() if reference == SMALLEST else np.median(counts))))
        for emotion in classes:
            rows = part_rows[emotions == emotion]
            kept[rows] = False
            kept[_round_robin(rows, origins["video"].to_numpy()[rows], seed)[:limit]] = True
    return np.flatnonzero(kept).astype(np.int64)


def balance(
    dataset: Dataset, output: Path, ratio: float, reference: str, parts: Iterable[str], seed: int
) -> list[BlockOrigin]:
    """Write the blocks chosen by `select_rows` as a new dataset; return their origins.

    Raises:
        DatasetError: ``output`` already exists.
        OutputError: ``output`` cannot be written.
    """
    parts = tuple(parts)
    rows = select_rows(dataset.origins, ratio, reference, parts, seed)
    parameters = {"ratio": ratio, "measure": reference, "parts": parts, "seed": seed}
    details = {name: value for name, value in dataset.details.items() if name != "program_version"} | {"balance": parameters}
    names = [name for name in ORIGIN_COLUMNS if name != "block"]
    with write_dataset(output, dataset.contract, details, frames=dataset.pixels.shape[1]) as writer:
        for row, origin in zip(rows, dataset.origins.loc[rows, names].itertuples(index=False, name=None), strict=True):
            writer.add(np.asarray(dataset.pixels[row]), BlockOrigin(*origin))
    return writer.origins


def _round_robin(rows: NDArray[np.int64], videos: NDArray[np.object_], seed: int) -> NDArray[np.int64]:
    """Return rows in the order in which they are taken: the first of each video, then the second of each video, ..."""
    hashes = [_hash(seed, video, row) for video, row in zip(videos, rows, strict=True)]
    table = pd.DataFrame({"row": rows, "video": videos, "hash": hashes})
    table = table.sort_values("hash", kind="stable")
    table["round"] = table.groupby("video").cumcount()
    table["turn"] = [_hash(seed, video) for video in table["video"]]
    ordered: NDArray[np.int64] = table.sort_values(["round", "turn"], kind="stable")["row"].to_numpy(np.int64)
    return ordered


def _hash(seed: int, *key: object) -> str:
    return hashlib.sha256(repr((seed, *map(str, key))).encode()).hexdigest()
