"""Blocks clipped to spans, compared with every block and every span one by one."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.analytics.clipping import clip_to_spans
from annotate.span import Span

SPANS = st.lists(
    st.builds(lambda start, length: Span(start, start + length), st.integers(0, 30), st.integers(0, 9)), max_size=8
)


@settings(max_examples=50)
@given(SPANS, SPANS)
def test_parts_are_those_of_every_pair(blocks: list[Span], spans: list[Span]) -> None:
    table = pd.DataFrame(
        {
            "start_ms": [span.start_ms for span in blocks],
            "end_ms": [span.end_ms for span in blocks],
            "row": range(len(blocks)),
        },
        dtype="int64",
    )
    clipped, positions = clip_to_spans(table, spans)
    found = list(zip(positions.tolist(), clipped["row"], clipped["start_ms"], clipped["end_ms"], strict=True))
    pairs = [(number, row, one & span) for number, span in enumerate(spans) for row, one in enumerate(blocks)]
    assert found == [(number, row, both.start_ms, both.end_ms) for number, row, both in pairs if both]
