from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.answers import Answer, names, run


def test_convert_writes_formats_and_prints_every_outcome(folder: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, folder / "videos/face.mp4")
    run("videos/face.mp4", "--format", "csv")
    answer = run("convert", "videos", "--format", "VTT, ass", "--format", "textgrid", "--lang", "ru")
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


def test_captions_stand_beside_plain_subtitles_and_follow_corrections(folder: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, folder / "videos/face.mp4")
    run("videos/face.mp4")
    plain, caption = (folder / f"videos/face.emotions{part}.en.srt" for part in ("", ".caption"))
    before = plain.read_bytes()
    assert run("convert", "videos/face.mp4", "--format", "srt,json", "--style", "caption").status == 0
    assert plain.read_bytes() == before
    assert run("convert", "videos/face.mp4", "--format", "srt", "--style", "caption").last_line == "1 video: 1 up to date."
    run("correct", "videos/face.mp4", "--face", "1", "--emotion", "fear")
    assert "[afraid]" in caption.read_text()
    assert run("check", "videos/face.mp4").status == 0
    assert "a.emotions.caption.en.srt" not in names(folder / "videos")


def test_a_style_that_no_format_has_is_refused(folder: Path) -> None:
    run("videos")
    answer = run("convert", "videos", "--format", "json", "--style", "caption")
    assert answer.status == 2
    assert "srt, vtt, ass" in answer.errors
    assert run("render", "videos", "--style", "caption").status == 2
    assert run("convert", "videos", "--format", "srt", "--style", "caption", "--with-transcript").status == 2


def test_tiers_are_added_to_a_copy_of_a_file(folder: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, folder / "videos/face.mp4")
    run("videos/face.mp4", "--format", "eaf,textgrid")
    shutil.move(folder / "videos/face.emotions.eaf", folder / "mine.eaf")
    before = (folder / "mine.eaf").read_bytes()
    answer = run("convert", "videos/face.mp4", "--format", "eaf", "--into", "mine.eaf")
    assert (answer.status, answer.output.split()) == (0, ["mine.emotions.added.eaf"])
    assert (folder / "mine.eaf").read_bytes() == before
    assert "face 1 (2)" in (folder / "mine.emotions.added.eaf").read_text()
    run("convert", "videos/face.mp4", "--format", "eaf", "--into", "mine.eaf")
    assert not list(folder.glob("*.bak-*"))
    (folder / "mine.emotions.added.eaf").write_text("edited")
    run("convert", "videos/face.mp4", "--format", "eaf", "--into", "mine.eaf", "--intervals", "merged")
    assert (folder / "mine.emotions.added.eaf.bak-1").read_text() == "edited"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("videos/a.mp4", "--format", "eaf", "--into", "note.eaf"), 1),  # not annotated
        (("videos/b.mp4", "--format", "eaf", "--into", "note.eaf"), 1),  # not a file of ELAN
        (("videos/b.mp4", "--format", "textgrid", "--into", "note.eaf"), 2),
        (("videos/b.mp4", "--format", "eaf,json", "--into", "note.eaf"), 2),
        (("videos/b.mp4", "--format", "eaf", "--into", "note.txt"), 2),
        (("videos/b.mp4", "--format", "eaf", "--into", "none.eaf"), 2),
        (("videos", "--format", "eaf", "--into", "note.eaf"), 2),
    ],
)
def test_files_to_which_no_tiers_can_be_added(
    folder: Path, face_clip: Path, arguments: tuple[str, ...], status: int
) -> None:
    (folder / "note.eaf").write_text("hello")
    (folder / "note.txt").write_text("hello")
    shutil.copy(face_clip, folder / "videos/b.mp4")
    if status == 1:
        run("videos/b.mp4")
    answer = run("convert", *arguments)
    assert (answer.status, answer.output) == (status, "")
    assert not list(folder.glob("*.added.*"))


def test_convert_into_an_output_folder(folder: Path) -> None:
    run("videos", "-o", "results")
    assert run("convert", "videos", "--format", "json").status == 1
    assert run("convert", "-q", "videos", "--output-dir", "results", "--format", "json") == Answer(0, "", "")
    assert names(folder / "results") == [f"a.emotions.{ending}" for ending in ("csv", "json", "meta.json")]


def test_convert_without_tables(folder: Path) -> None:
    (folder / "empty").mkdir()
    answer = run("convert", "empty", "--format", "json")
    assert (answer.status, answer.output) == (1, "")
    assert answer.errors.startswith("empty: ")
    assert "no videos" in answer.errors
    (folder / "empty/a.mp4").touch()
    assert "`annotate empty/a.mp4`" in run("convert", "empty", "--format", "json").errors


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
    assert run("convert", path, "--format", "vtt").last_line == "1 video: 1 without faces."
    assert run("convert", path, "--format", "json").last_line == "1 video: 1 converted."
    assert "a.emotions.json" in names(folder / "videos")


@pytest.mark.parametrize("arguments", [(), ("--format", "doc"), ("--format", "json", "--lang", "xx"), ("--force",)])
def test_convert_needs_known_formats(folder: Path, arguments: tuple[str, ...]) -> None:
    answer = run("convert", "videos", *arguments)
    assert (answer.status, answer.output) == (2, "")
    assert names(folder / "videos") == ["a.mp4"]
