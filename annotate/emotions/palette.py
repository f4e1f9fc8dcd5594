"""One color per emotion, for every output of the program: told apart by color-blind people too.

The colors are close to those of Okabe and Ito, "Color Universal Design" (2008), with gray for neutral, moved as little as
makes any two of them differ by 20 in CIELAB as people see them who lack one kind of cones (among the originals some differ
by 7); the tests check it. On each, black or white text has the contrast of 4.5 that WCAG 2.1 asks of text.
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
"""For classes of other models."""

BLACK, WHITE = "#000000", "#FFFFFF"

_LIGHT_FROM = 0.18
"""From this relative luminance on, black stands out more than white: where (L + .05) / .05 exceeds 1.05 / (L + .05)."""


def color(emotion: str) -> str:
    """Return the color (#RRGGBB) of a class of this or another model.

    >>> color("anger")
    '#D55E00'
    """
    return COLORS.get(emotion, OTHER_COLOR)


def ink(emotion: str) -> str:
    """Return black or white: the color of text on an emotion's color.

    >>> ink("happiness"), ink("sadness")
    ('#000000', '#FFFFFF')
    """
    return BLACK if luminance(color(emotion)) >= _LIGHT_FROM else WHITE


def luminance(rgb: str) -> float:
    """Return the relative luminance (0..1) of a color #RRGGBB, as WCAG 2.1 defines it.

    >>> luminance(BLACK), luminance(WHITE)
    (0.0, 1.0)
    """
    parts = (int(rgb[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
