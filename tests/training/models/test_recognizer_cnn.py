from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from annotate.errors import ModelError
from annotate.persons.descriptor import CROP_PX
from annotate.training.models import recognizer_cnn
from annotate.training.models.recognizer_cnn import INPUT_PX, TO_INPUT, load_recognizer_network
from tests.training.models.recognizer_file import recognizer_file


@pytest.mark.parametrize(("is_whole", "channels", "side_px"), [(False, 512, 14), (True, 1024, 7)])
def test_maps_are_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_whole: bool, channels: int, side_px: int
) -> None:
    content, path = recognizer_file(), tmp_path / "network.onnx"
    path.write_bytes(content)
    monkeypatch.setattr(recognizer_cnn, "SHA256", hashlib.sha256(content).hexdigest())
    network = load_recognizer_network(path, is_whole=is_whole)
    face = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (CROP_PX, CROP_PX)).astype(np.float32), (0, 0), 6)
    with torch.inference_mode():
        crops = torch.from_numpy(face)[None, None] / 255
        maps = network.maps(crops).numpy()
        logits = network(crops)
    assert maps.shape == (1, channels, side_px, side_px)
    assert logits.shape == (1, 7)
    placed = cv2.warpAffine(face, TO_INPUT, (INPUT_PX, INPUT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    expected = run(content, np.repeat(placed[None, None], 3, axis=1), "end" if is_whole else "middle")
    assert expected.std() > 0.1
    assert maps == pytest.approx(expected, abs=0.05 * float(expected.std()))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(recognizer_file())
    with pytest.raises(ModelError) as refused:
        load_recognizer_network(path, is_whole=True)
    assert refused.value.path == path


def run(content: bytes, faces: np.ndarray, name: str) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (maps,) = session.run([name], {"data": faces})
    return np.asarray(maps)
