"""Schedule detection passes: choose the frames and regions in which faces are searched for.

Searching a whole image is expensive, and a face seldom moves far in a quarter of a second. So the whole image is searched
only every few seconds, and the surroundings of known faces in between. When a search of the whole image finds a new face,
its surroundings are also searched in the frames before, back to where it appeared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box, pairwise_iou
from annotate.faces.detect import Detection
from annotate.faces.shots import mark_shots
from annotate.media.decode import Frame
from annotate.settings import Settings

MIN_SAME_FACE_IOU = 0.3
"""Minimum intersection over union of two boxes of one face in consecutive detection passes."""


@dataclass(frozen=True)
class Observation:
    """An analyzed frame, whether it begins a shot, and its detections; None if the frame had no detection pass."""

    frame: Frame
    begins_shot: bool
    detections: tuple[Detection, ...] | None


class Detector(Protocol):
    """Detects faces in gray images (height, width) uint8; returns them from left to right."""

    def __call__(self, image: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Return the detections in the whole image."""

    def detect_near(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> tuple[Detection, ...]:
        """Return the detections in the surroundings of ``boxes``."""


def detect_faces(frames: Iterable[Frame], detector: Detector, settings: Settings) -> Iterator[Observation]:
    """Yield an observation of every frame.

    There is a detection pass in the first frame of every detection interval and in the first and last frame of every shot.
    The whole image is searched in the first frame of every (longer) search interval and at both ends of a shot; frames are
    buffered from one such search to the next. Detections in a shot do not depend on the frames before it.
    """
    shot: _Shot | None = None
    for frame, begins_shot in mark_shots(frames, settings.gap_ms):
        if begins_shot or shot is None:
            if shot is not None:
                yield from shot.end()
            shot = _Shot(detector, settings)
        yield from shot.add(frame)
    if shot is not None:
        yield from shot.end()


class _Shot:
    """The detection passes within one shot; ``_buffered`` are the frames since the last search of the whole image."""

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self._detector = detector
        self._settings = settings
        self._buffered: list[Observation] = []
        self._known: list[Box] = []
        self._last_detected_ms: dict[Box, int] = {}
        self._last_frame_ms: int | None = None

    def add(self, frame: Frame) -> Iterator[Observation]:
        """Add a frame, and yield the observations that are final."""
        begins_shot = self._last_frame_ms is None
        if self._begins_interval(frame, self._settings.search_interval_ms):
            yield from self._search_whole(frame, begins_shot)
        elif self._begins_interval(frame, self._settings.detection_interval_ms):
            self._buffered.append(Observation(frame, begins_shot, self._search_near(frame)))
        else:
            self._buffered.append(Observation(frame, begins_shot, None))
        self._last_frame_ms = frame.span.start_ms

    def end(self) -> Iterator[Observation]:
        """Search the whole image of the last frame, and yield the observations that are left."""
        if self._buffered:
            last = self._buffered.pop()
            yield from self._search_whole(last.frame, last.begins_shot)

    def _begins_interval(self, frame: Frame, interval_ms: int) -> bool:
        """Return whether a frame is the shot's first in its interval of time."""
        return self._last_frame_ms is None or frame.span.start_ms // interval_ms != self._last_frame_ms // interval_ms

    def _search_near(self, frame: Frame) -> tuple[Detection, ...]:
        """Return the detections around the known faces, and update the known faces."""
        if not self._known:
            return ()
        detections = self._detector.detect_near(frame.image, self._known)
        self._update_known(detections, frame)
        return detections

    def _update_known(self, detections: Sequence[Detection], frame: Frame) -> None:
        """Make ``detections`` the known faces; a face that was missed stays known until its track times out."""
        now_ms, boxes = frame.span.start_ms, [detection.box for detection in detections]
        oldest_ms = now_ms - self._settings.track_timeout_ms
        missed = [box for box in _unmatched(self._known, boxes) if self._last_detected_ms[box] >= oldest_ms]
        self._last_detected_ms = {
            **{box: self._last_detected_ms[box] for box in missed},
            **dict.fromkeys(boxes, now_ms),
        }
        self._known = boxes + missed

    def _search_whole(self, frame: Frame, begins_shot: bool) -> Iterator[Observation]:
        """Search the whole image; yield the buffered observations, which are final then, and that of this frame."""
        detections = self._detector(frame.image)
        boxes = [detection.box for detection in detections]
        if missed := _unmatched(self._known, boxes):
            nearby = self._detector.detect_near(frame.image, missed)
            added = _unmatched([detection.box for detection in nearby], boxes)
            detections = _left_to_right((*detections, *(detection for detection in nearby if detection.box in added)))
            boxes = [detection.box for detection in detections]
        for box in _unmatched(boxes, self._known):
            self._search_backwards(box)
        yield from self._buffered
        yield Observation(frame, begins_shot, detections)
        self._buffered = []
        self._update_known(detections, frame)

    def _search_backwards(self, box: Box) -> None:
        """Search for a new face in the buffered frames that had a detection pass, from the last to the first."""
        for number in reversed(range(len(self._buffered))):
            observation = self._buffered[number]
            if observation.detections is None:
                continue
            matches = _matches(self._detector.detect_near(observation.frame.image, [box]), box)
            if not matches or _matches(observation.detections, matches[0].box):
                return
            detections = _left_to_right((*observation.detections, matches[0]))
            self._buffered[number] = replace(observation, detections=detections)
            box = matches[0].box


def _unmatched(boxes: Sequence[Box], others: Sequence[Box]) -> list[Box]:
    """Return the boxes that match none of the others."""
    if not boxes or not others:
        return list(boxes)
    unmatched = pairwise_iou(list(boxes), list(others)).max(1) < MIN_SAME_FACE_IOU
    return [box for box, is_unmatched in zip(boxes, unmatched, strict=True) if is_unmatched]


def _left_to_right(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    return tuple(sorted(detections, key=lambda detection: (detection.box.x, detection.box.y)))


def _matches(detections: Sequence[Detection], box: Box) -> list[Detection]:
    """Return the detections that may be the face of ``box``, largest overlap first."""
    if not detections:
        return []
    ious = pairwise_iou([box], [detection.box for detection in detections])[0]
    return [detections[number] for number in np.argsort(-ious, kind="stable") if ious[number] >= MIN_SAME_FACE_IOU]
