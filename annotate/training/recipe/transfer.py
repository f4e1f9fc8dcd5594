"""Transfer expressions: let faces of many people show what a few people posed, for more faces with rare emotions.

The landmarks of a face at rest move as those of the person who posed did, and the face is warped after them by thin-plate
splines. What warping cannot show comes from two photographs of that person: shades and wrinkles as the ratio of their
brightness (Liu, Shan & Zhang, "Expressive expression mapping with ratio images", SIGGRAPH 2001), and the inside of an open
mouth as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.emotions.labels import EMOTIONS
from annotate.training.recipe.framing import find_landmarks
from annotate.training.recipe.landmarks import POINTS
from annotate.training.recipe.pictures import decode_pictures
from annotate.training.recipe.sources import is_held_back
from annotate.training.recipe.still_faces import Stills, resize_faces

SIDE_PX = 80
"""Side of the faces that are made."""

MIN_AT_REST = 0.7
"""Minimum probability of neutral in the target of a face that is at rest."""

MAX_MISFIT = 0.06
"""Largest mean distance of landmarks, in sides of the crop, when two faces are laid over each other: one whose landmarks
are farther off is turned, or they were not found."""

MIN_STRENGTH, MAX_STRENGTH = 0.8, 1.2
"""How far landmarks move, as a factor of how far they moved in the person who posed."""

TRUST = 0.9
"""Weight of the posed expression's target; the rest is spread evenly, since a transfer may fail."""

MIN_RATIO, MAX_RATIO = 0.45, 2.0
"""Limits of the factor by which brightness changes."""

_RIGHT_EYE, _LEFT_EYE, _INNER_LIPS = tuple(range(1, 9)), tuple(range(10, 18)), tuple(range(57, 63))
_OUTLINE = (*range(18, 22), *range(27, 31), *range(63, 78))
_STEADY = (1, 5, 10, 14, 34, 35, 36, 63, 77)
"""Of the 78 landmarks, those that an expression hardly moves: corners of the eyes, ridge of the nose, ends of the jaw."""

_BLUR_PX = 1.0
_DARK = 8.0
"""Added to brightness before dividing, so that noise in the dark does not become a shade."""
_STIFFNESS, _SOFT_STIFFNESS = 1e-3, 1e-2

Points = NDArray[np.float64]
Picture = NDArray[np.uint8]


_NEUTRAL = EMOTIONS.index("neutral")


@dataclass(frozen=True)
class Photograph:
    """A gray picture of a face, and its 78 landmarks (78, 2) in pixels."""

    picture: Picture
    points: Points


@dataclass(frozen=True)
class Expression:
    """A person at rest and with an expression, and the target (7,) of the latter."""

    rest: Photograph
    posed: Photograph
    target: NDArray[np.float32]


def load_expressions(path: Path, *, use_all: bool = False) -> list[Expression]:
    """Return the expressions in the file of ``posed`` (`sources`), with its ``points78``, of people seen at rest too.

    Those of people who are held back to validate are left out unless ``use_all``.

    Raises:
        OSError: the file cannot be read.
        KeyError: an array is missing.
    """
    with np.load(path) as archive:
        pictures = list(decode_pictures(archive["jpeg"].tobytes(), archive["offset"]))
        points, targets = archive["points78"].astype(np.float64), archive["target"].astype(np.float32)
        subjects = [str(subject) for subject in archive["subject"].tolist()]
    usable = [index for index, subject in enumerate(subjects) if use_all or not is_held_back(subject)]
    photographs = {index: Photograph(pictures[index], points[index]) for index in usable}
    at_rest = {subjects[index]: photographs[index] for index in usable if targets[index, _NEUTRAL] == 1}
    return [
        Expression(at_rest[subjects[index]], photographs[index], targets[index])
        for index in usable
        if targets[index, _NEUTRAL] == 0 and subjects[index] in at_rest
    ]


def transfer_expressions(
    stills: Stills, expressions: Sequence[Expression], count: int, random: np.random.Generator
) -> Stills:
    """Return at most ``count`` faces of ``stills`` at rest with expressions, each emotion about as often, of side SIDE_PX.

    Raises:
        ValueError: there are no expressions, or no face at rest whose landmarks fit them.
    """
    at_rest = stills.take(stills.targets[:, _NEUTRAL] >= MIN_AT_REST)
    faces = resize_faces(at_rest.pixels, SIDE_PX)
    landmarks = find_landmarks(faces)
    posed = np.stack([expression.target for expression in expressions])
    weights = posed @ (1 / np.maximum(posed.sum(0), 1e-6))
    drawn = random.choice(len(expressions), count, p=weights / weights.sum())
    pixels, targets = [], []
    for index, number in zip(random.choice(list(landmarks), count).tolist(), drawn.tolist(), strict=True):
        strength = float(random.uniform(MIN_STRENGTH, MAX_STRENGTH))
        face = transfer(faces[index], landmarks[index], expressions[number], strength)
        if face is not None:
            pixels.append(face)
            targets.append(TRUST * expressions[number].target + (1 - TRUST) / len(EMOTIONS))
    return Stills(np.stack(pixels), np.stack(targets).astype(np.float32))


def transfer(face: Picture, landmarks: Points, expression: Expression, strength: float = 1.0) -> Picture | None:
    """Return a face (side, side) at rest with another person's expression; None if the two are turned differently.

    ``landmarks`` (19, 2) are those of `annotate.faces.align`, in pixels.
    Landmarks move by ``strength`` times what they moved in that person.
    """
    rest, posed = expression.rest.points, expression.posed.points
    linear, offset = _fit(rest[list(POINTS)], landmarks)
    laid = rest @ linear + offset
    misfit = landmarks - laid[list(POINTS)]
    if np.linalg.norm(misfit, axis=1).mean() > MAX_MISFIT * len(face):
        return None
    own = laid + _Spline(laid[list(POINTS)], _SOFT_STIFFNESS)(misfit, laid)
    level, shift = _fit(posed[list(_STEADY)], rest[list(_STEADY)])
    moved = (posed @ level + shift - rest) @ linear
    return _render(Photograph(face, own), own + strength * moved, expression)


def _render(face: Photograph, moved: Points, expression: Expression) -> Picture:
    """Return a face (side, side) with its landmarks at ``moved`` (78, 2), shaded like the expression."""
    side = len(face.picture)
    shots = (face, expression.rest, expression.posed)
    steps = np.array([0, side / 2, side])
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    edge = grid[[0, 1, 2, 3, 5, 6, 7, 8]]
    sources = []
    for shot in shots:
        linear, offset = _fit(face.points, shot.points)
        sources.append(np.concatenate([shot.points, edge @ linear + offset]))
    pixels = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2).astype(np.float64)
    positions = _Spline(np.concatenate([moved, edge]), _STIFFNESS)(np.concatenate(sources, 1), pixels)
    warped, rest, posed = (
        _sample(shot.picture, part, side) for shot, part in zip(shots, np.split(positions, 3, 1), strict=True)
    )
    eyes = np.maximum(*(_region(moved[list(eye)], side, 2) for eye in (_RIGHT_EYE, _LEFT_EYE)))
    shaded = _region(moved[list(_OUTLINE)], side, 5) * (1 - eyes)
    inside = shaded > 0.5
    ratio = (_blur(posed) + _DARK) / (_blur(rest) + _DARK)
    ratio = (ratio / np.median(ratio[inside])).clip(MIN_RATIO, MAX_RATIO)
    mouth = _region(moved[list(_INNER_LIPS)], side, 1)
    gain = (np.median(warped[inside]) + _DARK) / (np.median(rest[inside]) + _DARK)
    mixed = warped * ratio**shaded * (1 - mouth) + posed * gain * mouth
    shaded_face: Picture = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return shaded_face


class _Spline:
    """A thin-plate spline with its knots (n, 2): smooth values between given ones."""

    def __init__(self, knots: Points, stiffness: float) -> None:
        self._scale = float(np.ptp(knots))
        self._knots = knots / self._scale
        n = len(knots)
        system = np.zeros((n + 3, n + 3))
        system[:n] = self._basis(self._knots)
        system[n:, :n] = system[:n, n:].T
        system[:n, :n] += stiffness * np.eye(n)
        self._solve = np.linalg.inv(system)[:, :n]

    def __call__(self, values: Points, points: Points) -> Points:
        """Return the values (m, k) at ``points`` (m, 2) of a spline with ``values`` (n, k) at its knots."""
        result: Points = self._basis(points / self._scale) @ (self._solve @ values)
        return result

    def _basis(self, points: Points) -> Points:
        squares = (points**2).sum(1)[:, None] + (self._knots**2).sum(1) - 2 * points @ self._knots.T
        squares = np.maximum(squares, 1e-12)
        return np.column_stack([squares * np.log(squares), np.ones(len(points)), points])


def _fit(points: Points, others: Points) -> tuple[Points, Points]:
    """Return the linear map (2, 2) and the offset (2,) that lay ``points`` (n, 2) over ``others`` without bending them.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
    """
    center, other = points.mean(0), others.mean(0)
    left, stretch, right = np.linalg.svd((points - center).T @ (others - other))
    signs = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    linear = left * signs @ right * float((stretch * signs).sum() / ((points - center) ** 2).sum())
    return linear, other - center @ linear


def _sample(picture: Picture, positions: Points, side: int) -> Points:
    """Return the brightness (side, side) of a picture at ``positions`` (side * side, 2)."""
    x, y = (np.ascontiguousarray(positions[:, axis].reshape(side, side), np.float32) for axis in (0, 1))
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)


def _blur(picture: Points) -> Points:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _BLUR_PX), np.float64)


def _region(points: Points, side: int, soft_px: float) -> Points:
    """Return weights (side, side) from 0 to 1: 1 within the hull of ``points`` (n, 2), with a soft edge."""
    mask = np.zeros((side, side))
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft_px), np.float64)
