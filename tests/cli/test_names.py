"""Unusual names of videos, as commands take and show them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from annotate.cli.console import closing_table
from tests.cli.answers import run

BROKEN = os.fsdecode(b"caf\xe9.mp4")


@pytest.mark.parametrize("length", [233, 240, 251])
def test_long_names_crash_no_command(folder: Path, length: int) -> None:
    name = f"{'a' * length}.mp4"
    shutil.move(folder / "videos/a.mp4", folder / f"videos/{name}")
    for command in ("summarize", "find", "plot"):
        answer = run(command, f"videos/{name}")
        assert (answer.status, answer.skipped) == (1, [f"videos/{name}"])
    assert run("videos").status == 0
    for command in ("summarize", "find", "plot", "check"):
        assert run(command, f"videos/{name}").status == 0
    assert run("convert", f"videos/{name}", "--format", "json").status == 0
    assert run("report", "videos", "-o", "page.html").status == 0


def test_a_broken_name_is_spelled_by_its_bytes_everywhere(folder: Path) -> None:
    try:
        (folder / "videos" / BROKEN).touch()
    except OSError:
        pytest.skip("this disk takes valid UTF-8 only")
    annotated, checked, preview = run("videos"), run("check", "videos"), run("videos", "--dry-run")
    for text in (annotated.output, annotated.errors, checked.output, preview.output):
        assert r"videos/caf\xe9.mp4" in text
        assert "udce9" not in text


def test_a_leading_space_is_kept(folder: Path) -> None:
    (folder / "videos/ b.mp4").touch()
    answer = run("videos/ b.mp4")
    assert answer.failed == ["videos/ b.mp4"]
    assert run(" b.mp4").status == 2
    os.chdir(folder / "videos")
    answer = run(" b.mp4")
    assert "failed:  b.mp4: " in answer.errors
    assert "\n   b.mp4: " in answer.output


def test_a_dangling_link_is_called_so(folder: Path) -> None:
    (folder / "videos/b.mp4").symlink_to("gone.mp4")
    answer = run("videos")
    assert answer.failed == ["videos/b.mp4"]
    assert "link" in answer.errors
    assert "gone.mp4" in answer.errors


def test_an_empty_closing_table_has_no_empty_totals() -> None:
    assert closing_table([]) == "0 videos."


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_archive_gets_a_hint(folder: Path) -> None:
    (folder / "videos").chmod(0o555)
    answer = run("videos")
    (folder / "videos").chmod(0o755)
    assert answer.failed == ["videos"]
    assert "--output-dir" in answer.errors
