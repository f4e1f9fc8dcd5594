from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.__main__ import run as start
from annotate.archive.scan import Scan
from annotate.batch.job import Outcome, Status
from tests.cli.answers import names, run, run_process


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_log_that_fails_does_not_end_the_run(folder: Path) -> None:
    shutil.copy(folder / "videos/a.mp4", folder / "videos/b.mp4")
    answer = run("videos", "--log", "/dev/full")
    assert (answer.status, answer.last_line) == (1, "2 videos: 2 without faces.")
    assert answer.errors.count("Error: /dev/full: ") == 1
    assert answer.errors.count("(No space left on device)") == 1


def test_an_interrupted_run_prints_how_many_videos_remain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(items: Scan, *arguments: object, **options: object) -> Iterator[Outcome]:
        yield Outcome(next(iter(items.sizes_bytes())), Status.NO_FACES, 1.0)
        raise KeyboardInterrupt

    for name in "bc":
        shutil.copy(folder / "videos/a.mp4", folder / f"videos/{name}.mp4")
    monkeypatch.setattr("annotate.batch.run.annotate_archive", interrupted)
    answer = run("videos")
    assert answer.status == 130
    assert answer.last_line == "1 video: 1 without faces."
    assert answer.errors.splitlines()[-1].startswith("Interrupted: 2 ")


def test_a_run_interrupted_before_the_first_video_counts_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> Iterator[Outcome]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("annotate.batch.run.annotate_archive", interrupted)
    answer = run("videos")
    assert (answer.status, answer.output) == (130, "")
    assert answer.errors.splitlines()[-1].startswith("Interrupted: 1 ")


def test_an_interrupted_scan(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> Iterator[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr("annotate.cli.annotate.scan", interrupted)
    answer = run("videos")
    assert (answer.status, answer.output, answer.errors) == (130, "", "Interrupted.\n")


def test_an_interrupted_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("annotate.cli.main.main", interrupted)
    with pytest.raises(SystemExit) as end:
        start()
    assert end.value.code == 130


def test_as_a_process(folder: Path) -> None:
    (folder / "videos/b\n.mp4").touch()
    (folder / "videos/c.mp4").symlink_to(folder / "gone.mp4")
    answer = run_process("--jobs", "1", "videos", folder=folder)
    assert answer.status == 1
    assert answer.last_line == "3 videos: 1 without faces, 2 failed."
    assert "Traceback" not in answer.errors
    assert sorted(answer.failed) == [r"videos/b\n.mp4", "videos/c.mp4"]
    assert "\r" not in answer.errors
    assert names(folder / "videos") == [
        *("a.emotions.csv", "a.emotions.meta.json", "a.mp4", "b\n.emotions.failed.json", "b\n.mp4", "c.mp4")
    ]


def test_as_a_process_with_a_missing_path(folder: Path) -> None:
    answer = run_process("videos", "gone", folder=folder)
    assert (answer.status, answer.output) == (2, "")
    assert "'gone'" in answer.errors
    assert answer.errors.count("\n") == 1
    assert names(folder / "videos") == ["a.mp4"]


def test_as_a_process_with_a_traceback(folder: Path) -> None:
    answer = run_process("-v", "--model", "videos/a.mp4", "videos", folder=folder)
    assert answer.status == 2
    assert "Traceback (most recent call last):" in answer.errors
    assert answer.errors.splitlines()[-1].startswith("Error: videos/a.mp4: ")
    assert "ONNX" in answer.errors.splitlines()[-1]
