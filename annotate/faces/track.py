"""Face tracks: detections joined from one detection pass to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import lap
import numpy as np

from annotate.faces.box import Box, overlaps, shares_within
from annotate.faces.detect import Detection
from annotate.faces.search import Observation
from annotate.media.decode import Frame
from annotate.settings import Settings

WITHIN_SHARE = 0.75
"""A detection of which so much lies within a tracked face starts no track of its own."""


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A track's face in one frame: detected there, or interpolated between two detections.

    ``track`` counts tracks from 0 in order of their first frame (then from left to right).
    """

    track: int
    frame: Frame
    box: Box
    score: float
    detected: bool


@dataclass(frozen=True, slots=True)
class TrackEnd:
    """No more sightings of this track will come."""

    track: int


@dataclass(eq=False)
class _Track:
    number: int
    frame: Frame
    face: Detection
    unseen: list[Frame] = field(default_factory=list)
    missed: bool = False

    def has_timed_out(self, frame: Frame, timeout_ms: int) -> bool:
        """Return whether the face was missed, and by ``frame`` has not been detected for longer than the timeout."""
        return self.missed and frame.span.start_ms - self.frame.span.start_ms > timeout_ms


def follow(observations: Iterable[Observation], settings: Settings) -> Iterator[TrackedFace | TrackEnd]:
    """Yield the faces of tracks, into which detections are joined by the assignment with the largest total overlap of boxes.

    A frame between two detections of a track gets the box in between, linear in time. A track ends with its shot, or
    when its face has not been detected for longer than the timeout; its last sighting is its last detection. Frames are
    held only as long as a track waits for its next detection. A detection within a tracked face starts no track.
    """
    tracks: list[_Track] = []
    count = 0
    for observation in observations:
        frame = observation.frame
        if observation.begins_shot:
            yield from _end(tracks)
            tracks = []
        for track in tracks:
            track.unseen.append(frame)
        if observation.faces is None:
            continue
        timed_out = [track for track in tracks if track.has_timed_out(frame, settings.track_timeout_ms)]
        yield from _end(timed_out)
        tracks = [track for track in tracks if track not in timed_out]
        matches = _assign(tracks, observation.faces, settings.track_overlap)
        for position, track in enumerate(tracks):
            if position in matches:
                yield from _advance(track, frame, observation.faces[matches[position]])
            else:
                track.missed = True
        taken = set(matches.values())
        new = [face for number, face in enumerate(observation.faces) if number not in taken]
        for face in _outermost(new, [track.face.box for track in tracks]):
            tracks.append(_Track(count, frame, face))
            yield TrackedFace(count, frame, face.box, face.score, detected=True)
            count += 1
    yield from _end(tracks)


def _assign(tracks: list[_Track], faces: tuple[Detection, ...], min_overlap: float) -> dict[int, int]:
    """Return the position of each continued track -> number of the face that continues it (Jonker & Volgenant, 1987)."""
    if not tracks or not faces:
        return {}
    costs = 1 - overlaps([track.face.box for track in tracks], [face.box for face in faces])
    _, of_tracks, _ = lap.lapjv(costs, extend_cost=True, cost_limit=1 - min_overlap)
    return {position: int(number) for position, number in enumerate(np.asarray(of_tracks)) if number >= 0}


def _outermost(faces: list[Detection], tracked: list[Box]) -> list[Detection]:
    """Return faces that lie within neither a tracked face nor a larger one of their own: a mouth is no second face."""
    if not faces:
        return []
    boxes = [face.box for face in faces]
    within = shares_within(boxes, tracked + boxes) >= WITHIN_SHARE
    areas = np.array([box.width * box.height for box in boxes])
    within[:, len(tracked) :] &= areas[:, None] < areas
    return [face for face, inside in zip(faces, within.tolist(), strict=True) if not any(inside)]


def _advance(track: _Track, frame: Frame, face: Detection) -> Iterator[TrackedFace]:
    start_ms, whole_ms = track.frame.span.start_ms, frame.span.start_ms - track.frame.span.start_ms
    for between in track.unseen[:-1]:
        share = (between.span.start_ms - start_ms) / whole_ms
        box = track.face.box.towards(face.box, share)
        score = track.face.score + (face.score - track.face.score) * share
        yield TrackedFace(track.number, between, box, score, detected=False)
    yield TrackedFace(track.number, frame, face.box, face.score, detected=True)
    track.frame, track.face, track.unseen, track.missed = frame, face, [], False


def _end(tracks: list[_Track]) -> Iterator[TrackEnd]:
    for track in tracks:
        yield TrackEnd(track.number)
