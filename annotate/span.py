"""Time spans.

Time is presentation time minus the start of the container, in whole milliseconds: the resolution of timestamps,
subtitles and tables, and exact in comparisons, unlike floating-point seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

MS_PER_S = 1000


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """A half-open interval [start_ms, end_ms), ordered by start, then end; empty spans are falsy.

    >>> Span(0, 40) < Span(40, 80), bool(Span(5, 5)), Span(0, 40).duration_s
    (True, False, 0.04)
    """

    start_ms: int
    end_ms: int

    @property
    def start_s(self) -> float:
        """Start in seconds."""
        return self.start_ms / MS_PER_S

    @property
    def end_s(self) -> float:
        """End in seconds."""
        return self.end_ms / MS_PER_S

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds, 0 for an empty span."""
        return max(0, self.end_ms - self.start_ms)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.duration_ms / MS_PER_S

    def __bool__(self) -> bool:
        return self.end_ms > self.start_ms

    def __contains__(self, time_ms: int) -> bool:
        """Return whether a time is inside; the end is not.

        >>> 0 in Span(0, 40), 40 in Span(0, 40)
        (True, False)
        """
        return self.start_ms <= time_ms < self.end_ms

    def __and__(self, other: Span) -> Span:
        """Return the intersection, which is falsy if the spans do not overlap.

        >>> Span(0, 40) & Span(30, 80)
        Span(start_ms=30, end_ms=40)
        >>> bool(Span(0, 40) & Span(40, 80))
        False
        """
        return Span(max(self.start_ms, other.start_ms), min(self.end_ms, other.end_ms))

    def __or__(self, other: Span) -> Span:
        """Return the smallest span that contains both.

        >>> Span(0, 40) | Span(60, 80)
        Span(start_ms=0, end_ms=80)
        """
        return Span(min(self.start_ms, other.start_ms), max(self.end_ms, other.end_ms))

    def from_start(self, start_ms: int) -> Span:
        """Return the span clipped to start no earlier than ``start_ms``.

        >>> Span(0, 40).from_start(30)
        Span(start_ms=30, end_ms=40)
        """
        return Span(max(self.start_ms, start_ms), self.end_ms)
