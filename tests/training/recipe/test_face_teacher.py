from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("torch", reason="needs torch")

from annotate.errors import ModelError  # noqa: E402
from annotate.training.models import recognizer_cnn  # noqa: E402
from annotate.training.recipe import face_teacher  # noqa: E402
from annotate.training.recipe.face_teacher import FaceFeatures, FaceTeacher, align_faces, fit_similarity  # noqa: E402
from annotate.training.recipe.framing import frame_faces  # noqa: E402


def test_another_teacher_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "teacher.onnx"
    with pytest.raises(ModelError, match=r"teacher\.onnx"):
        FaceTeacher(path)
    path.write_bytes(b"another network")
    with pytest.raises(ModelError, match=r"teacher\.onnx"):
        FaceTeacher(path)
    with pytest.raises(ModelError, match=r"teacher\.onnx"):
        FaceFeatures(path)


def test_features_are_means_of_the_middle_over_parts_of_the_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_network(tmp_path / "network.onnx")
    monkeypatch.setattr(recognizer_cnn, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(face_teacher, "find_landmarks", lambda crops: {})
    crops = np.zeros((40, 96, 96), np.uint8)
    crops[:, 48:] = 160
    crops[7, :, 48:] = 240
    features = FaceFeatures(path)(crops).reshape(40, 3, 4, 4)
    assert features[0, 0, :, 0] == pytest.approx([0, 0, 160, 160], abs=3)
    assert features[7, 2, 3] == pytest.approx([160, 160, 240, 240], abs=3)
    assert np.array_equal(features[39], features[0])


def write_network(path: Path) -> Path:
    """Write a network whose middle is its input in small, followed by steps that must not be computed."""
    sides = [1, 3, 112, 112]
    nodes = [
        onnx.helper.make_node("AveragePool", ["data"], ["conv_12_relu"], kernel_shape=[8, 8], strides=[8, 8]),
        onnx.helper.make_node("Reshape", ["conv_12_relu", "sides"], ["fc1"]),
    ]
    inputs = [onnx.helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, sides)]
    outputs = [onnx.helper.make_tensor_value_info("fc1", onnx.TensorProto.FLOAT, [1, 588])]
    flat = onnx.numpy_helper.from_array(np.array([1, 588]), "sides")
    graph = onnx.helper.make_graph(nodes, "network", inputs, outputs, [flat])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_faces_are_moved_to_where_the_network_expects_them(face_image: Path) -> None:
    face = np.asarray(cv2.imread(str(face_image), cv2.IMREAD_GRAYSCALE), np.uint8)
    pixels, found = frame_faces([face, face[:, ::-1].copy()])
    assert found.all()
    moved = np.stack(list(align_faces(pixels)))
    assert moved.shape == (2, 112, 112)
    assert np.abs(moved[0].astype(int) - moved[1][:, ::-1])[20:-20, 20:-20].mean() < 12
    turned = np.stack([cv2.warpAffine(pixels[0], cv2.getRotationMatrix2D((47.5, 47.5), 12, 0.9), (96, 96))] * 2)
    (again, _) = align_faces(np.asarray(turned, np.uint8))
    assert np.abs(moved[0].astype(int) - again)[25:-25, 25:-25].mean() < 12


def test_points_are_turned_scaled_and_shifted_to_the_expected_ones() -> None:
    points = np.random.default_rng(0).random((5, 2)) * 50
    turned = 2 * points @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [3, -4]
    assert fit_similarity(points, turned) == pytest.approx(np.array([[1.6, -1.2, 3], [1.2, 1.6, -4]]))
