"""Cues that say what the table says, by hand-made blocks."""

from __future__ import annotations

from annotate.results.cues import Cue, Line, make_block_cues
from annotate.results.intervals import ClippedBlock
from annotate.span import Span


def block(face_id: int, start_ms: int, end_ms: int, emotion: str) -> ClippedBlock:
    """Return a block whose emotion is barely more probable than another."""
    return ClippedBlock(face_id, Span(start_ms, end_ms), emotion, {"anger": 0.49, "fear": 0.49} | {emotion: 0.51})


def test_no_emotion_is_held_and_no_cue_is_extended_or_absorbed() -> None:
    blocks = [
        block(1, 0, 400, "anger"),
        block(1, 400, 800, "fear"),
        block(1, 800, 1200, "fear"),
        block(1, 1201, 1210, "fear"),
        block(2, 300, 301, "anger"),
    ]
    assert make_block_cues(blocks) == [
        Cue(Span(0, 400), (Line(1, "anger"),)),
        Cue(Span(300, 301), (Line(2, "anger"),)),
        Cue(Span(400, 1200), (Line(1, "fear"),)),
        Cue(Span(1201, 1210), (Line(1, "fear"),)),
    ]


def test_no_blocks_no_cues() -> None:
    assert make_block_cues([]) == []
