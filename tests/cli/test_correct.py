"""``annotate correct`` and ``--without-corrections``, as typed."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from annotate.archive.stored_report import read_report
from tests.analytics.samples import MOVIE, report
from tests.cli.answers import run


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video of one byte with the table `MOVIE`."""
    report(tmp_path, "movie.mp4", MOVIE)
    path = tmp_path / "movie.mp4"
    path.write_bytes(b".")
    os.utime(path, ns=(1, 1))
    return path


FEAR = ("--face", "1", "--from", "0:00.4", "--to", "1", "--emotion", "scared", "--note", "see the eyes", "--author", "Ann")


def test_a_correction_is_written_listed_and_undone(video: Path) -> None:
    assert run("correct", video, *FEAR).status == 0
    (row,) = csv.DictReader((video.parent / "movie.emotions.corrections.csv").open())
    assert [row[name] for name in ("face_id", "start_time", "end_time", "emotion", "author", "note")] == [
        "1",
        "0.400",
        "1.000",
        "fear",
        "Ann",
        "see the eyes",
    ]
    assert row["time"].startswith("20")
    assert float(row["width"]) == 80
    listed = run("correct", video, "--list")
    assert all(word in listed.output for word in ("face 1", "anger, happiness", "Ann", "see the eyes"))
    assert run("correct", video, "--undo").status == 0
    assert read_report(video.with_suffix(".emotions.csv")).problems == ()
    assert run("correct", video, "--undo").status == 2
    redone = run("correct", video, "--redo").output
    assert "1 correction redone, 1 in all" in redone
    assert read_report(video.with_suffix(".emotions.csv")).blocks[1].emotion == "fear"
    again = run("correct", video, "--redo")
    assert (again.status, "--list" in again.errors) == (2, True)


def test_nothing_is_confirmed_where_the_face_is_not_seen(video: Path) -> None:
    answer = run("correct", video, "--face", "1", "--from", "9:00", "--to", "9:30", "--confirm")
    assert (answer.status, answer.output) == (2, "")
    assert "face 1 is not seen" in answer.errors
    assert not (video.parent / "movie.emotions.corrections.csv").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--face", "1"),
        ("--emotion", "fear"),
        ("--face", "1", "--emotion", "fear", "--exclude"),
        ("--undo", "--face", "1"),
        ("--undo", "--redo"),
        ("--face", "1", "--from", "x", "--exclude"),
        ("--face", "1", "--from", "2", "--to", "1", "--exclude"),
        ("--face", "9", "--exclude"),
        ("--person", "Ann", "--exclude"),
        ("--face", "1", "--emotion", "envy"),
    ],
)
def test_what_makes_no_sense_is_refused(video: Path, arguments: tuple[str, ...]) -> None:
    assert run("correct", video, *arguments).status == 2
    assert not (video.parent / "movie.emotions.corrections.csv").exists()


def test_commands_show_corrections_or_the_machine_alone(video: Path, tmp_path: Path) -> None:
    def table(*arguments: object) -> list[dict[str, str]]:
        output = tmp_path / "out" / "table.csv"
        assert run(*map(str, arguments), "-q", "-o", output).status == 0
        with output.open(newline="") as file:
            return list(csv.DictReader(file))

    plain = [table(command, tmp_path) for command in ("find", "summarize", "export")]
    assert not any("source" in row for rows in plain for row in rows)
    assert run("correct", video, *FEAR).status == 0
    assert [table(command, tmp_path, "--without-corrections") for command in ("find", "summarize", "export")] == plain
    (found,) = table("find", tmp_path, "--emotion", "fear")
    assert (found["source"], found["machine_emotion"], found["confidence"]) == ("author", "anger", "1.0")
    (summary,) = table("summarize", tmp_path)
    assert float(summary["fear"]) == pytest.approx(0.6 / 2.8, abs=1e-4)
    exported = [row for row in table("export", tmp_path) if row["source"] == "author"]
    assert [(row["own_start_time"], row["own_end_time"], row["machine_emotion"]) for row in exported] == [
        ("0.4", "0.8", "anger"),
        ("0.8", "1.0", "happiness"),
    ]
    codebook = (tmp_path / "out" / "table.codebook.csv").read_text()
    assert all(name in codebook for name in ("source", "machine_emotion", "machine_confidence"))
    (video.parent / "movie.emotions.corrections.csv").open("a").write("1,,7,8,fear\n")
    assert "line 3" in run("summarize", tmp_path).errors


def test_an_edited_copy_is_taken(video: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_text((tmp_path / "movie.emotions.csv").read_text().replace(",happiness,0.7500", ",fear,0.7500"))
    assert run("correct", video, "--from-table", copy, "--author", "Ann").status == 0
    (row,) = csv.DictReader((tmp_path / "movie.emotions.corrections.csv").open())
    assert (row["face_id"], row["start_time"], row["end_time"], row["emotion"]) == ("1", "0.800", "1.600", "fear")
    copy.write_text("a\n")
    assert run("correct", video, "--from-table", copy).status != 0
