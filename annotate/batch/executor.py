"""What does jobs: the interface of executors, and the one that uses this process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from annotate.batch.job import AnyJob, Outcome, Task, WorkContext, run_task
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    from annotate.analysis.tools import Tools

OnProgress = Callable[[PathOrUrl, float, float | None], None]
"""Called with a video, the seconds of it that are analyzed, and its length if known."""


class Executor(Protocol):
    """Does jobs by their task; can be made anew when its processes have died."""

    @property
    def slots(self) -> int:
        """How many jobs it does at once, now; it may change."""

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Hand over a job."""

    def restart(self) -> None:
        """Make new workers in place of broken ones."""

    def close(self) -> None:
        """End all workers, busy or not, with their children."""


class InlineExecutor:
    """Does jobs in this process, when they are handed over."""

    slots = 1

    def __init__(self, on_progress: OnProgress | None = None) -> None:
        self._on_progress = on_progress

    @cached_property
    def tools(self) -> Tools:
        """What is kept from job to job."""
        from annotate.analysis.tools import Tools  # takes half a second

        return Tools()

    def prepare(self) -> None:
        """Do nothing: there is nothing that could be loaded meanwhile."""

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Do the job."""
        progress = None if self._on_progress is None else partial(self._on_progress, job.path)
        future: Future[Outcome] = Future()
        future.set_result(run_task(task, job, WorkContext(self.tools, progress)))
        return future

    def restart(self) -> None:
        """Do nothing: this process lives."""

    def close(self) -> None:
        """Do nothing: jobs are done when they are handed over."""
