"""Augment labeled stills to the variety of crops that the network meets in videos."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from annotate.emotions.contract import CROP_SIZE_PX

MAX_TURN_DEGREES = 14.0
MAX_SHIFT = 0.08
"""Largest shift as a fraction of the crop: dlib's box jumps between pyramid levels by about that much."""
MIN_SCALE, MAX_SCALE = 0.82, 1.18


def augment(faces: Tensor, random: torch.Generator, strength: float = 1.0, size_px: int = CROP_SIZE_PX) -> Tensor:
    """Return faces (N, 1, h, w) in 0..1 as varied crops (N, 1, size_px, size_px) in 0..1.

    Mirrored, turned, shifted, scaled and sheared; lit otherwise; some of low resolution, some noisy, some with a part
    covered, some cut out of their background as masked training faces are. ``strength`` (0..1) scales all of it but
    movement.
    """
    faces = _move(faces, random, size_px)
    faces = _light(faces, random, strength)
    faces = _lower_resolution(faces, random, share=0.35 * strength)
    faces = _mask_background(faces, random, share=0.08 * strength)
    faces = _cover(faces, random, share=0.3 * strength)
    noise = torch.randn(faces.shape, generator=random) * 0.04 * strength * _uniform(faces, random, 0, 1) ** 2
    return (faces + noise).clamp(0, 1)


def frame_plainly(faces: Tensor) -> Tensor:
    """Return faces (N, 1, h, w) as crops (N, 1, CROP_SIZE_PX, CROP_SIZE_PX), as evaluation sees them."""
    return functional.interpolate(faces, (CROP_SIZE_PX, CROP_SIZE_PX), mode="bilinear", antialias=True)


def _uniform(faces: Tensor, random: torch.Generator, low: float, high: float) -> Tensor:
    return torch.rand((len(faces), 1, 1, 1), generator=random) * (high - low) + low


def _move(faces: Tensor, random: torch.Generator, size_px: int) -> Tensor:
    def draw(low: float, high: float) -> Tensor:
        return _uniform(faces, random, low, high).flatten()

    turn = draw(-1, 1) * math.radians(MAX_TURN_DEGREES)
    scale = 1 / draw(MIN_SCALE, MAX_SCALE)
    stretch = draw(0.94, 1.06)
    mirror = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    across, down = draw(-2, 2) * MAX_SHIFT, draw(-2, 2) * MAX_SHIFT
    rows = torch.stack([cos * mirror * stretch, -sin, across, sin * mirror, cos / stretch, down], 1)
    grid = functional.affine_grid(rows.view(-1, 2, 3), [len(faces), 1, size_px, size_px], align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _light(faces: Tensor, random: torch.Generator, strength: float) -> Tensor:
    faces = faces.clamp(1e-3, 1) ** torch.exp(_uniform(faces, random, -0.5, 0.5) * strength)
    mean = faces.mean((2, 3), keepdim=True)
    faces = (
        (faces - mean) * (1 + _uniform(faces, random, -0.4, 0.4) * strength)
        + mean
        + _uniform(faces, random, -0.15, 0.15) * strength
    )
    ramp = torch.linspace(-0.5, 0.5, faces.shape[-1])
    across, down = (_uniform(faces, random, -0.25, 0.25) * strength for _ in range(2))
    faces = faces + ramp * across + ramp[:, None] * down
    return faces.clamp(0, 1)


def _lower_resolution(faces: Tensor, random: torch.Generator, share: float) -> Tensor:
    chosen = torch.rand(len(faces), generator=random) < share
    if not chosen.any():
        return faces
    share_of_side = float(torch.rand(1, generator=random)) * 0.55 + 0.25
    side = round(share_of_side * faces.shape[-1])
    small = functional.interpolate(faces[chosen], (side, side), mode="bilinear", antialias=True)
    faces = faces.clone()
    faces[chosen] = functional.interpolate(small, faces.shape[2:], mode="bilinear")
    return faces


def _cover(faces: Tensor, random: torch.Generator, share: float) -> Tensor:
    side = faces.shape[-1]
    axis = torch.arange(side).float()
    center_x, center_y = (_uniform(faces, random, 0, side) for _ in range(2))
    half_width, half_height = (_uniform(faces, random, side * 0.05, side * 0.22) for _ in range(2))
    inside = ((axis - center_x).abs() < half_width) & ((axis[:, None] - center_y).abs() < half_height)
    inside = inside & (_uniform(faces, random, 0, 1) < share)
    return torch.where(inside, _uniform(faces, random, 0, 1), faces)


def _mask_background(faces: Tensor, random: torch.Generator, share: float) -> Tensor:
    side = faces.shape[-1]
    axis = (torch.arange(side) - side / 2 + 0.5) / (side / 2)
    radius = _uniform(faces, random, 0.75, 0.95)
    outside = (axis / radius) ** 2 + (axis[:, None] / radius / 1.1) ** 2 > 1
    outside = outside & (_uniform(faces, random, 0, 1) < share)
    return torch.where(outside, 0.0, faces)
