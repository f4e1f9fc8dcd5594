"""Colors are distinguishable, also for color-blind people, and text on them is readable.

Color blindness is simulated with the matrices of Machado, Oliveira and Fernandes, "A Physiologically-based Model for
Simulation of Color Vision Deficiency" (IEEE TVCG 15(6), 2009), for severity 1.0 and linear RGB. Colors are compared in
CIELAB under D65 (CIE 15:2004), with sRGB as defined by IEC 61966-2-1; the just noticeable difference is about 2.3 (Mahy et
al., 1994). Contrast is that of WCAG 2.1.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.emotions.labels import EMOTIONS
from annotate.emotions.palette import BLACK, COLORS, OTHER_COLOR, WHITE, color, luminance, text_color

MIN_DIFFERENCE = 20.0
MIN_TEXT_CONTRAST, MIN_LINE_CONTRAST = 4.5, 3.0

VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
EPSILON, KAPPA = 216 / 24389, 24389 / 27


def linear(rgb: str) -> NDArray[np.float64]:
    """Return linear RGB (3,), 0..1, of a color #RRGGBB."""
    parts = np.array(list(bytes.fromhex(rgb[1:]))) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIELAB (3,) of linear RGB (3,)."""
    relative = TO_XYZ @ np.clip(light, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(relative > EPSILON, np.cbrt(relative), (KAPPA * relative + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(rgb: str, other: str) -> float:
    """Return the contrast of two colors #RRGGBB, from 1 to 21."""
    darker, lighter = sorted((luminance(rgb), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_formulas_give_known_values() -> None:
    np.testing.assert_allclose(lab(linear(WHITE)), [100, 0, 0], atol=0.01)
    np.testing.assert_allclose(lab(linear("#FF0000")), [53.24, 80.09, 67.20], atol=0.05)
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    for matrix in VISIONS.values():
        np.testing.assert_allclose(matrix @ linear(WHITE), 1, atol=1e-5)


def test_the_check_finds_a_pair_of_the_original_palette_that_is_too_similar() -> None:
    purple, gray = (lab(VISIONS["deuteranopia"] @ linear(rgb)) for rgb in ("#CC79A7", "#999999"))
    assert np.linalg.norm(purple - gray) < MIN_DIFFERENCE / 2


def test_every_emotion_has_a_color() -> None:
    assert tuple(COLORS) == EMOTIONS
    assert color("contempt") == OTHER_COLOR


@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_colors_differ_for_every_kind_of_vision(vision: str) -> None:
    seen = {emotion: lab(VISIONS[vision] @ linear(rgb)) for emotion, rgb in COLORS.items()}
    differences = {
        (one, other): float(np.linalg.norm(seen[one] - seen[other])) for one, other in itertools.combinations(seen, 2)
    }
    assert min(differences.values()) >= MIN_DIFFERENCE, min(differences, key=lambda pair: differences[pair])


@pytest.mark.parametrize("emotion", [*EMOTIONS, "contempt"])
def test_text_on_a_color_is_readable(emotion: str) -> None:
    assert contrast(text_color(emotion), color(emotion)) >= MIN_TEXT_CONTRAST
    assert text_color(emotion) == max((BLACK, WHITE), key=lambda text: contrast(text, color(emotion)))


@pytest.mark.parametrize("emotion", [*EMOTIONS, "contempt"])
def test_a_label_has_enough_contrast_on_black_and_on_white(emotion: str) -> None:
    assert contrast(color(emotion), BLACK) >= MIN_LINE_CONTRAST
    on_white = max(contrast(color(emotion), WHITE), contrast(text_color(emotion), WHITE))
    assert on_white >= MIN_LINE_CONTRAST
