"""Link detections of consecutive detection passes into face tracks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import lap
import numpy as np
from numpy.typing import NDArray

from annotate.faces.box import Box, pairwise_containment, pairwise_iou
from annotate.faces.detection import Detection
from annotate.faces.pose import Pose
from annotate.faces.search import Observation
from annotate.media.decode import Frame
from annotate.settings import Settings

MIN_CONTAINMENT = 0.75
"""A detection with at least this fraction of its area within a tracked face starts no track."""

LIKENESS_WEIGHT = 0.5
"""Weight of looking alike, relative to the overlap of boxes, when detections are assigned to tracks."""

MIN_OVERLAP_SHARE = 0.25
"""A face that moves fast may overlap its last box less than usual if it looks alike, down to this share of it."""

MIN_LIKENESS = 0.8
"""Minimum likeness of a face that returns; of frontal photographs of different people, 1 in 100 are that much alike."""

_FORBIDDEN = 100.0


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """The face of a track in one frame: detected, or interpolated between two detections.

    ``track`` counts tracks from 0 in order of their first frame, then from left to right.
    """

    track: int
    frame: Frame
    box: Box
    score: float
    detected: bool
    pose: Pose = Pose()


@dataclass(frozen=True, slots=True)
class TrackEnd:
    """Marks the end of a track, or a gap in it if its face returns later in the shot."""

    track: int


@dataclass(eq=False)
class _Track:
    """A track: its last detection, at ``detected_ms``, how it moves, and the frames since then."""

    number: int
    detected_ms: int
    detection: Detection
    motion: tuple[float, float] = (0.0, 0.0)
    """Pixels per millisecond to the right and down."""
    frames_since: list[Frame] = field(default_factory=list)
    missed: bool = False
    """Whether the last detection pass did not find the face."""
    frame_count: int = 1
    features: NDArray[np.float32] = field(init=False)
    """The sum of the features of all detections: a face that is half out of sight looks unlike itself."""

    def __post_init__(self) -> None:
        self.features = self.detection.features

    def has_timed_out(self, frame: Frame, timeout_ms: int) -> bool:
        """Return whether the face was missed and its last detection lies more than the timeout before ``frame``."""
        return self.missed and frame.span.start_ms - self.detected_ms > timeout_ms

    def expected_at(self, frame: Frame) -> Box:
        """Return the box in a later frame if the face goes on as it moved before."""
        box, passed_ms = self.detection.box, frame.span.start_ms - self.detected_ms
        return Box(box.x + self.motion[0] * passed_ms, box.y + self.motion[1] * passed_ms, box.width, box.height)

    def continued(self, frame: Frame, detection: Detection) -> None:
        """Take over a new detection."""
        passed_ms = max(1, frame.span.start_ms - self.detected_ms)
        (x, y), (new_x, new_y) = self.detection.box.center, detection.box.center
        self.motion = (new_x - x) / passed_ms, (new_y - y) / passed_ms
        self.frame_count += len(self.frames_since) or 1
        self.features = self.features + detection.features
        self.detected_ms, self.detection, self.frames_since, self.missed = frame.span.start_ms, detection, [], False


def link_detections(observations: Iterable[Observation], settings: Settings) -> Iterator[TrackedFace | TrackEnd]:
    """Link detections into tracks, and yield the tracked faces.

    Detections are assigned to tracks so that boxes overlap most, where the faces are and where they would be if they went
    on moving, and faces look most alike. In frames between two detections of a track, its box is interpolated linearly in
    time. A track ends with its shot, or when its face has not been detected for longer than the timeout; its last tracked
    face is its last detection. A new face that looks like one whose track ended earlier in the shot continues that track.
    Frames are held only while a track waits for its next detection. A detection within a tracked face starts no track.
    """
    tracks: list[_Track] = []
    lost: list[_Track] = []
    track_count = 0
    for observation in observations:
        frame = observation.frame
        if observation.begins_shot:
            yield from _end(tracks)
            tracks, lost = [], []
        for track in tracks:
            track.frames_since.append(frame)
        if observation.detections is None:
            continue
        timed_out = [track for track in tracks if track.has_timed_out(frame, settings.track_timeout_ms)]
        for track in timed_out:
            track.frames_since = []
        yield from _end(timed_out)
        tracks = [track for track in tracks if track not in timed_out]
        lost += [track for track in timed_out if track.frame_count >= settings.min_track_frames]
        matches = _assign(tracks, observation.detections, frame, settings.track_overlap)
        for position, track in enumerate(tracks):
            if position in matches:
                yield from _extend(track, frame, observation.detections[matches[position]])
            else:
                track.missed = True
        matched = set(matches.values())
        new = [detection for number, detection in enumerate(observation.detections) if number not in matched]
        for detection in drop_contained(new, [track.detection.box for track in tracks]):
            returned = _most_alike(lost, detection)
            if returned is None:
                tracks.append(_Track(track_count, frame.span.start_ms, detection))
                track_count += 1
            else:
                lost.remove(returned)
                returned.continued(frame, detection)
                tracks.append(returned)
            yield _tracked(tracks[-1].number, frame, detection)
    yield from _end(tracks)


def _assign(tracks: list[_Track], detections: tuple[Detection, ...], frame: Frame, min_overlap: float) -> dict[int, int]:
    """Return index of a track -> index of the detection that continues it."""
    if not tracks or not detections:
        return {}
    boxes = [detection.box for detection in detections]
    overlaps = np.maximum(
        pairwise_iou([track.detection.box for track in tracks], boxes),
        pairwise_iou([track.expected_at(frame) for track in tracks], boxes),
    )
    unlikeness = 1 - _likenesses(tracks, detections)
    costs = 1 - overlaps + LIKENESS_WEIGHT * unlikeness
    return assign(costs, ~(overlaps < min_overlap * unlikeness.clip(MIN_OVERLAP_SHARE, 1)))


def _likenesses(tracks: Sequence[_Track], detections: Sequence[Detection]) -> NDArray[np.float64]:
    """Return how much the face of each track looks like each detection, -1..1; 0 where the detector does not tell.

    The shape is (len(tracks), len(detections)).
    """
    return likenesses([track.features for track in tracks], detections)


def likenesses(features: Sequence[NDArray[np.float32]], detections: Sequence[Detection]) -> NDArray[np.float64]:
    """Return how much faces with ``features`` (n,) look like each detection, of which there is one at least.

    The shape is (len(features), len(detections)); 1 is most alike, and all are 0 if the detector gives no features.
    """
    if not features or not len(detections[0].features):
        return np.zeros((len(features), len(detections)))
    faces = np.array(features, np.float64)
    alike: NDArray[np.float64] = faces @ np.array([detection.features for detection in detections]).T
    alike /= np.linalg.norm(faces, axis=1, keepdims=True).clip(1e-9)
    return alike


def assign(costs: NDArray[np.float64], is_possible: NDArray[np.bool_]) -> dict[int, int]:
    """Return row -> column of the possible assignment with the least cost (Jonker & Volgenant, 1987).

    ``costs`` and ``is_possible`` are (rows, columns); rows without a possible column are left out.
    """
    _, assigned, _ = lap.lapjv(np.where(is_possible, costs, _FORBIDDEN), extend_cost=True, cost_limit=_FORBIDDEN / 2)
    return {row: int(column) for row, column in enumerate(np.asarray(assigned)) if column >= 0}


def _most_alike(tracks: list[_Track], detection: Detection) -> _Track | None:
    """Return the track whose face looks most like that of a detection, None if none looks like it."""
    alike = _likenesses(tracks, [detection])[:, 0]
    return tracks[int(alike.argmax())] if alike.max(initial=0) >= MIN_LIKENESS else None


def drop_contained(detections: list[Detection], tracked: list[Box]) -> list[Detection]:
    """Return detections without those within a tracked face or a larger detection, such as a mouth in a face."""
    if not detections:
        return []
    boxes = [detection.box for detection in detections]
    contained = pairwise_containment(boxes, tracked + boxes) >= MIN_CONTAINMENT
    areas = np.array([box.width * box.height for box in boxes])
    contained[:, len(tracked) :] &= areas[:, None] < areas
    return [detection for detection, within in zip(detections, contained.tolist(), strict=True) if not any(within)]


def _extend(track: _Track, frame: Frame, detection: Detection) -> Iterator[TrackedFace]:
    """Add a detection to a track; yield the interpolated faces since the last detection, and this one."""
    start_ms, interval_ms = track.detected_ms, frame.span.start_ms - track.detected_ms
    for between in track.frames_since[:-1]:
        fraction = (between.span.start_ms - start_ms) / interval_ms
        yield _tracked(track.number, between, track.detection.interpolate(detection, fraction), detected=False)
    yield _tracked(track.number, frame, detection)
    track.continued(frame, detection)


def _tracked(number: int, frame: Frame, face: Detection, *, detected: bool = True) -> TrackedFace:
    return TrackedFace(number, frame, face.box, face.score, detected, face.pose)


def _end(tracks: list[_Track]) -> Iterator[TrackEnd]:
    for track in tracks:
        yield TrackEnd(track.number)
