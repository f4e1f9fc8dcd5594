from __future__ import annotations

from pathlib import Path

import numpy as np

from annotate.emotions.classifier import Classifier
from annotate.training.calibrate import choose_temperature, expected_error
from annotate.training.export import HALF_TOLERANCE, export
from annotate.training.network import BlockNetwork, FrameNetwork


def test_weights_in_half_precision_say_the_same(tmp_path: Path) -> None:
    network = BlockNetwork(FrameNetwork())
    export(network, tmp_path / "single.onnx")
    assert export(network, tmp_path / "half.onnx", half=True) < HALF_TOLERANCE
    sizes = [(tmp_path / name).stat().st_size for name in ("half.onnx", "single.onnx")]
    assert sizes[0] < 0.55 * sizes[1]


def test_the_file_says_which_frames_it_looks_at(tmp_path: Path) -> None:
    export(BlockNetwork(FrameNetwork(), frame_stride=4), tmp_path / "model.onnx")
    classifier = Classifier(tmp_path / "model.onnx")
    assert classifier.contract.frame_stride == 4
    blocks = np.random.default_rng(0).integers(0, 256, (1, 20, 80, 80), np.uint8)
    others = blocks.copy()
    others[:, np.arange(20) % 4 != 0] = 0
    assert (classifier(blocks) == classifier(others)).all()


def test_temperature_softens_what_is_too_sure() -> None:
    """Three of four labels are as the logits say, which at temperature 1 are all but certain."""
    logits = np.tile(np.array([8, 0, 0, 0, 0, 0, 0], np.float32), (8, 1))
    labels = np.array([0, 0, 0, 1] * 2)
    temperature = choose_temperature(logits, labels)
    assert temperature == 2.0
    assert expected_error(logits, labels, temperature) < expected_error(logits, labels, 1.0)
