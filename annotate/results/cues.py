"""Conversion of blocks to subtitle cues."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile

from annotate.results.intervals import ClippedBlock
from annotate.span import Span

MIN_CUE_MS = 834
"""Minimum length of a cue: 5/6 s, the minimum in subtitling guidelines."""

SWITCH_PROBABILITY = 0.5
"""The displayed emotion of a face changes when another one reaches this probability,"""

KEEP_PROBABILITY = 0.3
"""or when its own probability falls below this one."""


@dataclass(frozen=True)
class Line:
    """The emotion of one face in a cue."""

    face_id: int
    emotion: str


@dataclass(frozen=True)
class Cue:
    """The text displayed during a span: one line per face, ordered by face."""

    span: Span
    lines: tuple[Line, ...]


def make_cues(blocks: Sequence[ClippedBlock], end_ms: int) -> list[Cue]:
    """Return sorted, disjoint cues for blocks ordered by face, then time, in a video that ends at ``end_ms``.

    Faces on screen together share a cue. An emotion is held while it is likely (hysteresis with two thresholds, as in a
    Schmitt trigger). Adjacent cues with the same text are merged. A short cue is extended into free time, or absorbed by
    the neighbor whose text is more likely during it.
    """
    cues = _merge_adjacent(_combine_faces(_hold_emotions(blocks)))
    return _merge_adjacent(_extend_short(cues, _Likelihood(blocks), end_ms))


def make_face_cues(blocks: Sequence[ClippedBlock], end_ms: int) -> list[Cue]:
    """Return cues of one face each, made by `make_cues` from its blocks alone, ordered by start, then face."""
    faces = [list(group) for _, group in groupby(blocks, key=lambda block: block.face_id)]
    cues = [cue for face in faces for cue in make_cues(face, end_ms)]
    return sorted(cues, key=lambda cue: (cue.span.start_ms, cue.lines[0].face_id))


def any_overlap(cues: Iterable[Cue]) -> bool:
    """Return whether two faces are on screen together anywhere in sorted cues, so that labels need face numbers.

    >>> separate = Cue(Span(0, 900), (Line(1, "fear"),)), Cue(Span(900, 1800), (Line(2, "anger"),))
    >>> any_overlap(separate), any_overlap([*separate, Cue(Span(1000, 1900), (Line(3, "fear"),))])
    (False, True)
    """
    end_ms = 0
    for cue in cues:
        if len(cue.lines) > 1 or cue.span.start_ms < end_ms:
            return True
        end_ms = max(end_ms, cue.span.end_ms)
    return False


def _hold_emotions(blocks: Iterable[ClippedBlock]) -> list[tuple[Span, Line]]:
    """Return the span of each block with the emotion to display."""
    shown: dict[int, str] = {}
    result = []
    for block in blocks:
        best = block.emotion
        last = shown.get(block.face_id, best)
        changes = block.probabilities[best] >= SWITCH_PROBABILITY or block.probabilities[last] < KEEP_PROBABILITY
        shown[block.face_id] = best if changes else last
        result.append((block.span, Line(block.face_id, shown[block.face_id])))
    return result


def _combine_faces(shown: Sequence[tuple[Span, Line]]) -> list[Cue]:
    """Return one cue per span during which the same lines are displayed."""
    changes = sorted(
        [(span.start_ms, True, line) for span, line in shown] + [(span.end_ms, False, line) for span, line in shown],
        key=lambda change: change[:2],
    )
    active: dict[int, Line] = {}
    cues = []
    last_ms = 0
    for time_ms, is_start, line in changes:
        if active and time_ms > last_ms:
            cues.append(Cue(Span(last_ms, time_ms), tuple(active[face_id] for face_id in sorted(active))))
        last_ms = time_ms
        if is_start:
            active[line.face_id] = line
        else:
            del active[line.face_id]
    return cues


def _merge_adjacent(cues: Iterable[Cue]) -> list[Cue]:
    """Merge adjacent cues with the same lines."""
    merged: list[Cue] = []
    for cue in cues:
        if merged and merged[-1].lines == cue.lines and merged[-1].span.end_ms == cue.span.start_ms:
            merged[-1] = Cue(merged[-1].span | cue.span, cue.lines)
        else:
            merged.append(cue)
    return merged


def _extend_short(cues: list[Cue], likelihood: _Likelihood, end_ms: int) -> list[Cue]:
    """Extend short cues into free time, or merge them into a neighbor."""
    done: list[Cue] = []
    pending = cues[::-1]
    while pending:
        cue = pending.pop()
        before_ms = done[-1].span.end_ms if done else 0
        after_ms = pending[-1].span.start_ms if pending else max(end_ms, cue.span.end_ms)
        neighbors = [*done[-1:], *pending[-1:]]
        if cue.span.duration_ms >= MIN_CUE_MS:
            done.append(cue)
        elif after_ms - before_ms >= MIN_CUE_MS or not neighbors:
            stop_ms = min(after_ms, cue.span.start_ms + MIN_CUE_MS)
            start_ms = min(cue.span.start_ms, max(before_ms, stop_ms - MIN_CUE_MS))
            done.append(Cue(Span(start_ms, stop_ms), cue.lines))
        else:
            best = max(neighbors, key=lambda neighbor: _fit(neighbor, cue, likelihood))
            stack = done if done and best is done[-1] else pending
            stack[-1] = Cue(best.span | cue.span, best.lines)
    return done


def _fit(neighbor: Cue, cue: Cue, likelihood: _Likelihood) -> tuple[float, int]:
    """Return how well the text of a neighbor fits a cue: its likelihood, then the number of faces in common."""
    faces = {line.face_id for line in cue.lines}
    return likelihood(neighbor.lines, cue.span), sum(line.face_id in faces for line in neighbor.lines)


class _Likelihood:
    """Mean probability of lines during a span; a face that is not visible counts as 0."""

    def __init__(self, blocks: Iterable[ClippedBlock]) -> None:
        self._of_face: dict[int, list[ClippedBlock]] = {}
        for block in blocks:
            self._of_face.setdefault(block.face_id, []).append(block)

    def __call__(self, lines: Sequence[Line], span: Span) -> float:
        total = sum(self._of_line(line, span) for line in lines)
        return total / (len(lines) * span.duration_ms)

    def _of_line(self, line: Line, span: Span) -> float:
        blocks = self._of_face[line.face_id]
        first = bisect_right(blocks, span.start_ms, key=lambda block: block.span.end_ms)
        during = takewhile(lambda block: block.span.start_ms < span.end_ms, islice(blocks, first, None))
        return sum((block.span & span).duration_ms * block.probabilities[line.emotion] for block in during)
