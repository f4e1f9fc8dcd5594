"""The segments of a table that somebody reviews: where a face shows one emotion, and whether people said so."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from annotate.results.corrected import counting_spans
from annotate.results.corrections import Correction
from annotate.results.intervals import ClippedBlock, clip_overlaps, dominant
from annotate.span import Span

if TYPE_CHECKING:
    import pandas as pd

_ID_BYTES = 8


@dataclass(frozen=True)
class Segment:
    """A span in which a face shows one emotion, or is excluded, and all of it comes from one source.

    ``machine`` is what the machine says for most of the time, ``confidence`` the mean probability of what it says, and
    ``correction`` what a person said; None if nobody did. ``is_kept`` tells whether the machine says the same throughout.
    """

    face_id: int
    span: Span
    emotion: str
    machine: str
    confidence: float
    correction: Correction | None
    is_kept: bool

    @property
    def mark(self) -> str:
        """What tells the correction from others; empty without one."""
        return "" if self.correction is None else mark_of(self.correction)


def mark_of(correction: Correction) -> str:
    """Return what tells a correction from others, also when its line in the file is another one."""
    content = repr(replace(correction, line=0, undone="")).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=_ID_BYTES).hexdigest()


def segments_of(table: pd.DataFrame, corrections: Sequence[Correction]) -> list[Segment]:
    """Return the segments of a table, as the machine made it, by face and time; excluded ones are among them."""
    spans = counting_spans(table, corrections).spans
    segments: list[Segment] = []
    pending: list[tuple[ClippedBlock, Correction | None]] = []
    for block in clip_overlaps(table):
        for piece in _divide(block, spans.get(block.face_id, ())):
            if pending and not _belong_together(pending[-1], piece):
                segments.append(_segment(pending))
                pending = []
            pending.append(piece)
    return [*segments, *([_segment(pending)] if pending else [])]


def _divide(
    block: ClippedBlock, spans: Sequence[tuple[Span, Correction]]
) -> Iterator[tuple[ClippedBlock, Correction | None]]:
    """Yield the parts of a block, each with the correction that counts then."""
    start_ms = block.span.start_ms
    for span, correction in spans[bisect.bisect_right(spans, start_ms, key=lambda one: one[0].end_ms) :]:
        shared = span & block.span
        if not shared:
            break
        if start_ms < shared.start_ms:
            yield replace(block, span=Span(start_ms, shared.start_ms)), None
        yield replace(block, span=shared), correction
        start_ms = shared.end_ms
    if start_ms < block.span.end_ms:
        yield replace(block, span=Span(start_ms, block.span.end_ms)), None


def _belong_together(one: tuple[ClippedBlock, Correction | None], other: tuple[ClippedBlock, Correction | None]) -> bool:
    (block, correction), (following, next_correction) = one, other
    is_adjacent = block.face_id == following.face_id and block.span.end_ms == following.span.start_ms
    is_same = correction is next_correction and (correction is not None or block.emotion == following.emotion)
    return is_adjacent and is_same


def _segment(pieces: Sequence[tuple[ClippedBlock, Correction | None]]) -> Segment:
    blocks, correction = [block for block, _ in pieces], pieces[0][1]
    span = Span(blocks[0].span.start_ms, blocks[-1].span.end_ms)
    times_ms: dict[str, int] = {}
    sure_ms = 0.0
    for block in blocks:
        times_ms[block.emotion] = times_ms.get(block.emotion, 0) + block.span.duration_ms
        sure_ms += block.probabilities[block.emotion] * block.span.duration_ms
    machine = dominant(times_ms)
    emotion = machine if correction is None else correction.emotion
    confidence = sure_ms / span.duration_ms
    return Segment(blocks[0].face_id, span, emotion, machine, confidence, correction, set(times_ms) == {emotion})
