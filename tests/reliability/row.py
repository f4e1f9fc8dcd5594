"""What a part of the programme is asked, and what it saw."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

_FAULTS_TOLD = 10


@dataclass(frozen=True)
class Options:
    """What the command line chose; ``folder`` is for everything that is made."""

    folder: Path
    seed: int
    quick: bool
    kills: int

    def room(self, name: str) -> Path:
        """A new folder of that name."""
        path = self.folder / name
        path.mkdir()
        return path


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    part: str
    asked: str
    seen: str
    passed: bool
    seconds: float = 0.0


@dataclass
class Faults:
    """What went wrong in a part: told at once on stderr, the first few with all that is known."""

    part: str
    found: list[str] = field(default_factory=list)

    def add(self, what: str, details: str = "") -> None:
        """Takes down a fault."""
        self.found.append(what)
        if len(self.found) <= _FAULTS_TOLD:
            say(f"{self.part}: FAULT: {what}" + (f"\n{details}" if details else ""))

    def expect(self, holds: bool, what: str, details: str = "") -> None:
        """Takes down a fault unless something holds."""
        if not holds:
            self.add(what, details)

    def row(self, asked: str, seen: str) -> Row:
        """The part's row, which names the first fault."""
        if not self.found:
            return Row(self.part, asked, seen, passed=True)
        return Row(self.part, asked, f"{seen}; {len(self.found)} faults, the first: {self.found[0]}", passed=False)


def say(message: str) -> None:
    """A line on stderr, above the bars if there are any."""
    tqdm.write(message, file=sys.stderr)


def listed(counts: dict[str, int]) -> str:
    """Counts in words.

    >>> listed({"annotated": 2, "failed": 1})
    '2 annotated, 1 failed'
    """
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
