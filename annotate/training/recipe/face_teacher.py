"""The network that teaches the second ending of the descriptor of persons: SFace, on onnxruntime.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE Transactions on Image
Processing, 2021. It tells people apart better than dlib's network, takes several times as long, and is in no package that
annotate can depend on; no part of it is in what it teaches.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from annotate.errors import ModelError
from annotate.persons.descriptor import Vectors

FILE_NAME = "face_recognition_sface_2021dec.onnx"
"""The file, of OpenCV Zoo, under the Apache License 2.0."""

SHA256 = "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79"

_INPUT, _INPUT_PX = "data", 112
_TO_INPUT = np.array([[0.6756633, -0.02048335, 8.65298349], [0.02048335, 0.6756633, 19.37303361]])
"""How crops are moved and scaled: so that the mean places of the eyes, the nose and the corners of the mouth in them are, as
nearly as this can be, where the network expects them."""


class FaceTeacher:
    """Says who a face is, by numbers that are close for one person.

    Raises:
        ModelError: the file is missing or is another one.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
            raise ModelError("is not the network that teaches", f"give {FILE_NAME}", path=path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of each of its weights
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, crop: NDArray[np.uint8]) -> Vectors:
        """Return the numbers (128,) of a gray face (`CROP_PX`, `CROP_PX`)."""
        size = (_INPUT_PX, _INPUT_PX)
        face = cv2.warpAffine(crop, _TO_INPUT, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        (numbers,) = self._session.run(None, {_INPUT: np.stack([face] * 3)[None].astype(np.float32)})
        vector: Vectors = numbers[0]
        return vector
