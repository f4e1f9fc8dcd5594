"""Clip blocks to spans, which may overlap each other, without comparing each block with each span."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from annotate.results.table import Integers
from annotate.span import Span


def clip_to_spans(blocks: pd.DataFrame, spans: Sequence[Span]) -> tuple[pd.DataFrame, Integers]:
    """Return the parts of blocks during spans, and the position of the span of each, ordered by span, then as blocks were.

    A block in several spans is there for each. ``blocks`` have the columns ``start_ms`` and ``end_ms``.
    """
    block_starts, block_ends = (blocks[name].to_numpy(np.int64) for name in ("start_ms", "end_ms"))
    order = np.argsort(block_starts, kind="stable")
    latest_ends = np.maximum.accumulate(block_ends[order]) if len(blocks) else block_ends
    starts, ends = (np.array([getattr(span, name) for span in spans], dtype=np.int64) for name in ("start_ms", "end_ms"))
    first = np.searchsorted(latest_ends, starts, side="right")
    counts = np.maximum(np.searchsorted(block_starts[order], ends, side="left") - first, 0)
    offsets = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    numbers = np.repeat(np.arange(len(spans)), counts)
    rows = order[np.repeat(first, counts) + offsets]
    clipped_starts = np.maximum(block_starts[rows], starts[numbers])
    clipped_ends = np.minimum(block_ends[rows], ends[numbers])
    kept = np.flatnonzero(clipped_starts < clipped_ends)
    kept = kept[np.lexsort([rows[kept], numbers[kept]])]
    clipped = blocks.iloc[rows[kept]].assign(start_ms=clipped_starts[kept], end_ms=clipped_ends[kept])
    return clipped, numbers[kept]
