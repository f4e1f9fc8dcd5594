from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.faces.box import Box
from annotate.faces.crop import crop


def ramp(height: int, width: int) -> NDArray[np.uint8]:
    """Return a smooth image in which no two regions are alike."""
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 120 + 60 * np.sin(columns / 9) + 40 * np.cos(rows / 7)
    return wave.astype(np.uint8)


def to_full_range(luma: NDArray[np.floating]) -> NDArray[np.floating]:
    return ((luma - 16) * 255 / 219).clip(0, 255)


@pytest.mark.parametrize(
    ("box", "golden"),
    [
        (
            Box(100, 60, 120, 120),
            [
                [130, 218, 89, 206, 150],
                [126, 214, 85, 203, 146],
                [67, 155, 25, 143, 87],
                [51, 139, 9, 127, 71],
                [105, 192, 63, 180, 124],
            ],
        ),
        (
            Box(10.25, 20.5, 90.75, 101.5),
            [
                [123, 156, 95, 147, 104],
                [158, 191, 130, 182, 139],
                [77, 110, 49, 101, 58],
                [131, 163, 103, 154, 112],
                [153, 185, 125, 177, 134],
            ],
        ),
        (
            Box(-40, -30, 130, 130),
            [
                [168, 168, 214, 183, 102],
                [168, 168, 214, 183, 102],
                [111, 111, 158, 127, 46],
                [77, 77, 125, 93, 12],
                [83, 83, 130, 98, 17],
            ],
        ),
        (
            Box(250, 170, 100, 100),
            [
                [162, 23, 162, 38, 38],
                [179, 39, 179, 55, 55],
                [234, 94, 234, 110, 110],
                [148, 8, 147, 23, 23],
                [148, 8, 147, 23, 23],
            ],
        ),
        (
            Box(140, 90, 31, 31),
            [
                [201, 136, 97, 120, 184],
                [178, 112, 74, 97, 160],
                [123, 58, 19, 42, 107],
                [114, 48, 9, 33, 97],
                [162, 97, 58, 81, 145],
            ],
        ),
    ],
)
def test_geometry_is_frozen(box: Box, golden: list[list[int]]) -> None:
    """Models are trained on this geometry: changing it requires a new analysis version and new models.

    Every 19th pixel is compared, which reveals a shift by half a source pixel.
    """
    pixels = crop(ramp(240, 320), box, 0.1, 80)
    assert np.abs(pixels[::19, ::19].astype(int) - golden).max() <= 1


def test_whole_pixels_are_averaged_exactly() -> None:
    image = ramp(240, 320)
    means = image[40:200, 80:240].reshape(80, 2, 80, 2).mean((1, 3))
    assert np.abs(crop(image, Box(80, 40, 160, 160), 0, 80) - to_full_range(means)).max() <= 0.51


def test_the_margin_is_relative_to_the_longer_side() -> None:
    image = ramp(240, 320)
    with_margin = crop(image, Box(100, 60, 100, 80), 0.1, 60)
    assert np.array_equal(with_margin, crop(image, Box(90, 40, 120, 120), 0, 60))


def test_edge_pixels_are_repeated_beyond_the_image() -> None:
    image = np.full((40, 40), 100, np.uint8)
    image[:, 0], image[:, -1] = 16, 235
    pixels = crop(image, Box(-40, 0, 120, 120), 0, 120)
    assert (pixels[:, :41] == 0).all()
    assert (pixels[:, 79:] == 255).all()
    assert (pixels[:, 42:78] == round(84 * 255 / 219)).all()


def test_a_box_outside_the_image_gives_edge_pixels() -> None:
    image = np.full((40, 40), 100, np.uint8)
    image[:, 0] = 16
    assert (crop(image, Box(-300, 0, 40, 40), 0, 80) == 0).all()


def test_enlarging_interpolates_linearly() -> None:
    image = np.tile(np.array([16, 126, 235], np.uint8), (3, 1))
    row = crop(image, Box(0, 0, 3, 3), 0, 30)[15].astype(int)
    assert row[0] == 0
    assert row[-1] == 255
    assert (np.diff(row) >= 0).all()
    assert np.ptp(np.diff(row[5:25])) <= 2


def test_range_is_expanded_and_clipped() -> None:
    for luma, gray in ((0, 0), (16, 0), (126, 128), (235, 255), (255, 255)):
        assert (crop(np.full((50, 50), luma, np.uint8), Box(5, 5, 30, 30), 0.1, 80) == gray).all()
