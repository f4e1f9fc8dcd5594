"""Notifications of changes by the operating system."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from annotate.archive import changes as changes_module
from annotate.archive.changes import Changes
from annotate.errors import SettingsError

INTERVAL_S, PATIENCE_S = 0.05, 20.0

needs_watchfiles = pytest.mark.skipif(importlib.util.find_spec("watchfiles") is None, reason="watchfiles is not installed")


def test_without_folders_waits_end_by_themselves() -> None:
    with Changes() as changes:
        assert not changes.wait(0.01)
        assert not changes.is_notified


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.extras.find_spec", lambda module: None)
    with pytest.raises(SettingsError) as caught:
        Changes([tmp_path])
    assert "watchfiles" in caught.value.problem
    assert "[watch]" in caught.value.remedy


def is_noticed(video: Path, changes: Changes) -> bool:
    """Write to a video until that is notified: watchfiles may lose a change at the end of its timeout, a short one here."""
    for _ in range(round(PATIENCE_S)):
        video.touch()
        if changes.wait(1.0):
            return True
    return False


@needs_watchfiles
def test_videos_are_notified_also_in_a_folder_that_was_removed_and_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    with Changes([folder], INTERVAL_S) as changes:
        assert changes.wait(PATIENCE_S)
        for name in ("a.emotions.csv", ".annotate-1.tmp"):
            (folder / name).touch()
        assert not changes.wait(10 * INTERVAL_S)
        assert is_noticed(folder / "a.mp4", changes)
        shutil.rmtree(folder)
        while changes.is_notified:
            changes.wait(INTERVAL_S)
        assert str(folder) in changes.problem
        folder.mkdir()
        while not changes.is_notified:
            changes.wait(INTERVAL_S)
        changes.wait(INTERVAL_S)
        assert is_noticed(folder / "b.mp4", changes)


def test_names_that_may_be_videos() -> None:
    names = ("a.mp4", "folder", ".hidden.mp4", "a.emotions.csv", "a.emotions.failed.json")
    assert [changes_module._may_be_video(name) for name in names] == [True, True, False, False, False]
