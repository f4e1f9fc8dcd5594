"""A report's blocks as disjoint pieces of time, so that time that two blocks share is counted once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from annotate.results.table import class_names_of
from annotate.span import MS_PER_S, Span


@dataclass(frozen=True)
class Piece:
    """A face's block without what the block before already covered; probabilities by class name."""

    face_id: int
    span: Span
    emotion: str
    probabilities: dict[str, float]


def pieces(table: pd.DataFrame) -> list[Piece]:
    """Return the blocks of a report as disjoint pieces of each face, ordered by face, then time."""
    names = class_names_of(table)
    ordered = table.sort_values(["face_id", "start_time", "block"])
    columns = [ordered[name].tolist() for name in ("face_id", "start_time", "end_time", "emotion", *names)]
    ends: dict[int, int] = {}
    result = []
    for face_id, start_s, end_s, emotion, *probabilities in zip(*columns, strict=True):
        span = Span(round(start_s * MS_PER_S), round(end_s * MS_PER_S)).from_start(ends.get(face_id, 0))
        if span:
            ends[face_id] = span.end_ms
            result.append(Piece(face_id, span, emotion, dict(zip(names, probabilities, strict=True))))
    return result


def seconds_by_emotion(parts: Iterable[Piece]) -> dict[str, float]:
    """Return the seconds of each emotion that occurs, added up over faces."""
    milliseconds: dict[str, int] = {}
    for part in parts:
        milliseconds[part.emotion] = milliseconds.get(part.emotion, 0) + part.span.duration_ms
    return {emotion: total / MS_PER_S for emotion, total in milliseconds.items()}


def dominant_emotion(parts: Iterable[Piece]) -> str:
    """Return the emotion with most seconds, empty if there is none."""
    seconds = seconds_by_emotion(parts)
    return max(sorted(seconds), key=lambda emotion: seconds[emotion], default="")


def covered_s(parts: Iterable[Piece]) -> float:
    """Return the seconds with at least one face."""
    covered_ms, end_ms = 0, 0
    for span in sorted(part.span for part in parts):
        covered_ms += span.from_start(end_ms).duration_ms
        end_ms = max(end_ms, span.end_ms)
    return covered_ms / MS_PER_S
