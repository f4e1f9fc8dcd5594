from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archive.test_status import write_failure
from tests.batch.test_check import write_annotated
from tests.cli.answers import run


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a video that is annotated in ``films``."""
    monkeypatch.chdir(tmp_path)
    write_annotated(tmp_path / "films/a.mp4")
    return tmp_path / "films"


def test_the_exit_status_tells_whether_all_is_annotated(films: Path) -> None:
    assert run("status", "films").status == 0
    (films / "b.mp4").write_text("new")
    assert run("status", "films").status == 1
    assert run("status", "films", "--exclude", "b.*").status == 0
    assert run("status", "nowhere").status == 2
    assert run("status", "films", "--jsn").status == 2


def test_json_is_one_document(films: Path) -> None:
    write_failure(films / "é.mp4")
    answer = run("status", "films", "--json")
    first, second = json.loads(answer.output)
    assert (first["path"], first["state"], first["reason"]) == ("films/a.mp4", "annotated", "")
    assert (second["path"], second["state"]) == ("films/é.mp4", "failed")
    assert second["reason"].startswith("not a video")
    assert [*second] == ["path", "state", "reason", "version", "time"]
    assert answer.status == 1
    assert json.loads(run("status", "films", "--json", "--include", "z*").output) == []


def test_counts_come_first_then_what_needs_something(films: Path) -> None:
    write_annotated(films / "damaged.mp4", missing_s=1.0)
    (films / "b.mp4").write_text("new")
    write_failure(films / "c.mp4")
    answer = run("status", "films")
    assert answer.rows == [
        {"state": "annotated", "videos": "2"},
        {"state": "failed", "videos": "1"},
        {"state": "missing", "videos": "1"},
    ]
    listed = [line.split(": ")[0].strip() for line in answer.output.splitlines() if line.startswith("  ")]
    assert listed == ["films/c.mp4", "films/b.mp4", "films/damaged.mp4"]
    quiet = run("status", "films", "-q").output
    assert "films/c.mp4" in quiet
    assert "videos" not in quiet


def test_a_run_leaves_failures_alone_unless_told(films: Path) -> None:
    (films / "c.mp4").write_text("text\n" * 50)
    (films / "a.mp4").unlink()
    assert [run("films").status for _ in range(2)] == [1, 1]
    again = run("films", "--retry-failed")
    assert again.status == 1
    assert "--retry-failed" not in again.output
    assert "--retry-failed" in run("films").output
    assert run("films", "--dry-run").output.startswith("films/c.mp4: fail: ")
    assert run("films", "--dry-run", "--max-pixels", "9").output.startswith("films/c.mp4: annotate: ")
