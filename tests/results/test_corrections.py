"""Corrections by people: parsed line by line, and applied to the time that they are about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from annotate.emotions.labels import EMOTIONS
from annotate.faces.box import Box
from annotate.results.baseline import add_baseline
from annotate.results.corrected import Corrected, apply_corrections, box_of
from annotate.results.corrections import (
    COLUMNS,
    EXCLUDE,
    Correction,
    add_lines,
    parse_corrections,
    parse_time_ms,
    redo_last,
    undo_last,
)
from annotate.results.persons import Person, apply_persons
from annotate.results.table import MACHINE_EMOTION, SOURCE, class_names_of
from annotate.span import Span
from tests.results.reports import make_report

TABLE = make_report().table
HEADER = "face_id,person,start_time,end_time,emotion,author,time,note\n"


def parse(lines: str, header: str = HEADER) -> list[Correction]:
    rows = parse_corrections((header + lines).encode())
    assert not rows.problems
    return list(rows.corrections)


def shown(corrected: Corrected, face_id: int) -> list[tuple[float, float, str, str, str]]:
    """Return own start and end, emotion, source and the machine's label of the rows of a face."""
    columns = ["own_start_time", "own_end_time", "emotion", SOURCE, MACHINE_EMOTION]
    rows = corrected.table.loc[corrected.table["face_id"] == face_id, columns]
    return [row for row in rows.itertuples(index=False, name=None) if row[0] < row[1]]


def apply(*corrections: Correction) -> Corrected:
    return apply_corrections(TABLE, corrections)


def test_a_correction_that_cuts_blocks_applies_to_the_time_inside() -> None:
    corrected = apply(Correction(Span(500, 1000), "fear", 1))
    assert shown(corrected, 1) == [
        (0.0, 0.5, "happiness", "machine", "happiness"),
        (0.5, 0.801, "fear", "author", "happiness"),
        (0.801, 1.0, "fear", "author", "happiness"),
        (1.0, 1.602, "happiness", "machine", "happiness"),
        (1.602, 2.403, "sadness", "machine", "sadness"),
        (2.403, 2.804, "fear", "machine", "fear"),
    ]
    assert corrected.reviewed == {("happiness", "fear"): 500}
    row = corrected.table[corrected.table[SOURCE] == "author"].iloc[0]
    assert row["confidence"] == 1
    assert row[list(EMOTIONS)].tolist() == [float(name == "fear") for name in EMOTIONS]
    assert row["machine_confidence"] == 0.88
    assert class_names_of(corrected.table) == EMOTIONS
    assert corrected.table["start_time"].is_monotonic_increasing


def test_time_that_two_blocks_share_is_corrected_once() -> None:
    corrected = apply(Correction(Span(2100, 2300), "anger", 1), Correction(Span(2350, 2500), EXCLUDE, 1))
    assert shown(corrected, 1)[2:] == [
        (1.602, 2.1, "sadness", "machine", "sadness"),
        (2.1, 2.3, "anger", "author", "sadness"),
        (2.3, 2.35, "sadness", "machine", "sadness"),
        (2.5, 2.804, "fear", "machine", "fear"),
    ]
    assert corrected.reviewed == {("sadness", "anger"): 200, ("sadness", EXCLUDE): 53, ("fear", EXCLUDE): 97}


def test_without_a_correction_that_fits_the_table_stays_as_it_is() -> None:
    corrected = apply(Correction(Span(3000, 3500), "fear", 1, line=2), Correction(Span(0, 10), "fear", 7, line=3))
    assert corrected.table is TABLE
    assert [problem.partition(":")[0] for problem in corrected.problems] == ["line 2", "line 3"]


def test_a_later_row_counts_where_two_overlap_and_only_a_mistake_is_said() -> None:
    first = Correction(Span(0, 600), "fear", 1, time="2026-01-01T10:00:00Z", line=2)
    later = Correction(Span(300, 800), "anger", 1, time="2026-01-01T10:00:01+00:00", line=3)
    corrected = apply(first, later)
    assert [row[:3] for row in shown(corrected, 1)[:3]] == [(0, 0.3, "fear"), (0.3, 0.8, "anger"), (0.8, 0.801, "happiness")]
    assert corrected.problems == ()
    assert len(apply(later, first).problems) == 1


def test_a_person_is_all_their_tracks_by_number_or_name() -> None:
    table = apply_persons(TABLE, {1: Person(1, "Ann"), 2: Person(1, "Ann")})
    for person in ("1", "ann"):
        corrected = apply_corrections(table, [Correction(Span(2000, 2100), "fear", person=person)])
        assert corrected.reviewed == {("sadness", "fear"): 100, ("anger", "fear"): 100}
    assert len(apply_corrections(table, [Correction(Span(0, 9), "fear", person="Bob", line=2)]).problems) == 1
    assert len(apply(Correction(Span(0, 9), "fear", person="Ann", line=2)).problems) == 1


def test_a_face_is_found_by_its_box_when_tracks_have_other_numbers() -> None:
    span = Span(2000, 2400)
    box = box_of(TABLE, 2, span)
    assert box == Box(540, 20, 90, 90)
    renumbered = TABLE.assign(face_id=3 - TABLE["face_id"])
    assert apply_corrections(renumbered, [Correction(span, "fear", 2, box=box)]).reviewed == {("anger", "fear"): 400}
    gone = Correction(span, "fear", 2, box=Box(300, 300, 20, 20), line=2)
    assert len(apply_corrections(TABLE, [gone]).problems) == 1


def test_relative_values_follow_where_a_face_has_a_baseline() -> None:
    corrected = apply_corrections(add_baseline(TABLE, "median"), [Correction(Span(0, 801), "fear", 1)])
    row = corrected.table.iloc[0]
    assert (row["relative_emotion"], row["relative_confidence"], row["relative_fear"]) == ("fear", 1.0, 1.0)
    other = apply_corrections(add_baseline(TABLE, "median"), [Correction(Span(4000, 5999), "fear", 2)])
    assert other.table.iloc[-1]["relative_emotion"] == ""
    assert np.isnan(other.table.iloc[-1]["relative_fear"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2,,5,4,fear", ["4", "5"]),
        ("2,,x,4,fear", ["x"]),
        ("2,,nan,4,fear", ["nan"]),
        ("2,,-1,4,fear", ["-1"]),
        ("2,,1,1e9,fear", ["1e9"]),
        ("two,,1,4,fear", ["two"]),
        (",,1,4,fear", ["face_id"]),
        ("2,,1,4,", ["emotion"]),
        ("2,,1,4,fear,a,b,c,d", ["columns"]),
        ('2,,1,4,fear,"a', ["row"]),
    ],
)
def test_a_line_that_is_none_is_said_and_the_rest_applies(line: str, words: Sequence[str]) -> None:
    rows = parse_corrections(f"{HEADER}{line}\n2,,1,0:04.5,fear,,,\n".encode())
    assert [(row.span, row.face_id, row.line) for row in rows.corrections] == [(Span(1000, 4500), 2, 3)]
    (problem,) = rows.problems
    assert problem.startswith("line 2: ")
    assert all(word in problem for word in words)


def test_unknown_emotions_are_said_and_synonyms_known() -> None:
    corrected = apply(Correction(Span(0, 10), "hapy", 1, line=2), Correction(Span(0, 10), "Angry", 1, line=3))
    assert corrected.reviewed == {("happiness", "anger"): 10}
    assert "hapy" in corrected.problems[0]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"\0" * 99, b'"' * 999, b"\n\n"])
def test_hostile_files_are_data(content: bytes) -> None:
    rows = parse_corrections(content)
    assert rows.corrections == ()
    assert len(rows.problems) == bool(content.strip())


def test_a_file_that_was_cut_off_keeps_its_whole_lines() -> None:
    content = add_lines(b"", [Correction(Span(0, 1000), "fear", 1, note=f"n{number}") for number in range(3)])
    for end in range(len(content.split(b"\n")[0]) + 1, len(content)):
        rows = parse_corrections(content[:end])
        whole = content[:end].count(b"\n") - 1
        assert whole <= len(rows.corrections) <= whole + 1
        assert all(row.span == Span(0, 1000) for row in rows.corrections)


def test_lines_are_added_and_taken_back_without_touching_others() -> None:
    mine = b'face_id,start_time,end_time,emotion,why\r\n1,0,1,fear,"a, b"\r\nbroken'
    new = Correction(Span(1500, 2000), EXCLUDE, 2, author="Ann", time="t", note="=1\n2", box=Box(1, 2, 3, 4))
    content = add_lines(mine, [new, new])
    assert content.split(b"\n")[1:3] == mine.split(b"\n")[1:3]
    rows = parse_corrections(content)
    assert [row.emotion for row in rows.corrections] == ["fear", EXCLUDE, EXCLUDE]
    assert rows.corrections[1].box == new.box
    assert (rows.corrections[1].note, rows.corrections[1].author) == ("=1 2", "Ann")
    assert b",'=1 2\n" in content  # which no spreadsheet runs
    assert [problem.partition(":")[0] for problem in rows.problems] == ["line 3"]
    undone, removed = undo_last(content, "2026-01-01T00:00:00Z")
    assert len(removed) == 2
    assert undone.split(b"\n")[1:3] == mine.split(b"\n")[1:3]
    assert [row.emotion for row in parse_corrections(undone).corrections] == ["fear"]
    assert [row.line for row in parse_corrections(undone).undone] == [4, 5]
    assert redo_last(undone) == (content, list(parse_corrections(undone).undone))
    assert undo_last(b"", "t") == (b"", [])
    bare, removed = undo_last(b"FACE_ID,start_time,end_time,emotion\r\n1,0,1,fear\r\n", "t")
    assert (len(removed), parse_corrections(bare).corrections) == (1, ())


def test_undone_corrections_count_again_in_turn_until_something_is_corrected() -> None:
    def made(author: str, minute: int) -> Correction:
        return Correction(Span(0, 1000), "fear", 1, author=author, time=f"2026-01-01T10:0{minute}:00Z")

    content = add_lines(b"", [made("Ann", 1), made("Bob", 2), made("Ann", 3)])
    twice, _ = undo_last(undo_last(content, "2026-01-01T10:04:00Z", "Ann")[0], "2026-01-01T10:05:00Z", "Ann")
    assert [row.author for row in parse_corrections(twice).corrections] == ["Bob"]
    assert undo_last(twice, "t", "Ann")[1] == []
    once, restored = redo_last(twice, "Ann")
    assert [row.time[14:16] for row in restored] == ["01"]
    assert redo_last(once, "Bob")[1] == []
    assert redo_last(once)[0] == content
    assert redo_last(add_lines(once, [made("Bob", 6)]), "Ann")[1] != []
    assert redo_last(add_lines(once, [made("Ann", 6)]), "Ann")[1] == []
    assert redo_last(add_lines(once, [made("Bob", 6)]))[1] == []


def test_a_new_file_has_all_columns() -> None:
    assert add_lines(b"", []).decode() == ",".join(COLUMNS) + "\n"
    (read,) = parse("2,,12.5,15,anger,Ann,2026-01-01T00:00:00Z,why\n")
    assert (read.span, read.author, read.note) == (Span(12500, 15000), "Ann", "why")
    assert parse_time_ms("1:02:03.5") == 3723500
    with pytest.raises(ValueError, match="time"):
        parse_time_ms("1:2:3:4")
