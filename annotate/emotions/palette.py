"""One colour an emotion, for every output of the program: told apart by colour-blind people too.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), with gray for neutral.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "anger": "#D55E00",
        "disgust": "#009E73",
        "fear": "#CC79A7",
        "happiness": "#F0E442",
        "neutral": "#999999",
        "sadness": "#0072B2",
        "surprise": "#56B4E9",
    }
)
"""Emotion -> #RRGGBB."""

OTHER_COLOUR = "#000000"
"""For classes of other models."""


def colour(emotion: str) -> str:
    """The colour (#RRGGBB) of a class of this or another model.

    >>> colour("anger")
    '#D55E00'
    """
    return COLOURS.get(emotion, OTHER_COLOUR)
