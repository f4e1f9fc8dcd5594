from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from annotate.archive.discover import Selection
from annotate.archive.scan import Scan, scan
from annotate.storage.values import PathOrUrl
from tests.cli.answers import names, run


def findings(output: str) -> list[list[str]]:
    """Return path and kind of each finding, or path and ``deleted``."""
    return [line.split(": ")[:2] for line in output.splitlines() if " checked: " not in line]


def test_check_lists_findings_and_deletes_stale_outputs(folder: Path) -> None:
    run("videos")
    whole = run("check", "videos")
    assert (whole.status, whole.output) == (0, "1 video checked: no problems.\n")
    (folder / "videos/a.mp4").rename(folder / "videos/b.mp4")
    answer = run("check", "videos")
    found = [["videos/b.mp4", "missing"], ["videos/a.emotions.meta.json", "stale"]]
    assert (answer.status, answer.last_line) == (1, "1 video checked: 1 missing, 1 stale.")
    assert findings(answer.output) == found
    assert "a.mp4" in answer.output.splitlines()[1]
    quiet = run("-q", "check", "videos")
    assert quiet.output.splitlines() == answer.output.splitlines()[:-1]
    deleted = [[f"videos/a.emotions.{ending}", "deleted"] for ending in ("csv", "meta.json")]
    assert findings(run("check", "videos", "--delete-stale", "-q").output) == found + deleted
    assert names(folder / "videos") == ["b.mp4"]


def test_check_an_output_folder(folder: Path) -> None:
    run("videos", "-o", "results")
    assert run("check", "videos", "--output-dir", "results").status == 0
    assert run("check", "videos").status == 1
    (folder / "videos/a.mp4").unlink()
    output = run("check", "videos", "--output-dir", "results").output
    assert findings(output)[0] == ["results/a.emotions.meta.json", "stale"]


def test_check_without_videos(folder: Path) -> None:
    (folder / "empty").mkdir()
    answer = run("check", "empty")
    assert (answer.status, answer.output) == (0, "")
    assert answer.errors.startswith("empty: no videos")


def test_check_lists_unknown_files_and_paths_that_vanish_after_the_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("videos")
    (folder / "videos/other.emotions.csv").touch()
    (folder / "b.mp4").touch()

    def delete_and_scan(paths: Sequence[PathOrUrl], selection: Selection, output_dir: PathOrUrl | None) -> Scan:
        (folder / "b.mp4").unlink()
        return scan(paths, selection, output_dir)

    monkeypatch.setattr("annotate.cli.check.scan", delete_and_scan)
    answer = run("check", "b.mp4", "videos")
    assert findings(answer.output) == [["b.mp4", "unreadable"], ["videos/other.emotions.csv", "unknown"]]
    assert (answer.status, answer.last_line) == (1, "1 video checked: 1 unknown, 1 unreadable.")
