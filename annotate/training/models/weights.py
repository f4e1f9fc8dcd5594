"""Read the weights of training runs and of exported models."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from annotate.errors import TrainingError
from annotate.training.models.descriptor_cnn import DescriptorNetwork
from annotate.training.models.frame_cnn import FrameNetwork
from annotate.training.models.recognizer_cnn import RecognizerNetwork
from annotate.training.models.restore import read_input_px, restore

StillNetwork = FrameNetwork | DescriptorNetwork | RecognizerNetwork
"""A network that maps crops (N, 1, h, w) in 0..1 of side ``input_px`` to logits (N, 7)."""


def load_frames(path: Path) -> FrameNetwork:
    """Return the network with the weights of a training run (.pt) or of an exported model (.onnx).

    Raises:
        TrainingError: the file contains another network.
    """
    network = load_network(path)
    if not isinstance(network, FrameNetwork):
        raise TrainingError("contains a network that only teaches", "use the weights of a run that it taught", path=path)
    return network


def load_network(path: Path) -> StillNetwork:
    """Return the network with the weights of a training run (.pt), or of an exported model (.onnx), to teach with.

    Raises:
        TrainingError: the file contains another network.
    """
    if path.suffix == ".onnx":
        side_px = read_input_px(path)
        return restore(path, torch.rand(8, 1, side_px, side_px))
    try:
        weights: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
        network = _empty_network(weights)
        network.load_state_dict(weights)
    except Exception as error:  # torch raises many kinds
        raise TrainingError("not the weights of a training run", "use best.pt or final.pt of one", path=path) from error
    return network


def _empty_network(weights: dict[str, Tensor]) -> StillNetwork:
    if "features.0.weight" in weights:
        return FrameNetwork.of_stem(len(weights["features.0.weight"]), len(weights["shrink"]))
    if "stem.2.weight" in weights:
        return RecognizerNetwork(is_whole="pool.0.weight" in weights)
    return DescriptorNetwork()
