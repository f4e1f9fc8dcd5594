from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from annotate.errors import DatasetError
from annotate.training.recipe.ferplus import VOTE_NAMES, join
from annotate.training.recipe.still_faces import (
    CANVAS_PX,
    TEST,
    TRAIN,
    VALIDATION,
    fill_background,
    load_ferplus,
    load_ferplus_majority,
    load_webfaces,
)


def votes(**counts: int) -> list[int]:
    return [counts.get(name, 0) for name in VOTE_NAMES]


@pytest.fixture
def ferplus(tmp_path: Path) -> Path:
    """Two training faces, one of them duplicated and repeated in the test split; three more test faces."""
    random = np.random.default_rng(0)
    different = random.integers(0, 256, (5, 48, 48), np.uint8)
    path = tmp_path / "ferplus.npz"
    np.savez(
        path,
        pixels=different[[0, 1, 1, 1, 2, 3, 4]],
        split=np.array([TRAIN, TRAIN, TRAIN, TEST, TEST, TEST, TEST]),
        votes=np.array(
            [
                votes(happiness=10),
                votes(anger=6, neutral=4),
                votes(anger=6, neutral=4),
                votes(anger=10),
                votes(fear=6, surprise=4),
                votes(fear=5, surprise=5),
                votes(unknown=8, neutral=2),
            ]
        ),
        vote_names=np.array(VOTE_NAMES),
        fer2013_label=np.array([3, 0, 0, 0, 2, 2, 4]),
    )
    return path


def test_soft_targets_exclude_duplicates_of_test_images(ferplus: Path) -> None:
    stills = load_ferplus(ferplus, TRAIN)
    assert stills.labels.tolist() == [3]
    assert stills.targets.sum(1).tolist() == pytest.approx([1])
    with_copies = load_ferplus(ferplus, TRAIN, original_label_weight=0.5, keep_copies=True)
    assert with_copies.targets[1].tolist() == pytest.approx([0.8, 0, 0, 0, 0.2, 0, 0])


def test_strict_majority_excludes_duplicates_of_training_images(ferplus: Path) -> None:
    stills = load_ferplus_majority(ferplus, TEST)
    assert stills.labels.tolist() == [2]
    assert stills.pixels.shape == (1, 48, 48)


def test_black_background_is_filled_and_the_face_unchanged() -> None:
    face = np.zeros((4, CANVAS_PX, CANVAS_PX), np.uint8)
    face[:, 24:72, 24:72] = 160
    face[:, 40:44, 40:44] = 0
    filled = fill_background(face, black_share=0)
    assert (filled[:, 30:66, 30:66] == face[:, 30:66, 30:66]).all()
    assert filled[:, 16:22, 30:66].min() > 60
    assert (fill_background(face, black_share=1) == face).all()


def test_web_faces_are_split_without_overlap(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    files = []
    for _ in range(120):
        content = io.BytesIO()
        Image.fromarray(random.integers(30, 256, (100, 100), np.uint8)).resize((20, 20)).resize((100, 100)).save(
            content, "JPEG"
        )
        files.append(content.getvalue())
    offset = np.cumsum([0, *map(len, files)])
    path = tmp_path / "web.npz"
    np.savez(path, jpeg=np.frombuffer(b"".join(files), np.uint8), offset=offset, label=np.arange(120) % 7)
    training, validation = load_webfaces(path, TRAIN), load_webfaces(path, VALIDATION)
    assert len(training) + len(validation) == 120
    assert 0 < len(validation) < 30
    assert training.targets.max(1) == pytest.approx(0.9 + 0.1 / 7)


def test_published_tables_are_joined() -> None:
    pixels = " ".join(["7"] * 48 * 48)
    faces = pd.DataFrame({"emotion": [6, 3], "pixels": [pixels] * 2, "Usage": ["Training", "PrivateTest"]})
    counts = pd.DataFrame([votes(neutral=10), votes(happiness=9, NF=1)], columns=VOTE_NAMES)
    counts["Usage"] = faces["Usage"]
    arrays = join(faces, counts)
    assert arrays["pixels"].shape == (2, 48, 48)
    assert arrays["fer2013_label"].tolist() == [4, 3]
    assert arrays["split"].tolist() == [0, 2]
    with pytest.raises(DatasetError, match="2 and 1 rows"):
        join(faces, counts.iloc[:1])
