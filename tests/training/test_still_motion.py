from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from annotate.training.still_motion import augment_blocks, compress, smooth_path


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_faces(count: int, side: int = 80) -> torch.Tensor:
    """Return images (count, 1, side, side) with coarse structures, like faces."""
    coarse = torch.rand(count, 1, 8, 8, generator=random(9))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("shape", [(4, 1, 48, 48), (4, 1, 96, 96), (3, 20, 80, 80)])
def test_stills_and_blocks_become_augmented_blocks(shape: tuple[int, ...]) -> None:
    images = torch.rand(shape, generator=random())
    blocks = augment_blocks(images, random(1))
    assert blocks.shape == (shape[0], 20, 80, 80)
    assert blocks.min() >= 0
    assert blocks.max() <= 1
    assert not blocks.requires_grad
    assert torch.equal(blocks, augment_blocks(images, random(1)))
    assert not torch.equal(blocks, augment_blocks(images, random(2)))


def test_zero_strength_only_mirrors() -> None:
    faces = smooth_faces(8)
    blocks = augment_blocks(faces, random(), strength=0.0)
    plain, mirrored = faces.expand(-1, 20, -1, -1), faces.flip(3).expand(-1, 20, -1, -1)
    for block, one, other in zip(blocks, plain, mirrored, strict=True):
        assert min(float((block - one).abs().max()), float((block - other).abs().max())) < 2e-3


def test_neighboring_frames_differ_less_than_the_ends() -> None:
    blocks = augment_blocks(smooth_faces(24), random())
    neighbors = (blocks[:, 1:] - blocks[:, :-1]).abs().mean()
    ends = (blocks[:, 0] - blocks[:, -1]).abs().mean()
    others = (blocks - blocks.roll(1, 0)).abs().mean()
    assert 0.01 < neighbors < 0.7 * ends < ends < others


def test_path_is_smooth_and_keeps_its_ends() -> None:
    knots = torch.rand(5, 5, generator=random())
    path = smooth_path(knots)
    assert path.shape == (5, 20)
    assert torch.allclose(path[:, [0, -1]], knots[:, [0, -1]], atol=1e-5)
    assert (path.diff(dim=1).abs().max(1).values < knots.diff(dim=1).abs().max(1).values / 2).all()


@pytest.mark.parametrize("quality", [15, 50, 90])
def test_compression_degrades_like_jpeg(quality: int) -> None:
    """The mean error is that of pillow's JPEG at this quality, within a tenth."""
    pixels = (smooth_faces(1)[0, 0] * 200 + torch.rand(80, 80, generator=random()) * 55).round()
    stream = io.BytesIO()
    Image.fromarray(pixels.byte().numpy()).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as image:
        expected = torch.from_numpy(np.asarray(image).copy()).float()
    found = compress(pixels[None, None] / 255, torch.tensor([[float(quality)]]))[0, 0] * 255
    assert (found - expected).abs().mean() < 0.9
    assert float((found - pixels).abs().mean()) == pytest.approx(float((expected - pixels).abs().mean()), rel=0.1)


def test_some_blocks_blink() -> None:
    """In some blocks the dark band of the eyes disappears and returns."""
    faces = torch.full((80, 1, 80, 80), 0.7)
    faces[:, :, 28:33, 15:65] = 0.1
    blocks = augment_blocks(faces, random())
    darkest = blocks[:, :, 20:42].mean(3).min(2).values
    blinks = (darkest.max(1).values - darkest.min(1).values > 0.15) & (darkest.argmax(1) > 1) & (darkest.argmax(1) < 18)
    assert 4 < int(blinks.sum()) < 36
