"""Commands as they are typed: what they print and how they end."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate.cli.main import main


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it said."""

    status: int
    output: str
    errors: str

    @property
    def last_line(self) -> str:
        """The totals, where a table was printed."""
        return self.output.splitlines()[-1]


def run(*arguments: str | Path) -> Answer:
    """Runs the command; errors must be said, not raised, and without traceback unless -v asks for it."""
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
    """The same as a process of its own."""
    command = [sys.executable, "-m", "annotate", *arguments]
    answer = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
    return Answer(answer.returncode, answer.stdout.decode(), answer.stderr.decode())


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(os.listdir(folder))
