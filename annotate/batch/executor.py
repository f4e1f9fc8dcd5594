"""What does the jobs: the interface of worker pools, and this process as one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from annotate.batch.job import Outcome, Work, run_job

if TYPE_CHECKING:
    pass

Advance = Callable[[Path, float, float | None], None]
"""Told of a video how many seconds are analysed, and its length if known."""


class Workers(Protocol):
    """An executor that can be made anew when its processes have died."""

    @property
    def width(self) -> int:
        """How many jobs it does at once, now; it may change."""

    def submit(self, job: Work) -> Future[Outcome]:
        """Hands over a job."""

    def restart(self) -> None:
        """Makes new workers in place of broken ones."""

    def close(self) -> None:
        """Ends all workers, whatever they are doing, with their children."""


class InlineWorkers:
    """Jobs are done by this process, when they are handed over."""

    width = 1

    def __init__(self, advance: Advance | None = None) -> None:
        self._advance = advance

    def prepare(self) -> None:
        """There is nothing that could be loaded meanwhile."""

    def submit(self, job: Work) -> Future[Outcome]:
        """Does the job."""
        advance = self._advance
        future: Future[Outcome] = Future()
        progress = None if advance is None else lambda done_s, duration_s: advance(job.path, done_s, duration_s)
        future.set_result(run_job(job, progress))
        return future

    def restart(self) -> None:
        """There is nothing to make anew."""

    def close(self) -> None:
        """There is nothing to end."""
