"""The default detector: YuNet finds faces in small color pictures, and dlib's shape predictor frames them.

YuNet finds faces that lean up to about 45 degrees. So the slow search also goes over the picture in its three other
orientations, and a known face that leans more is looked for in an upright view of its surroundings. A turned picture, or one
in which no face is known, is first glanced at in half the size: most often it shows none. But some faces, blurred, noisy or
in close-up, are only found there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.faces.align import Aligner
from annotate.faces.detection import Detection, left_to_right
from annotate.faces.picture import color_picture
from annotate.faces.searched_frame import (
    GLANCED_PART,
    MIN_HEIGHT,
    MIN_KNOWN_SCORE,
    TURNS,
    SearchedFrame,
    continued,
    show_the_same,
)
from annotate.faces.yunet_network import YuNet, without_overlaps
from annotate.media.decode import Frame

HEIGHTS_PX, MIN_SCORES = (54, 72, 200, 330, 480), (0.7, 0.8, 0.88, 0.88, 0.7)
"""Minimum score of a new face by its height in the searched picture, linear in between: nearly all faces reach it, and
patterns do not. Beyond some 300 pixels YuNet's scores of faces fall."""

MIN_CLOSE_UP_SCORE = 0.8
"""Minimum score of a close-up at a glance. Of 2,194 parts of pictures of crowds without faces of that size, and of 3,000
random patterns, none reaches 0.75."""

MIN_TURNED_SCORE, MIN_LEANING_SCORE = 0.9, 0.8
"""Minimum score of a new face in a turned picture; the latter if it reaches the former at another angle."""

MAX_UPRIGHT_DEG = 12
"""Known faces that lean more are looked for in an upright view."""

FACE_PX = 43
"""Height of the smallest face to find in the searched picture; below some 30 pixels YuNet finds much less."""

MIN_SHORT_SIDE_PX, MAX_SHORT_SIDE_PX = 288, 704
SHORT_SIDE_STEP_PX = 32
"""The network works on multiples of it."""


def searched_short_side_px(min_face: float) -> int:
    """Return the shorter side of the searched picture.

    >>> searched_short_side_px(0.12)
    352
    """
    steps = round(FACE_PX / min_face / SHORT_SIDE_STEP_PX)
    return min(MAX_SHORT_SIDE_PX, max(MIN_SHORT_SIDE_PX, SHORT_SIDE_STEP_PX * steps))


class YuNetDetector:
    """Detects faces of at least ``min_face`` of a frame's shorter side, at any angle in the image plane.

    New faces may score less than usual by ``leniency``, so that fewer are missed and more patterns taken for one.
    """

    def __init__(
        self, min_face: float, network: YuNet | None = None, aligner: Aligner | None = None, *, leniency: float = 0.0
    ) -> None:
        self._min_face = min_face
        self._leniency = leniency
        self._short_side_px = searched_short_side_px(min_face)
        self._network = YuNet() if network is None else network
        self._align = Aligner() if aligner is None else aligner
        self._last: SearchedFrame | None = None

    def search(self, frame: Frame, known: Sequence[Detection] = ()) -> tuple[Detection, ...]:
        """Return all faces, from left to right; those that continue ``known`` ones need no other angles."""
        searched, upright = self._searched(frame), [face for face in known if _is_upright(face)]
        min_score = min(MIN_SCORES) - self._leniency
        finds = np.concatenate([searched.finds(roll_deg, min_score, upright) for roll_deg in TURNS])
        new = self._new(finds, searched)
        faces = [searched.framed(find, 0) if searched.is_known(find, upright) else searched.best_angle(find) for find in new]
        may_lean = (finds[:, 5] != 0) & (finds[:, 4] >= MIN_LEANING_SCORE - self._leniency)
        candidates = without_overlaps(np.concatenate([new, finds[may_lean]]))
        is_turned = candidates[:, 5] != 0
        leaning = map(searched.best_angle, candidates[is_turned & ~self._is_new(candidates)])
        return self._kept([*faces, *(face for face in leaning if face.score >= MIN_TURNED_SCORE - self._leniency)])

    def look(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return the faces that stand about upright and those that continue known ones, from left to right."""
        searched = self._searched(frame)
        if not known:
            if not searched.may_show_faces(0):
                return ()
            finds = searched.finds(0, min(MIN_SCORES) - self._leniency)
            return self._kept([searched.best_angle(find) for find in self._new(finds, searched)])
        leaning = [face for face in known if not _is_upright(face)]
        upright = [face for face in known if _is_upright(face)]
        found = [face for face in map(searched.again, leaning) if face is not None]
        finds = searched.finds(0, MIN_KNOWN_SCORE)
        for find, is_new in zip(finds, self._is_new(finds), strict=True):
            rough = searched.unfitted(find)
            if continued(rough, found) is not None:
                continue
            if (face := continued(rough, upright)) is not None:
                found.append(searched.framed(find, face.pose.roll_deg))
            elif is_new:
                found.append(searched.best_angle(find))
        missed = [face for face in upright if continued(face, found) is None]
        return self._kept([*found, *(face for face in map(searched.again, missed) if face is not None)])

    def look_near(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return the faces that continue ``known``, from left to right."""
        return self._kept([face for face in map(self._searched(frame).again, known) if face is not None])

    def smaller(self, frame: Frame) -> tuple[Detection, ...]:
        """Return the upright faces that are a little too small to be found, in boxes that are not fitted to landmarks."""
        searched = self._searched(frame)
        return left_to_right([searched.unfitted(find) for find in searched.smaller])

    def _searched(self, frame: Frame) -> SearchedFrame:
        if self._last is None or not show_the_same(self._last.frame, frame):
            picture = color_picture(frame, self._short_side_px)
            min_height_px = MIN_HEIGHT * self._min_face * min(picture.shape[:2])
            self._last = SearchedFrame(frame, picture, min_height_px, self._network, self._align)
        return self._last

    def _new(self, finds: NDArray[np.float64], searched: SearchedFrame) -> NDArray[np.float64]:
        """Return those of the finds (n, 6) that are sure enough to be a new face, then others that are so at a glance."""
        new, glanced = without_overlaps(finds[self._is_new(finds)]), searched.glanced(0)
        is_sure = self._is_new(glanced, GLANCED_PART) & (glanced[:, 3] * GLANCED_PART >= MIN_HEIGHT * FACE_PX)
        is_sure |= searched.are_close_ups(glanced) & (glanced[:, 4] >= MIN_CLOSE_UP_SCORE - self._leniency)
        known = [searched.unfitted(find) for find in new]
        others = [find for find in without_overlaps(glanced[is_sure]) if continued(searched.unfitted(find), known) is None]
        return np.concatenate([new, np.reshape(others, (-1, new.shape[1]))])

    def _is_new(self, finds: NDArray[np.float64], part: float = 1.0) -> NDArray[np.bool_]:
        """Return which finds (n, 6) in pictures of the full size, or a part of it, are sure enough to be a new face."""
        minima = np.interp(finds[:, 2:4].max(1, initial=0) * part, HEIGHTS_PX, MIN_SCORES)
        minima = np.where(finds[:, 5] == 0, minima, MIN_TURNED_SCORE) - self._leniency
        is_new: NDArray[np.bool_] = finds[:, 4] >= minima
        return is_new

    def _kept(self, faces: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return the faces, each once, from left to right."""
        kept: list[Detection] = []
        for face in sorted(faces, key=lambda face: -face.score):
            if continued(face, kept) is None:
                kept.append(face)
        return left_to_right(kept)


def _is_upright(face: Detection) -> bool:
    """Return whether a known face is found in the upright picture."""
    return abs(face.pose.roll_deg) <= MAX_UPRIGHT_DEG
