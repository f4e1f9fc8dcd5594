from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.training.dataset.balance import MEDIAN, SMALLEST, balance, select_rows
from annotate.training.dataset.storage import PARTS, TEST, TRAIN, open_dataset
from tests.training.conftest import MakeDataset

ROWS = st.tuples(st.sampled_from("abcd"), st.sampled_from(["anger", "fear", "sadness"]), st.sampled_from(PARTS))


def origins(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["video", "emotion", "split"])


@pytest.mark.parametrize(
    ("reference", "ratio", "kept"),
    [(SMALLEST, 1.0, (2, 2, 2)), (SMALLEST, 2.5, (5, 4, 2)), (MEDIAN, 1.5, (6, 4, 2)), (SMALLEST, 9.0, (10, 4, 2))],
)
def test_classes_are_limited_relative_to_the_smallest_or_median_class(
    reference: str, ratio: float, kept: tuple[int, ...]
) -> None:
    table = origins([("a", "anger", TRAIN)] * 10 + [("b", "fear", TRAIN)] * 4 + [("c", "sadness", TRAIN)] * 2)
    remaining = table.iloc[select_rows(table, ratio, reference, [TRAIN], 0)]
    assert remaining["emotion"].value_counts().to_dict() == dict(zip(("anger", "fear", "sadness"), kept, strict=True))


@settings(max_examples=40)
@given(st.lists(ROWS, max_size=60), st.floats(1, 4), st.integers(0, 2))
def test_videos_are_reduced_evenly_and_other_parts_kept(rows: list[tuple[str, str, str]], ratio: float, seed: int) -> None:
    table = origins(rows)
    chosen = select_rows(table, ratio, SMALLEST, [TRAIN], seed)
    assert (chosen == sorted(set(chosen))).all()
    assert (chosen == select_rows(table, ratio, SMALLEST, [TRAIN], seed)).all()
    kept = table.iloc[chosen]
    assert (kept[kept["split"] != TRAIN].index == table[table["split"] != TRAIN].index).all()
    before, after = (part[part["split"] == TRAIN] for part in (table, kept))
    sizes = before["emotion"].value_counts()
    for emotion, size in sizes.items():
        assert (after["emotion"] == emotion).sum() == min(size, int(ratio * sizes.min()))
        had = before[before["emotion"] == emotion]["video"].value_counts()
        has = after[after["emotion"] == emotion]["video"].value_counts().reindex(had.index, fill_value=0)
        fullest = has.max()
        assert all(has[video] >= min(had[video], fullest - 1) for video in had.index)


def test_another_seed_selects_other_blocks() -> None:
    table = origins([(str(number), "anger", TRAIN) for number in range(40)] + [("x", "fear", TRAIN)] * 9)
    first, second = (select_rows(table, 1.0, SMALLEST, [TRAIN], seed).tolist() for seed in (0, 1))
    assert first != second


def test_a_balanced_dataset_has_the_pixels_of_the_selected_blocks(make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset("blocks", [0, 0, 0, 1, 0], ["a", "a", "b", "c", "d"], [TRAIN, TRAIN, TRAIN, TRAIN, TEST])
    written = balance(dataset, tmp_path / "balanced", 2.0, SMALLEST, [TRAIN], 0)
    balanced = open_dataset(tmp_path / "balanced")
    rows = select_rows(dataset.origins, 2.0, SMALLEST, [TRAIN], 0)
    assert len(written) == len(balanced) == 4
    assert (balanced.pixels == dataset.pixels[rows]).all()
    assert balanced.origins["video"].tolist() == dataset.origins["video"].iloc[rows].tolist()
    assert balanced.details["balance"] == {"ratio": 2.0, "measure": SMALLEST, "parts": [TRAIN], "seed": 0}
