"""`annotate render` as it is typed: where copies go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.answers import names, run

COPY = "a.emotions.soft.en.mp4"


@pytest.fixture
def done(folder: Path) -> Path:
    """The current directory with an annotated video in ``videos``."""
    assert run("-q", "videos", "--format", "csv").status == 0
    return folder


def test_copies_lie_beside_videos_or_in_a_tree_of_their_own(done: Path) -> None:
    answer = run("render", "--soft", "videos")
    assert (answer.status, answer.last_line) == (0, "1 video: 1 rendered.")
    assert COPY in names(done / "videos")
    assert run("render", "--soft", "videos", "--output-dir", "copies").last_line == "1 video: 1 rendered."
    assert names(done / "copies") == [COPY]
    assert run("render", "--soft", "videos", "--output-dir", "copies").last_line == "1 video: 1 up to date."


def test_a_tree_is_a_tree_whatever_its_name(done: Path) -> None:
    assert run("render", "--soft", "videos", "--output-dir", "copies.mkv").status == 0
    assert names(done / "copies.mkv") == [COPY]


def test_reports_are_looked_for_in_the_tree_too(folder: Path) -> None:
    run("-q", "videos", "--format", "csv", "--output-dir", "results")
    assert run("render", "--soft", "videos").status == 1
    assert run("render", "-q", "--soft", "videos", "--output-dir", "results").status == 0
    assert COPY in names(folder / "results")


@pytest.mark.parametrize("name", ["copy.mkv", "copy.mp4"])
def test_a_file_is_a_file(done: Path, name: str) -> None:
    answer = run("render", "--soft", "videos/a.mp4", "-o", name)
    assert (answer.status, "--output-dir" in answer.errors) == (0, False)
    assert (done / name).is_file()


def test_a_folder_that_is_there_is_a_tree_whatever_its_ending(done: Path) -> None:
    (done / "copies.mp4").mkdir()
    answer = run("render", "--soft", "videos", "-o", "copies.mp4")
    assert (answer.status, answer.errors.splitlines()[0].count("--output-dir DIR")) == (0, 1)
    assert names(done / "copies.mp4") == [COPY]


@pytest.mark.parametrize("output", ["copy.avi", "videos/a.mp4", "videos/b.strange"])
def test_what_is_no_place_for_a_copy_is_refused(done: Path, output: str) -> None:
    shutil.copy(done / "videos/a.mp4", done / "videos/b.strange")
    answer = run("render", "--soft", "videos/b.strange" if "strange" in output else "videos/a.mp4", "-o", output)
    assert (answer.status, answer.output) == (2, "")
    assert f"-o {output}: " in answer.errors
    assert "--output-dir" not in answer.errors


@pytest.mark.parametrize("output", ["copy.mp4", "copies"])
def test_a_file_and_a_tree_are_wrong_usage(done: Path, output: str) -> None:
    assert run("render", "videos/a.mp4", "-o", output, "--output-dir", "other").status == 2
    assert names(done) == ["videos"]


def test_addresses_of_object_storage_are_no_trees_of_copies(done: Path) -> None:
    answer = run("render", "videos", "--output-dir", "s3://archive")
    assert (answer.status, "s3://archive: this is done with files of this machine only" in answer.errors) == (2, True)
