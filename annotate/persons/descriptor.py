"""Describe faces by vectors that are close for one person and far for two: dlib's network on crops of its own geometry.

The network is a ResNet of 29 layers (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) that Davis E.
King trained with a metric loss. Its file and that of the five-point predictor are part of the package
face_recognition_models, which is neither imported nor copied; their hashes are checked.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import dlib
import numpy as np
from numpy.typing import NDArray

from annotate.errors import ModelError
from annotate.extras import check_extra
from annotate.faces.box import Box

DIMENSIONS = 128
CROP_PX = 150
_CROP_PADDING = 0.25
"""Width of the border around the face, in sides of the face: what the network was trained with."""

PACKAGE, EXTRA = "face_recognition_models", "persons"
PREDICTOR, NETWORK = "shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat"
SHA256 = {
    PREDICTOR: "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    NETWORK: "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
}

Vectors = NDArray[np.float32]


def check_descriptor() -> None:
    """Check that the files of the descriptor are installed.

    Raises:
        SettingsError: their package is not.
    """
    check_extra("telling persons apart", EXTRA, {PACKAGE: PACKAGE})


class Describer:
    """Computes descriptors of faces.

    Raises:
        SettingsError: the package with the files is not installed.
        ModelError: a file is missing or is another one.
    """

    def __init__(self) -> None:
        check_descriptor()
        self._predictor = dlib.shape_predictor(str(_find(PREDICTOR)))
        self._network = dlib.face_recognition_model_v1(str(_find(NETWORK)))

    def crop(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
        """Return the upright face in ``box`` of an RGB image, (`CROP_PX`, `CROP_PX`, 3) uint8."""
        left, top = round(box.x), round(box.y)
        rectangle = dlib.rectangle(left, top, left + round(box.width) - 1, top + round(box.height) - 1)
        points = self._predictor(image, rectangle)
        crop: NDArray[np.uint8] = dlib.get_face_chip(image, points, CROP_PX, _CROP_PADDING)
        return crop

    def __call__(self, crops: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Return the descriptors of crops as vectors of length 1, (n, `DIMENSIONS`)."""
        if not crops:
            return np.empty((0, DIMENSIONS), np.float32)
        return unit(np.array([np.array(vector) for vector in self._network.compute_face_descriptor(list(crops))]))


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """Return vectors, along the last axis, scaled to length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _find(name: str) -> Path:
    """Return the path of a file in the package, which is not imported: that would need pkg_resources."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "models" / name
        if path.is_file():
            if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
                raise ModelError("is not the file that annotate knows (its hash differs)", f"reinstall {PACKAGE}", path=path)
            return path
    raise ModelError(f"{name} is missing", f"run `pip install --force-reinstall {PACKAGE}`")
