"""Describe faces by vectors that are close for one person and far for two: dlib's network on crops of its own geometry.

The network is a ResNet of 29 layers (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) that Davis E.
King trained with a metric loss. Its file and that of the five-point predictor are part of the package
face_recognition_models, which is neither imported nor copied; their hashes are checked. Beside its last steps stands a
second ending that `annotate.training.recipe.ending` trained on people with many expressions, which are farther apart for
dlib, and taught what another network says, which tells people apart better.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.errors import ModelError
from annotate.extras import check_extra
from annotate.faces.crop import to_full_range
from annotate.faces.portraits import Portrait

WEIGHTS = (0.7, 0.2, 0.1)
"""Weights of the cosines of the parts of two descriptors: of dlib's numbers, which differ less from one person to the next
than the others, of those that learned to tell persons apart, and of those that say what another network would."""

PART = 128
DIMENSIONS = len(WEIGHTS) * PART
"""Length of a descriptor: as many numbers in each part."""

CROP_PX = 150
INPUT, OUTPUT = "faces", "descriptors"
"""Names of the input and output of the network as `annotate.persons.network` loads it."""

_CROP_PADDING = 0.25
"""Width of the border around the face, in sides of the face: what the network was trained with."""

PACKAGE, EXTRA = "face_recognition_models", "persons"
PREDICTOR, NETWORK = "shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat"
SHA256 = {
    PREDICTOR: "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    NETWORK: "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
}

ENDING_SHA256 = "1580e76034e3e0be0703119ddf227b5a0d4cbdd4b9a81ca088f11e1e526950ca"
"""Hash of the second ending, which is part of this project."""

METHOD = "-".join([*sorted(SHA256.values()), "mirrored", ENDING_SHA256, *(f"{weight:g}" for weight in WEIGHTS)])
"""What descriptors are made with; those of two methods cannot be compared."""

Vectors = NDArray[np.float32]


def check_descriptor() -> None:
    """Check that the files of the descriptor are installed.

    Raises:
        SettingsError: their package is not.
    """
    check_extra("telling persons apart", EXTRA, {PACKAGE: PACKAGE, "onnx": "onnx"})


class Cropper:
    """Cuts out the faces of portraits as the network knows them.

    Raises:
        SettingsError: the package with the files is not installed.
        ModelError: a file is missing or is another one.
    """

    def __init__(self) -> None:
        check_descriptor()
        import dlib

        self._dlib = dlib
        self._predictor = dlib.shape_predictor(str(find_file(PREDICTOR)))

    def __call__(self, portrait: Portrait) -> NDArray[np.uint8]:
        """Return the face of a portrait upright, (`CROP_PX`, `CROP_PX`) uint8."""
        box, image = portrait.box, np.stack([to_full_range(portrait.pixels)] * 3, axis=-1)
        left, top = round(box.x), round(box.y)
        rectangle = self._dlib.rectangle(left, top, left + round(box.width) - 1, top + round(box.height) - 1)
        points = self._predictor(image, rectangle)
        crop: NDArray[np.uint8] = self._dlib.get_face_chip(image, points, CROP_PX, _CROP_PADDING)
        return crop[..., 0]


class Describer:
    """Computes descriptors of faces; threads can share it.

    ``ending``, the content of a file (`annotate.persons.ending`), replaces the installed one.

    Raises:
        SettingsError, ModelError: as `Cropper` does.
    """

    def __init__(self, ending: bytes | None = None) -> None:
        self.crop = Cropper()
        from annotate.persons.ending import read_installed, unpack
        from annotate.persons.network import load_network, read_layers

        layers = read_layers(find_file(NETWORK).read_bytes())
        second = unpack(read_installed() if ending is None else ending, layers.ending)
        self._session = load_network(layers, second)

    def __call__(self, portraits: Sequence[Portrait]) -> Vectors:
        """Return the descriptors of portraits as vectors of length 1, (n, `DIMENSIONS`).

        A descriptor is the mean of that of the face and that of its mirror image, which tells persons apart better
        (`tests.benchmarks.persons`). Each portrait goes through the network alone, so that none depends on the others.
        """
        vectors = np.empty((len(portraits), DIMENSIONS), np.float32)
        for row, portrait in enumerate(portraits):
            vectors[row] = joined(self._session.run([OUTPUT], {INPUT: both_sides(self.crop(portrait))})[0])
        return vectors


def both_sides(crop: NDArray[np.uint8]) -> Vectors:
    """Return a face (`CROP_PX`, `CROP_PX`) and its mirror image as the network takes them: (2, 1, `CROP_PX`, `CROP_PX`)."""
    return np.stack([crop, crop[:, ::-1]])[:, None].astype(np.float32)


def joined(outputs: NDArray[np.floating]) -> Vectors:
    """Return descriptors (..., `DIMENSIONS`) of length 1, of what the network says of faces and their mirror images.

    ``outputs`` are (..., 2, `DIMENSIONS`), the numbers of dlib's ending first. The cosine of two descriptors is the weighted
    mean of those of the parts.
    """
    parts = unit(outputs.reshape(*outputs.shape[:-1], len(WEIGHTS), PART)).mean(-3)
    weighted = unit(parts) * np.sqrt(WEIGHTS)[:, None]
    return unit(weighted.reshape(*weighted.shape[:-2], DIMENSIONS))


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """Return vectors, along the last axis, scaled to length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def find_file(name: str) -> Path:
    """Return the path of a file in the package, which is not imported: that would need pkg_resources.

    Raises:
        ModelError: the file is missing or is another one.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "models" / name
        if path.is_file():
            if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
                raise ModelError("is not the file that annotate knows (its hash differs)", f"reinstall {PACKAGE}", path=path)
            return path
    raise ModelError(f"{name} is missing", f"run `pip install --force-reinstall {PACKAGE}`")
