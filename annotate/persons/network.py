"""dlib's face recognition network on onnxruntime, which takes a twentieth of the time of dlib for the same numbers.

dlib's file is read as it stands: its layers follow each other from the input to the output, each with its name and then its
numbers, a tensor with four sizes and little-endian floats. A convolution and the affine layer behind it become one. The
network is a ResNet (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016): where a step halves the picture,
its shortcut is the mean of 2 x 2 pixels, and dlib fills the channels and pixels that only one of both summands has with 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from annotate.emotions.classifier import one_thread
from annotate.persons.descriptor import CROP_PX as INPUT_PX
from annotate.persons.descriptor import DLIB_DIMENSIONS, INPUT, OUTPUT

STEPS = ((32, False),) * 3 + (
    *((64, True), (64, False), (64, False), (64, False)),
    *((128, True), (128, False), (128, False)),
    *((256, True), (256, False), (256, False)),
    (256, True),
)
"""Channels of each residual step, and whether it halves the picture."""

FEATURES = STEPS[-1][0]
"""Number of features of a face, of which the last layer, a matrix, makes a descriptor."""

MEANS, RANGE = (122.782, 117.001, 104.298), 256
"""What dlib subtracts from red, green and blue, and divides them by."""

_LAYERS, _LAST_LAYER = (b"\x05con_4", b"\x07affine_"), b"\x04fc_2"
"""What stands before a layer's numbers: the name, its length before it. The last one says its inputs and outputs first."""

Weights = NDArray[np.float32]


def load_network(content: bytes, projection: Weights | None = None) -> onnxruntime.InferenceSession:
    """Return the network in dlib's file; it takes faces (n, 3, `INPUT_PX`, `INPUT_PX`) float32 in red, green and blue.

    It makes descriptors (n, 128) of the features of a face; ``projection`` (`FEATURES`, d), if given, d numbers more.

    Raises:
        ValueError: the file does not hold that network.
    """
    return onnxruntime.InferenceSession(_model(content, projection), one_thread(), providers=["CPUExecutionProvider"])


def _model(content: bytes, projection: Weights | None) -> bytes:
    layers = Layers(content)
    graph = _Graph(layers)
    mean = graph.constant(np.array(MEANS, np.float32).reshape(1, 3, 1, 1))
    scaled = graph.add("Div", graph.add("Sub", INPUT, mean), graph.constant(np.array(RANGE, np.float32)))
    name = graph.add("Relu", graph.convolution(scaled, 3, 32, 7, stride=2))
    side_px = (INPUT_PX - 7) // 2 + 1
    name = graph.add("MaxPool", name, kernel_shape=[3, 3], strides=[2, 2])
    side_px, channels = (side_px - 3) // 2 + 1, 32
    for wanted, is_halved in STEPS:
        name, side_px = graph.step(name, side_px, channels, wanted, is_halved)
        channels = wanted
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", name))
    last = layers.matrix(channels, DLIB_DIMENSIONS)
    last = last if projection is None else np.concatenate([last, projection], 1)
    graph.add("MatMul", pooled, graph.constant(last), output=OUTPUT)
    return graph.serialized(last.shape[1])


def read_last_layer(content: bytes) -> Weights:
    """Return the last layer in dlib's file, (`FEATURES`, 128).

    Raises:
        ValueError: the file does not hold that network.
    """
    *_, last = _tensors(content)
    return last.reshape(FEATURES, DLIB_DIMENSIONS)


class Layers:
    """The numbers of the layers in dlib's file, one after another."""

    def __init__(self, content: bytes) -> None:
        self._tensors = _tensors(content)

    def convolution(self, channels: int, filters: int, size_px: int) -> tuple[Weights, Weights]:
        """Return kernel (filters, channels, size_px, size_px) and bias of a convolution and the affine layer behind it.

        Raises:
            ValueError: the next layer has other sizes.
        """
        shape = filters, channels, size_px, size_px
        values = self.matrix(1, math.prod(shape) + filters)[0]
        kernel, bias = values[:-filters].reshape(shape), values[-filters:]
        gain, offset = self.matrix(2, filters)
        return kernel * gain[:, None, None, None], bias * gain + offset

    def matrix(self, rows: int, columns: int) -> Weights:
        """Return the next layer's numbers (rows, columns); raise ValueError if they are more or fewer."""
        tensor = next(self._tensors, None)
        if tensor is None or len(tensor) != rows * columns:
            raise ValueError("another network")
        return tensor.reshape(rows, columns)


class _Graph:
    """Collects the nodes of a network with these layers."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
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

    def convolution(self, name: str, channels: int, filters: int, size_px: int, stride: int = 1) -> str:
        """Add a convolution with the affine layer behind it; with stride 1 the picture keeps its size."""
        constants = map(self.constant, self._layers.convolution(channels, filters, size_px))
        pads = [size_px // 2 if stride == 1 else 0] * 4
        return self.add("Conv", name, *constants, kernel_shape=[size_px] * 2, strides=[stride] * 2, pads=pads)

    def step(self, name: str, side_px: int, channels: int, filters: int, is_halved: bool) -> tuple[str, int]:
        """Add two convolutions with a shortcut; return what comes out, and its side."""
        first = self.add("Relu", self.convolution(name, channels, filters, 3, stride=1 + is_halved))
        second = self.convolution(first, filters, filters, 3)
        if not is_halved:
            return self.add("Relu", self.add("Add", second, name)), side_px
        shortcut = self.add("AveragePool", name, kernel_shape=[2, 2], strides=[2, 2])
        sides_px = (side_px - 3) // 2 + 1, (side_px - 2) // 2 + 1
        side_px = max(sides_px)
        second = self._filled(second, 0, side_px - sides_px[0])
        shortcut = self._filled(shortcut, filters - channels, side_px - sides_px[1])
        return self.add("Relu", self.add("Add", second, shortcut)), side_px

    def serialized(self, dimensions: int) -> bytes:
        sides: list[Any] = ["n", 3, INPUT_PX, INPUT_PX]
        faces = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, sides)
        descriptors = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", dimensions])
        graph = helper.make_graph(self._nodes, "descriptor", [faces], [descriptors], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        content: bytes = model.SerializeToString()
        return content

    def _filled(self, name: str, channels: int, pixels: int) -> str:
        if not channels and not pixels:
            return name
        return self.add("Pad", name, self.constant(np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)))


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
