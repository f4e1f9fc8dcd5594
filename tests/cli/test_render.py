"""Where `annotate render` writes rendered videos."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.answers import names, run

RENDERED = "a.emotions.soft.en.mp4"


@pytest.fixture
def annotated(folder: Path) -> Path:
    """The current directory, with an annotated video in ``videos``."""
    assert run("-q", "videos", "--format", "csv").status == 0
    return folder


def test_rendered_videos_lie_beside_videos_or_in_the_output_folder(annotated: Path) -> None:
    answer = run("render", "--soft", "videos")
    assert (answer.status, answer.last_line) == (0, "1 video: 1 rendered.")
    assert RENDERED in names(annotated / "videos")
    assert run("render", "--soft", "videos", "--output-dir", "copies").last_line == "1 video: 1 rendered."
    assert names(annotated / "copies") == [RENDERED]
    assert run("render", "--soft", "videos", "--output-dir", "copies").last_line == "1 video: 1 up to date."


def test_an_output_folder_may_have_any_name(annotated: Path) -> None:
    assert run("render", "--soft", "videos", "--output-dir", "copies.mkv").status == 0
    assert names(annotated / "copies.mkv") == [RENDERED]


def test_tables_in_the_output_folder_are_found(folder: Path) -> None:
    run("-q", "videos", "--format", "csv", "--output-dir", "results")
    assert run("render", "--soft", "videos").status == 1
    assert run("render", "-q", "--soft", "videos", "--output-dir", "results").status == 0
    assert RENDERED in names(folder / "results")


@pytest.mark.parametrize("name", ["copy.mkv", "copy.mp4"])
def test_a_video_ending_means_a_file(annotated: Path, name: str) -> None:
    answer = run("render", "--soft", "videos/a.mp4", "-o", name)
    assert (answer.status, "--output-dir" in answer.errors) == (0, False)
    assert (annotated / name).is_file()


def test_an_existing_folder_is_an_output_folder_with_any_ending(annotated: Path) -> None:
    (annotated / "copies.mp4").mkdir()
    answer = run("render", "--soft", "videos", "-o", "copies.mp4")
    assert (answer.status, answer.errors.splitlines()[0].count("--output-dir DIR")) == (0, 1)
    assert names(annotated / "copies.mp4") == [RENDERED]


@pytest.mark.parametrize("output", ["copy.avi", "videos/a.mp4", "videos/b.strange"])
def test_unusable_output_files_are_refused(annotated: Path, output: str) -> None:
    shutil.copy(annotated / "videos/a.mp4", annotated / "videos/b.strange")
    answer = run("render", "--soft", "videos/b.strange" if "strange" in output else "videos/a.mp4", "-o", output)
    assert (answer.status, answer.output) == (2, "")
    assert f"-o {output}: " in answer.errors
    assert "--output-dir" not in answer.errors


@pytest.mark.parametrize("output", ["copy.mp4", "copies"])
def test_an_output_file_and_an_output_folder_are_wrong_usage(annotated: Path, output: str) -> None:
    assert run("render", "videos/a.mp4", "-o", output, "--output-dir", "other").status == 2
    assert names(annotated) == ["videos"]


def test_an_output_folder_in_object_storage_is_refused(annotated: Path) -> None:
    answer = run("render", "videos", "--output-dir", "s3://archive")
    assert (answer.status, answer.output) == (2, "")
    assert "s3://archive: " in answer.errors


def test_options_of_blurring(annotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in (["--soft", "--blur"], ["--keep", "1"], ["--no-sound"], ["--soft", "--no-metadata"]):
        assert run("render", *options, "videos").status == 2
    answer = run("render", "--blur", "videos", "--keep", "3")
    assert (answer.status, "videos/a.mp4: no face 3" in answer.errors) == (2, True)
    assert not [name for name in names(annotated / "videos") if "blurred" in name]
    monkeypatch.setenv("ANNOTATE_KEEP", "3")
    assert run("render", "--blur", "videos").status == 0
    assert "a.emotions.blurred.mp4" in names(annotated / "videos")
