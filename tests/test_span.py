"""Spans: algebra of half-open intervals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.span import Span

MOMENTS = st.integers(-50, 50)
ANY_SPANS = st.builds(Span, MOMENTS, MOMENTS)
SPANS = ANY_SPANS.filter(bool)


def moments(span: Span) -> set[int]:
    """Return the set of milliseconds that a span covers."""
    return set(range(span.start_ms, span.end_ms))


@settings(deadline=None)
@given(ANY_SPANS, ANY_SPANS)
def test_intersection_is_covered_by_both(one: Span, other: Span) -> None:
    assert moments(one & other) == moments(one) & moments(other)


@settings(deadline=None)
@given(ANY_SPANS, ANY_SPANS)
def test_intersection_is_commutative(one: Span, other: Span) -> None:
    assert one & other == other & one


@settings(deadline=None)
@given(SPANS, SPANS)
def test_union_is_the_smallest_span_that_contains_both(one: Span, other: Span) -> None:
    union = one | other
    assert moments(union) >= moments(one) | moments(other)
    assert {union.start_ms, union.end_ms} <= {one.start_ms, one.end_ms, other.start_ms, other.end_ms}


@settings(deadline=None)
@given(SPANS, SPANS, SPANS)
def test_union_and_intersection_are_associative(one: Span, two: Span, three: Span) -> None:
    assert (one | two) | three == one | (two | three)
    assert (one & two) & three == one & (two & three)


@settings(deadline=None)
@given(SPANS, SPANS)
def test_absorption_laws(one: Span, other: Span) -> None:
    assert one & (one | other) == one
    assert one & one == one | one == one


@settings(deadline=None)
@given(ANY_SPANS)
def test_length_and_truth_agree_with_the_moments_covered(span: Span) -> None:
    assert span.duration_ms == len(moments(span))
    assert bool(span) == bool(moments(span))


@settings(deadline=None)
@given(ANY_SPANS, MOMENTS)
def test_a_span_contains_its_start_and_not_its_end(span: Span, moment_ms: int) -> None:
    assert (moment_ms in span) == (moment_ms in moments(span))


@settings(deadline=None)
@given(ANY_SPANS, MOMENTS)
def test_from_start_cuts_off_earlier_times(span: Span, start_ms: int) -> None:
    assert moments(span.from_start(start_ms)) == {moment_ms for moment_ms in moments(span) if moment_ms >= start_ms}


@settings(deadline=None)
@given(st.lists(ANY_SPANS))
def test_sorted_by_start_then_end(spans: list[Span]) -> None:
    assert [(span.start_ms, span.end_ms) for span in sorted(spans)] == sorted((span.start_ms, span.end_ms) for span in spans)


def test_seconds_are_exact_to_the_millisecond() -> None:
    span = Span(1001, 3_600_123)
    assert (span.start_s, span.end_s, span.duration_s) == (1.001, 3600.123, 3599.122)


def test_a_reversed_span_has_no_negative_length() -> None:
    assert (Span(40, 0).duration_ms, Span(40, 0).duration_s, bool(Span(40, 0))) == (0, 0.0, False)


def test_frozen_and_hashable() -> None:
    assert {Span(0, 40), Span(0, 40)} == {Span(0, 40)}
    with pytest.raises(AttributeError):
        Span(0, 40).start_ms = 1  # type: ignore[misc]
