"""Detection passes: when and where faces are searched for.

A pass over the whole image is expensive, and a face seldom moves far in a quarter of a second. So the whole image is
searched once in a while, the surroundings of known faces in between, and when a search of the whole finds a face that was
not known, its surroundings are searched backwards in time as well, to where it appeared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box, overlaps
from annotate.faces.detect import Detection
from annotate.faces.shots import mark_shots
from annotate.media.decode import Frame
from annotate.settings import Settings

SAME_FACE_OVERLAP = 0.3
"""Least intersection over union of two boxes of one face in consecutive detection passes."""


@dataclass(frozen=True)
class Observation:
    """An analyzed frame: whether it begins a shot, and the faces that were detected, None if there was no detection pass."""

    frame: Frame
    begins_shot: bool
    faces: tuple[Detection, ...] | None


class Detector(Protocol):
    """Finds faces in gray images (height, width) uint8, from left to right."""

    def __call__(self, image: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Return faces anywhere."""

    def near(self, image: NDArray[np.uint8], boxes: Sequence[Box]) -> tuple[Detection, ...]:
        """Return faces in the surroundings of ``boxes``."""


def observe(frames: Iterable[Frame], detector: Detector, settings: Settings) -> Iterator[Observation]:
    """Yield every frame, with faces at moments on a grid of time, and at the first and last frame of every shot.

    The whole image is searched at the ends of a shot and at moments on a coarser grid; frames are held from one such moment
    to the next. The faces of a shot do not depend on the frames before it.
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
    """The detection passes within one shot; ``_held`` are the frames since the whole image was last searched."""

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self._detector = detector
        self._settings = settings
        self._held: list[Observation] = []
        self._known: list[Box] = []
        self._seen_ms: dict[Box, int] = {}
        self._last_ms: int | None = None

    def add(self, frame: Frame) -> Iterator[Observation]:
        """Take a frame, and yield those whose faces are final."""
        begins_shot = self._last_ms is None
        if self._enters_new(frame, self._settings.search_interval_ms):
            yield from self._search_whole(frame, begins_shot)
        elif self._enters_new(frame, self._settings.detection_interval_ms):
            self._held.append(Observation(frame, begins_shot, self._search_near(frame)))
        else:
            self._held.append(Observation(frame, begins_shot, None))
        self._last_ms = frame.span.start_ms

    def end(self) -> Iterator[Observation]:
        """Yield the frames that are held: the shot's last one is searched as a whole."""
        if self._held:
            last = self._held.pop()
            yield from self._search_whole(last.frame, last.begins_shot)

    def _enters_new(self, frame: Frame, step_ms: int) -> bool:
        """Return whether a frame is the first of the shot in its step of time."""
        return self._last_ms is None or frame.span.start_ms // step_ms != self._last_ms // step_ms

    def _search_near(self, frame: Frame) -> tuple[Detection, ...]:
        """Return the faces around the known ones."""
        if not self._known:
            return ()
        faces = self._detector.near(frame.image, self._known)
        self._remember(faces, frame)
        return faces

    def _remember(self, faces: Sequence[Detection], frame: Frame) -> None:
        """Take ``faces`` as known; one that is not among them is searched for in its place until its track has ended."""
        now_ms, boxes = frame.span.start_ms, [face.box for face in faces]
        oldest_ms = now_ms - self._settings.track_timeout_ms
        lost = [box for box in _without(self._known, boxes) if self._seen_ms[box] >= oldest_ms]
        self._seen_ms = {**{box: self._seen_ms[box] for box in lost}, **dict.fromkeys(boxes, now_ms)}
        self._known = boxes + lost

    def _search_whole(self, frame: Frame, begins_shot: bool) -> Iterator[Observation]:
        """Search the whole image, and yield the frames held, whose faces are final then, and this one."""
        faces = self._detector(frame.image)
        boxes = [face.box for face in faces]
        if lost := _without(self._known, boxes):
            again = self._detector.near(frame.image, lost)
            apart = _without([face.box for face in again], boxes)
            faces = _from_left((*faces, *(face for face in again if face.box in apart)))
            boxes = [face.box for face in faces]
        for box in _without(boxes, self._known):
            self._search_back(box)
        yield from self._held
        yield Observation(frame, begins_shot, faces)
        self._held = []
        self._remember(faces, frame)

    def _search_back(self, box: Box) -> None:
        """Track a face that was not known back through those of the frames held that had a detection pass."""
        for number in reversed(range(len(self._held))):
            observation = self._held[number]
            if observation.faces is None:
                continue
            here = _like(self._detector.near(observation.frame.image, [box]), box)
            if not here or _like(observation.faces, here[0].box):
                return
            self._held[number] = replace(observation, faces=_from_left((*observation.faces, here[0])))
            box = here[0].box


def _without(boxes: Sequence[Box], others: Sequence[Box]) -> list[Box]:
    """Return the boxes that overlap none of the others."""
    if not boxes or not others:
        return list(boxes)
    alone = overlaps(list(boxes), list(others)).max(1) < SAME_FACE_OVERLAP
    return [box for box, is_alone in zip(boxes, alone, strict=True) if is_alone]


def _from_left(faces: Sequence[Detection]) -> tuple[Detection, ...]:
    return tuple(sorted(faces, key=lambda face: (face.box.x, face.box.y)))


def _like(faces: Sequence[Detection], box: Box) -> list[Detection]:
    """Return faces that may be the one of ``box``, the likeliest first."""
    if not faces:
        return []
    shares = overlaps([box], [face.box for face in faces])[0]
    return [faces[number] for number in np.argsort(-shares, kind="stable") if shares[number] >= SAME_FACE_OVERLAP]
