"""The table: columns, decimals, and damaged tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from annotate.analysis.annotation import Annotation
from annotate.emotions.labels import EMOTIONS
from annotate.faces.box import Box
from annotate.faces.pose import Pose
from annotate.faces.quality import MAX_RELIABLE_YAW_DEG, Appearance
from annotate.results.table import (
    APPEARANCE_COLUMNS,
    BLOCK_COLUMNS,
    OWN_COLUMNS,
    class_names_of,
    format_table,
    parse_table,
    to_table,
)
from annotate.span import Span

HEADER = (
    "face_id,block,start_frame,end_frame,start_time,end_time,x,y,width,height,face_score,frames,detections,overlap,"
    "emotion,confidence,anger,disgust,fear,happiness,neutral,sadness,surprise,"
    "yaw,pitch,roll,sharpness,brightness,face_px,quality,reliable,own_start_time,own_end_time\n"
)
ANNOTATION = Annotation(
    face_id=1,
    block=0,
    first_frame=3,
    last_frame=22,
    span=Span(120, 920),
    box=Box(10.04, 20.26, 80.0, 81.5),
    face_score=1.23456,
    frames=20,
    detections=5,
    overlap=0,
    class_names=EMOTIONS,
    probabilities=(0.0, 0.0, 0.0, 0.75, 0.25, 0.0, 0.0),
    appearance=Appearance(Pose(-12.34, -0.04, 170.06), sharpness=0.0058, brightness=0.4999, face_px=81.54),
)
ROW = "1,0,3,22,0.120,0.920,10.0,20.3,80.0,81.5,1.235,20,5,0,happiness,0.7500," + (
    "0.0000,0.0000,0.0000,0.7500,0.2500,0.0000,0.0000,-12.3,0.0,170.1,0.006,0.500,81.5,0.580,1,0.120,0.920\n"
)

CUT_LENGTHS = (0, 1, len(HEADER) - 1, len(HEADER) + 1, len(HEADER + ROW) - 1)
"""Lengths of a table that is cut off within a line."""

DAMAGED = (
    ("\n", "No columns"),
    ("a,b\n1,2\n", "the column face_id is missing"),
    (HEADER.replace("start_time,", "") + "1\n", "the column start_time is missing"),
    (HEADER + ROW.replace("1,0,3", "1,0,three"), "a number is missing or too large"),
    (HEADER + ROW.replace("1,0,3", "1,0,"), "a number is missing or too large"),
    (HEADER + ROW.replace("0.7500,0.2500", "0.7500,"), "a number is missing or too large"),
    (HEADER + ROW.replace("0.7500,0.2500", "0.7500,nan"), "a number is missing"),
    (HEADER + ROW.replace("0.920", "inf"), "a number is missing"),
    (HEADER + ROW.replace("1,0,3", "99999999999999999999,0,3"), "a number is missing or too large"),
    (HEADER + ROW + '"1,0\n', "EOF inside string"),
    (HEADER + ROW + "1,0,3,22\n", "a number is missing or too large"),
    (HEADER + ROW.rsplit(",", 2)[0] + "\n", "a number is missing or too large"),
    (HEADER + ROW + ROW.rsplit(",", 2)[0] + "\n", "a number is missing or too large"),
    (HEADER + ROW.replace("\n", ",0.1\n"), "a number is missing or too large"),
    (HEADER + ROW + ROW.replace("\n", ",0.1\n"), "Expected 33 fields"),
)
"""Invalid texts with a complete last line, and the reason."""

INVALID_UTF8 = HEADER.encode() + b"\xff\xfe\x00\n"

COUNTS = st.integers(0, 10_000)
PIXELS = st.floats(-5000, 5000)
ANGLES = st.floats(-180, 180)
ANNOTATIONS = st.builds(
    Annotation,
    face_id=st.integers(1, 99),
    block=COUNTS,
    first_frame=COUNTS,
    last_frame=COUNTS,
    span=st.builds(Span, st.integers(0, 10**8), st.integers(0, 10**8)),
    box=st.builds(Box, PIXELS, PIXELS, PIXELS, PIXELS),
    face_score=st.floats(-2, 9),
    frames=COUNTS,
    detections=COUNTS,
    overlap=COUNTS,
    class_names=st.just(EMOTIONS),
    probabilities=st.tuples(*[st.floats(0, 1)] * len(EMOTIONS)),
    appearance=st.builds(
        Appearance, st.builds(Pose, ANGLES, ANGLES, ANGLES), st.floats(0, 1), st.floats(0, 1), st.floats(0, 5000)
    ),
)


def test_columns_and_decimals() -> None:
    assert format_table(to_table([ANNOTATION], EMOTIONS)) == HEADER + ROW


def test_turned_faces_are_not_reliable() -> None:
    seen = ANNOTATION.appearance
    yaws = [sign * (MAX_RELIABLE_YAW_DEG + more) for more in (-1, 1) for sign in (-1, 1)]
    turned = [replace(ANNOTATION, appearance=replace(seen, pose=Pose(yaw_deg))) for yaw_deg in yaws]
    assert to_table(turned, EMOTIONS)["reliable"].tolist() == [1, 1, 0, 0]


def test_own_times_of_a_face_add_up() -> None:
    """The third block of face 1 overlaps the second by 0.4 s, the last is covered; also where a table lacks the columns."""
    spans = [(1, 0, 0, 800), (2, 0, 500, 1300), (1, 1, 800, 1600), (1, 2, 1200, 2000), (1, 3, 1500, 1900)]
    annotations = [
        replace(ANNOTATION, face_id=face, block=number, span=Span(start, end)) for face, number, start, end in spans
    ]
    table = to_table(annotations, EMOTIONS)
    assert table["own_start_time"].tolist() == [0, 0.5, 0.8, 1.6, 1.9]
    assert table["own_end_time"].tolist() == table["end_time"].tolist()
    shuffled = to_table(annotations[::-1], EMOTIONS)
    assert shuffled["own_start_time"].tolist() == [1.9, 1.6, 0.8, 0.5, 0]
    lacking = table.drop(columns=list(OWN_COLUMNS)).to_csv(index=False)
    assert_frame_equal(parse_table(lacking.encode()), table)
    assert (table["own_end_time"] - table["own_start_time"]).groupby(table["face_id"]).sum().tolist() == [2.0, 0.8]


def test_rows_keep_the_order_given() -> None:
    table = to_table([replace(ANNOTATION, face_id=face_id) for face_id in (2, 1, 3)], EMOTIONS)
    assert table["face_id"].tolist() == [2, 1, 3]


def test_a_table_without_faces_is_a_header() -> None:
    table = to_table([], EMOTIONS)
    assert format_table(table) == HEADER
    assert_frame_equal(parse_table(HEADER.encode()), table)


def test_classes_of_another_model_become_columns() -> None:
    names = ("NA", "contempt")
    table = to_table([replace(ANNOTATION, class_names=names, probabilities=(0.6, 0.4))], names)
    read_back = parse_table(format_table(table).encode())
    assert class_names_of(read_back) == names
    assert tuple(read_back.columns) == (*BLOCK_COLUMNS, *names, *APPEARANCE_COLUMNS, *OWN_COLUMNS)
    assert read_back["emotion"].tolist() == ["NA"]


@settings(max_examples=40, deadline=None)
@given(st.lists(ANNOTATIONS, max_size=5))
def test_round_trip(annotations: list[Annotation]) -> None:
    table = to_table(annotations, EMOTIONS)
    text = format_table(table)
    read_back = parse_table(text.encode())
    assert_frame_equal(read_back, table)
    assert format_table(read_back) == text


@settings(max_examples=40, deadline=None)
@given(st.lists(ANNOTATIONS, max_size=5))
def test_times_are_kept_to_the_millisecond(annotations: list[Annotation]) -> None:
    read_back = parse_table(format_table(to_table(annotations, EMOTIONS)).encode())
    spans = [
        Span(round(start_s * 1000), round(end_s * 1000))
        for start_s, end_s in zip(read_back["start_time"], read_back["end_time"], strict=True)
    ]
    assert spans == [annotation.span for annotation in annotations]


def test_windows_line_endings_are_read() -> None:
    assert_frame_equal(parse_table((HEADER + ROW).replace("\n", "\r\n").encode()), to_table([ANNOTATION], EMOTIONS))


@pytest.mark.parametrize("length", CUT_LENGTHS)
def test_a_table_cut_off_within_a_line_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="last line"):
        parse_table((HEADER + ROW)[:length].encode())


@pytest.mark.parametrize(("text", "reason"), DAMAGED)
def test_an_invalid_table_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_table(text.encode())


def test_invalid_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match="codec can't decode"):
        parse_table(INVALID_UTF8)
