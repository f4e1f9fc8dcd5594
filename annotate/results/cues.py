"""Conversion of blocks to cues: those of the table as it is, and smoothed ones for subtitles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from annotate.results.intervals import ClippedBlock
from annotate.span import Span

MIN_CUE_MS = 834
"""Minimum length of a subtitle: 5/6 s, the minimum in subtitling guidelines."""


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


def make_block_cues(blocks: Sequence[ClippedBlock]) -> list[Cue]:
    """Return cues of one face each that say what the table says at any time, ordered by start, then face.

    Adjacent blocks of one emotion are merged; nothing else is changed.
    """
    faces = groupby(blocks, key=lambda block: block.face_id)
    cues = [
        cue
        for face_id, group in faces
        for cue in merge_adjacent(Cue(block.span, (Line(face_id, block.emotion),)) for block in group)
    ]
    return sort_by_face(cues)


def sort_by_face(cues: Iterable[Cue]) -> list[Cue]:
    """Return cues of one face each, ordered by start, then face."""
    return sorted(cues, key=lambda cue: (cue.span.start_ms, cue.lines[0].face_id))


def merge_adjacent(cues: Iterable[Cue]) -> list[Cue]:
    """Merge adjacent cues with the same lines."""
    merged: list[Cue] = []
    for cue in cues:
        if merged and merged[-1].lines == cue.lines and merged[-1].span.end_ms == cue.span.start_ms:
            merged[-1] = Cue(merged[-1].span | cue.span, cue.lines)
        else:
            merged.append(cue)
    return merged


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
