"""Local files: atomic writes, deletion and access checks."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.errors import OutputError, write_error
from annotate.storage.local.files import check_writable, delete, write_atomic


@pytest.fixture
def usual_mask() -> Iterator[int]:
    """A umask that keeps group read permission."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def refuse(*arguments: object, **options: object) -> None:
    """Raise the error of a full disk."""
    raise OSError(28, "No space left on device")


def deny(*arguments: object, **options: object) -> None:
    """Raise the error of a folder without write permission."""
    raise PermissionError(13, "Permission denied")


def test_writes_utf_8_without_translating_line_ends(tmp_path: Path) -> None:
    write_atomic(tmp_path / "новый.csv", "гнев\nfear\n")
    assert (tmp_path / "новый.csv").read_bytes() == "гнев\nfear\n".encode()
    assert os.listdir(tmp_path) == ["новый.csv"]


def test_replaces_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a much longer text than the new one")
    write_atomic(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "os.chmod"])
def test_an_existing_file_is_unchanged_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    monkeypatch.setattr(step, refuse)
    with pytest.raises(OutputError) as caught:
        write_atomic(path, "new")
    assert caught.value.path == path
    assert "No space left on device" in caught.value.problem
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_an_interrupted_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.csv", "new")
    assert os.listdir(tmp_path) == []


def test_writing_to_a_missing_folder_fails(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.csv"
    with pytest.raises(OutputError) as caught:
        write_atomic(path, "text")
    assert caught.value.path == path
    assert "No such file or directory" in caught.value.problem
    assert os.listdir(tmp_path) == []


def test_writing_over_a_directory_fails(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write_atomic(tmp_path / "a.csv", "text")
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_symbolic_link_is_replaced_and_its_target_unchanged(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept.txt", tmp_path / "a.csv"
    kept.write_text("user's own")
    link.symlink_to(kept)
    write_atomic(link, "report")
    assert (link.is_symlink(), link.read_text(), kept.read_text()) == (False, "report", "user's own")


@pytest.mark.usefixtures("usual_mask")
def test_file_mode_follows_the_umask(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.csv", "text")
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o640


def test_the_umask_is_restored(tmp_path: Path, usual_mask: int) -> None:
    write_atomic(tmp_path / "a.csv", "text")
    assert os.umask(usual_mask) == usual_mask


def test_checking_a_writable_folder_leaves_it_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "a.csv")
    assert os.listdir(tmp_path) == []


def test_an_unwritable_folder_is_the_path_of_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", deny)
    with pytest.raises(OutputError) as caught:
        check_writable(tmp_path / "a.csv")
    assert caught.value.path == tmp_path
    assert "Permission denied" in caught.value.problem


def test_a_missing_folder_is_not_writable(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        check_writable(tmp_path / "missing" / "a.csv")


def test_a_name_that_is_too_long_is_not_writable(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        check_writable(tmp_path / ("a" * 300))


def test_delete_ignores_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text")
    delete(path)
    delete(path)
    assert os.listdir(tmp_path) == []


def test_the_error_names_a_file_that_cannot_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError) as caught:
        delete(tmp_path / "a.csv")
    assert caught.value.path == tmp_path / "a.csv"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_is_not_writable_gets_a_way_out(number: int) -> None:
    error = write_error("archive", OSError(number, os.strerror(number)))
    assert error.path == "archive"
    assert "--output-dir" in error.remedy
