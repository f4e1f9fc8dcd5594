"""Which reports are found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from annotate.archive.find_reports import Found, find_reports
from annotate.storage.values import SkippedPath
from tests.analytics.samples import CLIP, MOVIE, report


def test_below_directories_sorted(tmp_path: Path) -> None:
    paths = [report(tmp_path / "b", "z.mp4", ()), report(tmp_path / "a", "y.mp4", ()), report(tmp_path, "c.mp4", ())]
    (tmp_path / "notes.csv").write_text("a,b\n")
    assert find_reports([tmp_path]) == Found([paths[1], paths[0], paths[2]])


def test_in_the_order_of_the_paths(tmp_path: Path) -> None:
    first, second = report(tmp_path / "b", "z.mp4", ()), report(tmp_path / "a", "y.mp4", ())
    assert find_reports([tmp_path / "b", tmp_path]).reports == [first, second]


def test_hidden_files_and_directories_are_left_out_but_where_they_are_given(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", ())
    hidden = report(tmp_path / ".trash", "b.mp4", ())
    (tmp_path / "._a.emotions.csv").write_bytes(b"\x00\x05\x16\x07")
    assert find_reports([tmp_path]).reports == [path]
    assert find_reports([tmp_path / ".trash"]).reports == [hidden]


def test_a_video_stands_for_its_report(tmp_path: Path) -> None:
    first, second = report(tmp_path, "a.mov", CLIP), report(tmp_path, "a.mp4", MOVIE, base="a.mp4")
    assert find_reports([tmp_path / "a.mov", tmp_path / "a.mp4"]) == Found([first, second])


def test_a_video_does_not_stand_for_the_report_of_another(tmp_path: Path) -> None:
    report(tmp_path, "a.mov", CLIP)
    (tmp_path / "a.mp4").touch()
    assert [found.path for found in find_reports([tmp_path / "a.mp4"]).skipped] == [tmp_path / "a.mp4"]


def test_a_report_counts_once_however_it_is_met(tmp_path: Path) -> None:
    path = report(tmp_path / "archive", "a.mp4", CLIP)
    os.symlink(tmp_path / "archive", tmp_path / "link")
    paths = [tmp_path / "archive", path, tmp_path / "archive/a.mp4", tmp_path / "link", tmp_path / "archive/../archive"]
    assert find_reports(paths) == Found([path])


def test_linked_directories_are_followed_where_they_are_given_only(tmp_path: Path) -> None:
    report(tmp_path / "elsewhere", "a.mp4", CLIP)
    (tmp_path / "archive").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "archive/link")
    assert find_reports([tmp_path / "archive"]) == Found(empty=[tmp_path / "archive"])
    assert find_reports([tmp_path / "archive/link"]).reports == [tmp_path / "archive/link/a.emotions.csv"]


@pytest.mark.parametrize(
    ("name", "problem", "remedy"),
    [
        ("gone", "no report", "make one with `annotate {}`"),
        ("gone.mp4", "no report", "make one with `annotate {}`"),
        ("gone.emotions.csv", "no such report", "check the name"),
    ],
)
def test_a_missing_report_is_skipped(tmp_path: Path, name: str, problem: str, remedy: str) -> None:
    path = tmp_path / name
    assert find_reports([path]) == Found(skipped=[SkippedPath(path, problem, remedy.format(path))])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    (tmp_path / "closed").mkdir(mode=0)
    found = find_reports([tmp_path])
    assert found.reports == [path]
    assert [skipped.path for skipped in found.skipped] == [tmp_path / "closed"]
