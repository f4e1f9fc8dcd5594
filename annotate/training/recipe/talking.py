"""Make talking faces of still ones, so that a mouth that opens to speak is not taken for surprise or happiness.

A still's mouth is opened, narrowed or widened by warping the face around its landmarks: the lips part along their line,
the lower one and the jaw move down, and what shows between them is dark, in some with the upper teeth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.emotions.labels import EMOTIONS
from annotate.faces.align import LANDMARK_NAMES
from annotate.training.recipe.framing import find_landmarks
from annotate.training.recipe.still_faces import Stills

SPOKEN_EMOTIONS = {"neutral": 1.0, "anger": 0.25, "sadness": 0.25}
"""Emotions of the faces that are made to talk, with their relative frequency: those whose mouths are mostly closed."""

MIN_TARGET = 0.7
"""Minimum probability of that emotion in the target of a face that is made to talk."""

MAX_OPENING = 1.1
UPPER_SHARE, LOWER_SHARE, JAW_SHARE = 0.15, 0.85, 0.65
"""How far the upper lip, the lower lip and the jaw move, in heights of the opening."""

_RIGHT, _TOP, _LEFT, _BOTTOM, _CHIN = (
    LANDMARK_NAMES.index(name) for name in ("mouth_right", "lip_top", "mouth_left", "lip_bottom", "chin")
)


@dataclass(frozen=True)
class Mouth:
    """How a mouth is changed: the ``opening`` in half widths of the mouth, factors of its ``width`` and of its lips' height.

    The inside has ``darkness`` times the brightness of the lips, and upper teeth ``teeth`` times; none if that is 0.
    """

    opening: float
    width: float = 1.0
    lips: float = 1.0
    darkness: float = 0.2
    teeth: float = 0.0

    @classmethod
    def draw(cls, random: np.random.Generator) -> Mouth:
        """Return a random mouth: mostly little open, seldom wide."""
        opening = MAX_OPENING * float(random.beta(1.2, 2.0))
        width, lips, darkness = (float(random.uniform(*limits)) for limits in ((0.7, 1.12), (0.75, 1.2), (0.1, 0.4)))
        teeth = float(random.uniform(0.6, 1.05)) if random.random() < 0.5 else 0.0
        return cls(opening, width, lips, darkness, teeth)


def make_talking(stills: Stills, count: int, random: np.random.Generator) -> Stills:
    """Return ``count`` stills whose faces talk, drawn from those of `SPOKEN_EMOTIONS`, with their targets."""
    weights = np.array([SPOKEN_EMOTIONS.get(emotion, 0.0) for emotion in EMOTIONS])[stills.labels]
    weights = weights * (stills.targets.max(1) >= MIN_TARGET)
    drawn = random.choice(len(stills), count, p=weights / weights.sum())
    indexes = np.unique(drawn)
    landmarks = {int(indexes[number]): points for number, points in find_landmarks(stills.pixels[indexes]).items()}
    kept = [index for index in drawn.tolist() if index in landmarks]
    talking = [talk(stills.pixels[index], landmarks[index], Mouth.draw(random)) for index in kept]
    return Stills(np.stack(talking), stills.targets[kept])


def talk(face: NDArray[np.uint8], landmarks: NDArray[np.float64], mouth: Mouth) -> NDArray[np.uint8]:
    """Return a face (h, w) with a changed mouth; ``landmarks`` (n, 2) are those of `annotate.faces.align`, in pixels.

    Positions are measured from the middle between the corners of the mouth, in half widths of it: ``across`` along the line
    through them, ``down`` at a right angle to it.
    """
    right, left = landmarks[_RIGHT], landmarks[_LEFT]
    center, half_px = (right + left) / 2, max(float(np.linalg.norm(left - right)) / 2, 1.0)
    right_axis = (left - right) / (2 * half_px)
    axes = np.array([right_axis, (-right_axis[1], right_axis[0])])
    lips_down, chin_down = (
        (point - center) @ axes[1] / half_px for point in (landmarks[[_TOP, _BOTTOM]].mean(0), landmarks[_CHIN])
    )
    rows, columns = np.indices(face.shape)
    across, down = np.moveaxis((np.stack([columns, rows], -1) - center) @ axes.T / half_px, -1, 0)

    near = np.exp(-((across / 1.8) ** 2) - (down / 1.1) ** 2)
    across = across / (1 + (mouth.width - 1) * near)
    inside_corners = np.clip(1 - across**2, 0, 1)
    line, gap = lips_down * inside_corners, mouth.opening * np.sqrt(inside_corners)
    upper, lower = line - UPPER_SHARE * gap, line + LOWER_SHARE * gap
    jaw = JAW_SHARE * mouth.opening * np.exp(-((across / 2.2) ** 2))
    to_jaw = _smooth((down - lower) / (0.7 * max(chin_down, 1.0)))
    lowered = down - (LOWER_SHARE * gap * (1 - to_jaw) + jaw * to_jaw)
    raised = down + UPPER_SHARE * gap * np.clip(1 - (upper - down) / 0.8, 0, 1)
    source_down = np.where(down > lower, lowered, raised)
    lips = np.exp(-(((source_down - line) / 0.5) ** 2)) * (np.abs(across) < 1.2)
    source_down = line + (source_down - line) / (1 + (mouth.lips - 1) * lips)

    source = (np.stack([across, source_down], -1) * half_px) @ axes + center
    x, y = (np.ascontiguousarray(source[..., axis], np.float32) for axis in (0, 1))
    warped = cv2.remap(face, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    opened = np.clip((down - upper) * half_px, 0, 1) * np.clip((lower - down) * half_px, 0, 1)
    mixed: NDArray[np.float64] = (
        warped * (1 - opened) + _inside(face, center, mouth, (down - upper) / np.maximum(gap, 1e-6)) * opened
    )
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


def _inside(
    face: NDArray[np.uint8], center: NDArray[np.float64], mouth: Mouth, depth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the brightness of the inside of a mouth at ``depth``, 0 at the upper lip to 1 at the lower one."""
    x, y = np.rint(center).astype(int).clip(0, np.array(face.shape[::-1]) - 1)
    lips = float(np.median(face[max(y - 3, 0) : y + 4, max(x - 6, 0) : x + 7]))
    dark = lips * mouth.darkness * (1 + 0.5 * np.clip(depth, 0, 1))
    has_teeth = (depth < 0.4) & (mouth.teeth > 0)
    brightness: NDArray[np.float64] = np.where(has_teeth, lips * mouth.teeth, dark)
    return brightness


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smooth step from 0 at 0 to 1 at 1."""
    clipped = np.clip(values, 0, 1)
    step: NDArray[np.float64] = clipped**2 * (3 - 2 * clipped)
    return step
