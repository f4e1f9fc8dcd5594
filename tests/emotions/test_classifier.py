from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from annotate.emotions.classifier import Classifier, load_classifier
from annotate.emotions.contract import Contract
from annotate.emotions.labels import EMOTIONS
from annotate.errors import ModelError, SettingsError
from tests.emotions.models import write_model


def blocks(count: int, value: int = 128) -> np.ndarray:
    return np.full((count, 20, 80, 80), value, np.uint8)


def test_the_installed_model_keeps_the_contract() -> None:
    classifier = load_classifier()
    assert classifier.contract == Contract(EMOTIONS, 20, 80, 0.1, 30.0, frame_stride=4)
    probabilities = classifier(np.random.default_rng(0).integers(0, 256, (3, 20, 80, 80)).astype(np.uint8))
    assert probabilities.shape == (3, 7)
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)


def test_pixels_reach_the_model_between_0_and_1(tmp_path: Path) -> None:
    classifier = Classifier(write_model(tmp_path / "model.onnx", weight=2))
    probabilities = classifier(np.concatenate([blocks(1, 0), blocks(1, 255)]))
    assert probabilities[0] == pytest.approx([1 / 7] * 7)
    assert probabilities[1, 0] == pytest.approx(np.exp(2) / (np.exp(2) + 6))


def test_another_models_classes_and_preprocessing_are_read(tmp_path: Path) -> None:
    contract = Contract(("calm", "excited"), 20, 80, 0.25, 15.0)
    classifier = Classifier(write_model(tmp_path / "model.onnx", contract=contract))
    assert classifier.contract == contract
    assert classifier(blocks(2)).shape == (2, 2)


def test_the_hash_tells_models_apart(tmp_path: Path) -> None:
    first, second, third = (
        Classifier(write_model(tmp_path / f"{number}.onnx", weight=weight)) for number, weight in enumerate((1, 1, 2))
    )
    assert first.model_hash == second.model_hash != third.model_hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sides": ("N", 16, 80, 80)}, r"expected blocks tensor\(float\) \['N', 20, 80, 80\], found blocks .* 16, 80, 80"),
        ({"sides": (1, 20, 80, 80)}, r"expected blocks .*found blocks tensor\(float\) \[1, 20, 80, 80\]"),
        ({"input_name": "images"}, "expected blocks .*found images"),
        ({"classes": 5}, r"expected probabilities .*7.*found probabilities .*5"),
        ({"metadata": {}}, "expected the metadata property 'class_names', found none"),
        ({"metadata": {**Contract().to_metadata(), "crop_size_px": "large"}}, "a metadata property is not a number"),
        ({"metadata": {**Contract().to_metadata(), "block_frames": "0"}}, "out of range"),
        ({"metadata": {**Contract().to_metadata(), "class_names": "joy,,fear"}}, "class_names is 'joy,,fear'"),
        ({"metadata": {**Contract().to_metadata(), "class_names": "joy,\x1b[2J"}}, r"class_names is 'joy,\\x1b\[2J'"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = write_model(tmp_path / "model.onnx", **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=rf"model\.onnx: expected .*{message.removeprefix('expected ')}"):
        Classifier(path)


def test_no_onnx_at_all(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("not a model")
    with pytest.raises(ModelError, match=r"model\.onnx: expected an ONNX model, but onnxruntime cannot load it"):
        Classifier(path)
    with pytest.raises(ModelError, match=r"missing\.onnx: the model cannot be read"):
        Classifier(tmp_path / "missing.onnx")


def test_what_is_no_distribution_is_refused(tmp_path: Path) -> None:
    plain = Classifier(write_model(tmp_path / "plain.onnx", normalised=False))
    with pytest.raises(ModelError, match=r"plain\.onnx: expected probabilities that sum to 1"):
        plain(blocks(1))
    broken = Classifier(write_model(tmp_path / "broken.onnx", weight=float("nan")))
    with pytest.raises(ModelError, match=r"broken\.onnx: expected probabilities that sum to 1, found \[nan"):
        broken(blocks(1))


def test_a_model_whose_weights_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    """External data could name any file of the disk."""
    path = write_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").exists()
    with pytest.raises(ModelError, match=r"model\.onnx: expected an ONNX model, but onnxruntime cannot load it"):
        Classifier(path)


def test_a_provider_that_is_not_there_is_refused_and_none_taken_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(SettingsError, match=r"^--provider cuda: this onnxruntime has no CUDAExecutionProvider"):
        Classifier(provider="cuda")
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: offered)
    with (
        pytest.warns(UserWarning, match="not in available"),
        pytest.raises(SettingsError, match=r"cannot use it here and took CPUExecutionProvider; choose cpu"),
    ):
        Classifier(provider="cuda")
