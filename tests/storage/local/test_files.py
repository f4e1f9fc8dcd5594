"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.errors import OutputError
from annotate.storage.local.files import check_writable, delete, write_atomic


@pytest.fixture
def usual_mask() -> Iterator[int]:
    """A mask that leaves the group its reading."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def refuse(*arguments: object, **options: object) -> None:
    """What a full disk says."""
    raise OSError(28, "No space left on device")


def deny(*arguments: object, **options: object) -> None:
    """What a folder of somebody else's says."""
    raise PermissionError(13, "Permission denied")


def test_writes_utf_8_and_plain_line_ends(tmp_path: Path) -> None:
    write_atomic(tmp_path / "новый.csv", "гнев\nfear\n")
    assert (tmp_path / "новый.csv").read_bytes() == "гнев\nfear\n".encode()
    assert os.listdir(tmp_path) == ["новый.csv"]


def test_replaces_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a much longer text than the new one")
    write_atomic(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("step", ["os.replace", "os.fsync", "os.chmod"])
def test_what_stood_there_remains_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    monkeypatch.setattr(step, refuse)
    with pytest.raises(OutputError) as caught:
        write_atomic(path, "new")
    assert str(caught.value).startswith(f"{path}: cannot be written (No space left on device)")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.csv", "new")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "a.csv"
    with pytest.raises(OutputError) as caught:
        write_atomic(path, "text")
    assert str(caught.value).startswith(f"{path}: cannot be written (No such file or directory)")
    assert os.listdir(tmp_path) == []


def test_a_directory_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write_atomic(tmp_path / "a.csv", "text")
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_symbolic_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept.txt", tmp_path / "a.csv"
    kept.write_text("somebody's own")
    link.symlink_to(kept)
    write_atomic(link, "report")
    assert (link.is_symlink(), link.read_text(), kept.read_text()) == (False, "report", "somebody's own")


@pytest.mark.usefixtures("usual_mask")
def test_mode_follows_the_mask(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.csv", "text")
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o640


def test_the_mask_is_left_as_it_was(tmp_path: Path, usual_mask: int) -> None:
    write_atomic(tmp_path / "a.csv", "text")
    assert os.umask(usual_mask) == usual_mask


def test_a_writable_folder_is_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "a.csv")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", deny)
    with pytest.raises(OutputError) as caught:
        check_writable(tmp_path / "a.csv")
    assert str(caught.value).startswith(f"{tmp_path}: cannot be written (Permission denied)")


def test_a_missing_folder_is_not_writable(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        check_writable(tmp_path / "gone" / "a.csv")


def test_a_name_that_is_too_long_is_known_before(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        check_writable(tmp_path / ("a" * 300))


def test_remove_takes_a_file_away_and_does_not_mind_its_absence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text")
    delete(path)
    delete(path)
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_removed_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError) as caught:
        delete(tmp_path / "a.csv")
    assert str(caught.value).startswith(f"{tmp_path / 'a.csv'}: cannot be ")
