"""Errors of the operating system: the remedy fits the cause."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from annotate.archive.stored_report import read_report
from annotate.errors import ReportError, StorageError, read_error, remedy_for, write_error
from annotate.storage.base import prepare_output
from annotate.storage.local.storage import LocalStorage
from annotate.storage.values import SkippedPath
from tests.archive.test_older import FIXTURES

FORBIDDEN = (errno.EACCES, errno.EPERM)


@pytest.mark.parametrize("number", errno.errorcode)
def test_permissions_are_blamed_where_they_are_the_cause(number: int) -> None:
    error = OSError(number, os.strerror(number))
    for translated in (read_error("a.mp4", error), write_error("a.mp4", error)):
        assert ("permission" in translated.remedy) == (number in FORBIDDEN)
        assert translated.remedy


def test_an_error_of_object_storage_has_its_own_remedy() -> None:
    error = StorageError("access denied", "check the credentials", path="s3://a/b")
    assert remedy_for(error) == ""
    assert "check the credentials" in read_error("s3://a/b", error).problem.lower()


def test_what_vanished_is_not_blamed_on_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder during the search, and a boxes file between sidecar and table."""
    shutil.copytree(FIXTURES, tmp_path / "in")
    (tmp_path / "in/clip.emotions.boxes.csv").unlink()
    with pytest.raises(ReportError) as caught:
        read_report(tmp_path / "in/clip.emotions.csv")
    (tmp_path / "empty").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", lambda folder: (_ for _ in ()).throw(FileNotFoundError(2, "No such file")))
        (skipped,) = LocalStorage().walk(tmp_path / "empty")
    assert isinstance(skipped, SkippedPath)
    for remedy in (caught.value.remedy, skipped.remedy):
        assert remedy
        assert "permission" not in remedy


def test_the_folder_of_an_output_is_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        prepare_output(tmp_path / "a/b/c.csv")
    assert os.listdir(tmp_path / "a/b") == []
