"""One video, from what is to be done to its files in place: the unit of work that executors are given."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from annotate.archive.layout import Outputs, Wanted
from annotate.batch.plan import Decision, decide, decide_conversion
from annotate.errors import AnnotateError
from annotate.settings import ONE_CORE, Limits, Settings

if TYPE_CHECKING:
    from annotate.analysis.parallel import Cores


import enum


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


Progress = Callable[[float, float | None], None]
"""Told the seconds of a video that are analysed, and its length if known."""


class Work(Protocol):
    """Something to be done for a video; it is handed to worker processes."""

    @property
    def path(self) -> Path:
        """The video."""

    @property
    def outputs(self) -> Outputs:
        """Names of its outputs."""

    def run(self, progress: Progress | None, cores: Cores | None) -> Outcome:
        """Does it, and tells how it came out.

        Raises:
            AnnotateError: it could not be done.
        """


class Decoding(Work, Protocol):
    """Work that decodes a video, within limits; a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def limits(self) -> Limits:
        """How much the decoder may take."""


@dataclass(frozen=True)
class Job:
    """A video and everything that says what becomes of it."""

    path: Path
    outputs: Outputs
    settings: Settings
    wanted: Wanted
    model_hash: str
    limits: Limits = ONE_CORE
    from_report: bool = False
    """Formats are to be made from the report alone, whatever settings and model made that; the video is not needed."""
    scratch: Path | None = None
    """Where a video from object storage is copied to while it is worked on; the system's temporary folder if not given."""

    @property
    def decision(self) -> Decision:
        """What is to be done. Errors as for `annotate.batch.plan.decide` and `decide_conversion`."""
        if self.from_report:
            return decide_conversion(self.path, self.outputs, self.wanted)
        return decide(self.path, self.outputs, self.wanted, self.settings, self.model_hash)

    def run(self, progress: Progress | None, cores: Cores | None) -> Outcome:
        """Annotates, or makes formats."""
        from annotate.batch.annotate import execute  # takes half a second, which whoever only hands jobs over saves

        return execute(self, progress, cores)


def run_job(job: Work, progress: Progress | None = None, cores: Cores | None = None) -> Outcome:
    """Does what is to be done for a video and tells how it came out; whatever goes wrong is told too, not raised.

    Parts of a long video are worked on at once by those of ``cores`` that are free.
    """
    try:
        return job.run(progress, cores)
    except AnnotateError as error:
        return Outcome(job.path, Status.FAILED, reason=str(error), trace=traceback.format_exc())
    except Exception as error:  # noqa: BLE001  (a fault of ours with one video must not end a run over thousands)
        reason = f"{job.path}: an error of this program ({type(error).__name__}: {error}); please report it with -v's output"
        return Outcome(job.path, Status.FAILED, reason=reason, trace=traceback.format_exc())


def unreadable(error: OSError, path: Path) -> str:
    """Says what could not be read, ``path`` unless the error names something else, and why."""
    return f"{error.filename or path}: cannot be read ({error.strerror}); check its permissions"
