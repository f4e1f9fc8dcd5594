from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.faces.box import Box
from annotate.faces.picture import View, color_picture
from annotate.media.decode import Frame
from annotate.span import Span

COLORS = {
    "black": ((16, 128, 128), (0, 0, 0)),
    "white": ((235, 128, 128), (255, 255, 255)),
    "red": ((81, 90, 240), (0, 0, 254)),
    "green": ((145, 54, 34), (1, 255, 0)),
    "blue": ((41, 240, 110), (255, 0, 0)),
    "below black": ((3, 128, 128), (0, 0, 0)),
}
"""Luma, blue and red difference (ITU-R BT.601), and blue, green and red."""


def uniform(width: int, height: int, luma: int, *chroma: int) -> Frame:
    planes = np.empty((len(chroma), -(-height // 2), -(-width // 2)), np.uint8)
    planes[:] = np.array(chroma, np.uint8).reshape(-1, 1, 1)
    return Frame(0, 0, Span(0, 40), np.full((height, width), luma, np.uint8), None, planes)


@pytest.mark.parametrize(("planes", "color"), COLORS.values(), ids=COLORS)
def test_colors(planes: tuple[int, int, int], color: tuple[int, int, int]) -> None:
    """Chroma is converted as of full range, which makes colors paler by an eighth."""
    pixels = color_picture(uniform(33, 21, *planes), 21)
    assert pixels.shape == (21, 33, 3)
    assert np.ptp(pixels, axis=(0, 1)).max() == 0
    assert pixels[0, 0].tolist() == pytest.approx(color, abs=35)


@pytest.mark.parametrize(("size_px", "shape"), [((64, 36), (18, 32)), ((35, 63), (32, 18)), ((6000, 10), (14, 8192))])
def test_the_shorter_side_is_as_long_as_asked_for(size_px: tuple[int, int], shape: tuple[int, int]) -> None:
    assert color_picture(uniform(*size_px, 126, 128, 128), 18).shape[:2] == shape


def test_frames_without_chroma_are_gray() -> None:
    assert color_picture(uniform(40, 30, 126), 30)[5, 5].tolist() == [128, 128, 128]


def ramp(low: float, high: float) -> Frame:
    """A picture whose luma rises from left to right, in limited range, with a little blue."""
    image = np.rint(np.linspace(low, high, 400)).astype(np.uint8)[None].repeat(300, 0)
    chroma = np.stack([np.full((150, 200), 130, np.uint8), np.full((150, 200), 128, np.uint8)])
    return Frame(0, 0, Span(0, 40), image, None, chroma)


@pytest.mark.parametrize(
    ("shown", "ends"), [((20, 40), (73, 183)), ((200, 230), (73, 183)), ((100, 104), (96, 144)), ((60, 100), (52, 97))]
)
def test_little_contrast_is_stretched(shown: tuple[float, float], ends: tuple[float, float]) -> None:
    """To 110 of 255, but by no more than twelve times; 46 of 255 stay as they are."""
    green = color_picture(ramp(*shown), 300)[..., 1]
    assert np.percentile(green, [1, 99]).tolist() == pytest.approx(ends, abs=6)


def test_color_is_stretched_with_contrast() -> None:
    faded, usual = (color_picture(ramp(*ends), 300).astype(int) for ends in ((40, 60), (16, 235)))
    assert (faded[..., 0] - faded[..., 2]).mean() > 3 * (usual[..., 0] - usual[..., 2]).mean() > 0


VIEWS = st.builds(
    View, st.floats(-500, 500), st.floats(-500, 500), st.floats(5, 900), st.floats(-180, 180), st.integers(8, 300)
)
POINTS = st.lists(st.tuples(st.floats(-900, 900), st.floats(-900, 900)), min_size=1, max_size=4)


@given(VIEWS, POINTS)
def test_points_of_the_image_and_of_the_view_are_inverse(view: View, points: list[tuple[float, float]]) -> None:
    given_points = np.array(points)
    assert view.to_image(view.from_image(given_points)) == pytest.approx(given_points, abs=1e-6)
    assert view.from_image(view.to_image(given_points)) == pytest.approx(given_points, abs=1e-6)


def test_the_view_of_a_leaning_face_is_upright() -> None:
    """The head leans clockwise by 90 degrees: its top points to the right."""
    view = View.around(Box(20, 30, 40, 20), 90, 1.5, 120)
    assert (view.x, view.y, view.side_px) == (40, 40, 60)
    corners = np.array([[70.0, 10.0], [70.0, 70.0], [10.0, 70.0], [40.0, 40.0]])
    assert view.from_image(corners) == pytest.approx(np.array([[0, 0], [120, 0], [120, 120], [60, 60]]))


@given(st.floats(-180, 180), st.floats(20, 150), st.integers(20, 90))
def test_pixels_of_a_view_are_where_its_points_are(roll_deg: float, side_px: float, size_px: int) -> None:
    """Of an image whose values rise to the right, and one whose values rise downwards."""
    view = View(100, 100, side_px, roll_deg, size_px)
    rows, columns = (np.mgrid[0:200, 0:200] + 20).astype(np.uint8)
    at = np.array([[size_px // 3, size_px // 4], [size_px // 2, size_px - 4]])
    places = view.to_image(at + 0.5) - 0.5
    for axis, image in enumerate((columns, rows)):
        seen = view.of(image)[at[:, 1], at[:, 0]]
        assert seen == pytest.approx(places[:, axis] + 20, abs=1.2)


@given(st.floats(1, 30), st.floats(0, 1), st.floats(0.1, 0.9))
def test_a_view_that_is_smaller_than_what_it_shows_misses_no_thin_line(ratio: float, shift_px: float, place: float) -> None:
    view = View(150 + shift_px, 150, 8 * ratio, 0, 8)
    image = np.zeros((300, 300), np.uint8)
    column = round(view.x + (place - 0.5) * view.side_px)
    image[:, column : column + 2] = 255
    assert view.of(image).max() > 0


def test_views_have_the_colors_and_edges_of_the_image() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, :10], image[:, 10:] = (10, 20, 30), (200, 100, 50)
    pixels = View(10, 10, 60, 0, 60).of(image)
    assert pixels[30, 0].tolist() == [10, 20, 30]
    assert pixels[30, -1].tolist() == [200, 100, 50]
