"""Captions as captioners write them: an emotion is said when a face begins to show it, not for as long as it does.

The rules are those of `annotate.results.caption_rules`. A line names an emotion only if a block of the face that the caption
covers gives it `MIN_PROBABILITY`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from annotate.emotions.labels import is_neutral
from annotate.results.caption_rules import (
    CLOSED_GAP_MS,
    MAX_LINES,
    MAX_MS,
    MIN_MS,
    gap_ms,
    reading_ms,
    rounded_down,
    rounded_up,
)
from annotate.results.intervals import ClippedBlock
from annotate.results.smoothing import KEEP_PROBABILITY, MIN_PROBABILITY, SWITCH_PROBABILITY
from annotate.span import Span

_MAX_HOLE_MS = 300
"""An emotion goes on over a shorter time without the face."""

_REPEAT_MS = 2000
"""An emotion that a face shows again sooner is not said again."""

_TOGETHER_MS = MIN_MS // 2
"""Emotions that begin within this time are said together."""


@dataclass(frozen=True)
class Onset:
    """An emotion that a face shows during a span, and its highest probability; ``lane`` is that of the face or person."""

    lane: int
    face_id: int
    emotion: str
    span: Span
    probability: float

    @property
    def end_ms(self) -> int:
        """When it need not be said any more."""
        return min(self.span.end_ms, self.span.start_ms + MAX_MS)


@dataclass(frozen=True)
class Caption:
    """The lines shown during a span, one per face, in the order of ``onsets``."""

    span: Span
    onsets: tuple[Onset, ...]
    lines: tuple[str, ...]


TextOf = Callable[[Sequence[Onset], int], tuple[tuple[Onset, str], ...]]
"""Returns the lines for emotions said together from a time in ms on, in the order in which they are shown."""


def find_onsets(lanes: Iterable[Sequence[ClippedBlock]]) -> list[Onset]:
    """Return what is said of the faces or persons whose disjoint blocks these are, ordered by time.

    Neutral faces are not mentioned, nor is what is both short and unsure.
    """
    found = []
    for lane, blocks in enumerate(lanes):
        last: Onset | None = None
        for onset in _runs(lane, blocks):
            is_repeated = (
                last is not None and onset.emotion == last.emotion and onset.span.start_ms - last.span.end_ms < _REPEAT_MS
            )
            last = onset
            if not is_repeated:
                found.append(onset)
    return sorted(found, key=lambda onset: (onset.span, onset.face_id))


def _runs(lane: int, blocks: Sequence[ClippedBlock]) -> Iterator[Onset]:
    """Yield the emotions of consecutive blocks, held while they are likely as in subtitles."""
    run: list[ClippedBlock] = []
    shown = ""
    for block in blocks:
        best = block.emotion
        goes_on = bool(run) and block.span.start_ms - run[-1].span.end_ms <= _MAX_HOLE_MS
        is_held = block.probabilities.get(shown, 0.0) >= KEEP_PROBABILITY and block.probabilities[best] < SWITCH_PROBABILITY
        now = shown if goes_on and is_held else best
        if not goes_on or now != shown:
            yield from _onset(lane, run, shown)
            run, shown = [], now
        if block.probabilities[now] >= MIN_PROBABILITY:
            run.append(block)
        else:
            yield from _onset(lane, run, shown)
            run, shown = [], ""
    yield from _onset(lane, run, shown)


def _onset(lane: int, run: Sequence[ClippedBlock], emotion: str) -> Iterator[Onset]:
    if not run or is_neutral(emotion):
        return
    span = run[0].span | run[-1].span
    probability = max(block.probabilities[emotion] for block in run)
    if span.duration_ms >= MIN_MS or probability >= SWITCH_PROBABILITY:
        yield Onset(lane, run[0].face_id, emotion, span, probability)


def make_captions(onsets: Sequence[Onset], text_of: TextOf, frame_ms: float, end_ms: int) -> list[Caption]:
    """Return the captions for onsets in order of time, of a video that ends at ``end_ms``.

    Of more faces than lines those are named whose emotion changed last. A caption stays until it can be read; what is over
    by then is not said any more, and what was said is repeated beside something new only if it lasts as long.
    """
    gap, last_ms = gap_ms(frame_ms), rounded_down(end_ms)
    captions: list[Caption] = []
    waiting, active, before = list(reversed(onsets)), list[Onset](), list[Onset]()
    free_ms = 0
    while waiting or active:
        start_ms = max(free_ms, rounded_down(min(onset.span.start_ms for onset in [*active, *waiting[-1:]])))
        while waiting and waiting[-1].span.start_ms <= start_ms + _TOGETHER_MS:
            active.append(waiting.pop())
        active = _last_of_each_lane(onset for onset in active if onset.end_ms > start_ms)
        newest = active[-MAX_LINES:]
        active = [onset for onset in active if onset in newest or onset not in before]
        next_ms = [onset.span.start_ms - gap for onset in waiting[-1:]]
        lines = text_of(newest, start_ms) if newest else ()
        ends = next_ms if all(onset in before for onset in newest) else []
        said = [onset for onset in newest if onset in before and min([onset.end_ms, *ends]) - start_ms < _reading_ms(lines)]
        if said or not newest:
            active = [onset for onset in active if onset not in said]
            continue
        change_ms = min([onset.end_ms for onset in newest] + next_ms)
        for count in range(len(newest), 0, -1):
            lines = text_of(newest[-count:], start_ms)
            shortest_ms = _reading_ms(lines)
            length_ms = min(max(rounded_down(change_ms) - start_ms, shortest_ms), MAX_MS)
            first_ms = max(free_ms, min(start_ms, last_ms - shortest_ms))
            span = Span(first_ms, min(first_ms + length_ms, last_ms))
            if span.duration_ms >= shortest_ms:
                captions.append(Caption(span, tuple(onset for onset, _ in lines), tuple(text for _, text in lines)))
                before, free_ms = newest[-count:], rounded_up(span.end_ms + gap)
                break
        else:
            active = [onset for onset in active if onset not in newest]
    return _close_gaps(captions, gap)


def _reading_ms(lines: Iterable[tuple[Onset, str]]) -> int:
    return reading_ms(sum(len(text) for _, text in lines))


def _last_of_each_lane(active: Iterable[Onset]) -> list[Onset]:
    """Return the last onset of each lane, in the order in which they began."""
    last: dict[int, Onset] = {}
    for onset in sorted(active, key=lambda onset: (onset.span.start_ms, onset.probability)):
        last.pop(onset.lane, None)
        last[onset.lane] = onset
    return list(last.values())


def _close_gaps(captions: Sequence[Caption], gap: int) -> list[Caption]:
    """Return captions without short gaps, which look like a flicker."""
    closed = list(captions[-1:])
    for one in reversed(captions[:-1]):
        start_ms, end_ms = one.span.start_ms, one.span.end_ms
        next_ms = closed[-1].span.start_ms
        if next_ms - end_ms < CLOSED_GAP_MS:
            end_ms = max(end_ms, min(next_ms - gap, start_ms + MAX_MS))
        closed.append(Caption(Span(start_ms, end_ms), one.onsets, one.lines))
    return closed[::-1]
