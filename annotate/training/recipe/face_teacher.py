"""SFace on onnxruntime: a network that tells people apart, and that teaches two of ours what it sees.

What it says of a face teaches the second ending of the descriptor of persons (`annotate.training.recipe.ending`). What its
middle holds of a face, before it has forgotten the expression, is what opinions on emotions are learned from
(`annotate.training.recipe.opinions`).

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE Transactions on Image
Processing, 2021. It tells people apart better than dlib's network, takes several times as long, and is in no package that
annotate can depend on; no part of it is in what it teaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from annotate.faces.align import LANDMARK_NAMES
from annotate.persons.descriptor import Vectors
from annotate.training.models.recognizer_cnn import INPUT_PX, TO_INPUT, read_recognizer
from annotate.training.recipe.framing import find_landmarks

_INPUT = "data"

_MIDDLE = "conv_12_relu"
"""A map of 512 channels and a side of 14, the last of that side."""

_CELLS = ((0, 4), (3, 7), (7, 11), (10, 14))
"""Rows, and columns, of the map that are averaged."""

_EXPECTED_PX = np.array([[38.29, 51.7], [73.53, 51.5], [56.03, 71.74], [41.55, 92.37], [70.73, 92.2]])
"""Where the network expects the centers of the eyes, the tip of the nose and the corners of the mouth, in pixels."""

_PARTS = (
    ("right_eye_outer", "right_eye_inner"),
    ("left_eye_inner", "left_eye_outer"),
    ("nose_tip",),
    ("mouth_right",),
    ("mouth_left",),
)
"""The landmarks whose mean is each of these points."""

_BATCH_FACES = 32


class FaceTeacher:
    """Says who a face is, by numbers that are close for one person.

    Raises:
        ModelError: the file is missing or is another one.
    """

    def __init__(self, path: Path) -> None:
        self._session = _load(read_recognizer(path))

    def __call__(self, crop: NDArray[np.uint8]) -> Vectors:
        """Return the numbers (128,) of a gray face (`CROP_PX`, `CROP_PX`)."""
        (numbers,) = self._session.run(None, {_INPUT: _to_input([_moved(crop, TO_INPUT)])})
        vector: Vectors = numbers[0]
        return vector


class FaceFeatures:
    """Describes faces by the mean of the network's middle over 16 places, in which expressions still show.

    Raises:
        ModelError: the file is missing or is another one.
    """

    def __init__(self, path: Path) -> None:
        model = onnx.load_from_string(read_recognizer(path))
        end = next(number for number, node in enumerate(model.graph.node) if _MIDDLE in node.output)
        del model.graph.node[end + 1 :]
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(_MIDDLE, onnx.TensorProto.FLOAT, None))
        faces = next(value for value in model.graph.input if value.name == _INPUT)
        faces.type.tensor_type.shape.dim[0].dim_param = "faces"
        self._session = _load(model.SerializeToString())

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Return the numbers (N, 8192) of gray crops (N, h, h), each moved to where the network expects a face."""
        starts = range(0, len(crops), _BATCH_FACES)
        return np.concatenate([self._describe(crops[start : start + _BATCH_FACES]) for start in starts])

    def _describe(self, crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        (maps,) = self._session.run(None, {_INPUT: _to_input(list(align_faces(crops)))})
        means = [maps[:, :, top:bottom, left:right].mean((2, 3)) for top, bottom in _CELLS for left, right in _CELLS]
        return np.stack(means, 2).reshape(len(crops), -1).astype(np.float16)


def align_faces(crops: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield the faces of crops (N, h, h) where the network expects them, by their landmarks, or else just scaled."""
    landmarks, side_px = find_landmarks(crops), crops.shape[1]
    for number, crop in enumerate(crops):
        found = landmarks.get(number)
        scaled = np.array([[INPUT_PX / side_px, 0, 0], [0, INPUT_PX / side_px, 0]])
        yield _moved(crop, scaled if found is None else fit_similarity(_points(found), _EXPECTED_PX))


def fit_similarity(points: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the turn, scale and shift (2, 3) that brings points (n, 2) nearest to the expected ones, by least squares."""
    x, y = points.T
    ones, zeros = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate([np.stack([x, -y, ones, zeros], 1), np.stack([y, x, zeros, ones], 1)])
    (scaled_cos, scaled_sin, right, down), *_ = np.linalg.lstsq(rows, expected.T.ravel(), rcond=None)
    return np.array([[scaled_cos, -scaled_sin, right], [scaled_sin, scaled_cos, down]])


def _points(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([landmarks[[LANDMARK_NAMES.index(name) for name in names]].mean(0) for names in _PARTS])


def _moved(crop: NDArray[np.uint8], to_input: NDArray[np.float64]) -> NDArray[np.uint8]:
    size = (INPUT_PX, INPUT_PX)
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(crop, to_input, size, flags=flags, borderMode=border), np.uint8)


def _to_input(faces: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    return np.repeat(np.stack(faces)[:, None], 3, axis=1).astype(np.float32)


def _load(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of each of its weights
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
