"""Files of persons: their text, tracks that are found again, and what people decide."""

from __future__ import annotations

import pytest

from annotate.faces.box import Box
from annotate.results.persons import (
    Person,
    PersonRow,
    Track,
    apply_persons,
    format_persons,
    match_tracks,
    merge_persons,
    name_person,
    parse_persons,
    persons_in,
    split_track,
    tracks_of,
)
from annotate.results.table import format_table, parse_table
from annotate.span import Span
from tests.results.reports import make_report

LEFT, RIGHT = Box(0, 0, 80, 80), Box(300, 0, 80, 80)


def row(face_id: int, person: int, box: Box = LEFT, *, start_ms: int = 0, name: str = "", video: str = "") -> PersonRow:
    return PersonRow(Track(face_id, Span(start_ms, start_ms + 1000), box), person, name, video=video)


ROWS = [row(1, 1), row(2, 2, RIGHT), row(3, 1, start_ms=2000), row(4, 3, RIGHT, start_ms=2000, name="Ann")]


def numbers(rows: list[PersonRow]) -> list[tuple[int, str, bool]]:
    return [(each.person, each.name, each.is_decided) for each in rows]


def test_rows_are_read_as_they_were_written() -> None:
    rows = [row(1, 1, video="a,\n.mp4"), row(2, 12, RIGHT, video="b.mp4", name='Ünal "U", Dr.')]
    assert parse_persons(format_persons(rows).encode()) == rows
    assert parse_persons(b"\xef\xbb\xbf" + format_persons(rows).encode()) == rows


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"person,name\n1,Ann\n",
        format_persons(ROWS).replace(",1,", ",x,").encode(),
        format_persons(ROWS[:1])[:-8].encode(),
    ],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_persons(content)


def test_tracks_are_found_again_under_other_numbers() -> None:
    tracks = [Track(7, Span(40, 1000), Box(4, 2, 80, 80)), Track(1, Span(0, 1000), RIGHT), Track(2, Span(5000, 6000), LEFT)]
    assert {face_id: found.track.face_id for face_id, found in match_tracks(tracks, ROWS).items()} == {7: 1, 1: 2}


def test_a_track_of_another_time_or_place_is_not_the_same() -> None:
    assert match_tracks([Track(1, Span(0, 1300), LEFT)], ROWS) == {}
    assert match_tracks([Track(1, Span(0, 1000), Box(60, 0, 80, 80))], ROWS) == {}


def test_the_number_of_a_track_counts_where_two_are_alike() -> None:
    rows = [row(1, 1), row(2, 2)]
    tracks = [Track(2, Span(0, 1000), LEFT), Track(1, Span(0, 1000), LEFT)]
    assert {face_id: found.person for face_id, found in match_tracks(tracks, rows).items()} == {2: 2, 1: 1}


def test_people_merge_split_and_name_persons() -> None:
    assert numbers(merge_persons(ROWS, [2, 3])) == [(1, "", False), (2, "Ann", True), (1, "", False), (2, "Ann", True)]
    assert numbers(split_track(ROWS, ROWS[2])) == [(1, "", True), (2, "", False), (4, "", True), (3, "Ann", False)]
    assert numbers(name_person(ROWS, 1, " Bob{\\b}\n"))[::2] == [(1, "Bobb", True), (1, "Bobb", True)]
    for edit in (lambda: merge_persons(ROWS, [1, 9]), lambda: name_person(ROWS, 9, "Bob")):
        with pytest.raises(ValueError, match="9"):
            edit()


def test_the_column_of_persons_is_the_last_and_names_are_not_in_the_file() -> None:
    report = make_report()
    assert persons_in(report.table) == {}
    table = apply_persons(report.table, {1: Person(3, "Ann")})
    assert [track.face_id for track in tracks_of(table)] == [1, 2]
    assert persons_in(table) == {1: Person(3, "Ann")}
    text = format_table(table)
    assert text.splitlines()[0] == format_table(report.table).splitlines()[0] + ",person"
    assert persons_in(parse_table(text.encode())) == {1: Person(3)}
    with pytest.raises(ValueError, match="number"):
        parse_table(text.replace(",3\n", ",x\n").encode())
