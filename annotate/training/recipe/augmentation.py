"""Augment labeled stills to resemble the variety of face crops in videos."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from annotate.emotions.contract import CROP_SIZE_PX

MAX_ROTATION_DEGREES = 14.0
MAX_SHIFT = 0.08
"""Maximum shift as a fraction of the crop: about the jump of dlib's box between pyramid levels."""
MIN_SCALE, MAX_SCALE = 0.82, 1.18

MIN_RESOLUTION, MAX_RESOLUTION = 0.12, 0.5
"""Pixels along a side of a degraded face, as a share of those that it has."""

MIN_LIGHT = 0.4
"""Factor on the light of the darkest of them."""

_DEGREES = 4
"""Number of resolutions in a batch."""

_MIXUP_BETA = 0.4


def augment(faces: Tensor, random: torch.Generator, strength: float = 1.0, size_px: int = CROP_SIZE_PX) -> Tensor:
    """Return augmented crops (N, 1, size_px, size_px) in 0..1 of faces (N, 1, h, w) in 0..1; ``random`` is on their device.

    Apply mirroring, rotation, shift, scale and stretch; lighting; to some, low resolution, a masked background (like the
    masked training faces), occlusion; and noise. ``strength`` (0..1) scales all but the geometric transforms.
    """
    faces = _move(faces, random, size_px)
    faces = _adjust_light(faces, random, strength)
    faces = _lower_resolution(faces, random, share=0.35 * strength)
    faces = _mask_background(faces, random, share=0.08 * strength)
    faces = _occlude(faces, random, share=0.3 * strength)
    noise = (
        torch.randn(faces.shape, generator=random, device=faces.device)
        * 0.04
        * strength
        * _uniform(faces, random, 0, 1) ** 2
    )
    return (faces + noise).clamp(0, 1)


def degrade(faces: Tensor, random: torch.Generator, share: float) -> Tensor:
    """Return faces (N, 1, side, side) in 0..1, a share blurred, as small faces are, and noisy, half of these darkened.

    What teachers say of the faces before holds for them, so a network learns to see in poor pictures what is in good ones.
    """
    chosen = torch.randperm(len(faces), generator=random, device=faces.device)[: round(share * len(faces))]
    if not len(chosen):
        return faces
    faces, side_px = faces.clone(), faces.shape[-1]
    for number, part in enumerate(chosen.chunk(_DEGREES)):
        drawn = float(torch.rand(1, generator=random, device=faces.device))
        resolution = MIN_RESOLUTION + (MAX_RESOLUTION - MIN_RESOLUTION) * drawn
        blurred = _through(faces[part], round(resolution * side_px), "bicubic" if number % 2 else "bilinear")
        if number < _DEGREES // 2:
            blurred = blurred * _uniform(blurred, random, MIN_LIGHT, 1)
        noise = torch.randn(blurred.shape, generator=random, device=faces.device)
        faces[part] = (blurred + noise * 0.03 * _uniform(blurred, random, 0, 1) ** 2).clamp(0, 1)
    return faces


def resize(faces: Tensor, size_px: int) -> Tensor:
    """Return faces (N, 1, size, size) downscaled to (N, 1, size_px, size_px); those of that size as they are."""
    if faces.shape[-1] == size_px:
        return faces
    return functional.interpolate(faces, (size_px, size_px), mode="bilinear", antialias=True)


def resize_to_crop(faces: Tensor) -> Tensor:
    """Return faces (N, 1, h, w) resized to crops (N, 1, CROP_SIZE_PX, CROP_SIZE_PX), not augmented."""
    return functional.interpolate(faces, (CROP_SIZE_PX, CROP_SIZE_PX), mode="bicubic", antialias=True).clamp(0, 1)


def mix(inputs: Tensor, targets: Tensor, random: np.random.Generator, share: float) -> tuple[Tensor, Tensor]:
    """Return inputs (B, ...) and targets (B, 7) of which a share is blended with those of another of the batch.

    See Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    if share == 0:
        return inputs, targets
    weights = random.beta(_MIXUP_BETA, _MIXUP_BETA, len(inputs)) * (random.random(len(inputs)) < share)
    weight = torch.from_numpy(weights.astype(np.float32)).to(inputs.device)
    other = torch.from_numpy(random.permutation(len(inputs))).to(inputs.device)
    of_inputs = weight.view(-1, *[1] * (inputs.ndim - 1))
    return torch.lerp(inputs, inputs[other], of_inputs), torch.lerp(targets, targets[other], weight[:, None])


def _uniform(faces: Tensor, random: torch.Generator, low: float, high: float) -> Tensor:
    return torch.rand((len(faces), 1, 1, 1), generator=random, device=faces.device) * (high - low) + low


def _move(faces: Tensor, random: torch.Generator, size_px: int) -> Tensor:
    def draw(low: float, high: float) -> Tensor:
        return _uniform(faces, random, low, high).flatten()

    rotation = draw(-1, 1) * math.radians(MAX_ROTATION_DEGREES)
    scale = 1 / draw(MIN_SCALE, MAX_SCALE)
    stretch = draw(0.94, 1.06)
    mirror = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(rotation) * scale, torch.sin(rotation) * scale
    right, down = draw(-2, 2) * MAX_SHIFT, draw(-2, 2) * MAX_SHIFT
    rows = torch.stack([cos * mirror * stretch, -sin, right, sin * mirror, cos / stretch, down], 1)
    grid = functional.affine_grid(rows.view(-1, 2, 3), [len(faces), 1, size_px, size_px], align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _adjust_light(faces: Tensor, random: torch.Generator, strength: float) -> Tensor:
    faces = faces.clamp(1e-3, 1) ** torch.exp(_uniform(faces, random, -0.5, 0.5) * strength)
    mean = faces.mean((2, 3), keepdim=True)
    faces = (
        (faces - mean) * (1 + _uniform(faces, random, -0.4, 0.4) * strength)
        + mean
        + _uniform(faces, random, -0.15, 0.15) * strength
    )
    ramp = torch.linspace(-0.5, 0.5, faces.shape[-1], device=faces.device)
    horizontal, vertical = (_uniform(faces, random, -0.25, 0.25) * strength for _ in range(2))
    faces = faces + ramp * horizontal + ramp[:, None] * vertical
    return faces.clamp(0, 1)


def _lower_resolution(faces: Tensor, random: torch.Generator, share: float) -> Tensor:
    selected = torch.rand(len(faces), generator=random, device=faces.device) < share
    if not selected.any():
        return faces
    scale = float(torch.rand(1, generator=random, device=faces.device)) * 0.55 + 0.25
    faces = faces.clone()
    faces[selected] = _through(faces[selected], round(scale * faces.shape[-1]), "bilinear")
    return faces


def _through(faces: Tensor, size_px: int, mode: str) -> Tensor:
    """Return faces (N, 1, h, w) downscaled to a side of ``size_px`` and enlarged again."""
    return functional.interpolate(resize(faces, size_px), faces.shape[2:], mode=mode)


def _occlude(faces: Tensor, random: torch.Generator, share: float) -> Tensor:
    side = faces.shape[-1]
    axis = torch.arange(side, device=faces.device).float()
    center_x, center_y = (_uniform(faces, random, 0, side) for _ in range(2))
    half_width, half_height = (_uniform(faces, random, side * 0.05, side * 0.22) for _ in range(2))
    inside = ((axis - center_x).abs() < half_width) & ((axis[:, None] - center_y).abs() < half_height)
    inside = inside & (_uniform(faces, random, 0, 1) < share)
    return torch.where(inside, _uniform(faces, random, 0, 1), faces)


def _mask_background(faces: Tensor, random: torch.Generator, share: float) -> Tensor:
    side = faces.shape[-1]
    axis = (torch.arange(side, device=faces.device) - side / 2 + 0.5) / (side / 2)
    radius = _uniform(faces, random, 0.75, 0.95)
    outside = (axis / radius) ** 2 + (axis[:, None] / radius / 1.1) ** 2 > 1
    outside = outside & (_uniform(faces, random, 0, 1) < share)
    return torch.where(outside, 0.0, faces)
