"""Highlights of a video: the surest moment of every run of one emotion, spread over faces, emotions and time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from annotate.results.intervals import Piece
from annotate.results.report import Report
from annotate.span import Span

_LONG_ENOUGH_MS = 1600
"""Runs of this length and longer count in full; shorter ones may be chance."""

_MIN_SPREAD = 0.1


@dataclass(frozen=True)
class Moment:
    """A time at which a face shows an emotion, with its probability; ``run_ms`` is how long the face keeps it."""

    time_ms: int
    face_id: int
    emotion: str
    confidence: float
    run_ms: int


@dataclass(frozen=True)
class Run:
    """Consecutive blocks of a face without a gap, all of one emotion."""

    pieces: tuple[Piece, ...]

    @property
    def span(self) -> Span:
        """From the start of the first to the end of the last."""
        return self.pieces[0].span | self.pieces[-1].span

    @property
    def emotion(self) -> str:
        """The emotion of all."""
        return self.pieces[0].emotion

    @property
    def min_confidence(self) -> float:
        """Confidence of the least sure block."""
        return min(piece.probabilities[piece.emotion] for piece in self.pieces)

    def surest(self) -> Moment:
        """Return the middle of its surest block, of the first one of those that are equally sure."""
        best = max(self.pieces, key=lambda piece: (piece.probabilities[piece.emotion], -piece.span.start_ms))
        middle_ms = (best.span.start_ms + best.span.end_ms) // 2
        confidence = best.probabilities[best.emotion]
        return Moment(middle_ms, best.face_id, best.emotion, confidence, self.span.duration_ms)


def runs(pieces: Iterable[Piece]) -> Iterator[Run]:
    """Yield the runs in pieces that are ordered by face, then time."""
    held: list[Piece] = []
    for piece in pieces:
        last = held[-1] if held else piece
        continues = (last.face_id, last.emotion, last.span.end_ms) == (
            piece.face_id,
            piece.emotion,
            piece.span.start_ms,
        )
        if held and not continues:
            yield Run(tuple(held))
            held = []
        held.append(piece)
    if held:
        yield Run(tuple(held))


def highlights(report: Report, most: int) -> list[Moment]:
    """Return at most so many moments, by time, then face.

    Each is the surest of a run. Where there are more runs, moments are chosen one after the other, each time the one that
    is best by the product of its confidence, the root of its run's length, how new its emotion is (to its face, to all),
    and how far it is from those already chosen.
    """
    left = [run.surest() for run in runs(report.pieces)]
    if len(left) > most:
        left = list(_chosen(left, most, report.end_ms))
    return sorted(left, key=lambda moment: (moment.time_ms, moment.face_id))


def _chosen(candidates: Sequence[Moment], most: int, end_ms: int) -> Iterator[Moment]:
    share_ms = max(1.0, end_ms / most)
    distances_ms = [math.inf] * len(candidates)
    left = set(range(len(candidates)))
    seen: set[tuple[int | None, str]] = set()

    def score(number: int) -> tuple[float, int, int]:
        moment = candidates[number]
        is_new = [(face_id, moment.emotion) not in seen for face_id in (moment.face_id, None)]
        spread = max(_MIN_SPREAD, min(1.0, distances_ms[number] / share_ms))
        length = math.sqrt(min(1.0, moment.run_ms / _LONG_ENOUGH_MS))
        return moment.confidence * length * (1 + sum(is_new)) * spread, -moment.time_ms, -moment.face_id

    for _ in range(most):
        best = max(left, key=score)
        left.remove(best)
        moment = candidates[best]
        seen |= {(moment.face_id, moment.emotion), (None, moment.emotion)}
        for number in left:
            distances_ms[number] = min(distances_ms[number], abs(candidates[number].time_ms - moment.time_ms))
        yield moment
