"""Where faces are, with a margin in time and space: what has to be blurred so that no face is seen.

Boxes here are in fractions of the frame's width and height, so that they hold for a frame of any size.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from annotate.faces.blocks import TimedBox, box_at
from annotate.faces.box import Box, pairwise_containment, pairwise_iou
from annotate.span import MS_PER_S, Span

MARGIN_MS = 500
"""A face is covered for this long before its first and after its last detection, within the shot."""

MAX_GAP_MS = 1000
"""A face that disappears for less and comes back at about the same place is covered in between, across shots as well."""

WIDENING = 2.0
"""Sides of the covered region, in sides of the box, which is from brow to chin: hair and ears are covered too."""

MIN_SAME_PLACE_IOU = 0.05
"""Minimum intersection over union of widened boxes at about the same place."""

MIN_SAME_FACE_IOU, MIN_SAME_FACE_CONTAINMENT = 0.3, 0.75
"""A detection is of a kept face if it overlaps its box by so much, or if so much of it lies within the box."""

_MOTION_MS = 200
"""Motion at the ends of a track is measured over at least this time."""


@dataclass(frozen=True)
class FoundFaces:
    """The faces that a thorough search found.

    ``tracks`` are the detections of each track in order of time, ``shots`` the spans of the shots, and ``times_ms`` the
    starts of all frames of the video.
    """

    tracks: tuple[tuple[TimedBox, ...], ...]
    shots: tuple[Span, ...]
    times_ms: frozenset[int]

    def shot_at(self, time_ms: int) -> Span:
        """Return the shot at a time; beyond the video, one that lasts a millisecond."""
        number = bisect_right(self.shots, time_ms, key=lambda shot: shot.start_ms) - 1
        shot = self.shots[number] if number >= 0 else Span(time_ms, time_ms)
        return shot if time_ms in shot else Span(time_ms, time_ms + 1)

    def by_shot(self, track: Sequence[TimedBox]) -> Iterator[tuple[TimedBox, ...]]:
        """Yield the parts of a track that are in one shot each."""
        for _, part in groupby(track, key=lambda detection: self.shot_at(detection.time_ms)):
            yield tuple(part)


@dataclass(frozen=True)
class Cover:
    """A moving region that is covered during ``span``: that of a face with some ``detections``, at least one."""

    span: Span
    detections: tuple[TimedBox, ...]

    def at(self, time_ms: int) -> Box:
        """Return the region at a time.

        Before the first detection and after the last it covers the box both at rest and in motion as before.
        """
        box = box_at(self.detections, time_ms)
        for end, inner in self._ends():
            is_beyond = time_ms < end.time_ms < inner.time_ms or time_ms > end.time_ms > inner.time_ms
            if is_beyond:
                moved = end.box.interpolate(inner.box, (time_ms - end.time_ms) / (inner.time_ms - end.time_ms))
                if moved.width > 0 and moved.height > 0:
                    box |= moved
        return box.widened(WIDENING)

    def _ends(self) -> Iterator[tuple[TimedBox, TimedBox]]:
        """Yield first and last detection, each with one that tells the motion there; none for a single detection."""
        first, last = self.detections[0], self.detections[-1]
        if last.time_ms - first.time_ms >= _MOTION_MS:
            after = bisect_left(self.detections, first.time_ms + _MOTION_MS, key=lambda one: one.time_ms)
            before = bisect_right(self.detections, last.time_ms - _MOTION_MS, key=lambda one: one.time_ms) - 1
            yield first, self.detections[after]
            yield last, self.detections[before]


class Coverage:
    """The regions of a video to cover at each time."""

    def __init__(self, covers: Iterable[Cover], times_ms: frozenset[int]) -> None:
        self._times_ms = times_ms
        self._covers: dict[int, list[Cover]] = defaultdict(list)
        for cover in covers:
            for second in range(cover.span.start_ms // MS_PER_S, (cover.span.end_ms - 1) // MS_PER_S + 1):
                self._covers[second].append(cover)

    def at(self, time_ms: int) -> list[Box] | None:
        """Return the regions to cover in the frame that starts at a time; None if it was not searched for faces."""
        if time_ms not in self._times_ms:
            return None
        covers = self._covers.get(time_ms // MS_PER_S, ())
        return [cover.at(time_ms) for cover in covers if time_ms in cover.span]


def cover_faces(
    found: FoundFaces, known: Iterable[Sequence[TimedBox]] = (), kept: Iterable[Sequence[TimedBox]] = ()
) -> Coverage:
    """Return what to cover of the found faces and those of ``known`` tracks, except those of ``kept`` tracks.

    A kept face is left out only from its first to its last detection, so that nobody else is left out at its place.
    """
    kept_parts = _Kept([part for track in kept for part in found.by_shot(track)])
    covers: list[Cover] = []
    for track in found.tracks:
        covers += _cover_track(track, found.shot_at(track[0].time_ms), kept_parts)
    for known_track in known:
        for part in found.by_shot(known_track):
            covers.append(Cover(_with_margin(part, found.shot_at(part[0].time_ms)), part))
    return Coverage([*covers, *_bridges(covers)], found.times_ms)


class _Kept:
    """Tracks of kept faces, each within one shot."""

    def __init__(self, tracks: Sequence[tuple[TimedBox, ...]]) -> None:
        self._tracks = tracks

    def has(self, detection: TimedBox) -> bool:
        """Return whether a detection is of a kept face."""
        boxes = [
            box_at(track, detection.time_ms)
            for track in self._tracks
            if track[0].time_ms <= detection.time_ms <= track[-1].time_ms
        ]
        if not boxes:
            return False
        iou = pairwise_iou([detection.box], boxes).max()
        containment = pairwise_containment([detection.box], boxes).max()
        return bool(iou >= MIN_SAME_FACE_IOU or containment >= MIN_SAME_FACE_CONTAINMENT)


def _cover_track(track: Sequence[TimedBox], shot: Span, kept: _Kept) -> Iterator[Cover]:
    """Yield covers of the parts of a track that are not of a kept face; a margin ends where the face is a kept one."""
    start_ms = shot.start_ms
    parts = [(is_kept, tuple(part)) for is_kept, part in groupby(track, key=kept.has)]
    for number, (is_kept, part) in enumerate(parts):
        if is_kept:
            start_ms = part[-1].time_ms + 1
        else:
            end_ms = parts[number + 1][1][0].time_ms if number + 1 < len(parts) else shot.end_ms
            yield Cover(_with_margin(part, Span(start_ms, end_ms)), part)


def _with_margin(detections: Sequence[TimedBox], limits: Span) -> Span:
    """Return the time to cover; at least from the first detection to the last."""
    first_ms, last_ms = detections[0].time_ms, detections[-1].time_ms
    span = Span(first_ms - MARGIN_MS, last_ms + MARGIN_MS) & limits
    return span | Span(first_ms, last_ms + 1)


def _bridges(covers: Sequence[Cover]) -> Iterator[Cover]:
    """Yield covers of the gaps between faces that disappear and come back at about the same place."""
    ending = sorted(covers, key=lambda cover: cover.detections[-1].time_ms)
    for cover in covers:
        following = cover.detections[0]
        first = bisect_right(ending, following.time_ms - MAX_GAP_MS, key=lambda one: one.detections[-1].time_ms)
        end = bisect_left(ending, following.time_ms, key=lambda one: one.detections[-1].time_ms)
        for previous in (one.detections[-1] for one in ending[first:end]):
            boxes = [previous.box.widened(WIDENING)], [following.box.widened(WIDENING)]
            if pairwise_iou(*boxes)[0, 0] >= MIN_SAME_PLACE_IOU:
                yield Cover(Span(previous.time_ms, following.time_ms), (previous, following))
