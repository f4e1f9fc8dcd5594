"""Disjoint time intervals of blocks, so that the overlap of two blocks of a face is counted once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from annotate.results.table import class_names_of
from annotate.span import MS_PER_S, Span


@dataclass(frozen=True)
class ClippedBlock:
    """A block without the time that the previous block of its face covers; ``probabilities`` by class name."""

    face_id: int
    span: Span
    emotion: str
    probabilities: dict[str, float]


def clip_overlaps(table: pd.DataFrame) -> list[ClippedBlock]:
    """Return the blocks of a table, disjoint within each face and ordered by face, then time."""
    names = class_names_of(table)
    ordered = table.sort_values(["face_id", "start_time", "block"])
    columns = [ordered[name].tolist() for name in ("face_id", "start_time", "end_time", "emotion", *names)]
    ends: dict[int, int] = {}
    result = []
    for face_id, start_s, end_s, emotion, *probabilities in zip(*columns, strict=True):
        span = Span(round(start_s * MS_PER_S), round(end_s * MS_PER_S)).from_start(ends.get(face_id, 0))
        if span:
            ends[face_id] = span.end_ms
            result.append(ClippedBlock(face_id, span, emotion, dict(zip(names, probabilities, strict=True))))
    return result


def seconds_by_emotion(blocks: Iterable[ClippedBlock]) -> dict[str, float]:
    """Return the total seconds of each emotion that occurs, summed over faces."""
    milliseconds: dict[str, int] = {}
    for block in blocks:
        milliseconds[block.emotion] = milliseconds.get(block.emotion, 0) + block.span.duration_ms
    return {emotion: total / MS_PER_S for emotion, total in milliseconds.items()}


def dominant_emotion(blocks: Iterable[ClippedBlock]) -> str:
    """Return the emotion with the most seconds, empty without blocks."""
    seconds = seconds_by_emotion(blocks)
    return max(sorted(seconds), key=lambda emotion: seconds[emotion], default="")


def covered_s(blocks: Iterable[ClippedBlock]) -> float:
    """Return the seconds during which at least one face is visible."""
    covered_ms, end_ms = 0, 0
    for span in sorted(block.span for block in blocks):
        covered_ms += span.from_start(end_ms).duration_ms
        end_ms = max(end_ms, span.end_ms)
    return covered_ms / MS_PER_S
