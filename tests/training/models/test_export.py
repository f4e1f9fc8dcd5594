from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from annotate.emotions.classifier import Classifier
from annotate.training.models.export import HALF_TOLERANCE, export, main
from annotate.training.models.frame_cnn import NO_OFFSETS, BlockNetwork, FrameNetwork
from annotate.training.recipe.calibrate import (
    OFFSET_STRENGTH,
    choose_offsets,
    choose_temperature,
    expected_calibration_error,
)


def test_half_precision_weights_give_nearly_equal_predictions(tmp_path: Path) -> None:
    network = BlockNetwork(FrameNetwork())
    export(network, tmp_path / "single.onnx")
    assert export(network, tmp_path / "half.onnx", half=True) < HALF_TOLERANCE
    sizes = [(tmp_path / name).stat().st_size for name in ("half.onnx", "single.onnx")]
    assert sizes[0] < 0.55 * sizes[1]


def test_metadata_contains_the_frame_stride(tmp_path: Path) -> None:
    export(BlockNetwork(FrameNetwork(), frame_stride=4), tmp_path / "model.onnx")
    classifier = Classifier(tmp_path / "model.onnx")
    assert classifier.contract.frame_stride == 4
    blocks = np.random.default_rng(0).integers(0, 256, (1, 20, 80, 80), np.uint8)
    changed = blocks.copy()
    changed[:, np.arange(20) % 4 != 0] = 0
    assert (classifier(blocks) == classifier(changed)).all()


def test_temperature_softens_overconfident_logits() -> None:
    """Logits of near certainty are right three times in four."""
    logits = np.tile(np.array([8, 0, 0, 0, 0, 0, 0], np.float32), (8, 1))
    labels = np.array([0, 0, 0, 1] * 2)
    temperature = choose_temperature([(logits, labels)])
    assert temperature == 2.0
    assert expected_calibration_error(logits, labels, temperature) < expected_calibration_error(logits, labels, 1.0)


def test_offsets_favor_rare_classes() -> None:
    """For calibrated logits, the offset that balances the classes is the log ratio of their frequencies."""
    random = np.random.default_rng(0)
    margins = random.normal(-4, 2, 20_000)
    logits = np.full((len(margins), 7), -30, np.float32)
    logits[:, 0], logits[:, 4] = margins, 0
    labels = np.where(random.random(len(margins)) < 1 / (1 + np.exp(-margins)), 0, 4)
    offsets = choose_offsets([(logits, labels)])
    log_ratio = np.log((labels == 4).sum() / (labels == 0).sum())
    assert offsets[4] == 0
    assert offsets[0] == pytest.approx(OFFSET_STRENGTH * log_ratio, rel=0.1)


def test_an_exported_model_is_exported_again_with_offsets(tmp_path: Path) -> None:
    first, second = tmp_path / "first.onnx", tmp_path / "second.onnx"
    network = FrameNetwork()
    network(torch.rand(16, 1, 48, 48))
    export(BlockNetwork(network, temperature=0.5), first)
    options = ["--temperature", "0.5", "--offsets", "1,0,0,0,0,0,-1"]
    assert CliRunner().invoke(main, [str(first), "-o", str(second), *options]).exit_code == 0
    blocks = np.random.default_rng(0).integers(0, 256, (3, 20, 80, 80), np.uint8)
    before, after = (np.log(Classifier(path)(blocks)) for path in (first, second))
    difference = after - before
    assert difference - difference[:, 1:2] == pytest.approx(np.tile([1.0, *NO_OFFSETS[1:6], -1.0], (3, 1)), abs=1e-3)
    refused = CliRunner().invoke(main, [str(first), "-o", str(second), "--offsets", "1,2"])
    assert refused.exit_code == 2
    assert "'1,2'" in refused.output
