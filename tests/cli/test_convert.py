from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.answers import Answer, names, run


def test_convert_writes_formats_and_prints_every_outcome(folder: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, folder / "videos/face.mp4")
    run("videos/face.mp4", "--format", "csv")
    answer = run("convert", "videos", "--format", "VTT,ass, textgrid", "--lang", "ru")
    assert answer.status == 1
    assert answer.failed == ["videos/a.mp4"]
    assert "`annotate videos/a.mp4`" in answer.errors
    assert answer.errors.splitlines()[1:] == ["videos/face.mp4: converted, 0:02 long, 1 face track"]
    assert [(row["video"], row["result"]) for row in answer.rows] == [
        ("videos/a.mp4", "failed"),
        ("videos/face.mp4", "converted"),
    ]
    assert answer.last_line == "2 videos: 1 converted, 1 failed."
    made = {f"face.emotions.{ending}" for ending in ("ru.vtt", "ru.ass", "TextGrid")}
    assert made <= set(names(folder / "videos"))
    again = run("convert", "videos", "--format", "vtt", "--lang", "ru", "--exclude", "a.*")
    assert again == Answer(0, "1 video: 1 up to date.\n", "")


def test_convert_into_an_output_folder(folder: Path) -> None:
    run("videos", "-o", "results")
    assert run("convert", "videos", "--format", "json").status == 1
    assert run("convert", "-q", "videos", "--output-dir", "results", "--format", "json") == Answer(0, "", "")
    assert names(folder / "results") == [f"a.emotions.{ending}" for ending in ("csv", "json", "meta.json")]


def test_convert_without_tables(folder: Path) -> None:
    (folder / "empty").mkdir()
    answer = run("convert", "empty", "--format", "json")
    assert (answer.status, answer.output) == (0, "")
    assert answer.errors.startswith("empty: ")
    assert "`annotate empty`" in answer.errors


def test_patterns_that_select_no_table_are_named(folder: Path) -> None:
    run("videos")
    answer = run("convert", "videos", "--format", "json", "--exclude", "*.mp4")
    assert (answer.status, answer.output) == (0, "")
    assert answer.errors.startswith("videos: ")
    assert "--exclude" in answer.errors
    assert "`annotate videos`" not in answer.errors


@pytest.mark.parametrize("path", ["videos", "videos/a.emotions.csv"])
def test_convert_the_table_of_a_deleted_video(folder: Path, path: str) -> None:
    run("videos")
    (folder / "videos/a.mp4").unlink()
    assert run("convert", path, "--format", "json").last_line == "1 video: 1 converted."
    assert "a.emotions.json" in names(folder / "videos")


@pytest.mark.parametrize("arguments", [(), ("--format", "doc"), ("--format", "json", "--lang", "xx"), ("--force",)])
def test_convert_needs_known_formats(folder: Path, arguments: tuple[str, ...]) -> None:
    answer = run("convert", "videos", *arguments)
    assert (answer.status, answer.output) == (2, "")
    assert names(folder / "videos") == ["a.mp4"]
