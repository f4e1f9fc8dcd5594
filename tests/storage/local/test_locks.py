"""Locks on local outputs: one owner at a time, and leftovers of killed runs."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from annotate.errors import OutputError
from annotate.storage.local.locks import find_abandoned, lock, sweep


def hold(base: Path, ready: Connection) -> None:
    """Acquire the lock, send its scratch folder, and wait to be killed."""
    with lock(base) as held:
        assert held is not None
        (held.scratch / "unfinished.csv").write_text("half")
        ready.send(held.scratch)
        ready.recv()


def test_a_lock_has_an_empty_scratch_folder_and_leaves_nothing(tmp_path: Path) -> None:
    with lock(tmp_path / "movie") as held:
        assert held is not None
        assert os.listdir(held.scratch) == []
        assert held.scratch.parent == tmp_path
        (held.scratch / "unfinished.csv").touch()
    assert os.listdir(tmp_path) == []


def test_a_held_lock_cannot_be_acquired_again(tmp_path: Path) -> None:
    with lock(tmp_path / "movie") as first, lock(tmp_path / "MOVIE") as second:
        assert first is not None
        assert second is None
    with lock(tmp_path / "movie") as third:
        assert third is not None


def test_locks_of_other_videos_are_independent(tmp_path: Path) -> None:
    with lock(tmp_path / "one") as first, lock(tmp_path / "two") as second:
        assert first is not None
        assert second is not None
        assert first != second


def test_the_lock_of_a_killed_run_is_free_and_its_files_are_deleted(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path / "movie", theirs))
    process.start()
    scratch = ours.recv()
    unrelated = tmp_path / ".annotate-notes.tmp"
    unrelated.touch()
    with lock(tmp_path / "movie") as while_held:
        assert while_held is None
    process.kill()
    process.join()
    assert os.listdir(scratch) == ["unfinished.csv"]
    with lock(tmp_path / "movie") as after_kill:
        assert after_kill is not None
        assert after_kill.scratch == scratch
        assert os.listdir(scratch) == []
    assert os.listdir(tmp_path) == [unrelated.name]


def test_sweep_deletes_what_killed_runs_left_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / ".annotate-0123456789abcdef.tmp"
    left.mkdir()
    (left / "unfinished.csv").write_text("half")
    locked = tmp_path / ".annotate-fedcba9876543210.lock"
    locked.touch()
    for name in (".annotate-0123456789abcde.tmp", ".annotate-0123456789abcdef.tmp.bak", ".annotate-notes.lock", "a.lock"):
        (tmp_path / name).touch()
    with lock(tmp_path / "movie") as held:
        assert held is not None
        assert find_abandoned(tmp_path) == [left, locked]
        assert sweep(tmp_path) == [left, locked]
        assert held.scratch.exists()
        assert find_abandoned(tmp_path) == []
    assert len(os.listdir(tmp_path)) == 4
    assert sweep(tmp_path / "missing") == []


def test_sweep_does_not_follow_links(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (tmp_path / ".annotate-0123456789abcdef.tmp").symlink_to(precious)
    sweep(tmp_path)
    assert (precious / "file").exists()


def test_locking_in_an_unwritable_folder_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="written"), lock(tmp_path / "file" / "movie"):
        pass


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def refuse(path: Path, *arguments: int, **options: bool) -> None:
        if path.suffix == ".tmp":
            raise OSError(28, "No space left on device")
        make(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(OutputError, match="No space left on device"),
        lock(tmp_path / "movie"),
    ):
        pass
    assert os.listdir(tmp_path) == []
