"""Boxes that follow faces: rows of detections, kept beside the report; between two of them a box is linear in time."""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from annotate.analysis.annotation import Annotation
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.span import MS_PER_S, Span

COLUMNS = ("face_id", "time", "x", "y", "width", "height")

_TIME_DECIMALS = 3
_BOX_DECIMALS = 0
_MIN_DIFFERENCE_PX = 1.0
_JITTER = 1 / 12
"""A detector's boxes differ by this share of the face's width from one detection to the next while the face is still."""

_MAX_SEGMENT_DETECTIONS = 64
"""A segment holds no more, so that a face that is still for hours costs no more than one that moves."""


@dataclass(frozen=True)
class Segment:
    """A part of a face's trajectory on which its box changes linearly, from ``first`` to ``last``."""

    span: Span
    first: Box
    last: Box


class BoxPaths:
    """The trajectory of every face of a video: its detections by time, in pixels of the displayed frame."""

    def __init__(self, detections: Iterable[tuple[int, TimedBox]]) -> None:
        self._trajectories: dict[int, list[TimedBox]] = {}
        for face_id, detection in sorted(detections, key=lambda pair: (pair[0], pair[1].time_ms)):
            self._trajectories.setdefault(face_id, []).append(detection)

    def at(self, face_id: int, time_ms: int) -> Box | None:
        """Return a face's box at a time; before the first and after the last detection that one's, None without any."""
        trajectory = self._trajectories.get(face_id)
        if not trajectory:
            return None
        after = bisect_right(trajectory, time_ms, key=lambda detection: detection.time_ms)
        if after == 0 or after == len(trajectory):
            return trajectory[max(0, after - 1)].box
        before, behind = trajectory[after - 1], trajectory[after]
        return before.box.towards(behind.box, (time_ms - before.time_ms) / (behind.time_ms - before.time_ms))

    def segments(self, face_id: int, span: Span) -> Iterator[Segment]:
        """Yield a face's trajectory during a span, in as few segments as give every detection's box to a pixel."""
        trajectory = self._trajectories.get(face_id, [])
        first, last = self.at(face_id, span.start_ms), self.at(face_id, span.end_ms)
        if first is None or last is None:
            return
        after = bisect_right(trajectory, span.start_ms, key=lambda detection: detection.time_ms)
        before = bisect_left(trajectory, span.end_ms, key=lambda detection: detection.time_ms)
        during = [TimedBox(span.start_ms, first), *trajectory[after:before], TimedBox(span.end_ms, last)]
        for start, end in _find_segments(during, jitter=0):
            yield Segment(Span(during[start].time_ms, during[end].time_ms), during[start].box, during[end].box)

    def thinned(self) -> BoxPaths:
        """Return the same without detections that a linear change between the others gives, up to a detector's jitter."""
        kept = []
        for face_id, trajectory in self._trajectories.items():
            ends = [0, *(end for _, end in _find_segments(trajectory, jitter=_JITTER))]
            kept += [(face_id, trajectory[end]) for end in ends]
        return BoxPaths(kept)

    def __iter__(self) -> Iterator[tuple[int, TimedBox]]:
        for face_id, trajectory in self._trajectories.items():
            for detection in trajectory:
                yield face_id, detection

    def __bool__(self) -> bool:
        return bool(self._trajectories)


def paths_of(annotations: Iterable[Annotation]) -> BoxPaths:
    """Return the detections of all annotations of a video."""
    return BoxPaths((annotation.face_id, seen) for annotation in annotations for seen in annotation.detected)


def format_boxes(paths: BoxPaths) -> str:
    """Return the text of a CSV file: time in seconds with three decimals, boxes in whole pixels."""
    lines = [",".join(COLUMNS)]
    for face_id, seen in paths:
        box = seen.box
        sides = ",".join(f"{side:.{_BOX_DECIMALS}f}" for side in (box.x, box.y, box.width, box.height))
        lines.append(f"{face_id},{seen.time_ms / MS_PER_S:.{_TIME_DECIMALS}f},{sides}")
    return "\n".join(lines) + "\n"


def parse_boxes(content: bytes) -> BoxPaths:
    """Return the boxes in a file's bytes.

    Raises:
        ValueError: the bytes are no whole file of boxes.
    """
    if not content.endswith(b"\n"):
        raise ValueError("its last line is cut off")
    table = pd.read_csv(io.BytesIO(content), keep_default_na=False)
    if tuple(table.columns) != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    try:
        rows = table.to_numpy(float)
    except ValueError:
        raise ValueError("a number is missing") from None
    if not np.isfinite(rows).all():
        raise ValueError("a number is missing")
    return BoxPaths(
        (int(face_id), TimedBox(round(time_s * MS_PER_S), Box(*sides))) for face_id, time_s, *sides in rows.tolist()
    )


def _find_segments(trajectory: Sequence[TimedBox], jitter: float) -> Iterator[tuple[int, int]]:
    """Yield first and last index of segments on which boxes change linearly, from end to end; each found by bisection."""
    start = 0
    while start < len(trajectory) - 1:
        linear, bent = 1, 1 + min(_MAX_SEGMENT_DETECTIONS, len(trajectory) - 1 - start)
        while bent - linear > 1:
            tried = (linear + bent) // 2
            if _is_linear(trajectory[start : start + tried + 1], jitter):
                linear = tried
            else:
                bent = tried
        yield start, start + linear
        start += linear


def _is_linear(trajectory: Sequence[TimedBox], jitter: float) -> bool:
    """Return whether the boxes between the first and the last lie where a linear change puts them.

    They may be off by a pixel, or by the share ``jitter`` of their width if that is more.
    """
    first, last = trajectory[0], trajectory[-1]
    for seen in trajectory[1:-1]:
        expected = first.box.towards(last.box, (seen.time_ms - first.time_ms) / (last.time_ms - first.time_ms))
        box = seen.box
        sides = (expected.x - box.x, expected.y - box.y, expected.width - box.width, expected.height - box.height)
        if max(map(abs, sides)) > max(_MIN_DIFFERENCE_PX, jitter * box.width):
            return False
    return True
