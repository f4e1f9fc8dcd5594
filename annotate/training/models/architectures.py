"""The networks that can be trained, by name: blocks (N, 20, 80, 80) in 0..1 to seven classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS
from annotate.training.models.frame_cnn import MIN_SPREAD, BlockNetwork, FrameNetwork

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.4, 10.0

_MIN_PROBABILITY = 1e-30


class Architecture(nn.Module):
    """Logits (N, 7) while training, probabilities (N, 7) otherwise, which is also what is exported.

    ``temperature`` softens or sharpens the probabilities; it is set once training has ended.
    """

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))

    def logits(self, blocks: Tensor) -> Tensor:
        """Return logits (N, 7) of blocks (N, 20, 80, 80)."""
        raise NotImplementedError

    def forward(self, blocks: Tensor) -> Tensor:
        logits = self.logits(blocks)
        return logits if self.training else torch.softmax(logits / self.temperature, 1)


class FrameWise(Architecture):
    """A small residual 2-D network on some frames, whose logits are averaged (see `BlockNetwork`)."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = BlockNetwork(FrameNetwork())

    def logits(self, blocks: Tensor) -> Tensor:
        probabilities: Tensor = self.blocks(blocks)
        return probabilities.clamp(min=_MIN_PROBABILITY).log()


class Convolutions3d(Architecture):
    """Four stages of 3-D convolutions (Tran et al., ICCV 2015), pooling between, two dense layers.

    The shape of the student project this program grew from, with batch normalization; 1.2 G multiply-adds a block.
    """

    CHANNELS = (8, 16, 32, 64)
    KERNELS = (8, 6, 4, 2)
    HIDDEN = 64

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inputs, frames, side = 1, BLOCK_FRAMES, CROP_SIZE_PX
        for channels, kernel in zip(self.CHANNELS, self.KERNELS, strict=True):
            convolution = nn.Conv3d(inputs, channels, kernel, padding=kernel // 2, bias=False)
            stages += [convolution, nn.BatchNorm3d(channels), nn.ReLU(), nn.MaxPool3d(2)]
            inputs, frames, side = channels, (frames + 1) // 2, (side + 1) // 2
        self.features = nn.Sequential(*stages, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(inputs * frames * side * side, self.HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(self.HIDDEN, len(EMOTIONS)),
        )

    def logits(self, blocks: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(normalized(blocks)[:, None]))
        return logits


class Recurrent(Architecture):
    """A small 2-D network on every second frame, then a gated recurrent layer (Cho et al., EMNLP 2014)."""

    CHANNELS = (16, 32, 64)
    HIDDEN = 64
    STRIDE_FRAMES = 2

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inputs = 1
        for channels in self.CHANNELS:
            convolution = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
            stages += [convolution, nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
            inputs = channels
        self.features = nn.Sequential(*stages, nn.AvgPool2d(2), nn.Flatten())
        seen = inputs * (CROP_SIZE_PX // 2 ** (len(self.CHANNELS) + 1)) ** 2
        self.memory = nn.GRU(seen, self.HIDDEN, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.HIDDEN, len(EMOTIONS)))

    def logits(self, blocks: Tensor) -> Tensor:
        frames = normalized(blocks)[:, :: self.STRIDE_FRAMES]
        features = self.features(frames.reshape(-1, 1, CROP_SIZE_PX, CROP_SIZE_PX))
        remembered, _ = self.memory(features.view(-1, BLOCK_FRAMES // self.STRIDE_FRAMES, features.shape[1]))
        logits: Tensor = self.head(remembered.mean(1))
        return logits


ARCHITECTURES: dict[str, type[Architecture]] = {"frames": FrameWise, "cnn3d": Convolutions3d, "recurrent": Recurrent}
"""Networks by the names that `annotate train --architecture` takes."""


def normalized(blocks: Tensor) -> Tensor:
    """Return blocks (N, 20, 80, 80) scaled so that each frame has mean 0 and about the same spread."""
    centered = blocks - blocks.mean((2, 3), keepdim=True)
    return centered / (centered.square().mean((2, 3), keepdim=True) + MIN_SPREAD**2).sqrt()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature with the lowest cross entropy of logits (N, 7) and ``labels`` (N,) (Guo et al., ICML 2017).

    No less than ``MIN_TEMPERATURE``: for a few labels that are all predicted correctly the best would be 0.
    """
    tried = torch.logspace(math.log10(MIN_TEMPERATURE), math.log10(MAX_TEMPERATURE), 201)
    losses = [float(functional.cross_entropy(logits / temperature, labels)) for temperature in tried]
    return float(tried[losses.index(min(losses))])
