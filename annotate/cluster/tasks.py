"""What workers of a cluster do: a video, a part of a long one, or the joining of its parts; one core each.

Workers answer with outcomes, or keep what parts gave for the worker that joins them. They hold the model and the detector
from one task to the next.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from annotate.analysis.tools import Tools
from annotate.batch.job import AnnotateJob, AnyJob, Job, Outcome, Status, Task, WorkContext, run_task
from annotate.errors import AnnotateError, MediaError, SettingsError
from annotate.settings import PROVIDERS, Limits
from annotate.storage.base import local_only
from annotate.version import ANALYSIS_VERSION, VERSION

if TYPE_CHECKING:
    from annotate.analysis.chunks import ChunkItem
    from annotate.batch.annotate import ChunkPlan
    from annotate.batch.job import Progress

    Chunk = list[ChunkItem]

Answer = TypeVar("Answer")

PROVIDER_VARIABLE = "ANNOTATE_PROVIDER"
"""Of a worker's environment: what its network runs on, whatever the run's --provider is."""

KEY_PREFIX = "annotate_"
"""What keys of this program's tasks begin with."""

TOPIC = "annotate"
_STATE = "annotate_state"
"""Attribute of a worker that holds what is kept there."""

_REPORT_INTERVAL_S = 1.0


class WrongWorkerError(SettingsError):
    """A worker would find something else than this process, or cannot work at all."""


@dataclass(frozen=True)
class Versions:
    """What must be the same everywhere for results to be: of the program and, if one is used, the model's hash."""

    program: str
    analysis: int
    python: str
    distributed: str
    model_hash: str | None = None

    @classmethod
    def here(cls, model_hash: str | None = None) -> Versions:
        """This process's."""
        from importlib.metadata import version

        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return cls(VERSION, ANALYSIS_VERSION, python, version("distributed"), model_hash)

    def difference(self, other: Versions) -> str:
        """The first thing in which ``other``, a worker's, is another, in words; empty if none."""
        named = (
            ("annotate", self.program, other.program),
            ("analysis version", self.analysis, other.analysis),
            ("Python", self.python, other.python),
            ("distributed", self.distributed, other.distributed),
            ("model", self.model_hash, other.model_hash),
        )
        for what, mine, its in named:
            if mine != its:
                return f"it has {what} {its}, and this run has {what} {mine}"
        return ""


@dataclass(frozen=True)
class Need:
    """What a worker must be like for a run."""

    versions: Versions
    model: Path | None
    provider: str

    @classmethod
    def of(cls, job: Job) -> Need:
        """What a job needs."""
        if not isinstance(job, AnnotateJob):
            return cls(Versions.here(), None, Limits.provider)
        return cls(Versions.here(job.model_hash or None), job.settings.model, job.limits.provider)


def dask_setup(worker: object) -> None:
    """What workers of a ``local`` cluster do when they start: this run alone hears Ctrl-C, and then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def check_worker(need: Need, dask_worker: object = None) -> str:
    """Return why a worker would not serve, in words; empty if it would. It loads the model."""
    tools, model_hash = _WorkerState.of(dask_worker).tools, None
    if need.versions.model_hash is not None:
        try:
            model_hash = tools.classifier(need.model, provider_here(need.provider)).model_hash
            tools.ffmpeg  # noqa: B018  (it is looked for)
        except AnnotateError as error:
            if difference := replace(need.versions, model_hash=None).difference(Versions.here()):
                return difference
            return str(error)
    return need.versions.difference(Versions.here(model_hash))


def check_scheduler(need: Need) -> str:
    """Why the process that schedules would not serve, in words; empty if it would. It needs no model."""
    return replace(need.versions, model_hash=None).difference(Versions.here())


def provider_here(provider: str) -> str:
    """What the network runs on in this process.

    Raises:
        SettingsError: the environment names something else than a provider.
    """
    own = os.environ.get(PROVIDER_VARIABLE, provider)
    if own not in PROVIDERS:
        raise SettingsError(f"choose from {', '.join(sorted(PROVIDERS))}", path=f"{PROVIDER_VARIABLE}={own}")
    return own


def count_working() -> int:
    """How many of this program's tasks this worker is at, called off or not."""
    from distributed import get_worker

    return sum(str(task.key).startswith(KEY_PREFIX) for task in get_worker().state.executing)


@dataclass(frozen=True)
class ProgressReporter:
    """By what a job's worker tells how far it is: the run's name and the job's number in it."""

    run: str
    number: int

    def listener(self, chunk: int = 0) -> Progress:
        """Tells seconds done and the video's length, now and then, and ends the task if it was called off."""
        from distributed import get_worker

        worker = get_worker()
        key, last_s = worker.get_current_task(), -_REPORT_INTERVAL_S

        def report(done_s: float, duration_s: float | None) -> None:
            nonlocal last_s
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                raise _Cancelled
            now_s = time.monotonic()
            if now_s - last_s >= _REPORT_INTERVAL_S:
                last_s = now_s
                worker.log_event(TOPIC, [self.run, self.number, chunk, done_s, duration_s])

        return report


class _Cancelled(BaseException):
    """Nobody waits for the task any more."""


class _WorkerState:
    """What a worker keeps from task to task: tools, and the needs that it was found to meet."""

    def __init__(self, worker: Any) -> None:
        self.tools = Tools()
        self._worker = worker
        self._met: set[Need] = set()

    @classmethod
    def of(cls, worker: object) -> _WorkerState:
        """Return the state of a worker, which owns it."""
        state: _WorkerState | None = getattr(worker, _STATE, None)
        if state is None:
            state = cls(worker)
            setattr(worker, _STATE, state)
        return state

    def check(self, need: Need) -> None:
        """Check once a run that this worker would find what the others find: it may have joined after the run began.

        Raises:
            WrongWorkerError: it would find something else.
        """
        if need in self._met:
            return
        if reason := check_worker(need, self._worker):
            who = f"worker {self._worker.address} on {platform.node()}"
            raise WrongWorkerError(reason, "install the same on all", path=who)
        self._met.add(need)

    def localized(self, job: AnnotateJob) -> AnnotateJob:
        """Return a job with the hardware that there is here."""
        hwaccel, provider = self.tools.hwaccel(job.limits.hwaccel), provider_here(job.limits.provider)
        return replace(job, limits=replace(job.limits, hwaccel=hwaccel, provider=provider))


def _this_workers_state() -> _WorkerState:
    from distributed import get_worker

    return _WorkerState.of(get_worker())


def do(task: Task[AnyJob], job: AnyJob, need: Need, voice: ProgressReporter) -> Outcome | ChunkPlan:
    """Do a job, unless it is a long video's: then return how it is to be split."""
    state = _this_workers_state()
    state.check(need)
    context = WorkContext(state.tools, voice.listener())
    if not isinstance(job, AnnotateJob):
        return _on_host(run_task(task, job, context))
    from annotate.batch.annotate import annotate_or_split

    return _answered(job, lambda: annotate_or_split(state.localized(job), context))


def analyze(job: AnnotateJob, need: Need, voice: ProgressReporter, number: int, count: int) -> Chunk | None:
    """Analyze a chunk of a long video; None if the video had better be analyzed whole."""
    from annotate.analysis.parallel import analyze_chunk
    from annotate.analysis.pipeline import Analysis

    state = _this_workers_state()
    state.check(need)
    job, listener = state.localized(job), voice.listener(number)
    try:
        analysis = Analysis.open(local_only(job.path), job.settings, limits=job.limits, tools=state.tools)
        return analyze_chunk(analysis, number, count, lambda done_s: listener(done_s, None))
    except MediaError:
        return None


def merge(job: AnnotateJob, need: Need, voice: ProgressReporter, plan: ChunkPlan, chunks: list[Chunk | None]) -> Outcome:
    """Merge what the chunks of a long video gave, and write."""
    from annotate.batch.annotate import AnalyzedChunks, annotate_video

    state = _this_workers_state()
    state.check(need)
    context = WorkContext(state.tools, voice.listener())
    return _answered(job, lambda: annotate_video(state.localized(job), context, AnalyzedChunks(plan, chunks)))


def _answered(job: Job, execute: Callable[[], Answer]) -> Answer | Outcome:
    """Return what ``execute`` gives; where that fails, the outcome says so."""
    try:
        answer = execute()
    except AnnotateError as error:
        return _on_host(Outcome.failed(job.path, error))
    except Exception as error:  # noqa: BLE001  (a fault of ours with one video must not end a run over thousands)
        return _on_host(Outcome.failed_internally(job.path, error))
    return _on_host(answer) if isinstance(answer, Outcome) else answer


def _on_host(outcome: Outcome) -> Outcome:
    """Return an outcome that says, if it is a failure, on which machine that was."""
    return replace(outcome, host=platform.node()) if outcome.status is Status.FAILED else outcome
