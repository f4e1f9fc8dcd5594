from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.emotions.contract import Contract
from annotate.errors import DatasetError, OutputError, SettingsError
from annotate.training.dataset.storage import (
    ORIGIN_COLUMNS,
    PARTS,
    TEST,
    TRAIN,
    VALIDATION,
    BlockOrigin,
    Dataset,
    Split,
    open_dataset,
    write_dataset,
)
from tests.training.conftest import MakeDataset

ORIGIN = BlockOrigin("v/a.mp4", "v/a.mp4", "", 0.8, 1.6, 20, 39, 20, 1, "fear", TRAIN)
KEYS = st.text(min_size=1, max_size=12)


def write(path: Path, count: int, *, frames: int = 20) -> Dataset:
    with write_dataset(path, Contract(), {"extra": ["fear"]}, frames=frames) as writer:
        for number in range(count):
            writer.add(np.full((frames, 80, 80), number % 256, np.uint8), ORIGIN)
    return open_dataset(path)


@pytest.mark.parametrize("count", [1, 11, 300])
def test_a_written_dataset_is_read_back_memory_mapped(tmp_path: Path, count: int) -> None:
    dataset = write(tmp_path / "made/blocks", count, frames=1 if count > 100 else 20)
    assert isinstance(dataset.pixels, np.memmap)
    assert [int(block.mean()) for block in dataset.pixels] == [number % 256 for number in range(count)]
    assert list(dataset.origins.columns) == list(ORIGIN_COLUMNS)
    assert dataset.origins["block"].tolist() == list(range(count))
    assert BlockOrigin(*dataset.origins.drop(columns="block").iloc[-1]) == ORIGIN
    assert (dataset.contract, dataset.details["extra"]) == (Contract(), ["fear"])
    assert dataset.labels.tolist() == [2] * count
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["blocks"]


def test_stills_are_repeated_as_blocks(tmp_path: Path) -> None:
    dataset = write(tmp_path / "faces", 3, frames=1)
    assert dataset.has_stills
    assert dataset.full_blocks(np.array([2])).shape == (1, 20, 80, 80)


def test_file_names_that_are_invalid_utf8_are_kept(tmp_path: Path) -> None:
    odd = BlockOrigin('\udcff,\n".mp4', "b", "NA", 0.0, 0.0, 0, 0, 1, 1, "anger", TEST)
    with write_dataset(tmp_path / "blocks", Contract(), {}) as writer:
        writer.add(np.zeros((20, 80, 80), np.uint8), odd)
    assert BlockOrigin(*open_dataset(tmp_path / "blocks").origins.drop(columns="block").iloc[0]) == odd


def test_a_dataset_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    def fail_halfway() -> None:
        with write_dataset(tmp_path / "blocks", Contract(), {}) as writer:
            writer.add(np.zeros((20, 80, 80), np.uint8), ORIGIN)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []
    with write_dataset(tmp_path / "blocks", Contract(), {}):
        pass
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    dataset = write(tmp_path / "blocks", 1)
    with pytest.raises(DatasetError) as refused:
        write(tmp_path / "blocks", 1)
    assert refused.value.path == tmp_path / "blocks"
    assert len(dataset) == 1
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write(tmp_path / "file/blocks", 1)


def _first_row_only(content: bytes) -> bytes:
    return b"\n".join(content.split(b"\n")[:2])


def _with_smaller_crops(content: bytes) -> bytes:
    meta = json.loads(content)
    meta["contract"]["crop_size_px"] = "64"
    return json.dumps(meta).encode()


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("meta.json", lambda content: b"[]", "invalid dataset"),
        ("blocks.npy", lambda content: content[:5000], "invalid dataset"),
        ("origins.csv", _first_row_only, "2 blocks.*1 rows"),
        ("origins.csv", lambda content: content.replace(b"fear", b"rage"), "'rage'"),
        ("meta.json", _with_smaller_crops, "20 x 64 x 64"),
    ],
)
def test_damaged_datasets_are_refused(tmp_path: Path, name: str, damage: Callable[[bytes], bytes], words: str) -> None:
    path = write(tmp_path / "blocks", 2).path
    (path / name).write_bytes(damage((path / name).read_bytes()))
    with pytest.raises(DatasetError, match=words) as refused:
        open_dataset(path)
    assert refused.value.path == path


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as refused:
        open_dataset(tmp_path)
    assert (refused.value.path, "annotate dataset build" in refused.value.remedy) == (tmp_path, True)


def test_rows_of_each_part(make_dataset: MakeDataset) -> None:
    dataset = make_dataset("blocks", [0, 1, 2], parts=[TRAIN, TEST, TRAIN])
    assert [dataset.rows(part).tolist() for part in (*PARTS, "all")] == [[0, 2], [], [1], [0, 1, 2]]


@given(st.lists(KEYS, min_size=1, max_size=30), KEYS, st.integers(0, 3))
def test_split_is_stable_and_by_subject_or_else_by_video(keys: list[str], newcomer: str, seed: int) -> None:
    split = Split(0.3, 0.3, seed)
    before = {key: split.part(key) for key in keys}
    split.part(newcomer)
    assert {key: Split(0.3, 0.3, seed).part(key) for key in keys} == before
    assert set(before.values()) <= set(PARTS)
    assert len({split.part(video, "Ann") for video in keys}) == 1
    assert split.part("A.MP4") == split.part("a.mp4")


@given(st.floats(0, 1), st.floats(0, 1))
def test_split_has_the_requested_shares(validation: float, test: float) -> None:
    if validation + test > 1:
        with pytest.raises(SettingsError, match=r"--validation .* --test "):
            Split(validation, test)
        return
    split = Split(validation, test)
    parts = [split.part(str(number)) for number in range(400)]
    assert parts.count(VALIDATION) / 400 == pytest.approx(validation, abs=0.13)
    assert parts.count(TEST) / 400 == pytest.approx(test, abs=0.13)


def test_seed_changes_the_split_and_larger_shares_extend_it() -> None:
    keys = [str(number) for number in range(100)]
    assert [Split(seed=0).part(key) for key in keys] != [Split(seed=1).part(key) for key in keys]
    small, large = ({key for key in keys if Split(0.1, test).part(key) == TEST} for test in (0.1, 0.3))
    assert small < large
