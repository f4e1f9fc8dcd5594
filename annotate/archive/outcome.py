"""How videos come out, and who is told meanwhile."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class Status(enum.Enum):
    """How a video came out."""

    ANNOTATED = "annotated"
    NO_FACES = "no faces"
    CONVERTED = "formats added"
    SKIPPED = "up to date"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one video; ``reason`` says why it failed, or what is to be known of the result."""

    path: Path
    status: Status
    duration_s: float = 0.0
    faces: int = 0
    emotion: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Watcher:
    """Functions that are told how a run goes."""

    begun: Callable[[Path, float | None], None] = lambda path, duration_s: None
    """A video is begun; its length in seconds if known."""
    advanced: Callable[[float], None] = lambda analysed_s: None
    """So many seconds of it have been analysed."""
