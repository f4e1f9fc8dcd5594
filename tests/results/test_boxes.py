"""Box trajectories: interpolation, segments, thinning, and the CSV file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.archive.layout import is_output
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.results.boxes import BoxTrajectories, Segment, collect_trajectories, format_boxes, parse_boxes
from annotate.span import Span
from tests.results.test_intervals import block

HEADER = "face_id,time,x,y,width,height\n"
STILL = Box(10, 20, 100, 100)

DAMAGED = (
    ("", "its last line is cut off"),
    (f"{HEADER}1,0.000,10,20", "its last line is cut off"),
    ("face_id,time,x,y,width\n1,0,1,1,1\n", "its columns are not"),
    (f"{HEADER}1,0.000,10,20,100,\n", "a number is missing"),
    (f"{HEADER}1,0.000,10,20,100,nan\n", "a number is missing"),
    (f"{HEADER}1,0.000,10,20,100,wide\n", "a number is missing"),
)
"""Invalid texts of a boxes file, with the reason."""


def moving(*positions: tuple[int, float]) -> BoxTrajectories:
    """Return one face with a box 100 pixels wide, at each (time in ms, x)."""
    return BoxTrajectories((1, TimedBox(time_ms, Box(x, 20, 100, 100))) for time_ms, x in positions)


def test_a_box_is_interpolated_between_detections_and_constant_beyond_them() -> None:
    trajectories = moving((200, 10), (400, 30), (600, 30))
    found = {time_ms: box.x for time_ms in (0, 200, 250, 400, 500, 900) if (box := trajectories.at(1, time_ms))}
    assert found == {0: 10, 200: 10, 250: 15, 400: 30, 500: 30, 900: 30}
    assert trajectories.at(2, 300) is None


def test_linear_motion_is_one_segment() -> None:
    trajectories = moving((0, 0), (200, 20), (400, 40), (600, 0))
    found = list(trajectories.segments(1, Span(100, 700)))
    assert [segment.span for segment in found] == [Span(100, 400), Span(400, 600), Span(600, 700)]
    assert [(segment.first.x, segment.last.x) for segment in found] == [(10, 40), (40, 0), (0, 0)]


def test_an_unknown_face_has_no_segments() -> None:
    assert list(moving((0, 0)).segments(2, Span(0, 100))) == []


def test_a_face_with_one_detection_does_not_move() -> None:
    assert list(moving((50, 10)).segments(1, Span(0, 100))) == [Segment(Span(0, 100), *[Box(10, 20, 100, 100)] * 2)]


X_POSITIONS = st.lists(st.integers(0, 400), min_size=1, max_size=80)


@given(X_POSITIONS, st.integers(0, 5000), st.integers(1, 9000))
def test_segments_cover_a_span_and_match_every_detection_to_a_pixel(xs: list[int], start_ms: int, length_ms: int) -> None:
    trajectories = moving(*((200 * number, x) for number, x in enumerate(xs)))
    span = Span(start_ms, start_ms + length_ms)
    found = list(trajectories.segments(1, span))
    assert [found[0].span.start_ms, *(segment.span.end_ms for segment in found)] == [
        *(segment.span.start_ms for segment in found),
        span.end_ms,
    ]
    for segment in found:
        for number, x in enumerate(xs):
            if 200 * number in segment.span:
                share = (200 * number - segment.span.start_ms) / segment.span.duration_ms
                assert abs(segment.first.interpolate(segment.last, share).x - x) <= 1


@given(X_POSITIONS)
def test_thinning_changes_boxes_by_no_more_than_the_jitter(xs: list[int]) -> None:
    trajectories = moving(*((200 * number, x) for number, x in enumerate(xs)))
    thinned = trajectories.thinned()
    kept = {detection.time_ms for _, detection in thinned}
    assert {0, 200 * (len(xs) - 1)} <= kept <= {200 * number for number in range(len(xs))}
    for number, x in enumerate(xs):
        box = thinned.at(1, 200 * number)
        assert box is not None
        assert abs(box.x - x) <= 100 / 12


def test_a_still_face_takes_few_rows() -> None:
    trajectories = moving(*((200 * number, 10 + number % 3) for number in range(18_000)))
    assert 18_000 / 64 <= len(list(trajectories.thinned())) < 18_000 / 50


def test_text_of_a_file_and_round_trip() -> None:
    trajectories = BoxTrajectories(
        [(2, TimedBox(1040, Box(1.4, 2.6, 30, 40))), (1, TimedBox(200, STILL)), (1, TimedBox(0, STILL))]
    )
    text = f"{HEADER}1,0.000,10,20,100,100\n1,0.200,10,20,100,100\n2,1.040,1,3,30,40\n"
    assert format_boxes(trajectories) == text
    assert format_boxes(parse_boxes(text.encode())) == text
    assert is_output("movie.emotions.boxes.csv")


def test_no_detections_make_no_trajectories() -> None:
    assert not collect_trajectories([block(1, 0, 0, 800)])
    assert not parse_boxes(HEADER.encode())


@pytest.mark.parametrize(("text", "reason"), DAMAGED)
def test_an_invalid_boxes_file_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_boxes(text.encode())
