"""Making cues: what holds for all of them, and each rule by example."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.results.cues import KEEP_PROBABILITY, MIN_CUE_MS, SWITCH_PROBABILITY, Cue, Line, make_cues
from annotate.results.intervals import Piece
from annotate.span import Span

NAMES = ("anger", "fear", "neutral")
VIDEO_MS = 60_000


def piece(face_id: int, start_ms: int, end_ms: int, **probabilities: float) -> Piece:
    """A piece of the likeliest of these emotions; those not given have none."""
    whole = dict.fromkeys(NAMES, 0.0) | probabilities
    return Piece(face_id, Span(start_ms, end_ms), max(whole, key=lambda name: whole[name]), whole)


def cue(start_ms: int, end_ms: int, *lines: tuple[int, str]) -> Cue:
    """A cue with a line for each (face, emotion)."""
    return Cue(Span(start_ms, end_ms), tuple(Line(*line) for line in lines))


def shown(*blocks: dict[str, float]) -> list[str]:
    """The emotion shown for each second of one face's probabilities, repeats left in."""
    parts = [piece(1, number * 1000, (number + 1) * 1000, **block) for number, block in enumerate(blocks)]
    cues = make_cues(parts, len(blocks) * 1000)
    return [found.lines[0].emotion for number in range(len(blocks)) for found in cues if number * 1000 in found.span]


@st.composite
def videos(draw: st.DrawFn) -> tuple[list[Piece], int]:
    """Pieces of up to four faces, each without gaps, and where their video ends."""
    parts = []
    for face_id in range(1, draw(st.integers(0, 4)) + 1):
        lengths = draw(st.lists(st.integers(1, 1500), min_size=1, max_size=5))
        edges = list(itertools.accumulate(lengths, initial=draw(st.integers(0, 4000))))
        for start_ms, end_ms in itertools.pairwise(edges):
            weights = draw(st.tuples(*[st.integers(1, 20)] * len(NAMES)))
            likely = {name: weight / sum(weights) for name, weight in zip(NAMES, weights, strict=True)}
            parts.append(piece(face_id, start_ms, end_ms, **likely))
    last_ms = max((part.span.end_ms for part in parts), default=0)
    return parts, last_ms + draw(st.integers(0, 2000))


@settings(deadline=None)
@given(videos())
def test_sorted_disjoint_and_within_the_video(video: tuple[list[Piece], int]) -> None:
    parts, end_ms = video
    cues = make_cues(parts, end_ms)
    edges = [edge for found in cues for edge in (found.span.start_ms, found.span.end_ms)]
    assert edges == sorted(edges)
    assert all(found.span for found in cues)
    assert all(0 <= edge <= end_ms for edge in edges)


@settings(deadline=None)
@given(videos())
def test_short_only_if_alone_in_a_short_video(video: tuple[list[Piece], int]) -> None:
    parts, end_ms = video
    cues = make_cues(parts, end_ms)
    short = [found for found in cues if found.span.duration_ms < MIN_CUE_MS]
    assert not short or [found.span for found in cues] == [Span(0, end_ms)]


@settings(deadline=None)
@given(videos())
def test_touching_cues_differ(video: tuple[list[Piece], int]) -> None:
    for one, two in itertools.pairwise(make_cues(*video)):
        assert one.span.end_ms < two.span.start_ms or one.lines != two.lines


@settings(deadline=None)
@given(videos())
def test_time_with_a_face_is_time_with_a_cue(video: tuple[list[Piece], int]) -> None:
    parts, end_ms = video
    cues = make_cues(parts, end_ms)
    for part in parts:
        assert sum((found.span & part.span).duration_ms for found in cues) == part.span.duration_ms


@settings(deadline=None)
@given(videos())
def test_edges_are_those_of_blocks_or_lie_in_free_time(video: tuple[list[Piece], int]) -> None:
    parts, end_ms = video
    block_edges = {edge for part in parts for edge in (part.span.start_ms, part.span.end_ms)}
    for found in make_cues(parts, end_ms):
        for edge in (found.span.start_ms, found.span.end_ms):
            assert edge in block_edges or not any(edge in part.span for part in parts)


@settings(deadline=None)
@given(videos())
def test_lines_are_of_faces_there_one_each_with_an_emotion_of_theirs(video: tuple[list[Piece], int]) -> None:
    parts, end_ms = video
    for found in make_cues(parts, end_ms):
        faces = [line.face_id for line in found.lines]
        assert faces == sorted(set(faces)) != []
        for line in found.lines:
            assert any(part.span & found.span for part in parts if part.face_id == line.face_id)
            assert line.emotion in {part.emotion for part in parts if part.face_id == line.face_id}


@settings(deadline=None)
@given(videos(), st.integers(0, 3_600_000))
def test_a_later_start_moves_long_cues_alike(video: tuple[list[Piece], int], offset_ms: int) -> None:
    parts, end_ms = video
    moved = [
        Piece(
            part.face_id,
            Span(part.span.start_ms + offset_ms, part.span.end_ms + offset_ms),
            part.emotion,
            part.probabilities,
        )
        for part in parts
    ]
    cues = make_cues(parts, end_ms)
    if all(part.span.start_ms >= MIN_CUE_MS for part in parts):
        expected = [Cue(Span(found.span.start_ms + offset_ms, found.span.end_ms + offset_ms), found.lines) for found in cues]
        assert make_cues(moved, end_ms + offset_ms) == expected


def test_no_faces_no_cues() -> None:
    assert make_cues([], VIDEO_MS) == []


def test_neighbours_of_one_emotion_are_one_cue() -> None:
    parts = [piece(1, 0, 800, anger=0.9), piece(1, 800, 1600, anger=0.6), piece(1, 1600, 2600, fear=0.8)]
    assert make_cues(parts, VIDEO_MS) == [cue(0, 1600, (1, "anger")), cue(1600, 2600, (1, "fear"))]


def test_neighbours_apart_stay_apart() -> None:
    parts = [piece(1, 0, 1000, anger=0.9), piece(2, 1001, 2001, anger=0.9), piece(2, 2500, 3500, anger=0.9)]
    spans = [found.span for found in make_cues(parts, VIDEO_MS)]
    assert spans == [Span(0, 1000), Span(1001, 2001), Span(2500, 3500)]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"fear": SWITCH_PROBABILITY, "anger": 0.4}, "fear"),
        ({"fear": SWITCH_PROBABILITY - 0.01, "anger": 0.4}, "anger"),
        ({"fear": 0.4, "anger": KEEP_PROBABILITY}, "anger"),
        ({"fear": 0.4, "anger": KEEP_PROBABILITY - 0.01}, "fear"),
        ({"fear": 0.45, "neutral": 0.4, "anger": 0.15}, "fear"),
    ],
)
def test_an_emotion_is_held_between_the_two_thresholds(second: dict[str, float], expected: str) -> None:
    assert shown({"anger": 0.9}, second) == ["anger", expected]


def test_the_first_emotion_needs_no_threshold() -> None:
    assert shown({"fear": 0.4, "anger": 0.35, "neutral": 0.25}) == ["fear"]


def test_what_is_held_is_what_was_shown_not_what_was_likeliest() -> None:
    wavering = {"fear": 0.4, "anger": 0.35, "neutral": 0.25}
    assert shown({"anger": 0.9}, wavering, wavering, {"fear": 0.5}, wavering) == ["anger", "anger", "anger", "fear", "fear"]


def test_faces_are_held_apart() -> None:
    wavering = {"fear": 0.4, "anger": 0.35}
    parts = [piece(1, 0, 1000, anger=0.9), piece(1, 1000, 2000, **wavering), piece(2, 2000, 3000, **wavering)]
    assert make_cues(parts, VIDEO_MS) == [cue(0, 2000, (1, "anger")), cue(2000, 3000, (2, "fear"))]


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "video_ms", "expected"),
    [
        (1000, 1200, VIDEO_MS, Span(1000, 1834)),
        (1000, 1833, VIDEO_MS, Span(1000, 1834)),
        (1000, 1834, VIDEO_MS, Span(1000, 1834)),
        (1000, 1835, VIDEO_MS, Span(1000, 1835)),
        (9800, 10_000, 10_000, Span(9166, 10_000)),
        (9300, 9500, 10_000, Span(9166, 10_000)),
        (100, 300, 500, Span(0, 500)),
    ],
)
def test_a_short_cue_is_lengthened_after_then_before(start_ms: int, end_ms: int, video_ms: int, expected: Span) -> None:
    assert [found.span for found in make_cues([piece(1, start_ms, end_ms, fear=0.9)], video_ms)] == [expected]


def test_lengthened_only_into_free_time() -> None:
    parts = [piece(1, 0, 1000, anger=0.9), piece(2, 1500, 1700, fear=0.9), piece(3, 2000, 3000, anger=0.9)]
    expected = [cue(0, 1000, (1, "anger")), cue(1166, 2000, (2, "fear")), cue(2000, 3000, (3, "anger"))]
    assert make_cues(parts, VIDEO_MS) == expected


def test_lengthened_up_to_a_neighbour_of_the_same_text_it_becomes_one_with_it() -> None:
    parts = [piece(1, 1000, 1200, fear=0.9), piece(1, 1700, 3000, fear=0.9)]
    assert make_cues(parts, VIDEO_MS) == [cue(866, 3000, (1, "fear"))]


@pytest.mark.parametrize(
    ("anger", "neutral", "expected"),
    [
        (0.3, 0.1, [cue(0, 1400, (1, "anger")), cue(1400, 2400, (1, "neutral"))]),
        (0.1, 0.3, [cue(0, 1000, (1, "anger")), cue(1000, 2400, (1, "neutral"))]),
    ],
)
def test_absorbed_by_the_likelier_neighbour(anger: float, neutral: float, expected: list[Cue]) -> None:
    parts = [
        piece(1, 0, 1000, anger=0.9),
        piece(1, 1000, 1400, fear=0.6, anger=anger, neutral=neutral),
        piece(1, 1400, 2400, neutral=0.9),
    ]
    assert make_cues(parts, 2400) == expected


def test_flicker_between_equals_disappears() -> None:
    parts = [piece(1, 0, 1000, anger=0.9), piece(1, 1000, 1833, fear=0.9), piece(1, 1833, 3000, anger=0.9)]
    assert make_cues(parts, VIDEO_MS) == [cue(0, 3000, (1, "anger"))]


@pytest.mark.parametrize(("first_ms", "second_ms"), [(400, 2000), (2000, 400)])
def test_absorbed_by_the_only_neighbour(first_ms: int, second_ms: int) -> None:
    end_ms = first_ms + second_ms
    parts = [piece(1, 0, first_ms, fear=0.9), piece(1, first_ms, end_ms, anger=0.9)]
    longer = "anger" if second_ms > first_ms else "fear"
    assert make_cues(parts, end_ms) == [cue(0, end_ms, (1, longer))]


def test_absorbed_across_a_gap_too_small_to_be_lengthened_into() -> None:
    parts = [piece(1, 0, 1000, anger=0.9), piece(2, 1100, 1400, fear=0.9, neutral=0.1), piece(2, 1400, 2400, neutral=0.9)]
    expected = [cue(0, 1000, (1, "anger")), cue(1100, 2400, (2, "neutral"))]
    assert make_cues(parts, 2400) == expected


def test_a_neighbour_whose_face_is_not_there_is_unlikely() -> None:
    parts = [
        piece(1, 0, 1000, anger=0.9),
        piece(2, 1000, 1400, fear=0.6, anger=0.3, neutral=0.01),
        piece(2, 1400, 2400, neutral=0.9),
    ]
    assert make_cues(parts, 2400) == [cue(0, 1000, (1, "anger")), cue(1000, 2400, (2, "neutral"))]


def test_many_short_cues_in_a_row_become_long_ones() -> None:
    parts = [piece(1, start_ms, start_ms + 200, **{NAMES[start_ms // 200 % 3]: 0.9}) for start_ms in range(0, 6000, 200)]
    cues = make_cues(parts, 6000)
    assert (cues[0].span.start_ms, cues[-1].span.end_ms) == (0, 6000)
    assert all(found.span.duration_ms >= MIN_CUE_MS for found in cues)


def test_faces_together_share_a_cue_with_a_line_each() -> None:
    parts = [piece(1, 0, 3000, anger=0.9), piece(2, 1000, 2000, fear=0.9)]
    assert make_cues(parts, VIDEO_MS) == [
        cue(0, 1000, (1, "anger")),
        cue(1000, 2000, (1, "anger"), (2, "fear")),
        cue(2000, 3000, (1, "anger")),
    ]


def test_lines_are_ordered_by_face_whoever_came_first() -> None:
    parts = [piece(1, 1000, 3000, anger=0.9), piece(2, 0, 3000, fear=0.9), piece(10, 1000, 3000, neutral=0.9)]
    assert make_cues(parts, 3000)[-1] == cue(1000, 3000, (1, "anger"), (2, "fear"), (10, "neutral"))


def test_a_glimpse_of_a_second_face_is_absorbed() -> None:
    parts = [piece(1, 0, 3000, anger=0.9), piece(2, 1000, 1200, fear=0.9)]
    assert make_cues(parts, VIDEO_MS) == [cue(0, 3000, (1, "anger"))]
