"""The frame network as it can be trained further, from an exported file of it."""

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
    """The network inside the ONNX file at ``path``, with its normalising layers set up to be trained.

    Exporting folds each normalisation into the convolution before it. Here it is unfolded: its statistics are taken
    from ``crops`` (N, 1, h, w) in 0..1, which are to be like those it will be trained with, and its scale and shift are such
    that nothing changes.

    Raises:
        TrainingError: the file holds another network.
    """
    try:
        graph = onnx.load(path).graph
    except Exception as error:
        raise TrainingError(f"{path}: no ONNX model ({error}); give one that this program wrote") from error
    network = FrameNetwork().eval()
    values = {stored.name: onnx.numpy_helper.to_array(stored) for stored in graph.initializer}
    values |= {node.output[0]: values[node.input[0]] for node in graph.node if node.op_type == "Cast"}
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    stored = [node.input[1:3] for node in graph.node if node.op_type in ("Conv", "Gemm")]
    followers = _normalisations(network)
    with torch.no_grad():
        try:
            for layer, (weight, bias) in zip(layers, stored, strict=True):
                follower = followers.get(layer)
                _fill(layer.weight, values[weight])
                _fill(layer.bias if follower is None else follower.bias, values[bias])
        except (KeyError, ValueError) as error:
            raise TrainingError(f"{path}: is not the network that is trained here; start without it") from error
        _unfold(network, list(followers.values()), crops)
    return network


def _fill(parameter: Tensor | None, values: NDArray[Any]) -> None:
    if parameter is None or tuple(parameter.shape) != values.shape:
        raise ValueError("shapes differ")
    parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def _normalisations(network: FrameNetwork) -> dict[nn.Module, nn.BatchNorm2d]:
    """Convolutions and the normalisations that follow them."""
    return {
        layer: follower
        for layer, follower in itertools.pairwise(network.modules())
        if isinstance(layer, nn.Conv2d) and isinstance(follower, nn.BatchNorm2d)
    }


def _unfold(network: FrameNetwork, normalisations: list[nn.BatchNorm2d], crops: Tensor) -> None:
    """Turns normalisations that only shift, by what is folded into the convolutions, into ones that normalise ``crops``."""
    seen: dict[nn.Module, Tensor] = {}

    def see(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[layer] = inputs[0]

    for layer in normalisations:
        _statistics(layer, mean=torch.zeros(()), variance=torch.tensor(1 - layer.eps))
    hooks = [layer.register_forward_pre_hook(see) for layer in normalisations]
    network(crops)
    for hook in hooks:
        hook.remove()
    for layer in normalisations:
        variance, mean = torch.var_mean(seen[layer], (0, 2, 3), correction=0)
        _statistics(layer, mean, variance)
        layer.weight.copy_((variance + layer.eps).sqrt())
        layer.bias.add_(mean)


def _statistics(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
