"""From the blocks of a report to the cues of a subtitle track."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile

from annotate.results.intervals import Piece
from annotate.span import Span

MIN_CUE_MS = 834
"""Least length of a cue, 5/6 s: what subtitling guidelines give a reader for the shortest one."""

SWITCH_PROBABILITY = 0.5
"""A face's shown emotion changes when another reaches this probability,"""

KEEP_PROBABILITY = 0.3
"""or when its own falls below this one."""


@dataclass(frozen=True)
class Line:
    """One face's emotion in a cue."""

    face_id: int
    emotion: str


@dataclass(frozen=True)
class Cue:
    """What is shown during a span: one line per face, ordered by face."""

    span: Span
    lines: tuple[Line, ...]


def make_cues(blocks: Sequence[Piece], end_ms: int) -> list[Cue]:
    """Return cues, sorted and disjoint, for pieces ordered by face, then time, in a video that ends at ``end_ms``.

    Faces on screen together share a cue; an emotion is held while it is likely (two thresholds, as in a Schmitt
    trigger); adjacent cues of one text are one; a short cue is lengthened into free time, or absorbed by the
    neighbor whose text is likelier during it.
    """
    cues = _merged(_together(_held(blocks)))
    return _merged(_lengthened(cues, _Likelihood(blocks), end_ms))


def make_face_cues(blocks: Sequence[Piece], end_ms: int) -> list[Cue]:
    """Return cues of one face each, as `make_cues` gives them for its pieces alone, ordered by start, then face."""
    faces = [list(group) for _, group in groupby(blocks, key=lambda block: block.face_id)]
    cues = [cue for face in faces for cue in make_cues(face, end_ms)]
    return sorted(cues, key=lambda cue: (cue.span.start_ms, cue.lines[0].face_id))


def are_together(cues: Iterable[Cue]) -> bool:
    """Return whether faces are on screen together anywhere in sorted cues, so that they must be told apart.

    >>> alone = Cue(Span(0, 900), (Line(1, "fear"),)), Cue(Span(900, 1800), (Line(2, "anger"),))
    >>> are_together(alone), are_together([*alone, Cue(Span(1000, 1900), (Line(3, "fear"),))])
    (False, True)
    """
    end_ms = 0
    for cue in cues:
        if len(cue.lines) > 1 or cue.span.start_ms < end_ms:
            return True
        end_ms = max(end_ms, cue.span.end_ms)
    return False


def _held(blocks: Iterable[Piece]) -> list[tuple[Span, Line]]:
    """Return each piece's span with the emotion shown for it."""
    shown: dict[int, str] = {}
    result = []
    for block in blocks:
        best = block.emotion
        last = shown.get(block.face_id, best)
        changes = block.probabilities[best] >= SWITCH_PROBABILITY or block.probabilities[last] < KEEP_PROBABILITY
        shown[block.face_id] = best if changes else last
        result.append((block.span, Line(block.face_id, shown[block.face_id])))
    return result


def _together(shown: Sequence[tuple[Span, Line]]) -> list[Cue]:
    """Return a cue for every span over which the same lines are shown."""
    changes = sorted(
        [(span.start_ms, True, line) for span, line in shown] + [(span.end_ms, False, line) for span, line in shown],
        key=lambda change: change[:2],
    )
    active: dict[int, Line] = {}
    cues = []
    last_ms = 0
    for moment_ms, begins, line in changes:
        if active and moment_ms > last_ms:
            cues.append(Cue(Span(last_ms, moment_ms), tuple(active[face_id] for face_id in sorted(active))))
        last_ms = moment_ms
        if begins:
            active[line.face_id] = line
        else:
            del active[line.face_id]
    return cues


def _merged(cues: Iterable[Cue]) -> list[Cue]:
    """Return cues with adjacent ones of the same lines as one."""
    merged: list[Cue] = []
    for cue in cues:
        if merged and merged[-1].lines == cue.lines and merged[-1].span.end_ms == cue.span.start_ms:
            merged[-1] = Cue(merged[-1].span | cue.span, cue.lines)
        else:
            merged.append(cue)
    return merged


def _lengthened(cues: list[Cue], likelihood: _Likelihood, end_ms: int) -> list[Cue]:
    """Return cues with short ones lengthened into free time, or absorbed by a neighbor."""
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
            likelier = max(neighbors, key=lambda neighbor: _closeness(neighbor, cue, likelihood))
            stack = done if done and likelier is done[-1] else pending
            stack[-1] = Cue(likelier.span | cue.span, likelier.lines)
    return done


def _closeness(neighbor: Cue, cue: Cue, likelihood: _Likelihood) -> tuple[float, int]:
    """Return how well a neighbor's text fits during a cue: its likelihood, then the number of faces in common."""
    faces = {line.face_id for line in cue.lines}
    return likelihood(neighbor.lines, cue.span), sum(line.face_id in faces for line in neighbor.lines)


class _Likelihood:
    """The mean probability of lines during a span; a face that is not there counts as 0."""

    def __init__(self, blocks: Iterable[Piece]) -> None:
        self._of_face: dict[int, list[Piece]] = {}
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
