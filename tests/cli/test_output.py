"""The file of ``-o``: folders that are missing are made; one that cannot be made is named before work starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.answers import names, run

FILES = {
    "summarize": "out.csv",
    "find": "out.m3u",
    "report": "out.html",
    "plot": "out.svg",
    "render": "out.mp4",
}


@pytest.fixture
def video(folder: Path) -> Path:
    """An annotated video."""
    assert run("videos", "-q").status == 0
    return folder / "videos/a.mp4"


def test_missing_folders_are_made(video: Path, folder: Path) -> None:
    for command, name in FILES.items():
        assert run(command, video, "-o", f"new/{command}/{name}").status == 0
        assert name in names(folder / "new" / command)


def test_a_folder_that_cannot_be_made_is_named(video: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.batch.render._render", lambda *arguments: pytest.fail("work has started"))
    monkeypatch.setattr("annotate.html_report.build.collect", lambda *arguments: pytest.fail("work has started"))
    (folder / "file").touch()
    for command, name in FILES.items():
        answer = run(command, video, "-o", f"file/{name}")
        assert answer.status == 1
        assert answer.errors.splitlines()[0].split(": ")[-2:-1] == ["file"]
        assert [word for word in ("permission", "space") if word in answer.errors] == []
