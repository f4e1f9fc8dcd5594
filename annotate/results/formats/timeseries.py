"""Probabilities as a CSV for the line viewer of ELAN: a column for each face or person and emotion."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from annotate.results.intervals import ClippedBlock
from annotate.results.report import Report
from annotate.results.table import class_names_of
from annotate.span import MS_PER_S

TIME_COLUMN = "time"
MAX_LANES = 20
"""Lanes with columns, those with most time: ELAN shows few lines, and every row has all columns."""


def write(report: Report, language: str) -> str | None:
    """Return a row for the middle of each block, and before and after a face is seen; None without faces.

    Time is in seconds. The probabilities of a face that is not seen are 0, since ELAN knows no empty cells.
    """
    lanes, names = chosen_lanes(report), class_names_of(report.columns)
    if not lanes:
        return None
    times_ms = {time_ms for blocks in lanes.values() for time_ms in _times_ms(blocks)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([TIME_COLUMN, *columns(report)])
    starts_ms = {lane: [block.span.start_ms for block in blocks] for lane, blocks in lanes.items()}
    for time_ms in sorted(times_ms):
        row = [f"{time_ms / MS_PER_S:.3f}"]
        for lane, blocks in lanes.items():
            block = _block_at(blocks, starts_ms[lane], time_ms)
            row += ["0" if block is None else f"{block.probabilities[name]:.4f}" for name in names]
        writer.writerow(row)
    return text.getvalue()


def chosen_lanes(report: Report) -> dict[str, list[ClippedBlock]]:
    """Return the blocks of the lanes that have columns, in their order."""
    lanes = report.blocks_by_lane
    lengths = {lane: sum(block.span.duration_ms for block in blocks) for lane, blocks in lanes.items()}
    longest = sorted(lanes, key=lambda lane: -lengths[lane])[:MAX_LANES]
    return {lane: blocks for lane, blocks in lanes.items() if lane in longest}


def columns(report: Report) -> list[str]:
    """Return the names of the columns after that of the time."""
    return [f"{lane} {name}" for lane in chosen_lanes(report) for name in class_names_of(report.columns)]


def _times_ms(blocks: Sequence[ClippedBlock]) -> Iterator[int]:
    """Yield the middle of each block; and of each run of adjacent ones the last time before it, its start and its end."""
    for before, block, after in zip([None, *blocks], blocks, [*blocks[1:], None], strict=False):
        yield (block.span.start_ms + block.span.end_ms) // 2
        if before is None or before.span.end_ms < block.span.start_ms:
            yield from (max(0, block.span.start_ms - 1), block.span.start_ms)
        if after is None or block.span.end_ms < after.span.start_ms:
            yield block.span.end_ms


def _block_at(blocks: Sequence[ClippedBlock], starts_ms: Sequence[int], time_ms: int) -> ClippedBlock | None:
    number = bisect_right(starts_ms, time_ms) - 1
    return blocks[number] if number >= 0 and time_ms in blocks[number].span else None
