"""Find the spans of a long list that overlap another one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from annotate.span import Span


class SpanIndex:
    """Spans ordered by start, which may overlap.

    >>> list(SpanIndex([Span(0, 900), Span(10, 20), Span(30, 40)]).overlapping(Span(20, 35)))
    [0, 2]
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._starts_ms = [span.start_ms for span in spans]
        self._latest_ms = list(accumulate((span.end_ms for span in spans), max))

    def overlapping(self, span: Span) -> Iterator[int]:
        """Yield the positions of the spans that share time with ``span``, in order."""
        first = bisect_right(self._latest_ms, span.start_ms)
        for number in range(first, bisect_left(self._starts_ms, span.end_ms)):
            if self._spans[number].end_ms > span.start_ms:
                yield number
