"""Restore a frame network from an exported ONNX model, for further training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from annotate.emotions.contract import CROP_SIZE_PX
from annotate.errors import TrainingError
from annotate.training.models.frame_cnn import STEM_CHANNELS, FrameNetwork


def restore(path: Path, crops: Tensor) -> FrameNetwork:
    """Return the network of the ONNX model at ``path``, with trainable batch normalization.

    Exporting folds each batch normalization into the preceding convolution. This unfolds it: running statistics are computed
    from ``crops`` (N, 1, side, side) in 0..1, which should resemble the training data, and scale and shift compensate for
    them, so that the network's output is unchanged. It computes on crops of that side, even if the model does not.

    Raises:
        TrainingError: the file is not an ONNX model, or contains another network.
    """
    graph = _read_graph(path)
    values = {stored.name: onnx.numpy_helper.to_array(stored) for stored in graph.initializer}
    values |= {node.output[0]: values[node.input[0]] for node in graph.node if node.op_type == "Cast"}
    values |= {
        node.output[0]: _dequantize(values[node.input[0]], values[node.input[1]])
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in values
    }
    stored = [node.input[1:3] for node in graph.node if node.op_type in ("Conv", "Gemm")]
    stem = values.get(stored[0][0]) if stored else None
    network = FrameNetwork.of_stem(STEM_CHANNELS if stem is None else len(stem), crops.shape[-1]).eval()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    followers = normalizations(network)
    with torch.no_grad():
        try:
            for layer, (weight, bias) in zip(layers, stored, strict=True):
                normalization = followers.get(layer) if isinstance(layer, nn.Conv2d) else None
                _set_parameter(layer.weight, values[weight])
                _set_parameter(layer.bias if normalization is None else normalization.bias, values[bias])
        except (KeyError, ValueError) as error:
            raise TrainingError("contains another network", "use a model exported by the recipe", path=path) from error
        unfold(network, list(followers.values()), crops)
    return network


def read_input_px(path: Path) -> int:
    """Return the side in pixels to which the ONNX model at ``path`` downscales crops.

    Raises:
        TrainingError: the file is not an ONNX model, or contains another network.
    """
    stored = (
        attribute.t.dims for node in _read_graph(path).node for attribute in node.attribute if node.op_type == "Constant"
    )
    sides = [shape[1] for shape in stored if len(shape) == 3 and shape[2] == CROP_SIZE_PX]
    if not sides:
        raise TrainingError("contains another network", "use a model exported by the recipe", path=path)
    return int(sides[0])


def _read_graph(path: Path) -> onnx.GraphProto:
    try:
        return onnx.load(path).graph
    except Exception as error:
        raise TrainingError(f"not an ONNX model ({error})", "use an exported model", path=path) from error


def _dequantize(values: NDArray[Any], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights or biases that integers (channels, ...) stand for, which are 0 where these are."""
    weights: NDArray[np.float32] = values * scales.reshape(-1, *[1] * (values.ndim - 1))
    return weights


def _set_parameter(parameter: Tensor | None, values: NDArray[Any]) -> None:
    if parameter is None or tuple(parameter.shape) != values.shape:
        raise ValueError("shapes differ")
    parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def normalizations(network: nn.Module) -> dict[nn.Conv2d, nn.BatchNorm2d]:
    """Return the batch normalization that follows each convolution, from the input to the output."""
    return {
        layer: normalization
        for layer, normalization in itertools.pairwise(network.modules())
        if isinstance(layer, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d)
    }


def unfold(network: nn.Module, layers: Sequence[nn.BatchNorm2d], crops: Tensor) -> None:
    """Make its shift-only normalizations ``layers`` normalize what ``crops`` (N, 1, h, w) become, without another output."""
    layer_inputs: dict[nn.Module, Tensor] = {}

    def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        layer_inputs[layer] = inputs[0]

    for layer in layers:
        _set_statistics(layer, mean=torch.zeros(()), variance=torch.tensor(1 - layer.eps))
    hooks = [layer.register_forward_pre_hook(record) for layer in layers]
    network(crops)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        variance, mean = torch.var_mean(layer_inputs[layer], (0, 2, 3), correction=0)
        _set_statistics(layer, mean, variance)
        layer.weight.copy_((variance + layer.eps).sqrt())
        layer.bias.add_(mean)


def _set_statistics(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
