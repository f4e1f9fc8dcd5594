"""Gray pictures of the faces of tracks, by which persons are told apart: the best few of each track are kept.

They are cut from frames while these are analyzed, so that no frame is decoded for them, and are small, so that many fit in
memory. Their pixels are luma: it follows from the file alone, while colors depend on the program that converts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box
from annotate.faces.quality import GOOD_SHARPNESS, Appearance

MAX_PORTRAITS = 3
"""Maximum number of portraits of a face track: more hardly help (`tests.benchmarks.persons`)."""

_ENOUGH, _AGREEING = 2, 0.845
"""Number of portraits that are enough if the cosine of their descriptors is at least this."""

MAX_FACE_PX = 128
"""Faces that are larger are scaled down; the network sees them in 100 pixels."""

_AVERAGED_BELOW = 0.5
"""Factor below which scaling averages pixels, which takes several times as long as between two neighbors."""

_TIMES = 2.2
"""Side of a portrait, in sides of the face: what the network needs if the head leans."""

_SHARP = 8 * GOOD_SHARPNESS
"""Sharpness from which more makes no better portrait."""

_SMALL_PX = 80
"""Size of a face below which a portrait loses details that tell persons apart."""


@dataclass(frozen=True)
class Portrait:
    """A face at a time: ``pixels`` (height, width) uint8 luma in limited range, 16..235, with the face in ``box``.

    ``worth`` is how well it serves to tell persons apart, 0..1.
    """

    pixels: NDArray[np.uint8]
    box: Box
    time_ms: int = 0
    worth: float = 1.0


@dataclass(frozen=True)
class Described:
    """The sum of the descriptors of the portraits of a face track, and their number."""

    total: NDArray[np.float64]
    count: int

    def __add__(self, other: Described) -> Described:
        return Described(self.total + other.total, self.count + other.count)


Describe = Callable[[Sequence[Portrait]], NDArray[np.float32]]
"""Returns the descriptors of portraits, a row each."""


def cut_portrait(image: NDArray[np.uint8], box: Box, time_ms: int = 0) -> Portrait:
    """Return the portrait of the face in ``box`` of an image (height, width) uint8; the image can be released."""
    around = box.widened(_TIMES)
    left, right = (min(max(0, round(x)), image.shape[1]) for x in (around.x, around.x + around.width))
    top, bottom = (min(max(0, round(y)), image.shape[0]) for y in (around.y, around.y + around.height))
    left, top = min(left, image.shape[1] - 1), min(top, image.shape[0] - 1)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    factor = min(1.0, MAX_FACE_PX / max(box.width, box.height, 1))
    height, width = (max(1, math.ceil(side * factor)) for side in part.shape)
    interpolation = cv2.INTER_AREA if factor < _AVERAGED_BELOW else cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(part, (width, height), interpolation=interpolation), np.uint8)
    moved = Box(box.x - left, box.y - top, box.width, box.height)
    return Portrait(pixels, moved.scaled(width / part.shape[1], height / part.shape[0]), time_ms)


def portrait_worth(appearance: Appearance) -> float:
    """Return how well a face serves to tell persons apart, 0..1: best if it is sharp, frontal and large."""
    pose = appearance.pose
    frontal = math.cos(math.radians(pose.yaw_deg)) * math.cos(math.radians(pose.pitch_deg))
    parts = appearance.sharpness / _SHARP, appearance.face_px / _SMALL_PX, frontal, appearance.quality
    return math.prod(min(1.0, max(0.0, part)) for part in parts)


@dataclass
class Portraits:
    """Keeps the best portraits of each face track; which they are does not depend on the order in which they come."""

    best: dict[int, list[Portrait]] = field(default_factory=dict)
    """The portraits of each ``face_id``, the best first."""

    def add(self, face_id: int, portrait: Portrait) -> None:
        """Keep a portrait if it is among the best of its track."""
        kept = [*self.best.get(face_id, ()), portrait]
        self.best[face_id] = sorted(kept, key=lambda one: (-one.worth, one.time_ms))[:MAX_PORTRAITS]

    def describe(self, describe: Describe) -> dict[int, Described]:
        """Return the descriptors of each track."""
        return {face_id: describe_track(portraits, describe) for face_id, portraits in sorted(self.best.items())}


def describe_track(portraits: Sequence[Portrait], describe: Describe) -> Described:
    """Return the descriptors of the portraits of one track, the best first: of two, and of more only if these disagree."""
    vectors = describe(portraits[:_ENOUGH])
    rest = portraits[_ENOUGH:]
    if rest and float(vectors[0] @ vectors[1]) < _AGREEING:
        vectors = np.concatenate([vectors, describe(rest)])
    return Described(vectors.sum(0, dtype=np.float64), len(vectors))


def add_described(totals: dict[int, Described], more: Mapping[int, Described]) -> None:
    """Add the descriptors of tracks to those of the same tracks."""
    for face_id, described in more.items():
        totals[face_id] = totals[face_id] + described if face_id in totals else described
