"""Smoothed cues: their bounds and other properties, and each rule by example."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.results.cues import MIN_CUE_MS, Cue, Line
from annotate.results.intervals import ClippedBlock
from annotate.results.smoothing import (
    KEEP_PROBABILITY,
    MIN_AGREEMENT,
    MIN_PROBABILITY,
    SWITCH_PROBABILITY,
    make_cues,
    make_face_cues,
)
from annotate.span import Span

NAMES = ("anger", "fear", "neutral")
VIDEO_MS = 60_000


def block(face_id: int, start_ms: int, end_ms: int, **probabilities: float) -> ClippedBlock:
    """Return a block with the most probable of these emotions; other probabilities are 0."""
    all_probabilities = dict.fromkeys(NAMES, 0.0) | probabilities
    return ClippedBlock(
        face_id, Span(start_ms, end_ms), max(all_probabilities, key=lambda name: all_probabilities[name]), all_probabilities
    )


def cue(start_ms: int, end_ms: int, *lines: tuple[int, str]) -> Cue:
    """Return a cue with one line per (face, emotion)."""
    return Cue(Span(start_ms, end_ms), tuple(Line(*line) for line in lines))


def calm(start_ms: int) -> ClippedBlock:
    """Return 100 s of another face, of which 5 s are budget for smoothing."""
    return block(9, start_ms, start_ms + 100_000, neutral=0.9)


def make_some_cues(blocks: list[ClippedBlock], calm_ms: int) -> list[Cue]:
    """Return the cues of blocks that `calm` follows, without its own."""
    cues = make_cues([*blocks, calm(calm_ms)], calm_ms + 100_000)
    assert cues[-1] == cue(calm_ms, calm_ms + 100_000, (9, "neutral"))
    return cues[:-1]


def shown(*probabilities: dict[str, float]) -> list[str]:
    """Return the emotion displayed in each second for the probabilities of one face, second by second."""
    blocks = [block(1, number * 1000, (number + 1) * 1000, **values) for number, values in enumerate(probabilities)]
    cues = make_some_cues(blocks, len(blocks) * 1000)
    return [found.lines[0].emotion for number in range(len(blocks)) for found in cues if number * 1000 in found.span]


@st.composite
def videos(draw: st.DrawFn) -> tuple[list[ClippedBlock], int]:
    """Draw blocks of up to four faces, each without gaps, and the end of the video."""
    blocks = []
    for face_id in range(1, draw(st.integers(0, 4)) + 1):
        lengths = draw(st.lists(st.integers(1, 1500), min_size=1, max_size=5))
        edges = list(itertools.accumulate(lengths, initial=draw(st.integers(0, 4000))))
        for start_ms, end_ms in itertools.pairwise(edges):
            weights = draw(st.tuples(*[st.integers(1, 20)] * len(NAMES)))
            likely = {name: weight / sum(weights) for name, weight in zip(NAMES, weights, strict=True)}
            blocks.append(block(face_id, start_ms, end_ms, **likely))
    last_ms = max((each.span.end_ms for each in blocks), default=0)
    return blocks, last_ms + draw(st.integers(0, 2000))


@settings(deadline=None)
@given(videos())
def test_sorted_disjoint_and_within_the_video(video: tuple[list[ClippedBlock], int]) -> None:
    blocks, end_ms = video
    cues = make_cues(blocks, end_ms)
    edges = [edge for found in cues for edge in (found.span.start_ms, found.span.end_ms)]
    assert edges == sorted(edges)
    assert all(found.span for found in cues)
    assert all(0 <= edge <= end_ms for edge in edges)


def changed_ms(blocks: list[ClippedBlock], cues: list[Cue]) -> int:
    """Return the face time in which cues do not give the emotion of the table."""
    shown = [(found.span, line) for found in cues for line in found.lines]
    return sum(
        each.span.duration_ms
        - sum((each.span & span).duration_ms for span, line in shown if line == Line(each.face_id, each.emotion))
        for each in blocks
    )


def is_likely(each: ClippedBlock, emotion: str) -> bool:
    """Return whether an emotion may be displayed during a block."""
    return emotion == each.emotion or each.probabilities[emotion] >= MIN_PROBABILITY


@settings(deadline=None, max_examples=300)
@given(videos(), st.sampled_from([make_cues, make_face_cues]))
def test_the_bounds_of_what_the_table_says(
    video: tuple[list[ClippedBlock], int], make: Callable[[list[ClippedBlock], int], list[Cue]]
) -> None:
    blocks, end_ms = video
    cues = make(blocks, end_ms)
    assert changed_ms(blocks, cues) <= (1 - MIN_AGREEMENT) * sum(each.span.duration_ms for each in blocks) + 1e-6
    for found in cues:
        for line in found.lines:
            covered = [each for each in blocks if each.face_id == line.face_id and each.span & found.span]
            assert covered
            assert all(is_likely(each, line.emotion) for each in covered)


@settings(deadline=None)
@given(videos())
def test_a_short_cue_is_left_only_where_the_bounds_forbid_more(video: tuple[list[ClippedBlock], int]) -> None:
    blocks, end_ms = video
    cues = make_cues(blocks, end_ms)
    budget_ms = int((1 - MIN_AGREEMENT) * sum(each.span.duration_ms for each in blocks) + 1e-6)
    for number, found in enumerate(cues):
        if found.span.duration_ms >= MIN_CUE_MS:
            continue
        before, after = cues[max(0, number - 1) : number], cues[number + 1 : number + 2]
        start_ms = before[0].span.end_ms if before else 0
        stop_ms = after[0].span.start_ms if after else end_ms
        assert stop_ms - start_ms < MIN_CUE_MS
        assert before or after or found.span == Span(0, end_ms)
        for neighbor in (*before, *after):
            absorbed = [*cues[:number], Cue(found.span, neighbor.lines), *cues[number + 1 :]]
            emotions = {line.face_id: line.emotion for line in neighbor.lines}
            covered = [each for each in blocks if each.span & found.span and each.face_id in emotions]
            assert changed_ms(blocks, absorbed) > budget_ms or not all(
                is_likely(each, emotions[each.face_id]) for each in covered
            )


@settings(deadline=None)
@given(videos())
def test_adjacent_cues_differ(video: tuple[list[ClippedBlock], int]) -> None:
    for one, two in itertools.pairwise(make_cues(*video)):
        assert one.span.end_ms < two.span.start_ms or one.lines != two.lines


@settings(deadline=None)
@given(videos())
def test_there_is_a_cue_whenever_there_is_a_face(video: tuple[list[ClippedBlock], int]) -> None:
    blocks, end_ms = video
    cues = make_cues(blocks, end_ms)
    for each in blocks:
        assert sum((found.span & each.span).duration_ms for found in cues) == each.span.duration_ms


@settings(deadline=None)
@given(videos())
def test_cue_edges_are_block_edges_or_lie_in_free_time(video: tuple[list[ClippedBlock], int]) -> None:
    blocks, end_ms = video
    block_edges = {edge for each in blocks for edge in (each.span.start_ms, each.span.end_ms)}
    for found in make_cues(blocks, end_ms):
        for edge in (found.span.start_ms, found.span.end_ms):
            assert edge in block_edges or not any(edge in each.span for each in blocks)


@settings(deadline=None)
@given(videos())
def test_lines_are_of_visible_faces_one_each_with_one_of_their_emotions(video: tuple[list[ClippedBlock], int]) -> None:
    blocks, end_ms = video
    for found in make_cues(blocks, end_ms):
        faces = [line.face_id for line in found.lines]
        assert faces == sorted(set(faces)) != []
        for line in found.lines:
            assert any(each.span & found.span for each in blocks if each.face_id == line.face_id)
            assert line.emotion in {each.emotion for each in blocks if each.face_id == line.face_id}


@settings(deadline=None)
@given(videos(), st.integers(0, 3_600_000))
def test_shifting_the_blocks_shifts_the_cues(video: tuple[list[ClippedBlock], int], offset_ms: int) -> None:
    blocks, end_ms = video
    moved = [
        ClippedBlock(
            each.face_id,
            Span(each.span.start_ms + offset_ms, each.span.end_ms + offset_ms),
            each.emotion,
            each.probabilities,
        )
        for each in blocks
    ]
    cues = make_cues(blocks, end_ms)
    if all(each.span.start_ms >= MIN_CUE_MS for each in blocks):
        expected = [Cue(Span(found.span.start_ms + offset_ms, found.span.end_ms + offset_ms), found.lines) for found in cues]
        assert make_cues(moved, end_ms + offset_ms) == expected


def test_no_faces_no_cues() -> None:
    assert make_cues([], VIDEO_MS) == []


def test_adjacent_blocks_of_one_emotion_are_one_cue() -> None:
    blocks = [block(1, 0, 800, anger=0.9), block(1, 800, 1600, anger=0.6), block(1, 1600, 2600, fear=0.8)]
    assert make_cues(blocks, VIDEO_MS) == [cue(0, 1600, (1, "anger")), cue(1600, 2600, (1, "fear"))]


def test_blocks_with_a_gap_are_separate_cues() -> None:
    blocks = [block(1, 0, 1000, anger=0.9), block(2, 1001, 2001, anger=0.9), block(2, 2500, 3500, anger=0.9)]
    spans = [found.span for found in make_cues(blocks, VIDEO_MS)]
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


def test_the_displayed_emotion_is_held_not_the_most_probable_one() -> None:
    wavering = {"fear": 0.4, "anger": 0.35, "neutral": 0.25}
    assert shown({"anger": 0.9}, wavering, wavering, {"fear": 0.5}, wavering) == ["anger", "anger", "anger", "fear", "fear"]


def test_emotions_are_held_per_face() -> None:
    wavering = {"fear": 0.4, "anger": 0.35}
    blocks = [block(1, 0, 1000, anger=0.9), block(1, 1000, 2000, **wavering), block(2, 2000, 3000, **wavering)]
    assert make_some_cues(blocks, 3000) == [cue(0, 2000, (1, "anger")), cue(2000, 3000, (2, "fear"))]


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
def test_a_short_cue_is_extended_at_its_end_then_at_its_start(
    start_ms: int, end_ms: int, video_ms: int, expected: Span
) -> None:
    assert [found.span for found in make_cues([block(1, start_ms, end_ms, fear=0.9)], video_ms)] == [expected]


def test_a_short_cue_is_extended_into_free_time_only() -> None:
    blocks = [block(1, 0, 1000, anger=0.9), block(2, 1500, 1700, fear=0.9), block(3, 2000, 3000, anger=0.9)]
    expected = [cue(0, 1000, (1, "anger")), cue(1166, 2000, (2, "fear")), cue(2000, 3000, (3, "anger"))]
    assert make_cues(blocks, VIDEO_MS) == expected


def test_a_cue_extended_to_a_neighbor_with_the_same_text_is_merged() -> None:
    blocks = [block(1, 1000, 1200, fear=0.9), block(1, 1700, 3000, fear=0.9)]
    assert make_cues(blocks, VIDEO_MS) == [cue(866, 3000, (1, "fear"))]


@pytest.mark.parametrize(
    ("anger", "neutral", "expected"),
    [
        (0.3, 0.1, [cue(0, 1400, (1, "anger")), cue(1400, 2400, (1, "neutral"))]),
        (0.2, 0.3, [cue(0, 1000, (1, "anger")), cue(1000, 2400, (1, "neutral"))]),
        (0.3, 0.3, [cue(0, 1400, (1, "anger")), cue(1400, 2400, (1, "neutral"))]),
    ],
)
def test_a_short_cue_is_absorbed_by_the_more_likely_neighbor(anger: float, neutral: float, expected: list[Cue]) -> None:
    blocks = [
        block(1, 0, 1000, anger=0.9),
        block(1, 1000, 1400, fear=0.6, anger=anger, neutral=neutral),
        block(1, 1400, 2400, neutral=0.9),
    ]
    assert make_some_cues(blocks, 2400) == expected


def test_a_flicker_between_cues_of_one_emotion_disappears() -> None:
    blocks = [block(1, 0, 1000, anger=0.9), block(1, 1000, 1833, fear=0.7, anger=0.2), block(1, 1833, 3000, anger=0.9)]
    assert make_some_cues(blocks, 3000) == [cue(0, 3000, (1, "anger"))]


@pytest.mark.parametrize(("anger", "count"), [(MIN_PROBABILITY, 1), (MIN_PROBABILITY - 0.001, 3)])
def test_no_emotion_is_displayed_where_it_is_improbable(anger: float, count: int) -> None:
    blocks = [block(1, 0, 1000, anger=0.9), block(1, 1000, 1500, fear=0.7, anger=anger), block(1, 1500, 3000, anger=0.9)]
    assert len(make_some_cues(blocks, 3000)) == count


def test_the_budget_is_spent_on_the_least_loss_then_on_the_shortest() -> None:
    """Of 20 s, 1 s may be changed: one of three flickers, whose losses are 0.3, 0.25 and 0.25."""
    flickers = [(4000, 4600, 0.55), (9000, 9700, 0.5), (14_000, 14_600, 0.5)]
    edges = [0, *(edge for start_ms, end_ms, _ in flickers for edge in (start_ms, end_ms)), 20_000]
    blocks = [block(1, start_ms, end_ms, anger=0.9) for start_ms, end_ms in zip(edges[::2], edges[1::2], strict=True)]
    blocks += [block(1, start_ms, end_ms, fear=fear, anger=0.25) for start_ms, end_ms, fear in flickers]
    blocks.sort(key=lambda each: each.span)
    fears = [found.span for found in make_cues(blocks, 20_000) if found.lines == (Line(1, "fear"),)]
    assert fears == [Span(4000, 4600), Span(9000, 9700)]


def test_a_short_cue_stays_as_it_is_without_a_budget() -> None:
    blocks = [block(1, 0, 1000, anger=0.9), block(1, 1000, 1500, fear=0.7, anger=0.2), block(1, 1500, 3000, anger=0.9)]
    assert [found.span for found in make_cues(blocks, 3000)] == [each.span for each in blocks]


@pytest.mark.parametrize(("first_ms", "second_ms"), [(400, 2000), (2000, 400)])
def test_a_short_cue_is_absorbed_by_its_only_neighbor(first_ms: int, second_ms: int) -> None:
    end_ms = first_ms + second_ms
    blocks = [block(1, 0, first_ms, fear=0.7, anger=0.2), block(1, first_ms, end_ms, anger=0.7, fear=0.2)]
    longer = "anger" if second_ms > first_ms else "fear"
    assert make_some_cues(blocks, end_ms) == [cue(0, end_ms, (1, longer))]


def test_a_short_cue_is_absorbed_across_a_gap_that_is_too_small() -> None:
    blocks = [block(1, 0, 1000, anger=0.9), block(2, 1100, 1400, fear=0.8, neutral=0.2), block(2, 1400, 2400, neutral=0.9)]
    expected = [cue(0, 1000, (1, "anger")), cue(1100, 2400, (2, "neutral"))]
    assert make_some_cues(blocks, 2400) == expected


def test_a_neighbor_of_a_face_that_is_not_visible_is_unlikely() -> None:
    blocks = [
        block(1, 0, 1000, anger=0.9),
        block(2, 1000, 1400, fear=0.5, anger=0.3, neutral=0.2),
        block(2, 1400, 2400, neutral=0.9),
    ]
    assert make_some_cues(blocks, 2400) == [cue(0, 1000, (1, "anger")), cue(1000, 2400, (2, "neutral"))]


def test_many_short_cues_in_a_row_are_merged_into_long_ones() -> None:
    others = dict.fromkeys(NAMES, 0.25)
    blocks = [
        block(1, start_ms, start_ms + 200, **(others | {NAMES[start_ms // 200 % 3]: 0.5}))
        for start_ms in range(0, 6000, 200)
    ]
    cues = make_some_cues(blocks, 6000)
    assert (cues[0].span.start_ms, cues[-1].span.end_ms) == (0, 6000)
    assert all(found.span.duration_ms >= MIN_CUE_MS for found in cues)


def test_simultaneous_faces_share_a_cue_with_one_line_each() -> None:
    blocks = [block(1, 0, 3000, anger=0.9), block(2, 1000, 2000, fear=0.9)]
    assert make_cues(blocks, VIDEO_MS) == [
        cue(0, 1000, (1, "anger")),
        cue(1000, 2000, (1, "anger"), (2, "fear")),
        cue(2000, 3000, (1, "anger")),
    ]


def test_lines_are_ordered_by_face_not_by_start() -> None:
    blocks = [block(1, 1000, 3000, anger=0.9), block(2, 0, 3000, fear=0.9), block(10, 1000, 3000, neutral=0.9)]
    assert make_cues(blocks, 3000)[-1] == cue(1000, 3000, (1, "anger"), (2, "fear"), (10, "neutral"))


def test_a_glimpse_of_a_second_face_is_absorbed() -> None:
    blocks = [block(1, 0, 3000, anger=0.9), block(2, 1000, 1200, fear=0.9)]
    assert make_some_cues(blocks, 3000) == [cue(0, 3000, (1, "anger"))]
