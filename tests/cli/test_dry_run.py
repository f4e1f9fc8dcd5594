from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from annotate.cli import dry_run, last_run
from tests.cli.answers import run


@pytest.fixture
def speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the last run's speed, which does not exist yet."""
    path = tmp_path / "state/last_run.json"
    monkeypatch.setattr(last_run, "speed_file", lambda: path)
    return path


def totals(*arguments: str) -> str:
    answer = run(*arguments, "--dry-run")
    assert answer.status == 0
    return answer.last_line


def test_totals_of_videos_and_their_length(folder: Path, face_clip: Path, speed: Path) -> None:
    shutil.copy(face_clip, folder / "videos/b.mp4")
    assert totals("videos").startswith("2 videos: 2 to annotate, 0:03 long; no earlier run")
    run("videos/a.mp4", "-q")
    assert totals("videos").startswith("2 videos: 1 to annotate, 0:02 long; ")
    run("videos", "-q")
    assert totals("videos") == "2 videos: 0 to annotate."
    assert not speed.exists()


def test_the_time_it_takes_is_that_of_the_last_runs_speed(folder: Path, speed: Path) -> None:
    last_run.remember_speed(100.0, 1000.0)
    assert json.loads(speed.read_text()) == {"video_s": 100.0, "took_s": 1000.0}
    assert totals("videos").startswith("1 video: 1 to annotate, 0:01 long; about 0:10 at ")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"video_s": 1, "took_s": 0}', '{"video_s": "x", "took_s": 1}', "[1"])
def test_a_broken_file_is_as_none(speed: Path, content: str) -> None:
    speed.parent.mkdir()
    speed.write_text(content)
    assert last_run.last_speed() is None


@pytest.mark.parametrize(("video_s", "took_s"), [(9.9, 1.0), (100.0, 0.0)])
def test_runs_that_say_nothing_about_speed_are_not_kept(speed: Path, video_s: float, took_s: float) -> None:
    last_run.remember_speed(video_s, took_s)
    assert not speed.exists()


def test_a_state_folder_that_cannot_be_written_is_no_matter(speed: Path) -> None:
    speed.parent.write_text("a file, not a folder")
    last_run.remember_speed(100.0, 10.0)
    assert last_run.last_speed() is None


def test_a_run_keeps_its_speed(folder: Path, speed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_run, "_MIN_VIDEO_S", 0.5)
    run("videos", "-q")
    kept = json.loads(speed.read_text())
    assert kept["video_s"] == 1.0
    assert 0 < kept["took_s"] < 100


def test_the_length_of_many_videos_is_estimated_by_size(
    folder: Path, face_clip: Path, speed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        os.link(folder / "videos/a.mp4", folder / f"videos/b{number}.mp4")
    monkeypatch.setattr(dry_run, "MAX_PROBED", 2)
    assert totals("videos").startswith("5 videos: 5 to annotate, about 0:05 long; ")


def test_what_is_no_video_has_no_length(folder: Path, speed: Path) -> None:
    (folder / "videos/b.mp4").write_text("text")
    assert totals("videos").startswith("2 videos: 2 to annotate, 0:01 long; ")
    assert totals("videos/b.mp4") == "1 video: 1 to annotate, of unknown length."


def test_a_folder_that_is_left_out_is_not_listed(folder: Path, speed: Path) -> None:
    (folder / "videos/misc").mkdir()
    shutil.copy(folder / "videos/a.mp4", folder / "videos/misc/b.mp4")
    for pattern in ("misc", "misc/", "./misc/*", "misc/**"):
        answer = run("videos", "--dry-run", "--exclude", pattern)
        assert "misc" not in answer.output
        assert answer.last_line.startswith("1 video: ")


def test_quiet_prints_no_totals(folder: Path, speed: Path) -> None:
    assert run("videos", "--dry-run", "-q").output == "videos/a.mp4: annotate: not annotated yet\n"
