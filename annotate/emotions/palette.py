"""One color per emotion, the same in all outputs, distinguishable for color-blind people too.

The colors are those of Okabe and Ito, "Color Universal Design" (2008), with gray for neutral, changed as little as possible
so that any two differ by at least 20 in CIELAB, also for people who lack one kind of cones (some of the originals differ by
only 7). Black or white text on each color has the contrast of 4.5 that WCAG 2.1 requires. The tests check both.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COLORS: Mapping[str, str] = MappingProxyType(
    {
        "anger": "#D55E00",
        "disgust": "#009E73",
        "fear": "#BB72A2",
        "happiness": "#F0E340",
        "neutral": "#BCBCBC",
        "sadness": "#1269A9",
        "surprise": "#60C1F7",
    }
)
"""Emotion -> #RRGGBB."""

OTHER_COLOR = "#808080"
"""The color of classes that are not in ``COLORS``: those of other models."""

BLACK, WHITE = "#000000", "#FFFFFF"

_MIN_LIGHT_LUMINANCE = 0.18
"""From this relative luminance L on, black text has more contrast than white: (L + .05) / .05 > 1.05 / (L + .05)."""


def color(emotion: str) -> str:
    """Return the color (#RRGGBB) of an emotion, or gray for a class of another model.

    >>> color("anger")
    '#D55E00'
    """
    return COLORS.get(emotion, OTHER_COLOR)


def text_color(emotion: str) -> str:
    """Return the color of text on an emotion's color: black or white.

    >>> text_color("happiness"), text_color("sadness")
    ('#000000', '#FFFFFF')
    """
    return BLACK if luminance(color(emotion)) >= _MIN_LIGHT_LUMINANCE else WHITE


def luminance(rgb: str) -> float:
    """Return the relative luminance (0..1) of a color #RRGGBB, as defined by WCAG 2.1.

    >>> luminance(BLACK), luminance(WHITE)
    (0.0, 1.0)
    """
    parts = (int(rgb[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
