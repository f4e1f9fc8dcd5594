"""A frame that YuNet searches, and where in it, in which size and at which angles faces are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.faces.align import FACE_PX as ALIGNED_PX
from annotate.faces.align import Aligner
from annotate.faces.box import Box, pairwise_iou
from annotate.faces.detection import Detection
from annotate.faces.picture import View
from annotate.faces.pose import difference_deg
from annotate.faces.yunet_network import YuNet
from annotate.media.decode import Frame

MIN_KNOWN_SCORE = 0.4
"""Minimum score at a known face, so that a face that turns away or is half covered is not lost."""

MIN_KNOWN_IOU = 0.4
"""Minimum intersection over union of a detection with a known face that it continues."""

SURE_SCORE = 0.93
"""A new face of a lower score is also looked at from other angles: it may lean."""

TURNED_PART = 2 / 3
"""Size of the turned pictures, in sizes of the upright one: faces that lean far are few, and each turn takes time."""

GLANCED_PART = 1 / 2
"""Size of pictures that are glanced at, in sizes of the upright one."""

MIN_GLANCED_SCORE, MIN_GLANCED_TURNED_SCORE = 0.4, 0.5
"""Minimum score of what may be a face at a glance, upright or in a turned picture. Of faces that score `MIN_TURNED_SCORE` in
turned pictures, all reach it; of upright new ones, all of people before a camera and nine of ten in crowds: the slow search
finds the others."""

MIN_GLANCED_PX = 16
"""Minimum height of YuNet's rectangle of the smallest face to find at a glance; below it, there are no glances."""

CLOSE_UP_PART = 0.7
"""Minimum side of YuNet's rectangle of a close-up, as a fraction of the picture's shorter side."""

MIN_HEIGHT = 0.8
"""Minimum height of YuNet's rectangle, in heights of the smallest face to find: sizes are estimates, and none of that size
must be missed."""

MIN_SMALLER_HEIGHT, MIN_SMALLER_SCORE = 0.5, 0.8
"""Minimum height of the rectangle of a face that is a little too small, in the same measure, and its minimum score."""

BOX_PER_FIND = 0.817
"""Side of a face's box, in heights of YuNet's rectangle, which includes the forehead."""

_VIEW_TIMES, _VIEW_PX = 2.4, 160
_FEATURES_TIMES, _FEATURES_PX = 1.4, 16
_COMPARED_STEP_PX = 16
_CUT_OFF_TIMES = 1.3
"""How many times as large as YuNet's rectangle a close-up's face is looked for: such faces are 1 to 1.7 times as large."""

TURNS = {0: None, 90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, -90: cv2.ROTATE_90_CLOCKWISE}
"""For the roll of a face, how the picture is turned to show it upright."""

_MAX_SHIFT, _MAX_GROWTH = 0.4, 1.6
"""How far a known face may have moved, in sides of its box, and grown or shrunk."""

_OTHER_ANGLES_DEG = (-135, -90, -45, 45, 90, 135, 180)
_MIN_GAIN = 0.015
"""A face counts as leaning if the score of another angle is higher by this much."""


class _Find(NamedTuple):
    """A face found in the picture: center and side of its box in pixels of the picture, and about what its roll is."""

    center: NDArray[np.float64]
    side: float
    score: float
    roll_deg: float


@dataclass(frozen=True)
class SearchedFrame:
    """A frame, the small picture of it that is searched, and what searches it."""

    frame: Frame
    picture: NDArray[np.uint8]
    min_height_px: float
    network: YuNet
    align: Aligner
    _found: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    """For rolls in `TURNS`, the finds of any size in the turned picture: (n, 5), the highest score first."""

    _glances: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    """The same for the picture that is glanced at."""

    def finds(self, roll_deg: int, min_score: float, known: Sequence[Detection] = ()) -> NDArray[np.float64]:
        """Return the finds in the picture turned for faces of a roll in `TURNS`: (n, 6), in pixels of the picture.

        The columns are x, y, width, height, score and roll. Turned pictures need not be searched for ``known`` faces.
        """
        rows = self._found_at(roll_deg, known)
        return self._placed(rows[(rows[:, 4] >= min_score) & (rows[:, 3] >= self.min_height_px)], roll_deg)

    def framed(self, find: NDArray[np.float64], roll_deg: float) -> Detection:
        """Return the detection of a find, whose roll is known roughly."""
        return self._aligned(self._completed(find, roll_deg))

    def unfitted(self, find: NDArray[np.float64]) -> Detection:
        """Return the detection of a find as the network frames it."""
        side = _side(find)
        x, y = _center(find) - side / 2
        return Detection(Box(x, y, side, side).scaled(1 / self._factor), float(find[4]))

    def is_known(self, find: NDArray[np.float64], upright: Sequence[Detection]) -> bool:
        """Return whether a find continues one of the ``upright`` known faces, and was not found in a turned picture."""
        return find[5] == 0 and continued(self.unfitted(find), upright) is not None

    def may_show_faces(self, roll_deg: int, known: Sequence[Detection] = ()) -> bool:
        """Return whether there may be faces of a roll in `TURNS` besides ``known`` ones, judged by a glance."""
        if roll_deg in self._found or self.min_height_px * GLANCED_PART < MIN_GLANCED_PX:
            return True
        return any(continued(self.unfitted(find), known) is None for find in self.glanced(roll_deg))

    def again(self, face: Detection) -> Detection | None:
        """Return a known face if it is still about where it was."""
        find = self._find_in(View.around(face.box.scaled(self._factor), face.pose.roll_deg, _VIEW_TIMES, _VIEW_PX))
        return None if find is None else self._aligned(find)

    def best_angle(self, find: NDArray[np.float64]) -> Detection:
        """Return the detection of a find; unless it is sure, at the angle at which its score is highest."""
        score = float(find[4])
        if score >= SURE_SCORE:
            return self.framed(find, find[5])
        angles_deg = (difference_deg(find[5] + angle_deg, 0) for angle_deg in _OTHER_ANGLES_DEG)
        (x, y), side_px = _center(find).tolist(), _side(find) * _VIEW_TIMES
        views = (View(x, y, side_px, angle_deg, _VIEW_PX) for angle_deg in angles_deg)
        others = [other for other in map(self._find_in, views) if other is not None]
        best = max(others, key=lambda other: other.score, default=None)
        return self.framed(find, find[5]) if best is None or best.score <= score + _MIN_GAIN else self._aligned(best)

    def glanced(self, roll_deg: int) -> NDArray[np.float64]:
        """Return the finds (n, 6) of a roll in `TURNS` at a glance, in pixels of the picture; see `finds`.

        Large, blurred and noisy faces score higher there.
        """
        if roll_deg not in self._glances:
            min_score = MIN_GLANCED_SCORE if roll_deg == 0 else MIN_GLANCED_TURNED_SCORE
            self._glances[roll_deg] = self._seen(self.glanced_picture, roll_deg, min_score)
        rows = self._glances[roll_deg]
        return self._placed(rows[rows[:, 3] >= self.min_height_px], roll_deg)

    def are_close_ups(self, finds: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which finds (n, 5 or more) are of faces that nearly fill the picture and reach beyond it."""
        starts, sides, (height, width) = finds[:, :2], finds[:, 2:4], self.picture.shape[:2]
        is_large = sides.max(1, initial=0) >= CLOSE_UP_PART * min(height, width)
        reaches_beyond = (starts < 0) | (starts + sides > (width, height))
        are_close_ups: NDArray[np.bool_] = is_large & np.any(reaches_beyond, axis=1)
        return are_close_ups

    @property
    def smaller(self) -> NDArray[np.float64]:
        """The sure finds in the upright picture that are a little too small."""
        rows = self._found_at(0)
        heights, scores = rows[:, 3], rows[:, 4]
        is_small = (heights >= MIN_SMALLER_HEIGHT / MIN_HEIGHT * self.min_height_px) & (heights < self.min_height_px)
        return _with_roll(rows[is_small & (scores >= MIN_SMALLER_SCORE)], 0)

    @cached_property
    def gray_picture(self) -> NDArray[np.uint8]:
        """The picture without color."""
        return np.asarray(cv2.cvtColor(self.picture, cv2.COLOR_BGR2GRAY), np.uint8)

    @cached_property
    def small_picture(self) -> NDArray[np.uint8]:
        """The picture in the size in which it is searched when turned."""
        return np.asarray(cv2.resize(self.picture, None, fx=TURNED_PART, fy=TURNED_PART), np.uint8)

    @cached_property
    def glanced_picture(self) -> NDArray[np.uint8]:
        """The picture in the size in which it is glanced at."""
        resized = cv2.resize(self.picture, None, fx=GLANCED_PART, fy=GLANCED_PART, interpolation=cv2.INTER_AREA)
        return np.asarray(resized, np.uint8)

    @property
    def _factor(self) -> float:
        """Pixels of the picture for one of the frame."""
        return float(max(self.picture.shape) / max(self.frame.image.shape))

    def _found_at(self, roll_deg: int, known: Sequence[Detection] = ()) -> NDArray[np.float64]:
        """Return the finds of any size in the picture turned for faces of a roll, which are computed once.

        There are none in a turned picture if a glance shows none besides ``known`` ones.
        """
        if roll_deg != 0 and not self.may_show_faces(roll_deg, known):
            return np.empty((0, 5))
        if roll_deg not in self._found:
            picture = self.picture if roll_deg == 0 else self.small_picture
            self._found[roll_deg] = self._seen(picture, roll_deg, MIN_KNOWN_SCORE)
        return self._found[roll_deg]

    def _seen(self, picture: NDArray[np.uint8], roll_deg: int, min_score: float) -> NDArray[np.float64]:
        """Return the finds (n, 5) in a picture, or one of it that is smaller, once it is turned: in pixels of the former."""
        turn = TURNS[roll_deg]
        turned = picture if turn is None else np.asarray(cv2.rotate(picture, turn), np.uint8)
        rows = self.network(turned, min_score)
        rows[:, :4] *= max(self.picture.shape) / max(turned.shape)
        return rows

    def _placed(self, rows: NDArray[np.float64], roll_deg: int) -> NDArray[np.float64]:
        """Return finds (n, 5) in the turned picture as finds (n, 6) in the picture: with their roll."""
        height, width = self.picture.shape[:2] if roll_deg % 180 == 0 else self.picture.shape[1::-1]
        for _ in range(roll_deg // 90 % 4):  # turn the rectangles clockwise by 90 degrees
            x, y, rectangle_width, rectangle_height, scores = rows.T
            rows = np.column_stack([height - y - rectangle_height, x, rectangle_height, rectangle_width, scores])
            height, width = width, height
        return _with_roll(rows, roll_deg)

    def _find_in(self, view: View) -> _Find | None:
        """Return the face at the center of a view of the picture, None if there is none."""
        side = view.size_px / _VIEW_TIMES
        for x, y, width, height, score in self.network(view.of(self.picture, 2), MIN_KNOWN_SCORE):
            center = np.array([[x + width / 2, y + height / 2]])
            is_central = np.abs(center - view.size_px / 2).max() <= _MAX_SHIFT * side
            if is_central and 1 / _MAX_GROWTH <= BOX_PER_FIND * height / side <= _MAX_GROWTH:
                found_side = BOX_PER_FIND * height * view.side_px / view.size_px
                return _Find(view.to_image(center)[0], found_side, float(score), view.roll_deg)
        return None

    def _completed(self, find: NDArray[np.float64], roll_deg: float) -> _Find:
        """Return a find; if it is a close-up, with the whole extent of the face.

        YuNet's rectangle is about what the picture shows of a face. With the edges of the picture repeated beyond it, it is
        that of the whole face.
        """
        center, side = _center(find), _side(find)
        rough = _Find(center, side, float(find[4]), roll_deg)
        if not self.are_close_ups(find[None])[0]:
            return rough
        (x, y), view_px = center.tolist(), side * _CUT_OFF_TIMES * _VIEW_TIMES
        whole = self._find_in(View(x, y, view_px, roll_deg, _VIEW_PX))
        return rough if whole is None else whole

    def _aligned(self, find: _Find) -> Detection:
        """Return the detection of a find, framed by its landmarks: in the picture if that is large enough."""
        x, y = find.center - find.side / 2
        box = Box(x, y, find.side, find.side)
        if find.side >= ALIGNED_PX:
            face = self.align(self.gray_picture, box, find.roll_deg)
            box, pose = face.box, face.pose
        else:
            face = self.align(self.frame.image, box.scaled(1 / self._factor), find.roll_deg)
            box, pose = face.box.scaled(self._factor), face.pose
        return Detection(box.scaled(1 / self._factor), find.score, pose, self._features(box, pose.roll_deg))

    def _features(self, box: Box, roll_deg: float) -> NDArray[np.float32]:
        """Return the features of a face (see `Detection`) in the picture, with some hair around it, in color."""
        view = View.around(box, roll_deg, _FEATURES_TIMES, _FEATURES_PX)
        features = view.of(self.picture, 4).astype(np.float32).ravel()
        features -= features.mean()
        return features / max(float(np.linalg.norm(features)), 1.0)


def show_the_same(frame: Frame, other: Frame) -> bool:
    """Return whether two frames have equal pictures, as those of slides often are; a few pixels tell most that do not."""
    if frame is other:
        return True
    some, others = (each.image[::_COMPARED_STEP_PX, ::_COMPARED_STEP_PX] for each in (frame, other))
    planes = (some, others), (frame.image, other.image), (frame.chroma, other.chroma)
    return all(np.array_equal(first, second) for first, second in planes)


def _with_roll(rows: NDArray[np.float64], roll_deg: int) -> NDArray[np.float64]:
    """Return finds (n, 5) with their roll as a further column."""
    return np.column_stack([rows, np.full(len(rows), roll_deg)])


def _center(find: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x and y of the center of a find."""
    center: NDArray[np.float64] = find[:2] + find[2:4] / 2
    return center


def _side(find: NDArray[np.float64]) -> float:
    """Return the side of the face's box; the height of a find whose roll is 90 degrees is its width in the picture."""
    return BOX_PER_FIND * float(find[2] if find[5] % 180 else find[3])


def continued(face: Detection, others: Sequence[Detection]) -> Detection | None:
    """Return the one of ``others`` of which a detection may be the same face, None if there is none."""
    ious = pairwise_iou([face.box], [other.box for other in others])[0]
    return others[int(ious.argmax())] if ious.max(initial=0) >= MIN_KNOWN_IOU else None
