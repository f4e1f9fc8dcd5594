"""How videos come out."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path


class Status(enum.Enum):
    """How a video came out."""

    ANNOTATED = "annotated"
    NO_FACES = "no faces"
    CONVERTED = "formats added"
    RENDERED = "rendered"
    SKIPPED = "up to date"
    BUSY = "another run is at it"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one video.

    ``reason`` says why it failed, or what is to be known of the result; ``trace`` is the traceback of a failure.
    """

    path: Path
    status: Status
    duration_s: float = 0.0
    faces: int = 0
    emotion: str = ""
    reason: str = ""
    trace: str = ""
