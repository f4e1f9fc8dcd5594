"""Face boxes over time (``*.emotions.boxes.csv``): one row per detection, linear interpolation in between."""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from annotate.analysis.annotation import Annotation
from annotate.faces.blocks import TimedBox, box_at
from annotate.faces.box import Box
from annotate.span import MS_PER_S, Span

COLUMNS = ("face_id", "time", "x", "y", "width", "height")

_TIME_DECIMALS = 3
_BOX_DECIMALS = 0
_MIN_DIFFERENCE_PX = 1.0
_JITTER = 1 / 12
"""Jitter of the detector: boxes of a still face differ by this share of its width from one detection to the next."""

_MAX_SEGMENT_DETECTIONS = 64
"""Limit of detections per segment, so that the search stays fast for a face that is still for hours."""


@dataclass(frozen=True)
class Segment:
    """A part of a face's trajectory with linear motion of the box from ``first`` to ``last``."""

    span: Span
    first: Box
    last: Box


class BoxTrajectories:
    """The box trajectory of every face of a video: detections by time, in pixels of the displayed frame."""

    def __init__(self, detections: Iterable[tuple[int, TimedBox]]) -> None:
        self._trajectories: dict[int, list[TimedBox]] = {}
        for face_id, detection in sorted(detections, key=lambda pair: (pair[0], pair[1].time_ms)):
            self._trajectories.setdefault(face_id, []).append(detection)

    def at(self, face_id: int, time_ms: int) -> Box | None:
        """Return the box of a face at a time, constant beyond its first and last detection; None if unknown."""
        trajectory = self._trajectories.get(face_id)
        return box_at(trajectory, time_ms) if trajectory else None

    def segments(self, face_id: int, span: Span) -> Iterator[Segment]:
        """Yield the trajectory of a face during a span, in few segments that match every detection to a pixel."""
        trajectory = self._trajectories.get(face_id, [])
        first, last = self.at(face_id, span.start_ms), self.at(face_id, span.end_ms)
        if first is None or last is None:
            return
        after = bisect_right(trajectory, span.start_ms, key=lambda detection: detection.time_ms)
        before = bisect_left(trajectory, span.end_ms, key=lambda detection: detection.time_ms)
        during = [TimedBox(span.start_ms, first), *trajectory[after:before], TimedBox(span.end_ms, last)]
        for start, end in _find_segments(during, jitter=0):
            yield Segment(Span(during[start].time_ms, during[end].time_ms), during[start].box, during[end].box)

    def thinned(self) -> BoxTrajectories:
        """Return a copy without detections that interpolation reproduces to within the jitter of the detector."""
        kept = []
        for face_id, trajectory in self._trajectories.items():
            ends = [0, *(end for _, end in _find_segments(trajectory, jitter=_JITTER))]
            kept += [(face_id, trajectory[end]) for end in ends]
        return BoxTrajectories(kept)

    def rounded(self) -> BoxTrajectories:
        """Return a copy as it is read from its file: in whole pixels."""
        return BoxTrajectories(
            (face_id, TimedBox(one.time_ms, Box(*map(float, _shown_sides(one.box))))) for face_id, one in self
        )

    def scaled_to(self, width_px: int, height_px: int, size_px_at: Callable[[int], tuple[int, int]]) -> BoxTrajectories:
        """Return a copy in pixels of a frame of the given size, ``size_px_at`` being that at a time in ms until now."""
        scaled = []
        for face_id, detection in self:
            width, height = size_px_at(detection.time_ms)
            box = detection.box.scaled(width_px / width, height_px / height)
            scaled.append((face_id, TimedBox(detection.time_ms, box)))
        return BoxTrajectories(scaled)

    def __iter__(self) -> Iterator[tuple[int, TimedBox]]:
        for face_id, trajectory in self._trajectories.items():
            for detection in trajectory:
                yield face_id, detection

    def __bool__(self) -> bool:
        return bool(self._trajectories)


def collect_trajectories(annotations: Iterable[Annotation]) -> BoxTrajectories:
    """Return the box trajectories in all annotations of a video."""
    return BoxTrajectories(
        (annotation.face_id, detection) for annotation in annotations for detection in annotation.detected
    )


def format_boxes(trajectories: BoxTrajectories) -> str:
    """Return the CSV text: times in seconds with three decimals, boxes in whole pixels."""
    lines = [",".join(COLUMNS)]
    for face_id, detection in trajectories:
        sides = ",".join(_shown_sides(detection.box))
        lines.append(f"{face_id},{detection.time_ms / MS_PER_S:.{_TIME_DECIMALS}f},{sides}")
    return "\n".join(lines) + "\n"


def parse_boxes(content: bytes) -> BoxTrajectories:
    """Parse the bytes of a boxes file.

    Raises:
        ValueError: the bytes are not a complete boxes file.
    """
    import pandas as pd

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
    return BoxTrajectories(
        (int(face_id), TimedBox(round(time_s * MS_PER_S), Box(*sides))) for face_id, time_s, *sides in rows.tolist()
    )


def _shown_sides(box: Box) -> list[str]:
    return [f"{side:.{_BOX_DECIMALS}f}" for side in (box.x, box.y, box.width, box.height)]


def _find_segments(trajectory: Sequence[TimedBox], jitter: float) -> Iterator[tuple[int, int]]:
    """Yield first and last index of consecutive segments with linear motion; the end of each is found by bisection."""
    start = 0
    while start < len(trajectory) - 1:
        linear, nonlinear = 1, 1 + min(_MAX_SEGMENT_DETECTIONS, len(trajectory) - 1 - start)
        while nonlinear - linear > 1:
            middle = (linear + nonlinear) // 2
            if _is_linear(trajectory[start : start + middle + 1], jitter):
                linear = middle
            else:
                nonlinear = middle
        yield start, start + linear
        start += linear


def _is_linear(trajectory: Sequence[TimedBox], jitter: float) -> bool:
    """Return whether interpolation between the first and the last box matches the boxes in between.

    Sides may differ by a pixel, or by ``jitter`` times the width if that is more.
    """
    first, last = trajectory[0], trajectory[-1]
    for detection in trajectory[1:-1]:
        expected = first.box.interpolate(last.box, (detection.time_ms - first.time_ms) / (last.time_ms - first.time_ms))
        box = detection.box
        sides = (expected.x - box.x, expected.y - box.y, expected.width - box.width, expected.height - box.height)
        if max(map(abs, sides)) > max(_MIN_DIFFERENCE_PX, jitter * box.width):
            return False
    return True
