"""Schedule detection passes: choose the frames and regions in which faces are searched for.

Searching a whole image thoroughly is expensive, and a face seldom moves far in a quarter of a second. So that is done only
every few seconds; in between, the detector takes a faster look, at the whole image or at the surroundings of the known faces
in turn. The latter is left out while the faces hardly move, and made up for once they do. When a new face is found, its
surroundings are also searched in the frames before, back to where it appeared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import pairwise_iou
from annotate.faces.detection import Detection, Detector, left_to_right
from annotate.faces.pose import difference_deg
from annotate.faces.shots import mark_shots, show_own_shot
from annotate.media.decode import Frame
from annotate.settings import Settings

MIN_SAME_FACE_IOU = 0.3
"""Minimum intersection over union of two boxes of one face in consecutive detection passes."""

PASSES_PER_WHOLE_LOOK = 2
"""Of so many detection passes, one looks at the whole image."""

MIN_STILL_IOU, MAX_STILL_DEG = 0.9, 4.0
"""A face hardly moves from one pass to another if its boxes overlap by at least so much (intersection over union), and its
roll differs by less."""

MAX_FACES_NEARBY = 3
"""Maximum number of known faces of which only the surroundings are looked at: for more, the whole image takes less time."""


@dataclass(frozen=True)
class Observation:
    """An analyzed frame, whether it begins a shot, and its detections; None if the frame had no detection pass."""

    frame: Frame
    begins_shot: bool
    detections: tuple[Detection, ...] | None


@dataclass
class SearchReport:
    """Filled in during iteration: the number of searches of the whole image with a face a little too small to be found."""

    small_faces: int = 0


def detect_faces(
    frames: Iterable[Frame], detector: Detector, settings: Settings, report: SearchReport | None = None
) -> Iterator[Observation]:
    """Yield an observation of every frame, and fill in the ``report``, if any.

    There is a detection pass in the first frame of every detection interval and in the first and last frame of every shot.
    Every other pass only looks at the surroundings of known faces, unless they are many. It is left out if none of these
    moved between the two passes before, nor has moved by the next one. The whole image is searched in the first frame of
    every (longer) search interval and at both ends of a shot; frames are buffered from one such search to the next.
    Detections in a shot do not depend on the frames before it.
    """
    shot: _Shot | None = None
    for frame, begins_shot in show_own_shot(mark_shots(frames, settings.gap_ms)):
        if begins_shot or shot is None:
            if shot is not None:
                yield from shot.end()
            shot = _Shot(detector, settings, report)
        yield from shot.add(frame)
    if shot is not None:
        yield from shot.end()


class _Shot:
    """The detection passes within one shot; ``_buffered`` are the frames since the last search of the whole image."""

    def __init__(self, detector: Detector, settings: Settings, report: SearchReport | None) -> None:
        self._detector = detector
        self._settings = settings
        self._report = report
        self._buffered: list[Observation] = []
        self._known: list[Detection] = []
        self._last_detected_ms: dict[Detection, int] = {}
        self._is_still = False
        self._left_out: dict[int, Frame] = {}
        """Buffered frames, in color, whose passes were left out: by their position."""
        self._last_frame_ms: int | None = None
        self._last_image: NDArray[np.uint8] | None = None

    def add(self, frame: Frame) -> Iterator[Observation]:
        """Add a frame, and yield the observations that are final.

        A frame without an image of its own, with that of the one before, has no detection pass: the interval begins with the
        next image, so that boxes are those of the time when it is shown.
        """
        begins_shot = self._last_frame_ms is None
        self._release_color()
        if frame.shown_us is not None and frame.image is self._last_image:
            self._buffered.append(Observation(frame, begins_shot, None))
            return
        if self._begins_interval(frame, self._settings.search_interval_ms):
            yield from self._search_whole(frame, begins_shot)
        elif self._begins_interval(frame, self._settings.detection_interval_ms):
            self._buffered.append(Observation(frame, begins_shot, self._look(frame)))
        else:
            self._buffered.append(Observation(frame, begins_shot, None))
        self._last_frame_ms, self._last_image = frame.span.start_ms, frame.image

    def end(self) -> Iterator[Observation]:
        """Search the whole image of the last frame, and yield the observations that are left."""
        if self._buffered:
            last = self._buffered.pop()
            yield from self._search_whole(last.frame, last.begins_shot)

    def _release_color(self) -> None:
        """Release the color of the last buffered frame, which is not the shot's last, unless it had a detection pass."""
        if self._buffered and (last := self._buffered[-1]).detections is None:
            self._buffered[-1] = replace(last, frame=last.frame.without_color())

    def _begins_interval(self, frame: Frame, interval_ms: int) -> bool:
        """Return whether a frame is the shot's first in its interval of time."""
        return self._last_frame_ms is None or frame.span.start_ms // interval_ms != self._last_frame_ms // interval_ms

    def _look(self, frame: Frame) -> tuple[Detection, ...] | None:
        """Return the detections of a fast look at the frame, and update the known faces; None if that is left out."""
        interval_ms = self._settings.detection_interval_ms * PASSES_PER_WHOLE_LOOK
        is_whole = self._begins_interval(frame, interval_ms) or len(self._known) > MAX_FACES_NEARBY
        if self._is_still and not is_whole:
            self._left_out[len(self._buffered)] = frame
            return None
        if is_whole:
            detections = self._detector.look(frame, self._known)
            self._catch_up(detections)
            for face in unmatched(detections, self._known):
                self._search_backwards(face)
        else:
            detections = self._detector.look_near(frame, self._known) if self._known else ()
        self._update_known(detections, frame)
        return detections

    def _update_known(self, detections: Sequence[Detection], frame: Frame) -> None:
        """Make ``detections`` the known faces; a face that was missed stays known until its track times out."""
        self._is_still = _hardly_moved(self._known, detections)
        now_ms = frame.span.start_ms
        oldest_ms = now_ms - self._settings.track_timeout_ms
        missed = [face for face in unmatched(self._known, detections) if self._last_detected_ms[face] >= oldest_ms]
        self._last_detected_ms = {
            **{face: self._last_detected_ms[face] for face in missed},
            **dict.fromkeys(detections, now_ms),
        }
        self._known = [*detections, *missed]

    def _catch_up(self, detections: Sequence[Detection]) -> None:
        """Make up for a pass that was left out before this one with its ``detections``, if faces have moved since."""
        number = max(self._left_out, default=len(self._buffered))
        since = self._buffered[number:]
        if not since or any(each.detections is not None for each in since) or _hardly_moved(self._known, detections):
            return
        frame = self._left_out[number]
        found = self._detector.look_near(frame, self._known)
        self._buffered[number] = replace(since[0], frame=frame, detections=found)
        self._update_known(found, frame)

    def _search_whole(self, frame: Frame, begins_shot: bool) -> Iterator[Observation]:
        """Search the whole image; yield the buffered observations, which are final then, and that of this frame."""
        detections = self._detector.search(frame, self._known)
        self._catch_up(detections)
        if missed := unmatched(self._known, detections):
            nearby = self._detector.look_near(frame, missed)
            detections = left_to_right((*detections, *unmatched(nearby, detections)))
        if self._report is not None and unmatched(self._detector.smaller(frame), detections):
            self._report.small_faces += 1
        for face in unmatched(detections, self._known):
            self._search_backwards(face)
        yield from self._buffered
        yield Observation(frame, begins_shot, detections)
        self._buffered, self._left_out = [], {}
        self._update_known(detections, frame)

    def _search_backwards(self, face: Detection) -> None:
        """Search for a new face in the buffered frames that had a detection pass, or would have had, from the last on."""
        for number in reversed(range(len(self._buffered))):
            observation = self._buffered[number]
            if observation.detections is None and number not in self._left_out:
                continue
            frame, detections = self._left_out.get(number, observation.frame), observation.detections or ()
            matches = _matches(self._detector.look_near(frame, [face]), face)
            if not matches or _matches(detections, matches[0]):
                return
            face = matches[0]
            self._buffered[number] = replace(observation, detections=left_to_right((*detections, face)))


def _hardly_moved(earlier: Sequence[Detection], later: Sequence[Detection]) -> bool:
    """Return whether the faces of two passes are the same, and each where it was."""
    if not earlier or len(earlier) != len(later):
        return False
    overlaps = _ious(later, earlier)
    nearest = overlaps.argmax(1)
    pairs = zip(later, nearest, strict=True)
    turned_deg = [difference_deg(face.pose.roll_deg, earlier[number].pose.roll_deg) for face, number in pairs]
    return bool(overlaps.max(1).min() >= MIN_STILL_IOU and np.abs(turned_deg).max() < MAX_STILL_DEG)


def unmatched(faces: Sequence[Detection], others: Sequence[Detection]) -> list[Detection]:
    """Return the detections whose boxes match none of the others."""
    if not faces or not others:
        return list(faces)
    overlaps = _ious(faces, others).max(1)
    return [face for face, overlap in zip(faces, overlaps, strict=True) if overlap < MIN_SAME_FACE_IOU]


def _matches(detections: Sequence[Detection], face: Detection) -> list[Detection]:
    """Return the detections that may be the same face, largest overlap first."""
    if not detections:
        return []
    ious = _ious([face], detections)[0]
    return [detections[number] for number in np.argsort(-ious, kind="stable") if ious[number] >= MIN_SAME_FACE_IOU]


def _ious(faces: Sequence[Detection], others: Sequence[Detection]) -> NDArray[np.float64]:
    return pairwise_iou([face.box for face in faces], [other.box for other in others])
