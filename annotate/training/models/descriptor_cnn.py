"""dlib's face descriptor with a head for emotions: a teacher that has seen millions of faces before it sees an expression.

It is too large to annotate with, and its weights are not part of this project: they are those of the package that
`annotate.persons.descriptor` names, trained on. What ships is the network that it teaches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from annotate.emotions.contract import CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS
from annotate.persons.descriptor import CROP_PX
from annotate.persons.network import MEANS, RANGE, STEPS, read_layers
from annotate.training.models.restore import normalizations, unfold

_STEM_CHANNELS = 32
_LEVELS = 255


class ResidualStep(nn.Module):
    """Two convolutions of 3 x 3 and a shortcut; what only one of both summands has is filled with 0, as dlib does.

    ``make`` returns a convolution; its arguments are the numbers of input and output channels, the stride and the padding.
    """

    def __init__(
        self, inputs: int, outputs: int, make: Callable[[int, int, int, int], nn.Module], *, is_halved: bool
    ) -> None:
        super().__init__()
        self.first = make(inputs, outputs, 2, 0) if is_halved else make(inputs, outputs, 1, 1)
        self.second = make(outputs, outputs, 1, 1)
        self.is_halved = is_halved

    def forward(self, features: Tensor) -> Tensor:
        body: Tensor = self.second(torch.relu(self.first(features)))
        if not self.is_halved:
            return torch.relu(body + features)
        shortcut = functional.avg_pool2d(features, 2)
        side = max(body.shape[-1], shortcut.shape[-1])
        return torch.relu(_filled(body, body.shape[1], side) + _filled(shortcut, body.shape[1], side))


class DescriptorNetwork(nn.Module):
    """Map crops (N, 1, h, w) in 0..1 to logits (N, 7); 5.6 M parameters, 0.34 G multiply-adds per crop."""

    input_px = CROP_SIZE_PX

    mean: Tensor

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = _convolution(3, _STEM_CHANNELS, 2, 0, 7)
        widths = [_STEM_CHANNELS, *(channels for channels, _ in STEPS)]
        self.steps = nn.Sequential(
            *(
                ResidualStep(inputs, outputs, _convolution, is_halved=is_halved)
                for inputs, (outputs, is_halved) in zip(widths[:-1], STEPS, strict=True)
            )
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1], len(EMOTIONS)))
        self.register_buffer("mean", torch.tensor(MEANS).view(1, 3, 1, 1), persistent=False)

    def features(self, crops: Tensor) -> Tensor:
        """Return what dlib makes its descriptors of, (N, 256)."""
        faces = functional.interpolate(crops, (CROP_PX, CROP_PX), mode="bilinear")
        faces = (faces * _LEVELS - self.mean) / RANGE
        pooled: Tensor = self.steps(functional.max_pool2d(torch.relu(self.stem(faces)), 3, 2)).mean((2, 3))
        return pooled

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(crops))
        return logits


def load_descriptor_network(content: bytes, crops: Tensor) -> DescriptorNetwork:
    """Return the network in dlib's file with a new head and with trainable batch normalization.

    The statistics of the latter are those of ``crops`` (N, 1, h, w) in 0..1, which should resemble the training data; the
    features stay what they were.

    Raises:
        ValueError: the file does not hold that network.
    """
    network, layers = DescriptorNetwork().eval(), read_layers(content)
    followers = normalizations(network)
    convolutions = (layers.first, *itertools.chain.from_iterable(layers.steps))
    with torch.no_grad():
        for (convolution, normalization), read in zip(followers.items(), convolutions, strict=True):
            convolution.weight.copy_(torch.from_numpy(read.kernel))
            normalization.bias.copy_(torch.from_numpy(read.bias))
        unfold(network, list(followers.values()), crops)
    return network


def _convolution(inputs: int, outputs: int, stride: int, padding: int, size_px: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, size_px, stride, padding, bias=False), nn.BatchNorm2d(outputs))


def _filled(features: Tensor, channels: int, side: int) -> Tensor:
    missing = side - features.shape[-1]
    return functional.pad(features, (0, missing, 0, missing, 0, channels - features.shape[1]))
