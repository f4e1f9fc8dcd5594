from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.answers import Answer, names, run


def test_convert_makes_formats_and_says_what_became_of_every_video(folder: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, folder / "videos/face.mp4")
    run("videos/face.mp4", "--format", "csv")
    answer = run("convert", "videos", "--format", "VTT,ass, textgrid", "--lang", "ru")
    assert answer.status == 1
    assert answer.errors.splitlines() == [
        "failed: videos/a.mp4: not annotated yet; run `annotate videos/a.mp4` first",
        "videos/face.mp4: formats added, 0:02 long, 1 face",
    ]
    assert answer.last_line == "2 videos: 1 given further formats, 1 failed."
    made = {f"face.emotions.{ending}" for ending in ("ru.vtt", "ru.ass", "TextGrid")}
    assert made <= set(names(folder / "videos"))
    again = run("convert", "videos", "--format", "vtt", "--lang", "ru", "--exclude", "a.*")
    assert again == Answer(0, "1 video: 1 up to date.\n", "")


def test_convert_into_a_tree_of_its_own(folder: Path) -> None:
    run("videos", "-o", "results")
    assert run("convert", "videos", "--format", "json").status == 1
    assert run("convert", "-q", "videos", "--output-dir", "results", "--format", "json") == Answer(0, "", "")
    assert names(folder / "results") == [f"a.emotions.{ending}" for ending in ("csv", "json", "meta.json")]


def test_convert_where_there_is_nothing(folder: Path) -> None:
    (folder / "empty").mkdir()
    expected = "no reports below empty; `annotate empty` makes them\n"
    assert run("convert", "empty", "--format", "json") == Answer(0, "", expected)
    assert run("convert", "nowhere", "--format", "json").status == 1


@pytest.mark.parametrize("arguments", [(), ("--format", "doc"), ("--format", "json", "--lang", "xx"), ("--force",)])
def test_convert_needs_formats_that_there_are(folder: Path, arguments: tuple[str, ...]) -> None:
    answer = run("convert", "videos", *arguments)
    assert (answer.status, answer.output) == (2, "")
    assert names(folder / "videos") == ["a.mp4"]
