"""Unusual names of videos, as commands take and show them."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from annotate.cli.console import closing_table
from annotate.cli.json_output import json_list
from tests.cli.answers import names, run

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
    annotated, checked, preview = run("videos", "--log", "log.jsonl"), run("check", "videos"), run("videos", "--dry-run")
    logged = [json.loads(line) for line in Path("log.jsonl").read_text(encoding="utf-8").splitlines()]
    for objects in (logged, json.loads(run("status", "videos", "--json").output)):
        assert r"videos/caf\xe9.mp4" in [one["path"] for one in objects]
        assert "\udce9" not in str(objects)
    for text in (annotated.output, annotated.errors, checked.output, preview.output):
        assert r"videos/caf\xe9.mp4" in text
        assert "udce9" not in text


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp1252"])
def test_json_stays_json_in_every_encoding_of_the_terminal(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
        text = json_list([{"path": f"снег/{BROKEN}"}])
    assert json.loads(text.encode(encoding).decode()) == [{"path": r"снег/caf\xe9.mp4"}]


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


@pytest.mark.parametrize(
    "name", ["-x.mp4", "a:b.mp4", "снег ☃.mp4", "100%d [a].mp4", "'\".mp4", "file:x.mp4", "a\nb\x1b[2J.mp4"]
)
def test_names_with_anything_in_them(folder: Path, name: str) -> None:
    (folder / "videos/a.mp4").rename(folder / "videos" / name)
    answer = run("videos")
    assert (answer.status, answer.last_line) == (0, "1 video: 1 without faces.")
    assert Path(name).stem + ".emotions.csv" in names(folder / "videos")
    assert "\x1b" not in answer.output + answer.errors
    assert len(answer.errors.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("./-x.mp4",), ("--", "-x.mp4"), ("-q", "--", "-x.mp4")])
def test_a_name_that_starts_with_a_dash_can_be_given(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "videos/a.mp4").rename(folder / "-x.mp4")
    assert run(*arguments).status == 0
    assert (folder / "-x.emotions.csv").exists()


@pytest.mark.parametrize("command", [(), ("summarize",)])
def test_names_of_missing_files_are_escaped(folder: Path, command: tuple[str, ...]) -> None:
    answer = run(*command, "gone\x1b[2J\n.mp4")
    assert answer.status == 2
    assert answer.errors.startswith(r"Error: gone\x1b[2J\n.mp4: no such file")
    assert answer.errors.count("\n") == 1
    assert "\x1b" not in answer.output + answer.errors
