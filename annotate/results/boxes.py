"""Boxes that follow faces: rows of detections, kept beside the report; in between a box is linear in time."""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from annotate.analysis.annotation import Annotation
from annotate.errors import ReportError
from annotate.faces.blocks import Detection
from annotate.faces.box import Box
from annotate.results.meta import hash_content
from annotate.span import MS_PER_S, Span

COLUMNS = ("face_id", "time", "x", "y", "width", "height")

_TIME_DECIMALS = 3
_BOX_DECIMALS = 0
_LEAST_DIFFERENCE_PX = 1.0
_TREMBLE = 1 / 12
"""By this part of a face's width a detector's boxes differ from look to look while the face is still."""

_LONGEST_STRETCH = 64
"""Most detections in an even stretch, so that a face that is still for hours costs no more than one that moves."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a face's way on which its box changes evenly, from ``first`` to ``last``."""

    span: Span
    first: Box
    last: Box


class BoxPaths:
    """Where every face of a video was detected, in pixels of the displayed picture, by face and time."""

    def __init__(self, detections: Iterable[tuple[int, Detection]]) -> None:
        self._ways: dict[int, list[Detection]] = {}
        for face_id, detection in sorted(detections, key=lambda pair: (pair[0], pair[1].time_ms)):
            self._ways.setdefault(face_id, []).append(detection)

    def at(self, face_id: int, time_ms: int) -> Box | None:
        """A face's box at a time; before its first and after its last detection it is that one's, None without any."""
        way = self._ways.get(face_id)
        if not way:
            return None
        after = bisect_right(way, time_ms, key=lambda detection: detection.time_ms)
        if after == 0 or after == len(way):
            return way[max(0, after - 1)].box
        before, behind = way[after - 1], way[after]
        return before.box.towards(behind.box, (time_ms - before.time_ms) / (behind.time_ms - before.time_ms))

    def segments(self, face_id: int, span: Span) -> Iterator[Segment]:
        """A face's way during a span, in as few even stretches as give every detection's box to a pixel."""
        way = self._ways.get(face_id, [])
        first, last = self.at(face_id, span.start_ms), self.at(face_id, span.end_ms)
        if first is None or last is None:
            return
        after = bisect_right(way, span.start_ms, key=lambda detection: detection.time_ms)
        before = bisect_left(way, span.end_ms, key=lambda detection: detection.time_ms)
        during = [Detection(span.start_ms, first), *way[after:before], Detection(span.end_ms, last)]
        for start, end in _stretches(during, tremble=0):
            yield Segment(Span(during[start].time_ms, during[end].time_ms), during[start].box, during[end].box)

    def thinned(self) -> BoxPaths:
        """Without the detections that an even change between the others gives, but for what a detector trembles by."""
        kept = []
        for face_id, way in self._ways.items():
            ends = [0, *(end for _, end in _stretches(way, tremble=_TREMBLE))]
            kept += [(face_id, way[end]) for end in ends]
        return BoxPaths(kept)

    def __iter__(self) -> Iterator[tuple[int, Detection]]:
        for face_id, way in self._ways.items():
            for detection in way:
                yield face_id, detection

    def __bool__(self) -> bool:
        return bool(self._ways)


def paths_of(annotations: Iterable[Annotation]) -> BoxPaths:
    """The detections of all annotations of a video."""
    return BoxPaths((annotation.face_id, seen) for annotation in annotations for seen in annotation.detected)


def format_boxes(paths: BoxPaths) -> str:
    """As the text of a CSV file: time in seconds with three decimals, boxes in whole pixels."""
    lines = [",".join(COLUMNS)]
    for face_id, seen in paths:
        box = seen.box
        sides = ",".join(f"{side:.{_BOX_DECIMALS}f}" for side in (box.x, box.y, box.width, box.height))
        lines.append(f"{face_id},{seen.time_ms / MS_PER_S:.{_TIME_DECIMALS}f},{sides}")
    return "\n".join(lines) + "\n"


def read_boxes(path: Path, known: str | None = None) -> BoxPaths:
    """Reads a file of boxes back; ``known`` is the hash that its meta file has of it, if that is to be compared.

    Raises:
        ReportError: it cannot be read, is none of this program's, or is not as it was written.
    """
    try:
        content = path.read_bytes()
        if known is not None and hash_content(content) != known:
            raise ValueError("it is not as its meta file says it was written")
        return parse_boxes(content)
    except OSError as error:
        raise ReportError(f"{path}: the boxes cannot be read ({error.strerror}); annotate the video again") from None
    except ValueError as error:
        raise ReportError(f"{path}: not a whole file of boxes ({error}); annotate the video again") from None


def parse_boxes(content: bytes) -> BoxPaths:
    """The boxes in a file's bytes.

    Raises:
        ValueError: there are none.
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
        (int(face_id), Detection(round(time_s * MS_PER_S), Box(*sides))) for face_id, time_s, *sides in rows.tolist()
    )


def _stretches(way: Sequence[Detection], tremble: float) -> Iterator[tuple[int, int]]:
    """First and last index of the stretches on which boxes change evenly, from end to end; each found by bisection."""
    start = 0
    while start < len(way) - 1:
        even, uneven = 1, 1 + min(_LONGEST_STRETCH, len(way) - 1 - start)
        while uneven - even > 1:
            tried = (even + uneven) // 2
            if _is_even(way[start : start + tried + 1], tremble):
                even = tried
            else:
                uneven = tried
        yield start, start + even
        start += even


def _is_even(way: Sequence[Detection], tremble: float) -> bool:
    """Whether the boxes between the first and the last lie where an even change puts them.

    They may be off by a pixel, or by the part ``tremble`` of their width if that is more.
    """
    first, last = way[0], way[-1]
    for seen in way[1:-1]:
        even = first.box.towards(last.box, (seen.time_ms - first.time_ms) / (last.time_ms - first.time_ms))
        box = seen.box
        sides = (even.x - box.x, even.y - box.y, even.width - box.width, even.height - box.height)
        if max(map(abs, sides)) > max(_LEAST_DIFFERENCE_PX, tremble * box.width):
            return False
    return True
