"""Restore a frame network from its exported file, to train it further."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from annotate.errors import TrainingError
from annotate.training.models.frame_cnn import FrameNetwork


def restore(path: Path, crops: Tensor) -> FrameNetwork:
    """Return the network of the ONNX file at ``path``, with batch normalization that can be trained.

    Exporting folds each normalization into the convolution before it. Here it is unfolded: its statistics are taken
    from ``crops`` (N, 1, h, w) in 0..1, which are to be like those it will be trained with; its scale and shift undo
    them, so that the network's output stays the same.

    Raises:
        TrainingError: the file holds another network.
    """
    try:
        graph = onnx.load(path).graph
    except Exception as error:
        raise TrainingError(f"no ONNX model ({error})", "give one that this program wrote", path=path) from error
    network = FrameNetwork().eval()
    values = {stored.name: onnx.numpy_helper.to_array(stored) for stored in graph.initializer}
    values |= {node.output[0]: values[node.input[0]] for node in graph.node if node.op_type == "Cast"}
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    stored = [node.input[1:3] for node in graph.node if node.op_type in ("Conv", "Gemm")]
    followers = _normalizations(network)
    with torch.no_grad():
        try:
            for layer, (weight, bias) in zip(layers, stored, strict=True):
                follower = followers.get(layer)
                _fill(layer.weight, values[weight])
                _fill(layer.bias if follower is None else follower.bias, values[bias])
        except (KeyError, ValueError) as error:
            raise TrainingError("is not the network that is trained here", "start without it", path=path) from error
        _unfold(network, list(followers.values()), crops)
    return network


def _fill(parameter: Tensor | None, values: NDArray[Any]) -> None:
    if parameter is None or tuple(parameter.shape) != values.shape:
        raise ValueError("shapes differ")
    parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def _normalizations(network: FrameNetwork) -> dict[nn.Module, nn.BatchNorm2d]:
    """Return the convolutions and the normalizations that follow them."""
    return {
        layer: follower
        for layer, follower in itertools.pairwise(network.modules())
        if isinstance(layer, nn.Conv2d) and isinstance(follower, nn.BatchNorm2d)
    }


def _unfold(network: FrameNetwork, normalizations: list[nn.BatchNorm2d], crops: Tensor) -> None:
    """Turn normalizations that only shift into ones that normalize ``crops``, without a change of the output."""
    seen: dict[nn.Module, Tensor] = {}

    def remember(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[layer] = inputs[0]

    for layer in normalizations:
        _set_statistics(layer, mean=torch.zeros(()), variance=torch.tensor(1 - layer.eps))
    hooks = [layer.register_forward_pre_hook(remember) for layer in normalizations]
    network(crops)
    for hook in hooks:
        hook.remove()
    for layer in normalizations:
        variance, mean = torch.var_mean(seen[layer], (0, 2, 3), correction=0)
        _set_statistics(layer, mean, variance)
        layer.weight.copy_((variance + layer.eps).sqrt())
        layer.bias.add_(mean)


def _set_statistics(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
