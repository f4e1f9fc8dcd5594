from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.errors import DatasetError, UnreadableError
from annotate.training.dataset.stills import import_stills
from annotate.training.dataset.storage import Split, open_dataset


def write_faces(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_stills_become_one_frame_blocks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (4, 80, 80), np.uint8)
    path = write_faces(tmp_path / "faces.npz", pixels=pixels, label=np.array([0, 7, 6, -1]))
    origins, skipped = import_stills(path, tmp_path / "set", Split())
    dataset = open_dataset(tmp_path / "set")
    assert skipped == 2
    assert dataset.has_stills
    assert (dataset.pixels[:, 0] == pixels[[0, 2]]).all()
    assert dataset.origins["video"].tolist() == ["faces/0", "faces/2"] == [origin.video for origin in origins]
    assert dataset.origins["emotion"].tolist() == ["anger", "surprise"]


@pytest.mark.parametrize("side", [20, 48, 160])
def test_stills_are_resized_by_area(tmp_path: Path, side: int) -> None:
    """Resizing keeps the dark upper half, the bright lower half and the mean."""
    still = np.full((1, side, side), 10, np.uint8)
    still[:, side // 2 :] = 250
    path = write_faces(tmp_path / "faces.npz", pixels=still, label=np.array([1]))
    import_stills(path, tmp_path / "set", Split())
    (block,) = open_dataset(tmp_path / "set").pixels
    assert block.shape == (1, 80, 80)
    assert (block[0, :36] == 10).all()
    assert (block[0, 44:] == 250).all()
    assert block.mean() == pytest.approx(130, abs=1)


def test_copies_and_subjects_are_not_split(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    different = random.integers(0, 256, (30, 8, 8), np.uint8)
    path = write_faces(tmp_path / "copies.npz", pixels=np.concatenate([different] * 2), label=np.zeros(60, int))
    import_stills(path, tmp_path / "copies", Split(0.3, 0.3))
    parts = open_dataset(tmp_path / "copies").origins["split"].to_numpy()
    assert (parts[:30] == parts[30:]).all()
    assert len(set(parts)) == 3
    subjects = np.array([f"s{number % 5}" for number in range(30)])
    path = write_faces(tmp_path / "subjects.npz", pixels=different, label=np.zeros(30, int), subject=subjects)
    import_stills(path, tmp_path / "subjects", Split(0.3, 0.3))
    table = open_dataset(tmp_path / "subjects").origins
    assert (table.groupby("subject")["split"].nunique() == 1).all()


@pytest.mark.parametrize("split", [np.array([0, 1, 2]), np.array(["train", "validation", "test"])])
def test_a_given_split_is_kept(tmp_path: Path, split: Any) -> None:
    pixels = np.zeros((3, 8, 8), np.uint8)
    import_stills(
        write_faces(tmp_path / "faces.npz", pixels=pixels, label=np.zeros(3, int), split=split), tmp_path / "set", Split()
    )
    assert open_dataset(tmp_path / "set").origins["split"].tolist() == ["train", "validation", "test"]


PIXELS, LABEL = np.zeros((2, 8, 8), np.uint8), np.zeros(2, int)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pixels": PIXELS}, "'label'"),
        ({"pixels": PIXELS.astype(float), "label": LABEL}, r"float64 \(2, 8, 8\)"),
        ({"pixels": PIXELS[0], "label": LABEL}, r"uint8 \(8, 8\)"),
        ({"pixels": PIXELS, "label": np.zeros(3, int)}, r"label.*\(2,\).*\(3,\)"),
        ({"pixels": PIXELS, "label": LABEL, "split": np.array([0, 5])}, "split '5'"),
        ({"pixels": PIXELS, "label": np.array(["happy", "sad"])}, "label <U5"),
    ],
)
def test_invalid_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    path = write_faces(tmp_path / "faces.npz", **arrays)
    with pytest.raises(DatasetError, match=words) as refused:
        import_stills(path, tmp_path / "set", Split())
    assert refused.value.path == path
    assert not (tmp_path / "set").exists()


def test_an_invalid_or_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "faces.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DatasetError) as invalid:
        import_stills(tmp_path / "faces.npz", tmp_path / "set", Split())
    assert (invalid.value.path, ".npz" in invalid.value.problem) == (tmp_path / "faces.npz", True)
    with pytest.raises(UnreadableError) as missing:
        import_stills(tmp_path / "none.npz", tmp_path / "set", Split())
    assert Path(str(missing.value.path)) == tmp_path / "none.npz"
