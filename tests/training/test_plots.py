from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.emotions.labels import EMOTIONS
from annotate.errors import OutputError
from annotate.training.evaluation import evaluate
from annotate.training.plots import draw_confusion, draw_curve, draw_sheet
from tests.training.conftest import MakeDataset


def count_shades(path: Path) -> int:
    """Return the number of gray levels of a PNG; an empty image has one."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        return len(np.unique(np.asarray(image.convert("L"))))


def test_confusion_matrix(tmp_path: Path) -> None:
    probabilities = np.eye(7, dtype=np.float32)[[0, 1, 2, 2]]
    evaluation = evaluate(probabilities, np.array([0, 1, 2, 3]), np.array(list("abcd"), object), EMOTIONS)
    draw_confusion(evaluation, tmp_path / "confusion.png")
    assert count_shades(tmp_path / "confusion.png") > 10
    with pytest.raises(OutputError) as refused:
        draw_confusion(evaluation, tmp_path / "nowhere/confusion.png")
    assert refused.value.path == tmp_path / "nowhere/confusion.png"


def test_curve_and_sheet(tmp_path: Path, make_dataset: MakeDataset) -> None:
    row = {"loss": 1.0, "validation_loss": 1.2, "accuracy": 0.4, "balanced_accuracy": 0.3}
    draw_curve([{"epoch": 1, **row}, {"epoch": 2, **row}], tmp_path / "curve.png")
    draw_sheet(make_dataset("blocks", [0] * 12 + [3]), tmp_path / "sheet.png")
    assert count_shades(tmp_path / "curve.png") > 10
    assert count_shades(tmp_path / "sheet.png") > 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks", "curve.png", "sheet.png"]
