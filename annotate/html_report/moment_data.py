"""Blocks of a video as the script of the page takes them to find moments, as `annotate.analytics.moments` does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from annotate.player.player import SCORE_SCALE
from annotate.results.intervals import ClippedBlock
from annotate.results.report import Report
from annotate.span import Span

Run = list[int]
"""``face_id``, index of the emotion, and then start (ms), end (ms) and confidence (ten-thousandths) of each block."""

MAX_PART_CHARS = 4_000_000
"""Size of a file of runs: it is read whole, and shown before the next one is loaded."""


def runs_of(report: Report, excluded: Mapping[int, Sequence[Span]], emotion_index: Callable[[str], int]) -> list[Run]:
    """Return the runs of blocks of each face with one emotion.

    ``excluded`` is the time that people excluded, by ``face_id``: a run ends there.
    """
    runs = []
    for face_id, blocks in report.blocks_by_face.items():
        starts_ms = [span.start_ms for span in excluded.get(face_id, ())]

        def key(block: ClippedBlock, starts_ms: Sequence[int] = starts_ms) -> tuple[str, int]:
            return block.emotion, bisect_right(starts_ms, block.span.start_ms)

        for (emotion, _), own in groupby(blocks, key):
            run = [face_id, emotion_index(emotion)]
            for block in own:
                score = round(block.probabilities[block.emotion] * SCORE_SCALE)
                run += (block.span.start_ms, block.span.end_ms, score)
            runs.append(run)
    return runs


class MomentParts:
    """Collects the runs of videos as texts of JSON objects, by key of the video, each of a size that loads quickly."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._entries: list[str] = []
        self._chars = 0

    def add(self, entry: str) -> None:
        """Add an entry, such as ``"key":[[1,0,0,800,9000]]``."""
        self._entries.append(entry)
        self._chars += len(entry)
        if self._chars >= MAX_PART_CHARS:
            self.flush()

    def flush(self) -> None:
        """End the current object."""
        if self._entries:
            self.texts.append("{" + ",".join(self._entries) + "}")
            self._entries, self._chars = [], 0
