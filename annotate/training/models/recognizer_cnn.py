"""SFace with a head for emotions: a teacher that has told people apart before it sees an expression.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE Transactions on Image
Processing, 2021; its network is that of Howard et al., "MobileNets", 2017. No part of it is in what ships.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from annotate.emotions.contract import CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS
from annotate.errors import ModelError
from annotate.persons.descriptor import CROP_PX

FILE_NAME = "face_recognition_sface_2021dec.onnx"
"""The file, of OpenCV Zoo, under the Apache License 2.0."""

SHA256 = "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79"

INPUT_PX = 112
TO_INPUT = np.array([[0.6756633, -0.02048335, 8.65298349], [0.02048335, 0.6756633, 19.37303361]])
"""How crops of a side of `CROP_PX` are moved and scaled: so that the mean places of the eyes, the nose and the corners of
the mouth in them are, as nearly as this can be, where the network expects them."""

STEM_CHANNELS = 32
STEPS = (
    (64, False),
    *((128, True), (128, False)),
    *((256, True), (256, False)),
    *((512, True), *((512, False),) * 5),
    *((1024, True), (1024, False)),
)
"""Channels of each step, and whether it halves the picture."""

MIDDLE_STEPS = 11
"""Steps to the middle, a map with a side of 14, in which expressions show more than at the end."""

MIDDLE_CELLS = 4
"""Parts along a side of the middle, which share a row or column, that are averaged."""

_LEVELS, _CENTER, _RANGE = 255, 127.5, 128
_HIDDEN = 512


class RecognizerNetwork(nn.Module):
    """Map crops (N, 1, h, w) in 0..1 to logits (N, 7), by the network up to its middle or, if ``is_whole``, by all of it.

    The former has 5.8 M parameters, most of them in its head, the latter 3.2 M.
    """

    input_px = CROP_SIZE_PX

    place: Tensor

    def __init__(self, *, is_whole: bool) -> None:
        super().__init__()
        channels = [STEM_CHANNELS, *(outputs for outputs, _ in STEPS)][: None if is_whole else MIDDLE_STEPS + 1]
        steps = zip(channels[:-1], STEPS, strict=False)
        self.stem = _convolution(1, STEM_CHANNELS, 3)
        self.steps = nn.Sequential(*(_step(inputs, outputs, is_halved) for inputs, (outputs, is_halved) in steps))
        if is_whole:
            self.pool = nn.Sequential(nn.BatchNorm2d(channels[-1], eps=2e-5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(channels[-1], len(EMOTIONS)))
        else:
            self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(MIDDLE_CELLS), nn.Flatten())
            features = channels[-1] * MIDDLE_CELLS**2
            self.head = nn.Sequential(
                nn.BatchNorm1d(features),
                nn.Dropout(0.4),
                nn.Linear(features, _HIDDEN),
                nn.BatchNorm1d(_HIDDEN),
                nn.ReLU(),
                nn.Dropout(0.5),
                nn.Linear(_HIDDEN, len(EMOTIONS)),
            )
        self.register_buffer("place", _place(), persistent=False)

    def maps(self, crops: Tensor) -> Tensor:
        """Return what the steps make of crops moved to where the network expects faces, (N, channels, side, side)."""
        grid = functional.affine_grid(self.place.expand(len(crops), 2, 3), [len(crops), 1, INPUT_PX, INPUT_PX], False)
        faces = functional.grid_sample(crops.float(), grid, padding_mode="border", align_corners=False)
        maps: Tensor = self.steps(self.stem((faces * _LEVELS - _CENTER) / _RANGE))
        return maps

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pool(self.maps(crops)))
        return logits


def load_recognizer_network(path: Path, *, is_whole: bool) -> RecognizerNetwork:
    """Return the network of SFace's file with a new head; its three equal planes of a gray face become one.

    Raises:
        ModelError: the file is missing or is another one.
    """
    graph = onnx.load_from_string(read_recognizer(path)).graph
    values = {stored.name: torch.from_numpy(onnx.numpy_helper.to_array(stored).copy()) for stored in graph.initializer}
    stored = (
        [values[name] for name in node.input if name in values]
        for node in graph.node
        if node.op_type in ("Conv", "BatchNormalization", "PRelu")
    )
    network = RecognizerNetwork(is_whole=is_whole).eval()
    with torch.no_grad():
        for parameters in _layers(network):
            for parameter, value in zip(parameters, next(stored), strict=True):
                if parameter.ndim == 4 and parameter.shape[1] != value.shape[1]:
                    value = value.sum(1, keepdim=True)
                parameter.copy_(value.reshape(parameter.shape))
    return network


def read_recognizer(path: Path) -> bytes:
    """Return the content of SFace's file.

    Raises:
        ModelError: the file is missing or is another one.
    """
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelError("is not the network that teaches", f"give {FILE_NAME}", path=path)
    return content


def _layers(network: RecognizerNetwork) -> Iterator[list[Tensor]]:
    """Yield the parameters of each layer in front of the head, in the order of the file."""
    for part in (network.stem, network.steps, network.pool):
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d | nn.PReLU):
                yield [layer.weight]
            elif isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                yield [layer.weight, layer.bias, layer.running_mean, layer.running_var]


def _place() -> Tensor:
    """Return where in a crop each place of the network's input lies, (1, 2, 3), in the coordinates of `affine_grid`."""
    to_input = np.vstack([TO_INPUT, [0, 0, 1]])
    place = _to_sides(CROP_PX) @ np.linalg.inv(to_input) @ np.linalg.inv(_to_sides(INPUT_PX))
    return torch.from_numpy(place[None, :2]).float()


def _to_sides(side_px: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the matrix (3, 3) from pixels of a square to -1 (its left or top side) to 1."""
    return np.array([[2 / side_px, 0, 1 / side_px - 1], [0, 2 / side_px, 1 / side_px - 1], [0, 0, 1]])


def _step(inputs: int, outputs: int, is_halved: bool) -> nn.Sequential:
    return nn.Sequential(
        _convolution(inputs, inputs, 3, stride=1 + is_halved, groups=inputs), _convolution(inputs, outputs, 1)
    )


def _convolution(inputs: int, outputs: int, size_px: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size_px, stride, size_px // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
        nn.PReLU(outputs),
    )
