"""Streams that are full, closed or no longer read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.answers import names, run

pytestmark = [pytest.mark.processes, pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")]


def in_shell(redirection: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the program with streams as the shell redirects them."""
    command = f'exec "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-m", "annotate", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", ">/dev/full", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_output_that_cannot_be_shown_does_not_stop_work(folder: Path, redirection: str) -> None:
    if "full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    os.link(folder / "videos/a.mp4", folder / "videos/b.mp4")
    (folder / "videos/c.mp4").write_text("text")
    ended = in_shell(redirection, "--jobs", "1", "videos", folder=folder)
    assert ended.returncode == 1
    assert {"a.emotions.csv", "b.emotions.csv"} <= set(names(folder / "videos"))
    assert "Traceback" not in ended.stderr + ended.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_result_that_is_only_printed_fails_if_it_cannot_be_printed(folder: Path) -> None:
    run("videos", "-q")
    ended = in_shell(">/dev/full", "summarize", "videos", folder=folder)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: stdout: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_run_that_succeeds_is_a_success_without_a_table(folder: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    assert in_shell(">/dev/full", "videos", folder=folder).returncode == 0


@pytest.mark.parametrize("content", [b"\x00\x00\x00\x18ftypmp42", b"name,value\n1,2\n", b"[1, 2]\n", b"\xff\xfe\n"])
def test_a_log_is_never_appended_to_another_file(folder: Path, content: bytes) -> None:
    log = folder / "other.bin"
    log.write_bytes(content)
    answer = run("videos", "--log", log)
    assert answer.status == 2
    assert answer.errors.startswith(f"Error: {log}: ")
    assert log.read_bytes() == content
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("content", [b"", b'{"path": "x"}\n'])
def test_a_log_is_a_new_file_or_one_with_json_lines(folder: Path, content: bytes) -> None:
    log = folder / "log.jsonl"
    log.write_bytes(content)
    assert run("videos", "--log", log).status == 0
    assert log.read_bytes().startswith(content)
    assert log.read_bytes().count(b"\n") == 1 + content.count(b"\n")


@pytest.mark.parametrize("arguments", [("",), ("check", "", "--delete-stale"), ("videos", "--output-dir", "")])
def test_an_empty_path_is_wrong_usage(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2
    assert names(folder / "videos") == ["a.mp4"]
