"""The executor interface, and the executor that runs jobs in this process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from annotate.batch.job import AnyJob, Outcome, Task, WorkContext, run_task
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    from annotate.analysis.tools import Tools

RunProgress = Callable[[PathOrUrl, float, float | None], None]
"""Called with a video, its processed seconds, and its length in seconds if known."""


class Executor(Protocol):
    """Runs jobs in workers, which can be restarted after a crash."""

    @property
    def slots(self) -> int:
        """Current number of jobs that run in parallel; it may change."""

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Schedule a job."""

    def restart(self) -> None:
        """Replace broken workers."""

    def close(self) -> None:
        """End all workers, busy or not, with their children."""


class InlineExecutor:
    """Runs each job in this process as it is submitted."""

    slots = 1

    def __init__(self, on_progress: RunProgress | None = None) -> None:
        self._on_progress = on_progress

    @cached_property
    def tools(self) -> Tools:
        """Tools reused by all jobs."""
        from annotate.analysis.tools import Tools  # takes half a second

        return Tools()

    def prepare(self) -> None:
        """Do nothing: there is no other process to load models."""

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Run the job and return a finished future."""
        progress = None if self._on_progress is None else partial(self._on_progress, job.path)
        future: Future[Outcome] = Future()
        future.set_result(run_task(task, job, WorkContext(self.tools, progress)))
        return future

    def restart(self) -> None:
        """Do nothing: there are no workers."""

    def close(self) -> None:
        """Do nothing: there are no workers."""
