"""The second ending of the network of `annotate.persons.network`, to be trained: its last steps and two last layers."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from annotate.persons.descriptor import PART, Vectors
from annotate.persons.network import FEATURES, LAST_STEPS, MAP_CHANNELS, STEPS, Convolution, Ending
from annotate.training.models.descriptor_cnn import ResidualStep

_AT_ONCE = 256
"""Number of faces that go through an ending together."""


class EndingNetwork(nn.Module):
    """The last steps, which begin with the weights of ``first``, and two last layers: that of ``first`` and a new one.

    The new one begins with ``random`` numbers.
    """

    def __init__(self, first: Ending, random: np.random.Generator) -> None:
        super().__init__()
        last, channels = STEPS[-LAST_STEPS:], [MAP_CHANNELS, *(filters for filters, _ in STEPS[-LAST_STEPS:])]
        self.steps = nn.Sequential(
            *(
                ResidualStep(inputs, filters, _convolution, is_halved=is_halved)
                for inputs, (filters, is_halved) in zip(channels[:-1], last, strict=True)
            )
        )
        self.matrix = nn.Parameter(torch.tensor(first.matrix))
        self.new_matrix = nn.Parameter(torch.from_numpy(random.normal(0, 0.05, (FEATURES, PART)).astype(np.float32)))
        with torch.no_grad():
            for layer, read in zip(self._layers(), itertools.chain.from_iterable(first.steps), strict=True):
                layer.weight.copy_(torch.from_numpy(read.kernel))
                _bias(layer).copy_(torch.from_numpy(read.bias))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the numbers (n, d) that both last layers make of maps (n, `MAP_CHANNELS`, `MAP_PX`, `MAP_PX`)."""
        features: Tensor = self.steps(maps).mean((2, 3))
        return features @ self.matrix, features @ self.new_matrix

    @torch.no_grad()
    def numbers(self, maps: NDArray[np.float16]) -> Vectors:
        """Return the numbers of both last layers, one behind the other, of arrays."""
        starts = range(0, len(maps), _AT_ONCE)
        parts = [torch.cat(self(torch.from_numpy(maps[at : at + _AT_ONCE]).float()), 1).numpy() for at in starts]
        return np.concatenate(parts)

    def ending(self) -> Ending:
        """Return the weights."""
        parts = [Convolution(layer.weight.detach().numpy(), _bias(layer).detach().numpy()) for layer in self._layers()]
        matrix = torch.cat([self.matrix, self.new_matrix], 1).detach().numpy()
        return Ending(tuple(zip(parts[::2], parts[1::2], strict=True)), matrix)

    def _layers(self) -> list[nn.Conv2d]:
        return [layer for layer in self.steps.modules() if isinstance(layer, nn.Conv2d)]


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _convolution(inputs: int, outputs: int, stride: int, padding: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, stride, padding)
