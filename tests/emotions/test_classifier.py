from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from annotate.emotions.classifier import Classifier, load_classifier, model_input, session_options
from annotate.emotions.contract import Contract
from annotate.emotions.labels import EMOTIONS
from annotate.emotions.model_file import read_model
from annotate.errors import ModelError, SettingsError
from tests.emotions.models import write_model


def blocks(count: int, value: int = 128) -> np.ndarray:
    return np.full((count, 20, 80, 80), value, np.uint8)


def test_the_installed_model_follows_the_contract() -> None:
    classifier = load_classifier()
    assert classifier.contract == Contract(EMOTIONS, 20, 80, 0.1, 30.0, frame_stride=4)
    probabilities = classifier(np.random.default_rng(0).integers(0, 256, (3, 20, 80, 80)).astype(np.uint8))
    assert probabilities.shape == (3, 7)
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)


def test_results_do_not_depend_on_how_many_blocks_are_computed_at_once() -> None:
    classifier = load_classifier()
    noise = np.random.default_rng(0).integers(0, 256, (5, 20, 80, 80)).astype(np.uint8)
    one_by_one = [classifier(noise[number : number + 1]) for number in range(len(noise))]
    assert (np.concatenate(one_by_one) == classifier(noise)).all()


def test_pairs_of_products_of_the_installed_model_fit_into_16_bits() -> None:
    """Processors without instructions for it sum products in pairs: larger ones would give other results there."""
    stored = onnx.load_from_string(read_model(None)[1]).graph.initializer
    integers = [value for value in map(onnx.numpy_helper.to_array, stored) if value.dtype == np.int8 and value.ndim == 4]
    assert sum(value.size for value in integers) > 1e6
    assert all(2 * 255 * np.abs(value.astype(int)).max() < 2**15 for value in integers)


def test_a_device_that_computes_with_floats_differs_in_the_third_digit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 20, 80, 80)).astype(np.uint8)
    session = onnxruntime.InferenceSession(read_model(None)[1], session_options("cuda"), providers=["CPUExecutionProvider"])
    (floats,) = session.run(None, model_input(noise))
    assert 0 < np.abs(load_classifier()(noise) - floats).max() < 2e-3


def test_pixels_are_scaled_to_0_to_1(tmp_path: Path) -> None:
    classifier = Classifier(write_model(tmp_path / "model.onnx", weight=2))
    probabilities = classifier(np.concatenate([blocks(1, 0), blocks(1, 255)]))
    assert probabilities[0] == pytest.approx([1 / 7] * 7)
    assert probabilities[1, 0] == pytest.approx(np.exp(2) / (np.exp(2) + 6))


def test_another_models_classes_and_preprocessing_are_read(tmp_path: Path) -> None:
    contract = Contract(("calm", "excited"), 20, 80, 0.25, 15.0)
    classifier = Classifier(write_model(tmp_path / "model.onnx", contract=contract))
    assert classifier.contract == contract
    assert classifier(blocks(2)).shape == (2, 2)


def test_different_models_have_different_hashes(tmp_path: Path) -> None:
    first, second, third = (
        Classifier(write_model(tmp_path / f"{number}.onnx", weight=weight)) for number, weight in enumerate((1, 1, 2))
    )
    assert first.model_hash == second.model_hash != third.model_hash


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sides": ("N", 16, 80, 80)}, ["expected blocks tensor(float) ['N', 20, 80, 80]", "found blocks", "16, 80, 80"]),
        ({"sides": (1, 20, 80, 80)}, ["expected blocks", "found blocks tensor(float) [1, 20, 80, 80]"]),
        ({"input_name": "images"}, ["input", "expected blocks", "found images"]),
        ({"classes": 5}, ["output", "expected probabilities tensor(float) ['N', 7]", "found probabilities", "5]"]),
        ({"metadata": {}}, ["metadata", "'class_names'"]),
        ({"metadata": {**Contract().to_metadata(), "crop_size_px": "large"}}, ["metadata", "not a number", "'large'"]),
        ({"metadata": {**Contract().to_metadata(), "block_frames": "0"}}, ["metadata", "out of range"]),
        ({"metadata": {**Contract().to_metadata(), "class_names": "joy,,fear"}}, ["class_names is 'joy,,fear'"]),
        ({"metadata": {**Contract().to_metadata(), "class_names": "joy,\x1b[2J"}}, [r"class_names is 'joy,\x1b[2J'"]),
    ],
)
def test_a_model_that_breaks_the_contract_is_rejected(tmp_path: Path, changes: dict[str, object], words: list[str]) -> None:
    path = write_model(tmp_path / "model.onnx", **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError) as raised:
        Classifier(path)
    assert raised.value.path == path
    assert [word for word in words if word not in raised.value.problem] == []
    assert raised.value.remedy


def test_a_file_that_is_not_onnx_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("not a model")
    for model, cause in ((path, "onnxruntime"), (tmp_path / "missing.onnx", "No such file")):
        with pytest.raises(ModelError) as raised:
            Classifier(model)
        assert raised.value.path == model
        assert cause in raised.value.problem


def test_output_that_is_not_a_distribution_is_rejected(tmp_path: Path) -> None:
    for name, classifier, found in (
        ("plain.onnx", Classifier(write_model(tmp_path / "plain.onnx", normalized=False)), "found ["),
        ("broken.onnx", Classifier(write_model(tmp_path / "broken.onnx", weight=float("nan"))), "found [nan"),
    ):
        with pytest.raises(ModelError) as raised:
            classifier(blocks(1))
        assert raised.value.path == tmp_path / name
        assert "expected probabilities that sum to 1" in raised.value.problem
        assert found in raised.value.problem


def test_a_model_with_external_weights_is_rejected(tmp_path: Path) -> None:
    """External data could name any file of the disk."""
    path = write_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").exists()
    with pytest.raises(ModelError) as raised:
        Classifier(path)
    assert raised.value.path == path
    assert "onnxruntime" in raised.value.problem


def test_an_unavailable_provider_is_rejected_without_a_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(SettingsError) as raised:
        Classifier(provider="cuda")
    assert "--provider cuda" in raised.value.problem
    assert "CPUExecutionProvider" in raised.value.problem
    assert "cpu" in raised.value.remedy
    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: available)
    with pytest.warns(UserWarning, match="not in available"), pytest.raises(SettingsError) as raised:
        Classifier(provider="cuda")
    assert "--provider cuda" in raised.value.problem
    assert "CPUExecutionProvider" in raised.value.problem
    assert "cpu" in raised.value.remedy
