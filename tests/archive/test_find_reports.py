"""Discovery of tables: which files, in which order, each once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from annotate.archive.find_reports import FoundReports, find_reports
from tests.analytics.samples import CLIP, MOVIE, report


def test_tables_below_a_directory_are_sorted(tmp_path: Path) -> None:
    paths = [report(tmp_path / "b", "z.mp4", ()), report(tmp_path / "a", "y.mp4", ()), report(tmp_path, "c.mp4", ())]
    (tmp_path / "notes.csv").write_text("a,b\n")
    assert find_reports([tmp_path]) == FoundReports([paths[1], paths[0], paths[2]])


def test_tables_keep_the_order_of_the_paths(tmp_path: Path) -> None:
    first, second = report(tmp_path / "b", "z.mp4", ()), report(tmp_path / "a", "y.mp4", ())
    assert find_reports([tmp_path / "b", tmp_path]).reports == [first, second]


def test_hidden_files_and_directories_are_skipped_unless_given_as_path(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", ())
    hidden = report(tmp_path / ".trash", "b.mp4", ())
    (tmp_path / "._a.emotions.csv").write_bytes(b"\x00\x05\x16\x07")
    assert find_reports([tmp_path]).reports == [path]
    assert find_reports([tmp_path / ".trash"]).reports == [hidden]


def test_a_video_selects_its_table(tmp_path: Path) -> None:
    first, second = report(tmp_path, "a.mov", CLIP), report(tmp_path, "a.mp4", MOVIE, base="a.mp4")
    assert find_reports([tmp_path / "a.mov", tmp_path / "a.mp4"]) == FoundReports([first, second])


def test_a_video_does_not_select_the_table_of_another_video(tmp_path: Path) -> None:
    report(tmp_path, "a.mov", CLIP)
    (tmp_path / "a.mp4").touch()
    assert [found.path for found in find_reports([tmp_path / "a.mp4"]).skipped] == [tmp_path / "a.mp4"]


def test_a_table_is_found_once_through_several_paths(tmp_path: Path) -> None:
    path = report(tmp_path / "archive", "a.mp4", CLIP)
    os.symlink(tmp_path / "archive", tmp_path / "link")
    paths = [tmp_path / "archive", path, tmp_path / "archive/a.mp4", tmp_path / "link", tmp_path / "archive/../archive"]
    assert find_reports(paths) == FoundReports([path])


def test_linked_directories_are_followed_only_if_given_as_path(tmp_path: Path) -> None:
    report(tmp_path / "elsewhere", "a.mp4", CLIP)
    (tmp_path / "archive").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "archive/link")
    assert find_reports([tmp_path / "archive"]) == FoundReports(empty=[tmp_path / "archive"])
    assert find_reports([tmp_path / "archive/link"]).reports == [tmp_path / "archive/link/a.emotions.csv"]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("missing", "annotate {}"),
        ("missing.mp4", "annotate {}"),
        ("missing.emotions.csv", "check the name"),
    ],
)
def test_a_missing_table_is_skipped(tmp_path: Path, name: str, remedy: str) -> None:
    path = tmp_path / name
    found = find_reports([path])
    (skipped,) = found.skipped
    assert found == FoundReports(skipped=[skipped])
    assert skipped.path == path
    assert skipped.problem.startswith(("no ", "not "))
    assert remedy.format(path) in skipped.remedy


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_directory_is_skipped(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    (tmp_path / "closed").mkdir(mode=0)
    found = find_reports([tmp_path])
    assert found.reports == [path]
    assert [skipped.path for skipped in found.skipped] == [tmp_path / "closed"]
