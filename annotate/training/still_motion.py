"""Augment stills and blocks: transform 20 frames along smooth random paths, so that a still becomes a moving block.

A camera never records the same image twenty times. For each block, every property gets a random base value and a smooth
path around it: a cubic through a few random knots, so that neighboring frames differ little and distant ones more. Blocks
from videos, which already move, get the base and a weaker path. Training only: validation and test data stay unchanged.

Transforms in order: mirroring; rotation, scale and shift of the crop; a blink for a few frames; lighting (gamma, contrast,
brightness, a linear gradient); blur; compression (8 x 8 DCT quantization as in JPEG, ITU-T T.81, table K.1); noise.
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
"""Number of random values that a path interpolates."""


@dataclass(frozen=True)
class Amplitudes:
    """Amplitude of each transform at strength 1.

    Each pair is the maximum base value and the maximum deviation of the path from it.
    """

    rotation_degrees: tuple[float, float] = (12.0, 4.0)
    scale: tuple[float, float] = (0.15, 0.05)
    shift: tuple[float, float] = (0.08, 0.03)
    """As a fraction of the crop's side."""
    gamma: tuple[float, float] = (0.4, 0.1)
    """Natural logarithm of the exponent."""
    contrast: tuple[float, float] = (0.3, 0.05)
    brightness: tuple[float, float] = (0.15, 0.05)
    gradient: tuple[float, float] = (0.25, 0.05)
    blur: tuple[float, float] = (0.8, 0.3)
    """Weight of the blurred image in the blend."""


AMPLITUDES = Amplitudes()
BLUR_SHARE, COMPRESSION_SHARE, BLINK_SHARE, NOISE_SHARE = 0.35, 0.4, 0.25, 0.5
"""Share of the blocks to which each of these transforms applies."""

VIDEO_PATH_WEIGHT = 0.3
"""Weight of the paths for blocks from videos, which already move."""

BLINK_FRAMES = 5
EYES_CENTER, EYES_HALF_HEIGHT = 0.38, 0.08
"""Vertical position of the eyes in a crop (dlib's box plus margin), as fractions of its height."""

BLUR_PX = 7
MIN_QUALITY, MAX_QUALITY = 12, 70
MAX_NOISE = 0.05

_DCT_PX = 8
_LUMINANCE_TABLE = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
"""Luminance quantization table, ITU-T T.81, table K.1."""


def augment_blocks(
    images: Tensor, random: torch.Generator, strength: float = 1.0, amplitudes: Amplitudes = AMPLITUDES
) -> Tensor:
    """Return augmented blocks (N, 20, 80, 80) from stills (N, 1, h, w) or blocks (N, 20, h, w), all in 0..1.

    ``strength`` (0..1) scales all transforms but mirroring. ``random`` gives equal results on every device.
    """
    with torch.no_grad():
        draw = _BlockRandom(images, random, strength)
        frames = images.expand(-1, BLOCK_FRAMES, -1, -1)
        frames = _move(frames, draw, amplitudes)
        frames = _blink(frames, draw)
        frames = _adjust_light(frames, draw, amplitudes)
        frames = _blur(frames, draw, amplitudes)
        frames = _compress(frames, draw)
        return _add_noise(frames, draw).clamp(0, 1)


def smooth_path(knots: Tensor) -> Tensor:
    """Return the cubic interpolation (Keys, 1981) of ``knots`` (N, K) at 20 points, (N, 20)."""
    size = (1, BLOCK_FRAMES)
    path = functional.interpolate(knots[:, None, None], size, mode="bicubic", align_corners=True)
    return path[:, 0, 0]


def compress(frames: Tensor, quality: Tensor) -> Tensor:
    """Return images (N, T, h, w) in 0..1 after JPEG quantization at ``quality`` (N, T) in 1..100.

    h and w are multiples of 8.
    """
    count, length, height, width = frames.shape
    cosines = _dct_matrix().to(frames)
    base_table = torch.tensor([int(value) for value in _LUMINANCE_TABLE.split()]).view(_DCT_PX, _DCT_PX).to(frames)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = (base_table * factor[..., None, None]).round().clamp(min=1)[:, :, None, None]
    tiles = (frames * 255 - 128).view(count, length, height // _DCT_PX, _DCT_PX, width // _DCT_PX, _DCT_PX).transpose(3, 4)
    spectrum = _transform_both_axes(tiles, cosines.T)
    tiles = _transform_both_axes((spectrum / table).round() * table, cosines)
    return ((tiles.transpose(3, 4).reshape(count, length, height, width) + 128) / 255).clamp(0, 1)


class _BlockRandom:
    """Random numbers per block, drawn on the CPU so that they are equal on every device."""

    def __init__(self, images: Tensor, random: torch.Generator, strength: float) -> None:
        self.count = len(images)
        self.strength = strength
        self._like = images
        self._random = random
        self._path_weight = 1.0 if images.shape[1] == 1 else VIDEO_PATH_WEIGHT

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Return one uniform number per block, (N, 1)."""
        return (torch.rand(self.count, 1, generator=self._random) * (high - low) + low).to(self._like)

    def normal(self, *sides: int) -> Tensor:
        """Return standard normal numbers (N, *sides)."""
        return torch.randn(self.count, *sides, generator=self._random).to(self._like)

    def path(self, amplitude: tuple[float, float]) -> Tensor:
        """Return one smooth path per block, (N, 20), around a random base value."""
        base, deviation = amplitude
        knots = (torch.rand(self.count, KNOTS, generator=self._random) * 2 - 1).to(self._like)
        return self.strength * (self.uniform(-base, base) + self._path_weight * deviation * smooth_path(knots))

    def selected(self, share: float) -> Tensor:
        """Return a mask (N, 1) of 0 and 1 that selects each block with probability ``share`` times the strength."""
        return (self.uniform() < share * self.strength).to(self._like)


def _move(frames: Tensor, draw: _BlockRandom, amplitudes: Amplitudes) -> Tensor:
    rotation = draw.path(amplitudes.rotation_degrees) * (math.pi / 180)
    scale = torch.exp(-draw.path(amplitudes.scale))
    right, down = 2 * draw.path(amplitudes.shift), 2 * draw.path(amplitudes.shift)
    mirror = torch.where(draw.uniform() < 0.5, -1.0, 1.0).to(frames)
    cos, sin = torch.cos(rotation) * scale, torch.sin(rotation) * scale
    rows = torch.stack([cos * mirror, -sin, right, sin * mirror, cos, down], 2).view(-1, 2, 3)
    images = frames.reshape(-1, 1, *frames.shape[2:])
    grid = functional.affine_grid(rows, [len(images), 1, CROP_SIZE_PX, CROP_SIZE_PX], align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved.view(-1, BLOCK_FRAMES, CROP_SIZE_PX, CROP_SIZE_PX)


def _blink(frames: Tensor, draw: _BlockRandom) -> Tensor:
    """Blend the eyes into the surrounding skin for a few frames, like closing lids."""
    peak = draw.uniform(0, BLOCK_FRAMES)
    times = torch.arange(BLOCK_FRAMES).to(frames)
    closed = (1 - (times - peak).abs() / (BLINK_FRAMES / 2)).clamp(0, 1)
    return _apply_to_some(frames, draw.selected(BLINK_SHARE), _close_eyes, closed)


def _close_eyes(frames: Tensor, closed: Tensor) -> Tensor:
    y = (torch.arange(CROP_SIZE_PX).to(frames) + 0.5) / CROP_SIZE_PX
    band = (1.5 - 1.5 * (y - EYES_CENTER).abs() / EYES_HALF_HEIGHT).clamp(0, 1)
    weight = closed[..., None, None] * band[:, None]
    half = round(EYES_HALF_HEIGHT * CROP_SIZE_PX)
    surroundings = functional.avg_pool2d(functional.pad(frames, (0, 0, half, half), mode="replicate"), (2 * half + 1, 1), 1)
    return torch.lerp(frames, surroundings, weight)


def _adjust_light(frames: Tensor, draw: _BlockRandom, amplitudes: Amplitudes) -> Tensor:
    frames = frames.clamp(1e-3, 1) ** torch.exp(draw.path(amplitudes.gamma))[..., None, None]
    mean = frames.mean((2, 3), keepdim=True)
    contrast, brightness = (
        draw.path(amplitude)[..., None, None] for amplitude in (amplitudes.contrast, amplitudes.brightness)
    )
    ramp = torch.linspace(-0.5, 0.5, CROP_SIZE_PX).to(frames)
    horizontal, vertical = (draw.path(amplitudes.gradient)[..., None, None] for _ in range(2))
    relit = (frames - mean) * (1 + contrast) + mean + brightness + ramp * horizontal + ramp[:, None] * vertical
    return relit.clamp(0, 1)


def _blur(frames: Tensor, draw: _BlockRandom, amplitudes: Amplitudes) -> Tensor:
    weight = draw.path(amplitudes.blur).abs().clamp(0, 1)
    return _apply_to_some(frames, draw.selected(BLUR_SHARE), _blurred, weight)


def _blurred(frames: Tensor, weight: Tensor) -> Tensor:
    padded = functional.pad(frames, (BLUR_PX // 2,) * 4, mode="replicate")
    means = functional.avg_pool2d(functional.avg_pool2d(padded, (BLUR_PX, 1), 1), (1, BLUR_PX), 1)
    return torch.lerp(frames, means, weight[..., None, None])


def _compress(frames: Tensor, draw: _BlockRandom) -> Tensor:
    quality = draw.uniform(MIN_QUALITY, MAX_QUALITY) * torch.exp(draw.path((0.0, 0.3)))
    return _apply_to_some(frames, draw.selected(COMPRESSION_SHARE), compress, quality.clamp(1, 100))


def _apply_to_some(frames: Tensor, selected: Tensor, change: Callable[[Tensor, Tensor], Tensor], amount: Tensor) -> Tensor:
    """Apply ``change`` to the selected blocks, with the given amount per frame (N, 20)."""
    indexes = torch.nonzero(selected[:, 0])[:, 0]
    return frames.index_copy(0, indexes, change(frames[indexes], amount[indexes])) if len(indexes) else frames


def _add_noise(frames: Tensor, draw: _BlockRandom) -> Tensor:
    amount = draw.uniform(0, MAX_NOISE) * draw.selected(NOISE_SHARE)
    return frames + draw.normal(*frames.shape[1:]) * amount[..., None, None]


def _transform_both_axes(tiles: Tensor, matrix: Tensor) -> Tensor:
    """Return ``matrix.T @ tiles @ matrix``, computed as two large products instead of many small ones."""
    return ((tiles @ matrix).transpose(-1, -2).contiguous() @ matrix).transpose(-1, -2)


def _dct_matrix() -> Tensor:
    """Return the matrix (8, 8) of the orthonormal discrete cosine transform."""
    index = torch.arange(_DCT_PX)
    waves = torch.cos(math.pi / _DCT_PX * (index + 0.5) * index[:, None]) * math.sqrt(2 / _DCT_PX)
    waves[0] /= math.sqrt(2)
    return waves
