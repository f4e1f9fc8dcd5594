"""Relative URLs, JSON in scripts, and the folder of parts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from annotate.errors import OutputError
from annotate.html_report.files import PartsFolder, relative_url, to_json


@pytest.mark.parametrize(
    ("video", "folder", "url"),
    [
        ("/a/b.mp4", "/a", "./b.mp4"),
        ("/a/b.mp4", "/a/c/d", "./../../b.mp4"),
        ("/a/x:y?#&%.mp4", "/a", "./x%3Ay%3F%23%26%25.mp4"),
        ("/a/<b>&\"'.mp4", "/a", "./%3Cb%3E%26%22%27.mp4"),
        ("/a/ж é.mp4", "/", "./a/%D0%B6%20%C3%A9.mp4"),
        ("/a/\\n.mp4", "/a", "./%5Cn.mp4"),
        (os.fsdecode(b"/a/\xe9.mp4"), "/a", "./%E9.mp4"),
    ],
)
def test_relative_url_is_percent_encoded_byte_for_byte(video: str, folder: str, url: str) -> None:
    assert relative_url(Path(video), Path(folder)) == url


def test_relative_url_is_the_same_for_relative_and_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative_url(Path("in/a.mp4"), Path()) == relative_url(tmp_path / "in/a.mp4", tmp_path) == "./in/a.mp4"


def test_json_in_a_script_cannot_close_it_or_open_a_comment() -> None:
    value = {"name": "</script><script>alert(1)</script><!--\u2028"}
    text = to_json(value)
    assert "<" not in text
    assert text.isascii()
    assert json.loads(text) == value


def test_parts_are_named_by_content_and_outdated_ones_are_deleted(tmp_path: Path) -> None:
    page = tmp_path / "my page.html"
    first = PartsFolder(page)
    urls = [first.add("one();\n"), first.add("two();\n"), first.add("one();\n")]
    assert urls[0] == urls[2] != urls[1]
    assert urls[0].startswith("./my%20page_files/")
    first.sweep()
    folder = tmp_path / "my page_files"
    kept = folder / urls[0].rsplit("/", 1)[1]
    assert len(list(folder.iterdir())) == 2
    assert kept.read_text().endswith("\none();\n")
    second = PartsFolder(page)
    assert second.add("one();\n") == urls[0]
    second.add("three();\n")
    assert len(list(folder.iterdir())) == 3
    second.sweep()
    assert len(list(folder.iterdir())) == 2
    assert kept.exists()


def test_unknown_files_in_the_folder_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "report_files"
    folder.mkdir()
    unknown = [folder / "logo.png", folder / f"{'a' * 32}.js", folder / f"{'b' * 32}.js"]
    for path in unknown[:2]:
        path.write_text("theirs")
    parts = PartsFolder(tmp_path / "report.html")
    url = parts.add("x();\n")
    unknown[2].symlink_to(folder / url.rsplit("/", 1)[1])
    PartsFolder(tmp_path / "report.html").sweep()
    assert sorted(folder.iterdir()) == sorted(unknown)


def test_an_empty_folder_of_parts_is_deleted(tmp_path: Path) -> None:
    PartsFolder(tmp_path / "report.html").add("x();\n")
    PartsFolder(tmp_path / "report.html").sweep()
    assert list(tmp_path.iterdir()) == []
    PartsFolder(tmp_path / "report.html").sweep()


def test_a_damaged_part_is_rewritten(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    path = tmp_path / PartsFolder(page).add("x();\n")
    path.write_text("damaged")
    assert tmp_path / PartsFolder(page).add("x();\n") == path
    assert path.read_text().endswith("\nx();\n")


def test_a_file_with_the_name_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "report_files").write_text("a file")
    with pytest.raises(OutputError, match="report_files"):
        PartsFolder(tmp_path / "report.html").add("x();\n")
