"""Link detections of consecutive detection passes into face tracks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import lap
import numpy as np

from annotate.faces.box import Box, pairwise_containment, pairwise_iou
from annotate.faces.detection import Detection
from annotate.faces.pose import Pose
from annotate.faces.search import Observation
from annotate.media.decode import Frame
from annotate.settings import Settings

MIN_CONTAINMENT = 0.75
"""A detection with at least this fraction of its area within a tracked face starts no track."""


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
    """Marks the end of a track: no more tracked faces of it follow."""

    track: int


@dataclass(eq=False)
class _Track:
    """A track that has not ended: its last detection, in ``frame``, and the frames since then."""

    number: int
    frame: Frame
    detection: Detection
    frames_since: list[Frame] = field(default_factory=list)
    missed: bool = False
    """Whether the last detection pass did not find the face."""

    def has_timed_out(self, frame: Frame, timeout_ms: int) -> bool:
        """Return whether the face was missed and its last detection lies more than the timeout before ``frame``."""
        return self.missed and frame.span.start_ms - self.frame.span.start_ms > timeout_ms


def link_detections(observations: Iterable[Observation], settings: Settings) -> Iterator[TrackedFace | TrackEnd]:
    """Link detections into tracks, and yield the tracked faces.

    Detections are assigned to tracks so that the total overlap of boxes is largest. In frames between two detections of a
    track, its box is interpolated linearly in time. A track ends with its shot, or when its face has not been detected for
    longer than the timeout; its last tracked face is its last detection. Frames are held only while a track waits for its
    next detection. A detection within a tracked face starts no track.
    """
    tracks: list[_Track] = []
    track_count = 0
    for observation in observations:
        frame = observation.frame
        if observation.begins_shot:
            yield from _end(tracks)
            tracks = []
        for track in tracks:
            track.frames_since.append(frame)
        if observation.detections is None:
            continue
        timed_out = [track for track in tracks if track.has_timed_out(frame, settings.track_timeout_ms)]
        yield from _end(timed_out)
        tracks = [track for track in tracks if track not in timed_out]
        matches = _assign(tracks, observation.detections, settings.track_overlap)
        for position, track in enumerate(tracks):
            if position in matches:
                yield from _extend(track, frame, observation.detections[matches[position]])
            else:
                track.missed = True
        matched = set(matches.values())
        new = [detection for number, detection in enumerate(observation.detections) if number not in matched]
        for detection in _drop_contained(new, [track.detection.box for track in tracks]):
            tracks.append(_Track(track_count, frame, detection))
            yield _tracked(track_count, frame, detection)
            track_count += 1
    yield from _end(tracks)


def _assign(tracks: list[_Track], detections: tuple[Detection, ...], min_overlap: float) -> dict[int, int]:
    """Return index of a track -> index of the detection that continues it (Jonker & Volgenant, 1987)."""
    if not tracks or not detections:
        return {}
    costs = 1 - pairwise_iou([track.detection.box for track in tracks], [detection.box for detection in detections])
    _, assigned, _ = lap.lapjv(costs, extend_cost=True, cost_limit=1 - min_overlap)
    return {position: int(number) for position, number in enumerate(np.asarray(assigned)) if number >= 0}


def _drop_contained(detections: list[Detection], tracked: list[Box]) -> list[Detection]:
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
    start_ms, interval_ms = track.frame.span.start_ms, frame.span.start_ms - track.frame.span.start_ms
    for between in track.frames_since[:-1]:
        fraction = (between.span.start_ms - start_ms) / interval_ms
        yield _tracked(track.number, between, track.detection.interpolate(detection, fraction), detected=False)
    yield _tracked(track.number, frame, detection)
    track.frame, track.detection, track.frames_since, track.missed = frame, detection, [], False


def _tracked(number: int, frame: Frame, face: Detection, *, detected: bool = True) -> TrackedFace:
    return TrackedFace(number, frame, face.box, face.score, detected, face.pose)


def _end(tracks: list[_Track]) -> Iterator[TrackEnd]:
    for track in tracks:
        yield TrackEnd(track.number)
