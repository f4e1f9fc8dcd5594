"""Trainable networks by name: blocks (N, 20, 80, 80) in 0..1 to seven classes."""

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
    """Base of the networks: logits (N, 7) in training mode, probabilities (N, 7) otherwise and when exported.

    ``temperature`` divides the logits before the softmax; it is set after training.
    """

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))

    def logits(self, blocks: Tensor) -> Tensor:
        """Return logits (N, 7) of blocks (N, 20, 80, 80) in 0..1."""
        raise NotImplementedError

    def forward(self, blocks: Tensor) -> Tensor:
        logits = self.logits(blocks)
        return logits if self.training else torch.softmax(logits / self.temperature, 1)


class FrameWise(Architecture):
    """Small residual 2-D CNN on several frames, whose logits are averaged (see `BlockNetwork`)."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = BlockNetwork(FrameNetwork())

    def logits(self, blocks: Tensor) -> Tensor:
        probabilities: Tensor = self.blocks(blocks)
        return probabilities.clamp(min=_MIN_PROBABILITY).log()


class Convolutions3d(Architecture):
    """Four stages of 3-D convolutions (Tran et al., ICCV 2015) with max pooling, then two dense layers.

    The architecture of the student project that annotate grew from, plus batch normalization; 1.2 G multiply-adds per block.
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
        logits: Tensor = self.head(self.features(normalize(blocks)[:, None]))
        return logits


class Recurrent(Architecture):
    """Small 2-D CNN on every second frame, then a gated recurrent unit (Cho et al., EMNLP 2014)."""

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
        feature_count = inputs * (CROP_SIZE_PX // 2 ** (len(self.CHANNELS) + 1)) ** 2
        self.memory = nn.GRU(feature_count, self.HIDDEN, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.HIDDEN, len(EMOTIONS)))

    def logits(self, blocks: Tensor) -> Tensor:
        frames = normalize(blocks)[:, :: self.STRIDE_FRAMES]
        features = self.features(frames.reshape(-1, 1, CROP_SIZE_PX, CROP_SIZE_PX))
        states, _ = self.memory(features.view(-1, BLOCK_FRAMES // self.STRIDE_FRAMES, features.shape[1]))
        logits: Tensor = self.head(states.mean(1))
        return logits


ARCHITECTURES: dict[str, type[Architecture]] = {"frames": FrameWise, "cnn3d": Convolutions3d, "recurrent": Recurrent}
"""Networks by their name in `annotate train --architecture`."""


def normalize(blocks: Tensor) -> Tensor:
    """Return blocks (N, 20, 80, 80) with each frame normalized to mean 0 and a standard deviation of about 1."""
    centered = blocks - blocks.mean((2, 3), keepdim=True)
    return centered / (centered.square().mean((2, 3), keepdim=True) + MIN_SPREAD**2).sqrt()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that minimizes the cross entropy of logits (N, 7) and ``labels`` (N,).

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. At least ``MIN_TEMPERATURE``: if all labels are
    predicted correctly, the optimum would be 0.
    """
    candidates = torch.logspace(math.log10(MIN_TEMPERATURE), math.log10(MAX_TEMPERATURE), 201)
    losses = [float(functional.cross_entropy(logits / temperature, labels)) for temperature in candidates]
    return float(candidates[losses.index(min(losses))])
