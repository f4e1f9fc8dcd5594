"""Choose highlights of a video: the most confident blocks, spread over faces, emotions and time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from annotate.results.intervals import ClippedBlock
from annotate.results.report import Report
from annotate.span import Span

_FULL_SCORE_RUN_MS = 1600
"""Shorter runs score less, since they may be chance."""

_MIN_SPREAD = 0.1
"""Factor for a candidate at the same time as a chosen highlight."""


@dataclass(frozen=True)
class Highlight:
    """A time at which a face shows an emotion, with its confidence; ``run_ms`` is the length of its run."""

    time_ms: int
    face_id: int
    emotion: str
    confidence: float
    run_ms: int


@dataclass(frozen=True)
class EmotionRun:
    """Adjacent blocks of a face, without a gap, with one emotion."""

    blocks: tuple[ClippedBlock, ...]

    @property
    def span(self) -> Span:
        """From the start of the first block to the end of the last."""
        return self.blocks[0].span | self.blocks[-1].span

    @property
    def emotion(self) -> str:
        """The emotion of all blocks."""
        return self.blocks[0].emotion

    @property
    def min_confidence(self) -> float:
        """Confidence of the least confident block."""
        return min(block.probabilities[block.emotion] for block in self.blocks)

    def peak(self) -> Highlight:
        """Return a highlight in the middle of the most confident block, the first one on a tie."""
        best = max(self.blocks, key=lambda block: (block.probabilities[block.emotion], -block.span.start_ms))
        middle_ms = (best.span.start_ms + best.span.end_ms) // 2
        confidence = best.probabilities[best.emotion]
        return Highlight(middle_ms, best.face_id, best.emotion, confidence, self.span.duration_ms)


def emotion_runs(blocks: Iterable[ClippedBlock]) -> Iterator[EmotionRun]:
    """Yield the runs in blocks that are ordered by face, then time."""
    run: list[ClippedBlock] = []
    for block in blocks:
        last = run[-1] if run else block
        continues = (last.face_id, last.emotion, last.span.end_ms) == (
            block.face_id,
            block.emotion,
            block.span.start_ms,
        )
        if run and not continues:
            yield EmotionRun(tuple(run))
            run = []
        run.append(block)
    if run:
        yield EmotionRun(tuple(run))


def choose_highlights(report: Report, max_count: int) -> list[Highlight]:
    """Return at most ``max_count`` highlights, one per run at its peak, ordered by time, then face.

    If there are more runs, highlights are chosen greedily by a score: the product of the confidence, the square root of the
    run length, the novelty of the emotion (for its face and for the video), and the distance in time from the highlights
    already chosen.
    """
    candidates = [run.peak() for run in emotion_runs(report.blocks)]
    if len(candidates) > max_count:
        candidates = list(_choose(candidates, max_count, report.end_ms))
    return sorted(candidates, key=lambda highlight: (highlight.time_ms, highlight.face_id))


def _choose(candidates: Sequence[Highlight], max_count: int, end_ms: int) -> Iterator[Highlight]:
    mean_gap_ms = max(1.0, end_ms / max_count)
    distances_ms = [math.inf] * len(candidates)
    remaining = set(range(len(candidates)))
    seen: set[tuple[int | None, str]] = set()

    def score(number: int) -> tuple[float, int, int]:
        candidate = candidates[number]
        novelty = sum((face_id, candidate.emotion) not in seen for face_id in (candidate.face_id, None))
        spread = max(_MIN_SPREAD, min(1.0, distances_ms[number] / mean_gap_ms))
        length = math.sqrt(min(1.0, candidate.run_ms / _FULL_SCORE_RUN_MS))
        return candidate.confidence * length * (1 + novelty) * spread, -candidate.time_ms, -candidate.face_id

    for _ in range(max_count):
        best = max(remaining, key=score)
        remaining.remove(best)
        chosen = candidates[best]
        seen |= {(chosen.face_id, chosen.emotion), (None, chosen.emotion)}
        for number in remaining:
            distances_ms[number] = min(distances_ms[number], abs(candidates[number].time_ms - chosen.time_ms))
        yield chosen
