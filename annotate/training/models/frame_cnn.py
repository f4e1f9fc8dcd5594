"""The frame-wise 2-D CNN with temporal pooling: one small residual network looks at each frame, a block is their mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS

LOOK_SIZE_PX = 48
"""What the network looks at: a crop is shrunk to this side, which keeps what faces in most footage have to show."""

VIEWS = ((0.85, False), (0.95, True), (1.05, False), (1.0, True), (1.1, False))
"""How the looks at a block see their crops, in turn: the share of the crop's side, and whether mirrored.

Several views of a face are judged better than one (a face's size in its crop is not exact), and the looks are there anyway.
"""

NO_OFFSETS = (0.0,) * len(EMOTIONS)

STEM_CHANNELS = 32
STAGES = ((32, 1), (80, 2), (192, 2))
"""Channels and residual blocks of the stages; each but the first halves the picture's side."""

MIN_SPREAD = 0.05
"""Added to a crop's own spread before dividing by it, so that a flat crop's noise is not blown up."""


class _Gate(nn.Module):
    """Squeeze-and-excitation (Hu et al., CVPR 2018): weighs channels by what the whole picture shows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        context = features.mean((2, 3), keepdim=True)
        weights: Tensor = self.excite(torch.relu(self.squeeze(context)))
        return features * torch.sigmoid(weights)


class _Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            _Gate(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.body(features) + self.shortcut(features))


class FrameNetwork(nn.Module):
    """Crops (N, 1, CROP_SIZE_PX, CROP_SIZE_PX) in 0..1 to logits (N, 7); 1.4 M parameters, 81 M multiply-adds a crop.

    Square pictures of another size are looked at as they are: training shows it crops already shrunk.
    """

    shrink: Tensor

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inputs = STEM_CHANNELS
        for number, (channels, blocks) in enumerate(STAGES):
            for block in range(blocks):
                stages.append(_Residual(inputs, channels, stride=2 if number and not block else 1))
                inputs = channels
        self.register_buffer("shrink", viewing(1.0), persistent=False)
        self.features = nn.Sequential(
            nn.Conv2d(1, STEM_CHANNELS, 5, 2, 2, bias=False),
            nn.BatchNorm2d(STEM_CHANNELS),
            nn.ReLU(),
            *stages,
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, len(EMOTIONS)))

    def forward(self, crops: Tensor) -> Tensor:
        if crops.shape[-1] == CROP_SIZE_PX:
            crops = self.shrink @ crops @ self.shrink.T
        centred = crops - crops.mean((2, 3), keepdim=True)
        spread = (centred.square().mean((2, 3), keepdim=True) + MIN_SPREAD**2).sqrt()
        logits: Tensor = self.head(self.features(centred / spread).mean((2, 3)))
        return logits


class BlockNetwork(nn.Module):
    """Blocks (N, 20, 80, 80) in 0..1 to probabilities (N, 7): the mean of the frames' logits, softmax at a temperature.

    ``offsets`` (7) are added to the logits once they are divided by the temperature. ``frame_stride`` 4 looks at every
    fourth frame: neighbouring frames say nearly the same. Each look has a view of its own, of ``VIEWS``, which gives the
    better judgement of several views at the price of one.
    """

    rows: Tensor
    columns: Tensor
    offsets: Tensor

    def __init__(
        self,
        frames: FrameNetwork,
        *,
        temperature: float = 1.0,
        offsets: Sequence[float] = NO_OFFSETS,
        frame_stride: int = 4,
    ) -> None:
        super().__init__()
        self.frames = frames
        self.register_buffer("offsets", torch.tensor(offsets), persistent=False)
        self.temperature = temperature
        self.frame_stride = frame_stride
        self.looks = len(range(0, BLOCK_FRAMES, frame_stride))
        views = list(itertools.islice(itertools.cycle(VIEWS), self.looks))
        self.register_buffer("rows", torch.stack([viewing(share) for share, _ in views]), persistent=False)
        columns = [viewing(share).flip(0) if mirrored else viewing(share) for share, mirrored in views]
        self.register_buffer("columns", torch.stack(columns).transpose(1, 2), persistent=False)

    def forward(self, blocks: Tensor) -> Tensor:
        looks = self.rows @ blocks[:, :: self.frame_stride] @ self.columns
        logits = self.frames(looks.reshape(-1, 1, LOOK_SIZE_PX, LOOK_SIZE_PX)).reshape(-1, self.looks, len(EMOTIONS))
        return torch.softmax(logits.mean(1) / self.temperature + self.offsets, 1)


def viewing(share: float, side: int = CROP_SIZE_PX, smaller: int = LOOK_SIZE_PX) -> Tensor:
    """The matrix (smaller, side) that looks at the middle ``share`` of one axis, shrunk by a triangle filter.

    So does antialiased bilinear scaling. Beyond the axis its ends go on.
    """
    step = side * share / smaller
    centres = (torch.arange(smaller) + 0.5 - smaller / 2) * step + (side - 1) / 2
    places = torch.arange(-side, 2 * side)
    weights = (1 - (places - centres[:, None]).abs() / max(step, 1)).clamp(min=0)
    folded = torch.zeros(smaller, side).index_add_(1, places.clamp(0, side - 1), weights)
    return folded / folded.sum(1, keepdim=True)
