"""Smoothed cues for subtitles, which a viewer has to read, within bounds of what the table says.

The bounds, for all faces of a video together:

- At least `MIN_AGREEMENT` of the face time has the emotion of the table. The rest is a budget. Holding an emotion spends it
  first, then the absorption of short cues; each spends it where the probability lost per second is smallest, then on the
  shortest. A short cue for which it does not suffice stays as it is.
- An emotion is displayed during a block only if the block gives it `MIN_PROBABILITY`, or if it is the block's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain, groupby, pairwise

from annotate.results.cues import MIN_CUE_MS, Cue, Line, merge_adjacent, sort_by_face
from annotate.results.intervals import ClippedBlock
from annotate.span import Span

SWITCH_PROBABILITY = 0.5
"""The displayed emotion of a face changes when another one reaches this probability,"""

KEEP_PROBABILITY = 0.3
"""or when its own probability falls below this one."""

MIN_AGREEMENT = 0.95
"""Minimum share of the face time of a video during which cues have the emotion of the table."""

MIN_PROBABILITY = 0.2
"""Minimum probability of an emotion in a block during which it is displayed, unless it is the block's own."""

_LOSS_DECIMALS = 6

_Shown = tuple[ClippedBlock, str]
_Order = tuple[float, int, int]
"""Loss of probability, number of absent faces that are displayed, length."""


def make_cues(blocks: Sequence[ClippedBlock], end_ms: int) -> list[Cue]:
    """Return sorted, disjoint cues for blocks ordered by face, then time, in a video that ends at ``end_ms``.

    Faces on screen together share a cue. An emotion is held while it is likely (hysteresis with two thresholds, as in a
    Schmitt trigger). Adjacent cues with the same text are merged. A short cue is extended into free time, or absorbed by
    the neighbor whose text is more likely during it, within the bounds of this module.
    """
    budget = _Budget(blocks)
    return _smooth([_hold_emotions(blocks, budget)], budget, end_ms)


def make_face_cues(blocks: Sequence[ClippedBlock], end_ms: int) -> list[Cue]:
    """Return cues of one face each, made as by `make_cues` but with one budget, ordered by start, then face."""
    budget = _Budget(blocks)
    faces = groupby(_hold_emotions(blocks, budget), key=lambda shown: shown[0].face_id)
    return sort_by_face(_smooth([list(face) for _, face in faces], budget, end_ms))


class _Budget:
    """The face time in milliseconds that may still be changed."""

    def __init__(self, blocks: Iterable[ClippedBlock]) -> None:
        total_ms = sum(block.span.duration_ms for block in blocks)
        self.left_ms = int(total_ms * (1 - MIN_AGREEMENT))

    def spend(self, time_ms: int) -> bool:
        """Spend time and return True if there is enough."""
        if time_ms > self.left_ms:
            return False
        self.left_ms -= time_ms
        return True


@dataclass(eq=False)
class _Draft:
    """A cue in the making: the emotion of each face, the blocks it covers with the time covered, and its neighbors."""

    span: Span
    lines: dict[int, str]
    parts: list[tuple[int, ClippedBlock]]
    previous: _Draft | None = None
    following: _Draft | None = None
    is_absorbed: bool = False

    def to_cue(self) -> Cue:
        """Return the finished cue."""
        return Cue(self.span, tuple(Line(face_id, self.lines[face_id]) for face_id in sorted(self.lines)))

    def unite(self, neighbor: _Draft) -> None:
        """Extend the draft over a neighbor, which is absorbed."""
        self.span |= neighbor.span
        self.parts += neighbor.parts
        if neighbor is self.following:
            self.following = neighbor.following
        else:
            self.previous = neighbor.previous
        if self.previous is not None:
            self.previous.following = self
        if self.following is not None:
            self.following.previous = self
        neighbor.is_absorbed = True

    def changed_ms(self, lines: dict[int, str]) -> int:
        """Return the face time during which other lines do not say what the table says."""
        return sum(time_ms for time_ms, block in self.parts if lines.get(block.face_id) != block.emotion)

    def permits(self, lines: dict[int, str]) -> bool:
        """Return whether the emotions of other lines are probable enough in every block."""
        shown = ((block, lines[block.face_id]) for _, block in self.parts if block.face_id in lines)
        return all(block.emotion == name or block.probabilities[name] >= MIN_PROBABILITY for block, name in shown)

    def probability(self, lines: dict[int, str]) -> float:
        """Return the mean probability of other lines; a face without a line counts as 0."""
        shown = ((time_ms, block) for time_ms, block in self.parts if block.face_id in lines)
        total = sum(time_ms * block.probabilities[lines[block.face_id]] for time_ms, block in shown)
        return total / sum(time_ms for time_ms, _ in self.parts)

    def absent_faces(self, lines: dict[int, str]) -> int:
        """Return how many faces of other lines are not visible."""
        return len(lines.keys() - {block.face_id for _, block in self.parts})


def _hold_emotions(blocks: Sequence[ClippedBlock], budget: _Budget) -> list[_Shown]:
    """Return each block with the emotion to display."""
    emotions = [block.emotion for block in blocks]
    for run, emotion in sorted(_held_runs(blocks), key=lambda held: _loss_of_holding(blocks, *held)):
        if budget.spend(sum(blocks[number].span.duration_ms for number in run)):
            emotions[run[0] : run[-1] + 1] = [emotion] * len(run)
    return list(zip(blocks, emotions, strict=True))


def _held_runs(blocks: Sequence[ClippedBlock]) -> Iterator[tuple[list[int], str]]:
    """Yield the numbers of consecutive blocks during which one emotion, not their own, could be held, and that emotion."""
    shown: list[str] = []
    last_shown: dict[int, str] = {}
    for block in blocks:
        best = block.emotion
        last = last_shown.get(block.face_id, best)
        changes = block.probabilities[best] >= SWITCH_PROBABILITY or block.probabilities[last] < KEEP_PROBABILITY
        last_shown[block.face_id] = best if changes else last
        shown.append(last_shown[block.face_id])
    keys = [(block.face_id, emotion, emotion == block.emotion) for block, emotion in zip(blocks, shown, strict=True)]
    for (_, emotion, is_own), run in groupby(range(len(blocks)), key=keys.__getitem__):
        if not is_own:
            yield list(run), emotion


def _loss_of_holding(blocks: Sequence[ClippedBlock], run: list[int], emotion: str) -> tuple[float, int, int]:
    """Return the mean loss of probability, the length and the number of a run, by which runs are ordered."""
    during = [blocks[number] for number in run]
    length_ms = sum(block.span.duration_ms for block in during)
    loss = sum(
        block.span.duration_ms * (block.probabilities[block.emotion] - block.probabilities[emotion]) for block in during
    )
    return round(loss / length_ms, _LOSS_DECIMALS), length_ms, run[0]


def _smooth(tracks: Iterable[list[_Shown]], budget: _Budget, end_ms: int) -> list[Cue]:
    """Return the cues of tracks, in each of which cues are disjoint."""
    drafts = [_merge_equal(_extend_short(_merge_equal(_combine_faces(track)), end_ms)) for track in tracks]
    for track_drafts in drafts:
        for one, two in pairwise(track_drafts):
            one.following, two.previous = two, one
    _absorb_short([draft for track_drafts in drafts for draft in track_drafts], budget)
    cues = []
    for track_drafts in drafts:
        kept = [draft for draft in track_drafts if not draft.is_absorbed]
        cues += merge_adjacent(draft.to_cue() for draft in _extend_short(kept, end_ms))
    return cues


def _combine_faces(shown: Sequence[_Shown]) -> list[_Draft]:
    """Return one draft per span during which the same lines are displayed."""
    changes = sorted(
        chain.from_iterable(
            ((block.span.start_ms, True, block, emotion), (block.span.end_ms, False, block, emotion))
            for block, emotion in shown
        ),
        key=lambda change: change[:2],
    )
    active: dict[int, _Shown] = {}
    drafts: list[_Draft] = []
    last_ms = 0
    for time_ms, is_start, block, emotion in changes:
        if active and time_ms > last_ms:
            lines = {face_id: emotion for face_id, (_, emotion) in active.items()}
            parts = [(time_ms - last_ms, block) for block, _ in active.values()]
            drafts.append(_Draft(Span(last_ms, time_ms), lines, parts))
        last_ms = time_ms
        if is_start:
            active[block.face_id] = block, emotion
        else:
            del active[block.face_id]
    return drafts


def _merge_equal(drafts: Iterable[_Draft]) -> list[_Draft]:
    """Merge adjacent drafts with the same lines."""
    merged: list[_Draft] = []
    for draft in drafts:
        if merged and merged[-1].lines == draft.lines and merged[-1].span.end_ms == draft.span.start_ms:
            merged[-1].unite(draft)
        else:
            merged.append(draft)
    return merged


def _extend_short(drafts: list[_Draft], end_ms: int) -> list[_Draft]:
    """Extend short drafts into the free time around them, where there is enough, and return all drafts."""
    for number, draft in enumerate(drafts):
        span = draft.span
        before_ms = drafts[number - 1].span.end_ms if number else 0
        after_ms = drafts[number + 1].span.start_ms if number + 1 < len(drafts) else max(end_ms, span.end_ms)
        if span.duration_ms < MIN_CUE_MS and (after_ms - before_ms >= MIN_CUE_MS or len(drafts) == 1):
            stop_ms = min(after_ms, span.start_ms + MIN_CUE_MS)
            draft.span = Span(min(span.start_ms, max(before_ms, stop_ms - MIN_CUE_MS)), stop_ms)
    return drafts


def _absorb_short(drafts: Sequence[_Draft], budget: _Budget) -> None:
    """Unite short drafts with a neighbor as far as the budget goes, those that lose the least probability first."""
    numbers = {id(draft): number for number, draft in enumerate(drafts)}
    queue: list[tuple[_Order, int]] = []

    def push(draft: _Draft | None) -> None:
        if draft is not None and not draft.is_absorbed and (found := _best_neighbor(draft, budget)) is not None:
            heappush(queue, (found[0], numbers[id(draft)]))

    is_refunded = True
    while queue or is_refunded:
        if not queue:
            is_refunded = False
            for draft in drafts:
                push(draft)
            continue
        order, number = heappop(queue)
        draft = drafts[number]
        found = None if draft.is_absorbed else _best_neighbor(draft, budget)
        if found is None:
            continue
        if found[0] != order:
            push(draft)
            continue
        _, neighbor = found
        time_ms = draft.changed_ms(neighbor.lines) - draft.changed_ms(draft.lines)
        budget.left_ms -= time_ms
        neighbor.unite(draft)
        for next_one in (neighbor.previous, neighbor.following):
            if next_one is not None and next_one.lines == neighbor.lines and _touch(next_one, neighbor):
                neighbor.unite(next_one)
        is_refunded |= time_ms < 0
        for affected in (neighbor.previous, neighbor, neighbor.following):
            push(affected)


def _best_neighbor(draft: _Draft, budget: _Budget) -> tuple[_Order, _Draft] | None:
    """Return the neighbor that may absorb a short draft at the smallest loss, and the order of this; None if none may."""
    best: tuple[_Order, _Draft] | None = None
    if draft.span.duration_ms >= MIN_CUE_MS:
        return best
    for neighbor in (draft.previous, draft.following):
        if neighbor is None or not draft.permits(neighbor.lines):
            continue
        if draft.changed_ms(neighbor.lines) - draft.changed_ms(draft.lines) > budget.left_ms:
            continue
        loss = round(draft.probability(draft.lines) - draft.probability(neighbor.lines), _LOSS_DECIMALS)
        order = loss, draft.absent_faces(neighbor.lines), draft.span.duration_ms
        if best is None or order < best[0]:
            best = order, neighbor
    return best


def _touch(one: _Draft, two: _Draft) -> bool:
    return one.span.end_ms == two.span.start_ms or two.span.end_ms == one.span.start_ms
