"""Frame detected faces: turn them level by their eyes, and frame them as the model knows faces.

Landmarks come from dlib's shape predictor (Kazemi & Sullivan, "One Millisecond Face Alignment with an Ensemble of
Regression Trees", CVPR 2014), trained by `annotate.training.recipe.landmarks`. The frame of a face that looks into
the camera is on average that of dlib's frontal face detector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box, pairwise_iou
from annotate.faces.picture import View
from annotate.faces.pose import Pose, estimate_pose

PREDICTOR_FILES = ("level.dat", "landmarks.dat")
LANDMARK_NAMES = (
    *("right_brow_outer", "right_brow_middle", "right_brow_inner", "left_brow_inner", "left_brow_middle", "left_brow_outer"),
    *("right_eye_outer", "right_eye_inner", "left_eye_inner", "left_eye_outer"),
    *("nose_root", "nose_tip", "right_nostril", "left_nostril"),
    *("mouth_right", "lip_top", "mouth_left", "lip_bottom", "chin"),
)
"""The landmarks, in the order of the predictor; right and left are the person's own."""

VIEW_PX = 112
FACE_PX = 64
"""Side of the view in which landmarks are looked for, and of the face's box in it."""

NOSE_WEIGHT = 1.2
"""Distance between the eyes over that from the eyes to nose and mouth (`frame_landmarks`), in frontal faces."""

SIDE_PER_SIZE = 1.652
"""Side of a frame, in lengths of the hypotenuse of these two distances once they are weighted."""

DROP_PER_SIDE = 0.207
"""How far the center of a frame lies below the eyes, in sides."""

MIN_IOU = 0.5
"""Landmarks whose frame overlaps less with that of the detector are not those of the face."""

MAX_GROWTH = 1.12
"""Limit of the ratio of a frame's side to that of the detector's: in profiles the eyes say little."""

MAX_SAMPLES = 2
_RIGHT_EYE, _LEFT_EYE, _LOWER = (6, 7), (8, 9), (12, 13, 14, 16)


@dataclass(frozen=True)
class FramedFace:
    """A face's box, its pose, and its landmarks (n, 2) in pixels of the image, None if they cannot be found."""

    box: Box
    pose: Pose
    landmarks: NDArray[np.float64] | None = None


class Aligner:
    """Frames faces with two of dlib's shape predictors: the first turns a face level, the second finds its landmarks."""

    def __init__(self) -> None:
        self._predictors = [_load(name) for name in PREDICTOR_FILES]
        start, end = (VIEW_PX - FACE_PX) // 2, (VIEW_PX + FACE_PX) // 2 - 1
        self._face = dlib.rectangle(start, start, end, end)

    def __call__(self, image: NDArray[np.uint8], box: Box, roll_deg: float) -> FramedFace:
        """Return the face that is roughly at ``box`` and turned by roughly ``roll_deg``, within 45 degrees.

        ``image`` is gray (height, width) uint8.
        """
        framed_box, level_deg = box, roll_deg
        for predictor in self._predictors:
            view = View.around(framed_box, level_deg, VIEW_PX / FACE_PX, VIEW_PX)
            parts = predictor(view.of(image, MAX_SAMPLES), self._face).parts()
            landmarks = view.to_image(np.array([(part.x, part.y) for part in parts], np.float64))
            framed_box, level_deg = frame_landmarks(landmarks)
        if pairwise_iou([framed_box], [box])[0, 0] < MIN_IOU:
            return FramedFace(box, Pose(roll_deg=roll_deg))
        side = min(max(framed_box.width, box.width / MAX_GROWTH), box.width * MAX_GROWTH)
        framed_box = framed_box.widened(side / framed_box.width)
        return FramedFace(framed_box, replace(estimate_pose(landmarks), roll_deg=level_deg), landmarks)


def frame_landmarks(landmarks: NDArray[np.float64]) -> tuple[Box, float]:
    """Return the square box of a face, and its roll in degrees, from its landmarks (n, 2) in pixels.

    The side follows from the distance between the eyes and from that between the eyes and the mean of nostrils and corners
    of the mouth: as the head turns aside, the former shrinks and the latter does not. The three measures are fitted to the
    boxes of dlib's frontal face detector on photographs of 170 people.
    """
    right_eye, left_eye, lower = (landmarks[list(numbers)].mean(0) for numbers in (_RIGHT_EYE, _LEFT_EYE, _LOWER))
    eyes = (right_eye + left_eye) / 2
    across, along = left_eye - right_eye, lower - eyes
    side = SIDE_PER_SIZE * math.hypot(*across, *(NOSE_WEIGHT * along))
    roll = math.atan2(across[1], across[0])
    x, y = eyes + DROP_PER_SIDE * side * np.array([-math.sin(roll), math.cos(roll)])
    return Box(float(x - side / 2), float(y - side / 2), side, side), math.degrees(roll)


def frame_face(landmarks: NDArray[np.float64]) -> FramedFace:
    """Return the face of landmarks (n, 2) in pixels, framed as by `frame_landmarks`."""
    box, roll_deg = frame_landmarks(landmarks)
    return FramedFace(box, replace(estimate_pose(landmarks), roll_deg=roll_deg), landmarks)


@cache
def _load(name: str) -> Any:
    with resources.as_file(resources.files("annotate.faces") / name) as path:
        return dlib.shape_predictor(str(path))
