"""Disjoint time intervals of blocks, so that the overlap of two blocks of a face is counted once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from annotate.emotions.labels import EMOTIONS
from annotate.results.table import AUTHOR, MACHINE_EMOTION, SOURCE, class_names_of, own_spans_ms
from annotate.span import MS_PER_S, Span

if TYPE_CHECKING:
    from annotate.results.table import AnyTable

TIE_MS = 20
"""Times that differ by no more are a tie: rounding and the duration of the last frame, which decoders tell differently."""


@dataclass(frozen=True)
class ClippedBlock:
    """A block in its own time (`annotate.results.table.own_times`); ``probabilities`` by class name.

    ``machine`` is what the machine says where a person said what the block says, else empty.
    """

    face_id: int
    span: Span
    emotion: str
    probabilities: dict[str, float]
    machine: str = ""


def clip_overlaps(table: AnyTable) -> list[ClippedBlock]:
    """Return the blocks of a table in their own times, ordered by face, then time; those without any are left out."""
    names = class_names_of(table)
    start_ms, end_ms = own_spans_ms(table)
    order = np.lexsort([np.asarray(table["block"]), start_ms, np.asarray(table["face_id"])])
    order = order[start_ms[order] < end_ms[order]]
    shown = [np.asarray(table["face_id"]), start_ms, end_ms, np.asarray(table["emotion"], object), _machine_labels(table)]
    columns = [values[order].tolist() for values in (*shown, *(np.asarray(table[name]) for name in names))]
    return [
        ClippedBlock(face_id, Span(start, end), emotion, dict(zip(names, probabilities, strict=True)), machine)
        for face_id, start, end, emotion, machine, *probabilities in zip(*columns, strict=True)
    ]


def _machine_labels(table: AnyTable) -> npt.NDArray[np.object_]:
    """Return what the machine says in the rows in which a person said something, else empty texts."""
    if SOURCE not in table.columns:
        return np.full(len(table), "", object)
    return np.where(np.asarray(table[SOURCE]) == AUTHOR, np.asarray(table[MACHINE_EMOTION], object), "")


def disjoint(blocks: Iterable[ClippedBlock]) -> list[ClippedBlock]:
    """Return blocks of several faces in order of time, each without the time that those before it cover."""
    end_ms, result = 0, []
    for block in sorted(blocks, key=lambda block: (block.span, block.face_id)):
        if span := block.span.from_start(end_ms):
            end_ms = span.end_ms
            result.append(replace(block, span=span))
    return result


def merge_equal(blocks: Iterable[ClippedBlock]) -> Iterator[tuple[Span, str]]:
    """Yield the spans during which disjoint blocks in order of time have one emotion without a hole, with it.

    >>> blocks = [ClippedBlock(1, Span(ms, ms + 100), name, {}) for ms, name in ((0, "fear"), (100, "fear"), (300, "fear"))]
    >>> [(span.start_ms, span.end_ms) for span, _ in merge_equal(blocks)]
    [(0, 200), (300, 400)]
    """
    merged: tuple[Span, str] | None = None
    for block in blocks:
        if merged is not None and merged[1] == block.emotion and merged[0].end_ms == block.span.start_ms:
            merged = (merged[0] | block.span, block.emotion)
            continue
        if merged is not None:
            yield merged
        merged = (block.span, block.emotion)
    if merged is not None:
        yield merged


def seconds_by_emotion(blocks: Iterable[ClippedBlock]) -> dict[str, float]:
    """Return the total seconds of each emotion that occurs, summed over faces."""
    return {emotion: total / MS_PER_S for emotion, total in _milliseconds_by_emotion(blocks).items()}


def dominant_emotion(blocks: Iterable[ClippedBlock]) -> str:
    """Return the emotion with the most time by `dominant`, empty without blocks."""
    return dominant(_milliseconds_by_emotion(blocks))


def dominant(milliseconds: Mapping[str, int]) -> str:
    """Return the emotion with the most time; of several within `TIE_MS` of it the first class; empty without time.

    Classes are in the order of `EMOTIONS`, then of the alphabet, not in that of a model. Every output that names a dominant
    emotion uses this or `dominant_of_rows`.

    >>> dominant({"surprise": 1020, "happiness": 1000}), dominant({"surprise": 1021, "happiness": 1000}), dominant({})
    ('happiness', 'surprise', '')
    """
    names = list(milliseconds)
    return dominant_of_rows(np.array([[milliseconds[name] for name in names]], np.int64), names)[0]


def dominant_of_rows(milliseconds: npt.NDArray[np.int64], names: Sequence[str]) -> list[str]:
    """Return the dominant emotion of each row; columns are the emotions ``names``."""
    order = sorted(range(len(names)), key=lambda number: class_order(names[number]))
    ordered = milliseconds[:, order]
    most = ordered.max(axis=1, initial=0)
    is_tied = np.column_stack([(ordered > 0) & (ordered >= most[:, None] - TIE_MS), most == 0])
    return [names[order[number]] if number < len(order) else "" for number in is_tied.argmax(axis=1).tolist()]


def class_order(name: str) -> tuple[bool, str]:
    """Return the sort key of classes: those of the default model, which are in the order of the alphabet, then others.

    >>> sorted(["surprise", "calm", "anger"], key=class_order)
    ['anger', 'surprise', 'calm']
    """
    return name not in EMOTIONS, name


def _milliseconds_by_emotion(blocks: Iterable[ClippedBlock]) -> dict[str, int]:
    milliseconds: dict[str, int] = {}
    for block in blocks:
        milliseconds[block.emotion] = milliseconds.get(block.emotion, 0) + block.span.duration_ms
    return milliseconds


def covered_s(blocks: Iterable[ClippedBlock]) -> float:
    """Return the seconds during which at least one face is visible."""
    covered_ms, end_ms = 0, 0
    for span in sorted(block.span for block in blocks):
        covered_ms += span.from_start(end_ms).duration_ms
        end_ms = max(end_ms, span.end_ms)
    return covered_ms / MS_PER_S
