"""Stills as blocks: a still face is moved, lit and degraded along smooth paths over 20 frames.

A still says nothing about movement, and a camera never gives the same image twenty times. Here every
property of the image gets a base of its own for each block and a path around it: a cubic through a few random knots,
so that neighboring frames differ little and the ends of a block more. Real blocks, which move by themselves, get the
base and a weaker path. For training only: validation and test see blocks as they are, and stills stand still.

Properties, in the order in which they are applied: mirroring; turn, scale and shift of the crop; a blink-like covering
of the eyes for a few frames; light (gamma, contrast, brightness, a slope across); blur; compression, by quantizing the
8 x 8 cosine transform as JPEG does (ITU-T T.81, table K.1); noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX

KNOTS = 5
"""Random values through which a path goes."""


@dataclass(frozen=True)
class Spread:
    """How far blocks may differ from the image from which they are made, at strength 1.

    The first number of each pair is the largest base, the second the largest deviation of the path around it.
    """

    turn_degrees: tuple[float, float] = (12.0, 4.0)
    scale: tuple[float, float] = (0.15, 0.05)
    shift: tuple[float, float] = (0.08, 0.03)
    """As a fraction of the crop."""
    gamma: tuple[float, float] = (0.4, 0.1)
    """Of the logarithm."""
    contrast: tuple[float, float] = (0.3, 0.05)
    brightness: tuple[float, float] = (0.15, 0.05)
    slope: tuple[float, float] = (0.25, 0.05)
    blur: tuple[float, float] = (0.8, 0.3)
    """Weight of the blurred image in the mixture, of blocks that are blurred."""


SPREAD = Spread()
BLUR_SHARE, COMPRESSION_SHARE, BLINK_SHARE, NOISE_SHARE = 0.35, 0.4, 0.25, 0.5
REAL_PATH = 0.3
"""Weight of the paths for blocks that move by themselves."""

BLINK_FRAMES = 5
EYES_CENTER, EYES_HALF_HEIGHT = 0.38, 0.08
"""Position of the eyes in dlib's box with the margin, as fractions of the crop's height."""

BLUR_PX = 7
MIN_QUALITY, MAX_QUALITY = 12, 70
MAX_NOISE = 0.05

_DCT_PX = 8
_LUMINANCE_STEPS = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
"""Quantization of luminance, ITU-T T.81, table K.1."""


def pseudo_blocks(images: Tensor, random: torch.Generator, strength: float = 1.0, spread: Spread = SPREAD) -> Tensor:
    """Return varied blocks (N, 20, 80, 80) from stills (N, 1, h, w) or blocks (N, 20, h, w), all in 0..1.

    ``strength`` (0..1) scales all of it; ``random`` decides everything, the same on every device.
    """
    with torch.no_grad():
        draw = _Paths(images, random, strength)
        frames = images.expand(-1, BLOCK_FRAMES, -1, -1)
        frames = _move(frames, draw, spread)
        frames = _blink(frames, draw)
        frames = _light(frames, draw, spread)
        frames = _blur(frames, draw, spread)
        frames = _compress(frames, draw)
        return _add_noise(frames, draw).clamp(0, 1)


def smooth_path(knots: Tensor) -> Tensor:
    """Return values (N, 20) of the cubic (Keys, 1981) through ``knots`` (N, K)."""
    size = (1, BLOCK_FRAMES)
    path = functional.interpolate(knots[:, None, None], size, mode="bicubic", align_corners=True)
    return path[:, 0, 0]


def compress(frames: Tensor, quality: Tensor) -> Tensor:
    """Return images (N, T, h, w) in 0..1, h and w multiples of 8, as JPEG of ``quality`` (N, T), 1..100, gives them."""
    count, times, height, width = frames.shape
    cosines = _cosines().to(frames)
    steps = torch.tensor([int(step) for step in _LUMINANCE_STEPS.split()]).view(_DCT_PX, _DCT_PX).to(frames)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = (steps * factor[..., None, None]).round().clamp(min=1)[:, :, None, None]
    tiles = (frames * 255 - 128).view(count, times, height // _DCT_PX, _DCT_PX, width // _DCT_PX, _DCT_PX).transpose(3, 4)
    spectrum = _both_ways(tiles, cosines.T)
    tiles = _both_ways((spectrum / table).round() * table, cosines)
    return ((tiles.transpose(3, 4).reshape(count, times, height, width) + 128) / 255).clamp(0, 1)


class _Paths:
    """Random numbers for each block, drawn on the CPU so that they are the same on every device."""

    def __init__(self, images: Tensor, random: torch.Generator, strength: float) -> None:
        self.count = len(images)
        self.strength = strength
        self._like = images
        self._random = random
        self._path_weight = 1.0 if images.shape[1] == 1 else REAL_PATH

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Return a number for each block, (N, 1)."""
        return (torch.rand(self.count, 1, generator=self._random) * (high - low) + low).to(self._like)

    def normal(self, *sides: int) -> Tensor:
        """Return numbers (N, *sides) of the standard normal distribution."""
        return torch.randn(self.count, *sides, generator=self._random).to(self._like)

    def path(self, most: tuple[float, float]) -> Tensor:
        """Return a smooth path (N, 20) around a base of its own for each block."""
        base, deviation = most
        knots = (torch.rand(self.count, KNOTS, generator=self._random) * 2 - 1).to(self._like)
        return self.strength * (self.uniform(-base, base) + self._path_weight * deviation * smooth_path(knots))

    def chosen(self, share: float) -> Tensor:
        """Return which blocks are changed, (N, 1) of 0 and 1, about the share ``share`` of them."""
        return (self.uniform() < share * self.strength).to(self._like)


def _move(frames: Tensor, draw: _Paths, spread: Spread) -> Tensor:
    turn = draw.path(spread.turn_degrees) * (math.pi / 180)
    scale = torch.exp(-draw.path(spread.scale))
    across, down = 2 * draw.path(spread.shift), 2 * draw.path(spread.shift)
    mirror = torch.where(draw.uniform() < 0.5, -1.0, 1.0).to(frames)
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    rows = torch.stack([cos * mirror, -sin, across, sin * mirror, cos, down], 2).view(-1, 2, 3)
    images = frames.reshape(-1, 1, *frames.shape[2:])
    grid = functional.affine_grid(rows, [len(images), 1, CROP_SIZE_PX, CROP_SIZE_PX], align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved.view(-1, BLOCK_FRAMES, CROP_SIZE_PX, CROP_SIZE_PX)


def _blink(frames: Tensor, draw: _Paths) -> Tensor:
    """Blend the eyes with their surroundings for a few frames, as lids of the skin's shade would."""
    moment = draw.uniform(0, BLOCK_FRAMES)
    times = torch.arange(BLOCK_FRAMES).to(frames)
    closed = (1 - (times - moment).abs() / (BLINK_FRAMES / 2)).clamp(0, 1)
    return _change_chosen(frames, draw.chosen(BLINK_SHARE), _with_lids, closed)


def _with_lids(frames: Tensor, closed: Tensor) -> Tensor:
    down = (torch.arange(CROP_SIZE_PX).to(frames) + 0.5) / CROP_SIZE_PX
    band = (1.5 - 1.5 * (down - EYES_CENTER).abs() / EYES_HALF_HEIGHT).clamp(0, 1)
    weight = closed[..., None, None] * band[:, None]
    half = round(EYES_HALF_HEIGHT * CROP_SIZE_PX)
    around = functional.avg_pool2d(functional.pad(frames, (0, 0, half, half), mode="replicate"), (2 * half + 1, 1), 1)
    return torch.lerp(frames, around, weight)


def _light(frames: Tensor, draw: _Paths, spread: Spread) -> Tensor:
    frames = frames.clamp(1e-3, 1) ** torch.exp(draw.path(spread.gamma))[..., None, None]
    mean = frames.mean((2, 3), keepdim=True)
    contrast, brightness = (draw.path(most)[..., None, None] for most in (spread.contrast, spread.brightness))
    ramp = torch.linspace(-0.5, 0.5, CROP_SIZE_PX).to(frames)
    across, down = (draw.path(spread.slope)[..., None, None] for _ in range(2))
    lit = (frames - mean) * (1 + contrast) + mean + brightness + ramp * across + ramp[:, None] * down
    return lit.clamp(0, 1)


def _blur(frames: Tensor, draw: _Paths, spread: Spread) -> Tensor:
    weight = draw.path(spread.blur).abs().clamp(0, 1)
    return _change_chosen(frames, draw.chosen(BLUR_SHARE), _blurred, weight)


def _blurred(frames: Tensor, weight: Tensor) -> Tensor:
    padded = functional.pad(frames, (BLUR_PX // 2,) * 4, mode="replicate")
    means = functional.avg_pool2d(functional.avg_pool2d(padded, (BLUR_PX, 1), 1), (1, BLUR_PX), 1)
    return torch.lerp(frames, means, weight[..., None, None])


def _compress(frames: Tensor, draw: _Paths) -> Tensor:
    quality = draw.uniform(MIN_QUALITY, MAX_QUALITY) * torch.exp(draw.path((0.0, 0.3)))
    return _change_chosen(frames, draw.chosen(COMPRESSION_SHARE), compress, quality.clamp(1, 100))


def _change_chosen(frames: Tensor, chosen: Tensor, change: Callable[[Tensor, Tensor], Tensor], amount: Tensor) -> Tensor:
    """Change some blocks, each by its own amount (N, 20)."""
    numbers = torch.nonzero(chosen[:, 0])[:, 0]
    return frames.index_copy(0, numbers, change(frames[numbers], amount[numbers])) if len(numbers) else frames


def _add_noise(frames: Tensor, draw: _Paths) -> Tensor:
    amount = draw.uniform(0, MAX_NOISE) * draw.chosen(NOISE_SHARE)
    return frames + draw.normal(*frames.shape[1:]) * amount[..., None, None]


def _both_ways(tiles: Tensor, matrix: Tensor) -> Tensor:
    """Return ``matrix.T @ tiles @ matrix``, as two large products instead of many small ones."""
    return ((tiles @ matrix).transpose(-1, -2).contiguous() @ matrix).transpose(-1, -2)


def _cosines() -> Tensor:
    """Return the orthonormal cosine transform of 8 values as a matrix."""
    index = torch.arange(_DCT_PX)
    waves = torch.cos(math.pi / _DCT_PX * (index + 0.5) * index[:, None]) * math.sqrt(2 / _DCT_PX)
    waves[0] /= math.sqrt(2)
    return waves
