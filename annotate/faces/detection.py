"""What every face detector returns, and what the stages after detection ask of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box
from annotate.faces.pose import Pose
from annotate.media.decode import Frame


def _no_features() -> NDArray[np.float32]:
    return np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected face.

    ``box`` frames the face, in pixels of the frame, once it has been turned upright about the center of the box by the
    roll of ``pose``. ``score`` is the detector's own measure of certainty. ``features`` is a small picture of the upright
    face as a vector of mean 0 and length 1, or empty: the product of two is high if the faces look alike.
    """

    box: Box
    score: float
    pose: Pose = Pose()
    features: NDArray[np.float32] = field(default_factory=_no_features, compare=False, repr=False)

    def shifted(self, x_px: float, y_px: float) -> Detection:
        """Return the detection moved right by ``x_px`` and down by ``y_px``."""
        box = self.box
        return replace(self, box=Box(box.x + x_px, box.y + y_px, box.width, box.height))

    def interpolate(self, other: Detection, fraction: float) -> Detection:
        """Return the linear interpolation between this detection (``fraction`` 0) and ``other`` (1)."""
        score = self.score + (other.score - self.score) * fraction
        box, pose = self.box.interpolate(other.box, fraction), self.pose.interpolate(other.pose, fraction)
        return Detection(box, score, pose)


class Detector(Protocol):
    """Detects faces in frames; all methods return the detections from left to right."""

    def search(self, frame: Frame, known: Sequence[Detection] = ()) -> tuple[Detection, ...]:
        """Return all faces in the frame; slow, called every few seconds and at both ends of a shot.

        ``known`` are the faces of the pass before, if any.
        """

    def look(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return at least the faces that continue ``known``, those of the pass before; fast, called between searches."""

    def look_near(self, frame: Frame, known: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return the faces around ``known``, of which there is at least one; called between looks."""

    def smaller(self, frame: Frame) -> tuple[Detection, ...]:
        """Return faces in a frame just searched that are a little too small to be found, if the detector can see them."""


def left_to_right(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    """Return detections ordered by the left side of their boxes."""
    return tuple(sorted(detections, key=lambda detection: (detection.box.x, detection.box.y)))
