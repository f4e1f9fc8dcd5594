"""Options of the reliability tests, failures found by a part, and its row of the table."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

_DETAILED_FAILURES = 10
"""Number of failures per part that are printed with details."""


@dataclass(frozen=True)
class Options:
    """Options of the command line; all files are created in ``folder``."""

    folder: Path
    seed: int
    quick: bool
    kills: int

    def make_folder(self, name: str) -> Path:
        """Create and return a subfolder."""
        path = self.folder / name
        path.mkdir()
        return path


@dataclass(frozen=True)
class PartResult:
    """Result of one part, a row of the table."""

    part: str
    expected: str
    observed: str
    passed: bool
    duration_s: float = 0.0


@dataclass
class Failures:
    """Failures of a part; each is printed on stderr, the first few with details."""

    part: str
    messages: list[str] = field(default_factory=list)

    def add(self, message: str, details: str = "") -> None:
        """Record and print a failure."""
        self.messages.append(message)
        if len(self.messages) <= _DETAILED_FAILURES:
            print_line(f"{self.part}: FAILURE: {message}" + (f"\n{details}" if details else ""))

    def expect(self, condition: bool, message: str, details: str = "") -> None:
        """Record a failure unless ``condition`` is true."""
        if not condition:
            self.add(message, details)

    def result(self, expected: str, observed: str) -> PartResult:
        """Return the result of the part, with the first failure if there are any."""
        if not self.messages:
            return PartResult(self.part, expected, observed, passed=True)
        failed = f"{len(self.messages)} failures, the first: {self.messages[0]}"
        return PartResult(self.part, expected, f"{observed}; {failed}", passed=False)


def print_line(message: str) -> None:
    """Print a line on stderr, above any progress bar."""
    tqdm.write(message, file=sys.stderr)


def format_counts(counts: dict[str, int]) -> str:
    """Return counts as text.

    >>> format_counts({"annotated": 2, "failed": 1})
    '2 annotated, 1 failed'
    """
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
