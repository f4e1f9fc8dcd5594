from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from annotate.cli.main import main
from annotate.results.formats.registry import FORMATS


def completed(*words: str, shell: type[ShellComplete] = BashComplete) -> set[str]:
    """Return what the last word may become; paths are left to the shell and stand as ``<file>`` or ``<dir>``."""
    complete = shell(main, {}, "annotate", "_ANNOTATE_COMPLETE")
    items = complete.get_completions(list(words[:-1]), words[-1])
    return {item.value if item.type == "plain" else f"<{item.type}>" for item in items}


def test_commands_and_paths() -> None:
    assert completed("su") == {"summarize", "<file>"}
    assert {"find", "check", "cluster-script", "<file>"} <= completed("")
    assert completed("videos", "vi") == {"<file>"}
    assert completed("summarize", "vi") == {"<file>"}
    assert completed("dataset", "b") == {"balance", "build"}
    assert completed("config", "su") == {"summarize"}


def test_options_of_annotating_and_of_a_command() -> None:
    assert {"--min-face"} == completed("--min")
    assert completed("videos", "--ex") == {"--exclude"}
    assert completed("--ver") == {"--verbose", "--version"}
    assert completed("find", "--min") == {"--min-confidence", "--min-seconds", "--min-face-px", "--min-quality"}


@pytest.mark.parametrize("before", [(), ("videos",), ("convert", "videos")])
def test_formats(before: tuple[str, ...]) -> None:
    assert completed(*before, "--format", "") == set(FORMATS)
    assert completed(*before, "--format", "csv,v") == {"csv,vtt"}
    assert completed(*before, "--format", "csv,srt,c") == set()


def test_values_of_choices() -> None:
    assert completed("videos", "--lang", "") == {"en", "ru"}
    assert completed("plot", "--lang", "r") == {"ru"}
    assert completed("videos", "--detector", "") == completed("dataset", "build", "--detector", "") == {"yunet", "dlib"}
    assert completed("find", "videos", "--emotion", "s") == {"sadness", "surprise"}
    assert completed("summarize", "--by", "f") == {"folder", "face"}
    assert completed("videos", "--output-dir", "x") == {"<dir>"}


@pytest.mark.parametrize("shell", [ZshComplete, FishComplete])
def test_other_shells_have_a_script_and_the_same_values(shell: type[ShellComplete]) -> None:
    assert "annotate" in shell(main, {}, "annotate", "_ANNOTATE_COMPLETE").source()
    assert completed("videos", "--lang", "", shell=shell) == {"en", "ru"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_reads_the_script_and_asks_the_program() -> None:
    environment = os.environ | {"_ANNOTATE_COMPLETE": "bash_source"}
    program = "import sys; sys.argv[0] = 'annotate'; from annotate.__main__ import run; run()"
    source = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if "not supported" in source.stderr:
        pytest.skip("bash is older than 4.4")
    assert subprocess.run(["bash", "-n"], input=source.stdout, text=True, timeout=60, check=False).returncode == 0
    assert "annotate" in source.stdout
