"""The work on one video as data: job, context and outcome."""

from __future__ import annotations

import enum
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from annotate.archive.layout import OutputOptions, Outputs
from annotate.archive.scan import ArchiveItem
from annotate.batch.plan import Decision, decide, decide_conversion
from annotate.errors import AnnotateError, format_error
from annotate.results.damage import Damage
from annotate.results.failure import Failure
from annotate.results.meta import Meta
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.storage.base import require_local
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    from annotate.analysis.parallel import Cores
    from annotate.analysis.tools import Tools

_OLDER = "older analysis version"
"""Remark on a video whose results of an older analysis version were used."""

JobProgress = Callable[[float, float | None], None]
"""Called with the processed seconds of a video, and its length in seconds if known."""


class Status(enum.Enum):
    """Final state of the work on a video; the values are the ``status`` of `--log` lines, one token each."""

    ANNOTATED = "annotated"
    NO_FACES = "no_faces"
    CONVERTED = "converted"
    RENDERED = "rendered"
    DESCRIBED = "described"
    UP_TO_DATE = "up_to_date"
    LOCKED = "locked"
    FAILED = "failed"

    @property
    def label(self) -> str:
        """The status as text.

        >>> Status.NO_FACES.label
        'no faces'
        """
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Outcome:
    """Result of the work on one video.

    ``problem`` and ``remedy`` describe the failure, or hold remarks on a success; ``about`` is the affected file if it is
    not the video; ``host`` is the machine of a failure if it is another one; ``trace`` is the traceback of a failure;
    ``has_small_faces`` is that of the sidecar; ``decoded_whole`` tells whether that has a reason for it.
    """

    path: PathOrUrl
    status: Status
    duration_s: float = 0.0
    faces: int = 0
    emotion: str = ""
    problem: str = ""
    remedy: str = ""
    about: object = None
    host: str = ""
    trace: str = ""
    has_small_faces: bool = False
    decoded_whole: bool = False
    people: int = 0
    """The number of persons among the face tracks, where they were told apart."""

    @classmethod
    def failed(cls, path: PathOrUrl, error: AnnotateError) -> Outcome:
        """Return the outcome of a failed video; call this while ``error`` is being handled, for the traceback."""
        about = None if error.path == path else error.path
        return cls(
            path, Status.FAILED, problem=error.problem, remedy=error.remedy, about=about, trace=traceback.format_exc()
        )

    @classmethod
    def failed_internally(cls, path: PathOrUrl, error: BaseException) -> Outcome:
        """Return the outcome of a video that failed because of a bug in annotate."""
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        problem = f"internal error ({type(error).__name__}: {error})"
        return cls(path, Status.FAILED, problem=problem, remedy="rerun with -v and report the output", trace=trace)

    @classmethod
    def skipped(cls, path: PathOrUrl, meta: Meta) -> Outcome:
        """Return the outcome of an up-to-date video; length and face tracks are those of its sidecar."""
        return cls(path, Status.UP_TO_DATE, meta.duration_s, meta.faces, problem="; ".join(remarks_on(meta)))

    @classmethod
    def remembered(cls, path: PathOrUrl, failure: Failure) -> Outcome:
        """Return the outcome of a video that failed before and is not tried again."""
        remedy = f"{failure.remedy}; --retry-failed tries again" if failure.remedy else "--retry-failed tries again"
        problem = f"failed before, {failure.when}: {failure.problem}"
        return cls(path, Status.FAILED, problem=problem, remedy=remedy)

    @classmethod
    def locked(cls, path: PathOrUrl) -> Outcome:
        """Return the outcome of a video whose outputs another run has locked."""
        return cls(path, Status.LOCKED, problem="another run is working on it", remedy="rerun when it has finished")

    @property
    def reason(self) -> str:
        """Problem and remedy as text, preceded by the affected file if it is not the video; empty without a problem."""
        return self._format(self.about) if self.problem else ""

    @property
    def message(self) -> str:
        """Problem and remedy as text, always preceded by the affected file."""
        return self._format(self.path if self.about is None else self.about)

    def _format(self, about: object) -> str:
        return format_error(self.problem, self.remedy, about) + (f" [on {self.host}]" if self.host else "")


def remarks_on(meta: Meta, warnings: int = 0) -> list[str]:
    """Return remarks on the results that a sidecar describes: their analysis version, and damage of the video.

    ``warnings`` are those of another decoding, for a video that had none when it was annotated.
    """
    damage = meta.damage or Damage(warnings=warnings)
    return [*([_OLDER] if meta.is_older else []), *([damage.statement()] if damage else [])]


@dataclass(frozen=True)
class WorkContext:
    """Resources of a worker: reusable tools, an optional progress callback, and optional cores.

    The chunks of a long video are analyzed in parallel on those of ``cores`` that are free.
    """

    tools: Tools
    progress: JobProgress | None = None
    cores: Cores | None = None


class Job(Protocol):
    """Everything a worker needs to process one video; a frozen dataclass that can be pickled."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def item(self) -> ArchiveItem:
        """The video and its outputs at the time of the scan."""

    @property
    def path(self) -> PathOrUrl:
        """The video."""

    @property
    def outputs(self) -> Outputs:
        """Paths of its outputs."""

    @property
    def limits(self) -> Limits:
        """Limits of the decoder."""


AnyJob = TypeVar("AnyJob", bound=Job)


class ItemJob:
    """Properties of a job on a video, whose ``item`` is a field of the subclass."""

    item: ArchiveItem

    @property
    def path(self) -> PathOrUrl:
        """The video."""
        return self.item.video

    @property
    def outputs(self) -> Outputs:
        """Paths of its outputs."""
        return self.item.outputs


class LocalJob(ItemJob):
    """The same on a local video."""

    @property
    def path(self) -> Path:
        """The video."""
        return require_local(self.item.video)


Task = Callable[[AnyJob, WorkContext], Outcome]
"""Processes a job; a module-level function, since it is pickled by name. Raises `AnnotateError`."""


@dataclass(frozen=True)
class AnnotateJob(ItemJob):
    """Everything a worker needs to annotate one video, or to convert its report to more formats."""

    item: ArchiveItem
    settings: Settings
    options: OutputOptions
    model_hash: str
    limits: Limits = ONE_CORE
    from_report: bool = False
    """Convert the existing report, made with any settings and model; the video is not needed."""
    scratch: Path | None = None
    """Folder for the download of a video in object storage; None for the system's temporary folder."""

    def decide(self, item: ArchiveItem | None = None) -> Decision:
        """Return the action that the video needs in the state ``item``, by default its state at the time of the scan.

        Errors as for `annotate.batch.plan.decide` and `decide_conversion`.
        """
        item = self.item if item is None else item
        if self.from_report:
            return decide_conversion(item, self.options)
        return decide(item, self.options, self.settings, self.model_hash, self.limits)


def run_task(task: Task[AnyJob], job: AnyJob, context: WorkContext) -> Outcome:
    """Process a job and return its outcome; errors become failed outcomes."""
    try:
        return task(job, context)
    except AnnotateError as error:
        return Outcome.failed(job.path, error)
    except Exception as error:  # noqa: BLE001  (a bug that affects one video must not end a run over thousands)
        return Outcome.failed_internally(job.path, error)
