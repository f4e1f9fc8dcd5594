"""The rules of captioners that captions of emotions follow, each with its source."""

from __future__ import annotations

import math
from dataclasses import dataclass

from annotate.span import MS_PER_S

NETFLIX = "https://partnerhelp.netflixstudios.com/hc/en-us/articles/215758617-Timed-Text-Style-Guide-General-Requirements"
NETFLIX_TIMING = (
    "https://partnerhelp.netflixstudios.com/hc/en-us/articles/360051554394-Timed-Text-Style-Guide-Subtitle-Timing-Guidelines"
)
NETFLIX_ENGLISH = "https://backlothelp.netflix.com/hc/en-us/articles/219375728-English-Template-Timed-Text-Style-Guide"
BBC = "https://www.bbc.co.uk/accessibility/forproducts/guides/subtitles/"

_STEP_MS = 10
"""Times of captions are multiples of this, the resolution of ASS: rounding then breaks no rule."""


@dataclass(frozen=True)
class Rule:
    """A rule of a style guide: its value in a unit, and where it stands."""

    value: float
    unit: str
    source: str
    url: str


RULES = {
    "min_duration": Rule(5 / 6, "s", "Netflix, General Requirements, Duration", NETFLIX),
    "max_duration": Rule(7.0, "s", "Netflix, General Requirements, Duration", NETFLIX),
    "min_gap": Rule(2, "frames", "Netflix, Subtitle Timing Guidelines", NETFLIX_TIMING),
    "closed_gap": Rule(
        0.5, "s", "Netflix, Subtitle Timing Guidelines: shorter gaps are closed to two frames", NETFLIX_TIMING
    ),
    "reading_speed": Rule(17, "characters/s", "Netflix, English template, Reading Speed (adult programs)", NETFLIX_ENGLISH),
    "max_lines": Rule(2, "lines", "Netflix, General Requirements, Line Treatment; BBC, 3.3 Avoid 3 lines or more", NETFLIX),
    "line_length": Rule(37, "characters", "BBC, 3.1 Line length (Netflix: 42)", BBC),
}
"""What is checked on every caption. That they stand centered, at the top or the bottom, and in brackets in lower case but
for names, is also Netflix's."""

MIN_MS = math.ceil(RULES["min_duration"].value * MS_PER_S / _STEP_MS) * _STEP_MS
MAX_MS = round(RULES["max_duration"].value * MS_PER_S)
CLOSED_GAP_MS = round(RULES["closed_gap"].value * MS_PER_S)
MAX_LINES = round(RULES["max_lines"].value)
MAX_LETTERS = round(RULES["line_length"].value)


def gap_ms(frame_ms: float) -> int:
    """Return the shortest time between two captions of a video with frames of this length.

    >>> gap_ms(40), gap_ms(1001 / 30)
    (80, 70)
    """
    return rounded_up(RULES["min_gap"].value * frame_ms)


def reading_ms(letters: int) -> int:
    """Return how long a text must be shown, from its number of characters.

    >>> reading_ms(9), reading_ms(34)
    (840, 2000)
    """
    return max(MIN_MS, rounded_up(letters / RULES["reading_speed"].value * MS_PER_S))


def rounded_up(time_ms: float) -> int:
    """Return a time as a multiple of the step of captions, not earlier."""
    return math.ceil(time_ms / _STEP_MS) * _STEP_MS


def rounded_down(time_ms: float) -> int:
    """Return a time as a multiple of the step of captions, not later."""
    return math.floor(time_ms / _STEP_MS) * _STEP_MS
