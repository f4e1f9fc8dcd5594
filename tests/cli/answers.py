"""Run commands as a user types them, and read what they print."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate.cli.main import main


@dataclass(frozen=True)
class Answer:
    """Exit status, stdout and stderr of a command."""

    status: int
    output: str
    errors: str

    @property
    def last_line(self) -> str:
        """The last line of stdout: the totals, if a table was printed."""
        return self.output.splitlines()[-1]

    @property
    def failed(self) -> list[str]:
        """Paths of the videos that failed, in the order of the messages."""
        return re.findall(r"^failed: (.+?): ", self.errors, re.MULTILINE)

    @property
    def skipped(self) -> list[str]:
        """Paths of the files that were skipped, in the order of the messages."""
        return re.findall(r"^skipped: (.+?): ", self.errors, re.MULTILINE)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Rows of the table on stdout."""
        return rows_of(self.output)


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of the first table in a text as heading -> cell; the rule of dashes gives the columns."""
    head, rule, *lines = text.split("\n\n")[0].splitlines()
    spans = [slice(*match.span()) for match in re.finditer("-+", rule)]
    return [{head[span].strip(): line[span].strip() for span in spans} for line in lines]


def run(*arguments: str | Path) -> Answer:
    """Run a command in this process; fail if it raises, or prints a traceback without -v."""
    level = logging.root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    logging.root.setLevel(level)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert ("Traceback" in result.stderr) <= ("-v" in arguments)
    assert "Traceback" not in result.stdout
    return Answer(result.exit_code, result.stdout, result.stderr)


def run_process(*arguments: str, folder: Path) -> Answer:
    """Run a command in a new process."""
    command = [sys.executable, "-m", "annotate", *arguments]
    answer = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
    return Answer(answer.returncode, answer.stdout.decode(), answer.stderr.decode())


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(os.listdir(folder))
