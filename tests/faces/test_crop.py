from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.faces.box import Box
from annotate.faces.crop import crop, extract_patch
from annotate.faces.picture import View


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
                [132, 219, 90, 206, 151],
                [127, 214, 85, 203, 147],
                [68, 156, 26, 143, 87],
                [51, 140, 9, 127, 71],
                [105, 192, 63, 180, 125],
            ],
        ),
        (
            Box(10.25, 20.5, 90.75, 101.5),
            [
                [123, 156, 95, 147, 105],
                [158, 191, 130, 182, 140],
                [77, 111, 49, 100, 58],
                [132, 163, 104, 154, 113],
                [154, 185, 126, 176, 135],
            ],
        ),
        (
            Box(-40, -30, 130, 130),
            [
                [168, 168, 215, 184, 102],
                [168, 168, 215, 184, 102],
                [112, 112, 158, 127, 47],
                [77, 77, 126, 93, 13],
                [83, 83, 129, 99, 17],
            ],
        ),
        (
            Box(250, 170, 100, 100),
            [
                [162, 23, 162, 38, 38],
                [178, 38, 178, 55, 55],
                [234, 94, 234, 111, 111],
                [148, 8, 148, 23, 23],
                [148, 8, 148, 23, 23],
            ],
        ),
        (
            Box(140, 90, 31, 31),
            [
                [201, 135, 97, 120, 184],
                [178, 112, 73, 97, 160],
                [123, 58, 19, 42, 107],
                [114, 48, 9, 33, 97],
                [162, 97, 58, 80, 146],
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


def test_geometry_of_a_leaning_face_is_frozen() -> None:
    golden = [
        [128, 112, 148, 71, 183],
        [164, 44, 208, 43, 175],
        [79, 191, 23, 228, 24],
        [95, 151, 104, 116, 140],
        [191, 20, 233, 21, 192],
    ]
    pixels = crop(ramp(240, 320), Box(100, 60, 120, 120), 0.1, 80, 30)
    assert np.abs(pixels[::19, ::19].astype(int) - golden).max() <= 1


@pytest.mark.parametrize("side_px", [40, 90, 150])
@pytest.mark.parametrize("roll_deg", [-160, -45, 10, 90])
def test_the_crop_of_a_turned_picture_is_that_of_the_upright_one(roll_deg: float, side_px: float) -> None:
    image, box = ramp(400, 400), Box(200 - side_px / 2, 180 - side_px / 2, side_px, side_px)
    center = (199.5, 179.5)  # the middle of a pixel is half a pixel from its corner
    turn = cv2.getRotationMatrix2D(center, -roll_deg, 1)
    turned = np.asarray(cv2.warpAffine(image, turn, (400, 400), flags=cv2.INTER_CUBIC), np.uint8)
    expected, found = (crop(*each).astype(int) for each in ((image, box, 0.1, 80), (turned, box, 0.1, 80, roll_deg)))
    assert np.abs(found - expected).max() <= 3
    assert np.abs(found - expected).mean() < 0.8
    assert np.abs(crop(turned, box, 0.1, 80) - expected).mean() > 10


@given(st.floats(-180, 180), st.floats(-60, 300), st.floats(-60, 220), st.floats(5, 400))
def test_a_patch_has_all_pixels_that_its_crop_needs(roll_deg: float, x: float, y: float, side_px: float) -> None:
    image, box = ramp(200, 240), Box(x, y, side_px, side_px)
    whole = View.around(box, roll_deg, 1.2, 40).of(image)
    patch = extract_patch(image, box, roll_deg, 0.1, 40)
    assert patch.pixels.base is None
    assert np.abs(to_full_range(whole.astype(float)) - patch.cropped).max() <= 3


def test_whole_pixels_are_averaged() -> None:
    image = ramp(240, 320)
    means = image[40:200, 80:240].reshape(80, 2, 80, 2).mean((1, 3))
    assert np.abs(crop(image, Box(80, 40, 160, 160), 0, 80) - to_full_range(means)).max() <= 1.1


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
    assert np.diff(row[5:25]) == pytest.approx(255 / 20, abs=4)


def test_range_is_expanded_and_clipped() -> None:
    for luma, gray in ((0, 0), (16, 0), (126, 128), (235, 255), (255, 255)):
        assert (crop(np.full((50, 50), luma, np.uint8), Box(5, 5, 30, 30), 0.1, 80) == gray).all()
