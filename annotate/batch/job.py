"""The work on one video as data: what is to be done, with what, and how it ended."""

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
from annotate.errors import AnnotateError, in_words
from annotate.results.meta import Meta
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    from annotate.analysis.parallel import Cores
    from annotate.analysis.tools import Tools

Progress = Callable[[float, float | None], None]
"""Called with the seconds of a video that are analyzed, and its length if known."""


class Status(enum.Enum):
    """How the work on a video ended; the values are the ``status`` of `--log` lines, one token each."""

    ANNOTATED = "annotated"
    NO_FACES = "no_faces"
    CONVERTED = "converted"
    RENDERED = "rendered"
    UP_TO_DATE = "up_to_date"
    LOCKED = "locked"
    FAILED = "failed"

    @property
    def label(self) -> str:
        """The status in words.

        >>> Status.NO_FACES.label
        'no faces'
        """
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Outcome:
    """Result of the work on one video.

    ``problem`` and ``remedy`` say why it failed, or what is to be known of the result; ``about`` is the file concerned,
    where that is not the video; ``host`` is the machine, where that is another one; ``trace`` is the traceback of a failure.
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

    @classmethod
    def failed(cls, path: PathOrUrl, error: AnnotateError) -> Outcome:
        """Return the outcome of a video that failed with an error, which is being handled."""
        about = None if error.path == path else error.path
        return cls(
            path, Status.FAILED, problem=error.problem, remedy=error.remedy, about=about, trace=traceback.format_exc()
        )

    @classmethod
    def failed_internally(cls, path: PathOrUrl, error: BaseException) -> Outcome:
        """Return the outcome of a video that failed by a fault of this program."""
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        problem = f"an error of this program ({type(error).__name__}: {error})"
        return cls(path, Status.FAILED, problem=problem, remedy="please report it with -v's output", trace=trace)

    @classmethod
    def skipped(cls, path: PathOrUrl, meta: Meta) -> Outcome:
        """Return the outcome of a video for which there was nothing to do, with what its sidecar says."""
        return cls(path, Status.UP_TO_DATE, meta.duration_s, meta.faces)

    @classmethod
    def locked(cls, path: PathOrUrl) -> Outcome:
        """Return the outcome of a video whose outputs another run has locked."""
        return cls(path, Status.LOCKED, problem="another run is working on it", remedy="rerun when that one has ended")

    @property
    def reason(self) -> str:
        """Problem and remedy in words, with the file concerned where that is not the video."""
        return self._in_words(self.about) if self.problem else ""

    @property
    def sentence(self) -> str:
        """The same with the file concerned, whichever it is."""
        return self._in_words(self.path if self.about is None else self.about)

    def _in_words(self, about: object) -> str:
        return in_words(self.problem, self.remedy, about) + (f" [on {self.host}]" if self.host else "")


@dataclass(frozen=True)
class WorkContext:
    """With what a job is done: tools that are kept from job to job, and, if given, free cores and a listener to progress.

    Chunks of a long video are worked on at once by those of ``cores`` that are free.
    """

    tools: Tools
    progress: Progress | None = None
    cores: Cores | None = None


class Job(Protocol):
    """Something to be done for a video; data that is sent to worker processes. A frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def item(self) -> ArchiveItem:
        """The video, and what lay beside it when the archive was scanned."""

    @property
    def path(self) -> PathOrUrl:
        """The video."""

    @property
    def outputs(self) -> Outputs:
        """Names of its outputs."""

    @property
    def limits(self) -> Limits:
        """How much the decoder may take."""


AnyJob = TypeVar("AnyJob", bound=Job)

Task = Callable[[AnyJob, WorkContext], Outcome]
"""Does jobs of a kind: a function of a module, which is sent to worker processes by its name. Raises `AnnotateError`."""


@dataclass(frozen=True)
class AnnotateJob:
    """Everything a worker needs to annotate one video, or to make further formats of its report."""

    item: ArchiveItem
    settings: Settings
    options: OutputOptions
    model_hash: str
    limits: Limits = ONE_CORE
    from_report: bool = False
    """Formats are to be made from the report alone, whatever settings and model made that; the video is not needed."""
    scratch: Path | None = None
    """Where a video from object storage is copied to while it is worked on; the system's temporary folder if not given."""

    @property
    def path(self) -> PathOrUrl:
        """The video."""
        return self.item.video

    @property
    def outputs(self) -> Outputs:
        """Names of its outputs."""
        return self.item.outputs

    def decide(self, item: ArchiveItem | None = None) -> Decision:
        """Return what is to be done, as the scan found the video, or as it is now: then ``item`` says how that is.

        Errors as for `annotate.batch.plan.decide` and `decide_conversion`.
        """
        item = self.item if item is None else item
        if self.from_report:
            return decide_conversion(item, self.options)
        return decide(item, self.options, self.settings, self.model_hash)


def run_task(task: Task[AnyJob], job: AnyJob, context: WorkContext) -> Outcome:
    """Do a job and return its outcome; whatever goes wrong is in that, and not raised."""
    try:
        return task(job, context)
    except AnnotateError as error:
        return Outcome.failed(job.path, error)
    except Exception as error:  # noqa: BLE001  (a fault of ours with one video must not end a run over thousands)
        return Outcome.failed_internally(job.path, error)
