"""Frame-wise 2-D CNN with temporal pooling: a small residual network on single frames, whose logits are averaged."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS

INPUT_SIZE_PX = 56
"""Side of the network's input, to which crops are downscaled; about the resolution of faces in most videos."""

VIEWS = ((0.85, False), (0.95, True), (1.05, False), (1.0, True), (1.1, False))
"""Test-time augmentation: share of the crop's side, and whether mirrored, for each used frame of a block in turn.

The size of a face in its crop varies, so several views predict better than one, at no extra cost.
"""

NO_OFFSETS = (0.0,) * len(EMOTIONS)

STEM_CHANNELS = 32
STAGES = ((32, 1), (80, 2), (192, 2))
"""Channels and residual blocks per stage; each stage but the first halves the side."""

WIDTH_STEPS = 8
"""A network's width is a multiple of one eighth, so that it follows from the channels of its first layer."""

MIN_SPREAD = 0.05
"""Added in quadrature to a crop's standard deviation before dividing by it, to avoid amplifying noise of flat crops."""


class _SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation (Hu et al., CVPR 2018): scale channels by weights computed from their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        context = features.mean((2, 3), keepdim=True)
        weights: Tensor = self.excite(torch.relu(self.squeeze(context)))
        return features * torch.sigmoid(weights)


class _Residual(nn.Module):
    """Residual block: two 3x3 convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            _SqueezeExcitation(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.body(features) + self.shortcut(features))


class FrameNetwork(nn.Module):
    """Map crops (N, 1, 80, 80) in 0..1 to logits (N, 7); 1.4 M parameters, 110 M multiply-adds per crop.

    Crops of another size are not resized: training passes crops that are already downscaled. ``width`` multiplies the
    channels of every layer; it is rounded to a multiple of one eighth. ``input_px`` is the side of the downscaled crops.
    """

    shrink: Tensor

    def __init__(self, dropout: float = 0.2, width: float = 1.0, input_px: int = INPUT_SIZE_PX) -> None:
        super().__init__()
        steps = max(1, round(width * WIDTH_STEPS))
        stem = inputs = STEM_CHANNELS * steps // WIDTH_STEPS
        stages: list[nn.Module] = []
        for number, (channels, blocks) in enumerate(STAGES):
            for block in range(blocks):
                outputs = channels * steps // WIDTH_STEPS
                stages.append(_Residual(inputs, outputs, stride=2 if number and not block else 1))
                inputs = outputs
        self.register_buffer("shrink", view_matrix(1.0, size_px=input_px))
        self.features = nn.Sequential(
            nn.Conv2d(1, stem, 5, 2, 2, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            *stages,
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, len(EMOTIONS)))

    @classmethod
    def of_stem(cls, channels: int, input_px: int = INPUT_SIZE_PX) -> FrameNetwork:
        """Return the network whose first layer has this many channels."""
        return cls(width=channels / STEM_CHANNELS, input_px=input_px)

    @property
    def input_px(self) -> int:
        """Side of the crops that the network computes on."""
        return len(self.shrink)

    def forward(self, crops: Tensor) -> Tensor:
        if crops.shape[-1] == CROP_SIZE_PX:
            crops = self.shrink @ crops @ self.shrink.T
        centered = crops - crops.mean((2, 3), keepdim=True)
        spread = (centered.square().mean((2, 3), keepdim=True) + MIN_SPREAD**2).sqrt()
        logits: Tensor = self.head(self.features(centered / spread).mean((2, 3)))
        return logits


class BlockNetwork(nn.Module):
    """Map blocks (N, 20, 80, 80) in 0..1 to probabilities (N, 7): softmax of the mean of the frames' logits.

    The mean is divided by ``temperature``, then ``offsets`` (7,) are added. Every ``frame_stride``-th frame is used, since
    neighboring frames are nearly equal; each is transformed by the next of ``VIEWS``.
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
        self.input_px = frames.input_px
        self.used_frames = len(range(0, BLOCK_FRAMES, frame_stride))
        views = list(itertools.islice(itertools.cycle(VIEWS), self.used_frames))
        rows = [view_matrix(share, size_px=self.input_px) for share, _ in views]
        columns = [matrix.flip(0) if mirrored else matrix for matrix, (_, mirrored) in zip(rows, views, strict=True)]
        self.register_buffer("rows", torch.stack(rows), persistent=False)
        self.register_buffer("columns", torch.stack(columns).transpose(1, 2), persistent=False)

    def forward(self, blocks: Tensor) -> Tensor:
        views = self.rows @ blocks[:, :: self.frame_stride] @ self.columns
        logits = self.frames(views.reshape(-1, 1, self.input_px, self.input_px))
        logits = logits.reshape(-1, self.used_frames, len(EMOTIONS))
        return torch.softmax(logits.mean(1) / self.temperature + self.offsets, 1)


def view_matrix(share: float, side: int = CROP_SIZE_PX, size_px: int = INPUT_SIZE_PX) -> Tensor:
    """Return the matrix (size_px, side) that downscales the central ``share`` of an axis with a triangle filter.

    Equivalent to antialiased bilinear resizing; edge pixels are repeated beyond the axis.
    """
    step = side * share / size_px
    centers = (torch.arange(size_px) + 0.5 - size_px / 2) * step + (side - 1) / 2
    positions = torch.arange(-side, 2 * side)
    weights = (1 - (positions - centers[:, None]).abs() / max(step, 1)).clamp(min=0)
    folded = torch.zeros(size_px, side).index_add_(1, positions.clamp(0, side - 1), weights)
    return folded / folded.sum(1, keepdim=True)
