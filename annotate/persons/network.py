"""dlib's face recognition network on onnxruntime, which takes a twentieth of the time of dlib for the same numbers.

dlib's file is read as it stands: its layers follow each other from the input to the output, each with its name and then its
numbers, a tensor with four sizes and little-endian floats. A convolution and the affine layer behind it become one. The
network is a ResNet (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016): where a step halves the picture,
its shortcut is the mean of 2 x 2 pixels, and dlib fills the channels and pixels that only one of both summands has with 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from annotate.emotions.classifier import one_thread
from annotate.persons.descriptor import CROP_PX as INPUT_PX
from annotate.persons.descriptor import INPUT, OUTPUT, PART

STEPS = ((32, False),) * 3 + (
    *((64, True), (64, False), (64, False), (64, False)),
    *((128, True), (128, False), (128, False)),
    *((256, True), (256, False), (256, False)),
    (256, True),
)
"""Channels of each residual step, and whether it halves the picture."""

LAST_STEPS = 7
"""Number of the last steps, those of 128 and 256 channels, of which there is a second set of weights."""

FEATURES = STEPS[-1][0]
"""Number of features of a face, of which the last layer, a matrix, makes a descriptor."""

MAPS, MAP_CHANNELS, MAP_PX = "maps", STEPS[-LAST_STEPS - 1][0], 17
"""Name of what the last steps begin with, and its numbers of channels and of pixels along a side."""

MEANS, RANGE = (122.782, 117.001, 104.298), 256
"""What dlib subtracts from red, green and blue, and divides them by."""

_LAYERS, _LAST_LAYER = (b"\x05con_4", b"\x07affine_"), b"\x04fc_2"
"""What stands before a layer's numbers: the name, its length before it. The last one says its inputs and outputs first."""

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """Kernel (filters, channels, size_px, size_px) and bias (filters,) of a convolution and the affine layer behind it."""

    kernel: Weights
    bias: Weights


@dataclass(frozen=True)
class Ending:
    """The weights of the last steps, two convolutions each, and of the last layer (`FEATURES`, d)."""

    steps: tuple[tuple[Convolution, Convolution], ...]
    matrix: Weights


@dataclass(frozen=True)
class Layers:
    """The weights of the first convolution, of two in each of `STEPS`, and of the last layer (`FEATURES`, 128)."""

    first: Convolution
    steps: tuple[tuple[Convolution, Convolution], ...]
    matrix: Weights

    @property
    def ending(self) -> Ending:
        """The weights of the last steps and of the last layer."""
        return Ending(self.steps[-LAST_STEPS:], self.matrix)


def read_layers(content: bytes) -> Layers:
    """Return the weights in dlib's file.

    Raises:
        ValueError: the file does not hold that network.
    """
    tensors, channels = _tensors(content), STEPS[0][0]
    first, steps = _convolution(tensors, 3, channels, 7), []
    for filters, _ in STEPS:
        steps.append((_convolution(tensors, channels, filters), _convolution(tensors, filters, filters)))
        channels = filters
    return Layers(first, tuple(steps), _matrix(tensors, FEATURES, PART))


def load_network(layers: Layers, second: Ending | None = None, *, has_maps: bool = False) -> onnxruntime.InferenceSession:
    """Return the network; it takes gray faces (n, 1, `INPUT_PX`, `INPUT_PX`) float32, 0..255.

    It makes descriptors (n, 128). With a ``second`` ending it makes more numbers, by that one, of what the last steps begin
    with. With ``has_maps`` it also has that as an output, `MAPS` (n, `MAP_CHANNELS`, `MAP_PX`, `MAP_PX`).
    """
    model = _model(layers, second, has_maps=has_maps)
    return onnxruntime.InferenceSession(model, one_thread(), providers=["CPUExecutionProvider"])


def _model(layers: Layers, second: Ending | None, *, has_maps: bool) -> bytes:
    graph = _Graph()
    name = graph.add("Relu", graph.convolution(INPUT, _of_gray(layers.first), stride=2))
    side_px = (INPUT_PX - 7) // 2 + 1
    name = graph.add("MaxPool", name, kernel_shape=[3, 3], strides=[2, 2])
    side_px = (side_px - 3) // 2 + 1
    for convolutions, (_, is_halved) in zip(layers.steps[:-LAST_STEPS], STEPS[:-LAST_STEPS], strict=True):
        name, side_px = graph.step(name, side_px, convolutions, is_halved=is_halved)
    maps = graph.add("Identity", name, output=MAPS) if has_maps else name
    endings = [layers.ending] if second is None else [layers.ending, second]
    parts = [graph.ending(maps, side_px, ending) for ending in endings]
    graph.add("Concat", *parts, output=OUTPUT, axis=1)
    return graph.serialized(sum(ending.matrix.shape[1] for ending in endings), has_maps=has_maps)


class _Graph:
    """Collects the nodes of a network."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, values: NDArray[Any]) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"node{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def convolution(self, name: str, convolution: Convolution, stride: int = 1) -> str:
        """Add a convolution; with stride 1 the picture keeps its size."""
        size_px = convolution.kernel.shape[-1]
        constants = self.constant(convolution.kernel), self.constant(convolution.bias)
        pads = [size_px // 2 if stride == 1 else 0] * 4
        return self.add("Conv", name, *constants, kernel_shape=[size_px] * 2, strides=[stride] * 2, pads=pads)

    def step(
        self, name: str, side_px: int, convolutions: tuple[Convolution, Convolution], *, is_halved: bool
    ) -> tuple[str, int]:
        """Add two convolutions with a shortcut; return what comes out, and its side."""
        first, second = convolutions
        filters, channels = first.kernel.shape[:2]
        inner = self.add("Relu", self.convolution(name, first, stride=1 + is_halved))
        inner = self.convolution(inner, second)
        if not is_halved:
            return self.add("Relu", self.add("Add", inner, name)), side_px
        shortcut = self.add("AveragePool", name, kernel_shape=[2, 2], strides=[2, 2])
        sides_px = (side_px - 3) // 2 + 1, (side_px - 2) // 2 + 1
        side_px = max(sides_px)
        inner = self._filled(inner, 0, side_px - sides_px[0])
        shortcut = self._filled(shortcut, filters - channels, side_px - sides_px[1])
        return self.add("Relu", self.add("Add", inner, shortcut)), side_px

    def ending(self, name: str, side_px: int, ending: Ending) -> str:
        """Add the last steps and the last layer; return what comes out."""
        for (_, is_halved), convolutions in zip(STEPS[-LAST_STEPS:], ending.steps, strict=True):
            name, side_px = self.step(name, side_px, convolutions, is_halved=is_halved)
        pooled = self.add("Flatten", self.add("GlobalAveragePool", name))
        return self.add("MatMul", pooled, self.constant(ending.matrix))

    def serialized(self, dimensions: int, *, has_maps: bool) -> bytes:
        sides = {INPUT: [1, INPUT_PX, INPUT_PX], OUTPUT: [dimensions], MAPS: [MAP_CHANNELS, MAP_PX, MAP_PX]}
        faces, descriptors, maps = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *own]) for name, own in sides.items()
        )
        outputs = [descriptors, maps] if has_maps else [descriptors]
        graph = helper.make_graph(self._nodes, "descriptor", [faces], outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        content: bytes = model.SerializeToString()
        return content

    def _filled(self, name: str, channels: int, pixels: int) -> str:
        if not channels and not pixels:
            return name
        return self.add("Pad", name, self.constant(np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)))


def _of_gray(first: Convolution) -> Convolution:
    """Return the convolution that makes of gray faces what ``first`` makes of red, green and blue, equal to each other."""
    kernel = first.kernel / np.float32(RANGE)
    means = np.array(MEANS, np.float32)[:, None, None]
    return Convolution(kernel.sum(1, keepdims=True), first.bias - (kernel * means).sum((1, 2, 3)))


def _convolution(tensors: Iterator[Weights], channels: int, filters: int, size_px: int = 3) -> Convolution:
    """Return the next convolution, with the affine layer behind it; raise ValueError as `_matrix`."""
    shape = filters, channels, size_px, size_px
    values = _matrix(tensors, 1, math.prod(shape) + filters)[0]
    kernel, bias = values[:-filters].reshape(shape), values[-filters:]
    gain, offset = _matrix(tensors, 2, filters)
    return Convolution(kernel * gain[:, None, None, None], bias * gain + offset)


def _matrix(tensors: Iterator[Weights], rows: int, columns: int) -> Weights:
    """Return the next layer's numbers (rows, columns); raise ValueError if they are more or fewer."""
    tensor = next(tensors, None)
    if tensor is None or len(tensor) != rows * columns:
        raise ValueError("another network")
    return tensor.reshape(rows, columns)


def _tensors(content: bytes) -> Iterator[Weights]:
    """Yield the numbers of the layers in dlib's file, from the input to the output."""
    at = 0
    for name in (*_LAYERS * (1 + 2 * len(STEPS)), _LAST_LAYER):
        start = content.find(name, at)
        if start < 0:
            return
        at = start + len(name)
        for _ in range(2 if name == _LAST_LAYER else 0):
            _, at = _integer(content, at)
        _, at = _integer(content, at)
        sides = []
        for _ in range(4):
            side, at = _integer(content, at)
            sides.append(side)
        yield np.frombuffer(content, "<f4", math.prod(sides), at)
        at += 4 * math.prod(sides)


def _integer(content: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place in dlib's file, and where it ends: a byte says how many bytes it has."""
    end = at + 1 + (content[at] & 0x0F)
    return int.from_bytes(content[at + 1 : end], "little"), end
