"""Tasks that run on the workers of a cluster, on one core each: a video, a chunk of a long one, or the merge of its chunks.

Workers return outcomes; results of chunks stay on the worker until the merge. Models are reused by later tasks.
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
from annotate.storage.base import require_local
from annotate.version import ANALYSIS_VERSION, VERSION

if TYPE_CHECKING:
    from annotate.analysis.chunks import ChunkItem
    from annotate.batch.annotate import ChunkPlan
    from annotate.batch.job import JobProgress

    Chunk = list[ChunkItem]

Result = TypeVar("Result")

PROVIDER_VARIABLE = "ANNOTATE_PROVIDER"
"""Environment variable of a worker that overrides --provider."""

KEY_PREFIX = "annotate_"
"""Prefix of the Dask keys of all tasks."""

TOPIC = "annotate"
_STATE = "annotate_state"
"""Attribute of a Dask worker that holds its `_WorkerState`."""

_REPORT_INTERVAL_S = 1.0


class IncompatibleWorkerError(SettingsError):
    """A worker would produce different results than this process, or cannot run tasks."""


def import_failure(where: str, error: BaseException) -> IncompatibleWorkerError:
    """Return the error to raise if annotate cannot be imported on a machine of the cluster."""
    remedy = "install annotate with its cluster extra on all machines"
    return IncompatibleWorkerError(f"annotate cannot be imported ({error})", remedy, path=where)


@dataclass(frozen=True)
class Versions:
    """Versions that must be equal on all machines for equal results; ``model_hash`` is None if no model is used."""

    program: str
    analysis: int
    python: str
    distributed: str
    model_hash: str | None = None

    @classmethod
    def current(cls, model_hash: str | None = None) -> Versions:
        """Return the versions of this process."""
        from importlib.metadata import version

        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return cls(VERSION, ANALYSIS_VERSION, python, version("distributed"), model_hash)

    def difference(self, other: Versions) -> str:
        """Return the first difference from the versions of a worker, as text; empty if there is none."""
        named = (
            ("annotate", self.program, other.program),
            ("analysis version", self.analysis, other.analysis),
            ("Python", self.python, other.python),
            ("distributed", self.distributed, other.distributed),
            ("model", self.model_hash, other.model_hash),
        )
        for name, own, others in named:
            if own != others:
                return f"it has {name} {others}, this run has {name} {own}"
        return ""


@dataclass(frozen=True)
class Requirements:
    """Requirements of a run on its workers."""

    versions: Versions
    model: Path | None
    provider: str

    @classmethod
    def of(cls, job: Job) -> Requirements:
        """Return the requirements of a job."""
        if not isinstance(job, AnnotateJob):
            return cls(Versions.current(), None, Limits.provider)
        return cls(Versions.current(job.model_hash or None), job.settings.model, job.limits.provider)


def dask_setup(worker: object) -> None:
    """Ignore Ctrl-C in a worker of a ``local`` cluster, which the main process ends. Dask calls this at its start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def check_worker(requirements: Requirements, dask_worker: object = None) -> str:
    """Return why this worker is incompatible, as text; empty if it is compatible. Load the model."""
    tools, model_hash = _WorkerState.of(dask_worker).tools, None
    if requirements.versions.model_hash is not None:
        try:
            model_hash = tools.classifier(requirements.model, effective_provider(requirements.provider)).model_hash
            tools.ffmpeg  # noqa: B018  (the property searches for ffmpeg)
        except AnnotateError as error:
            if difference := replace(requirements.versions, model_hash=None).difference(Versions.current()):
                return difference
            return str(error)
    return requirements.versions.difference(Versions.current(model_hash))


def check_scheduler(requirements: Requirements) -> str:
    """Return why this scheduler is incompatible, as text; empty if it is compatible. It needs no model."""
    return replace(requirements.versions, model_hash=None).difference(Versions.current())


def effective_provider(provider: str) -> str:
    """Return the provider for this process: `PROVIDER_VARIABLE` if set, else ``provider``.

    Raises:
        SettingsError: the variable has an invalid value.
    """
    value = os.environ.get(PROVIDER_VARIABLE, provider)
    if value not in PROVIDERS:
        remedy = f"choose from {', '.join(sorted(PROVIDERS))}"
        raise SettingsError("not a provider", remedy, path=f"{PROVIDER_VARIABLE}={value}")
    return value


def count_running_tasks() -> int:
    """Return the number of annotate's tasks that this worker is running, including canceled ones."""
    from distributed import get_worker

    return sum(str(task.key).startswith(KEY_PREFIX) for task in get_worker().state.executing)


@dataclass(frozen=True)
class ProgressReporter:
    """Reports the progress of a job from its worker, identified by the ID of the run and the job's number in it."""

    run: str
    number: int

    def callback(self, chunk: int = 0) -> JobProgress:
        """Return a progress callback for the current task; it raises `_Cancelled` if the task was canceled."""
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
    """The task was canceled; a BaseException, so that it is not reported as a failure."""


class _WorkerState:
    """State of a worker between tasks: tools, and the requirements that it is known to meet."""

    def __init__(self, worker: Any) -> None:
        self.tools = Tools()
        self._worker = worker
        self._met: set[Requirements] = set()

    @classmethod
    def of(cls, worker: object) -> _WorkerState:
        """Return the state of a Dask worker; create it if necessary."""
        state: _WorkerState | None = getattr(worker, _STATE, None)
        if state is None:
            state = cls(worker)
            setattr(worker, _STATE, state)
        return state

    def check(self, requirements: Requirements) -> None:
        """Check compatibility, once per run: this worker may have joined after the run started.

        Raises:
            IncompatibleWorkerError: it is incompatible.
        """
        if requirements in self._met:
            return
        if reason := check_worker(requirements, self._worker):
            who = f"worker {self._worker.address} on {platform.node()}"
            raise IncompatibleWorkerError(reason, "install the same versions on all machines", path=who)
        self._met.add(requirements)

    def with_local_hardware(self, job: AnnotateJob) -> AnnotateJob:
        """Return a job that uses the hardware of this machine."""
        hwaccel, provider = self.tools.hwaccel(job.limits.hwaccel), effective_provider(job.limits.provider)
        return replace(job, limits=replace(job.limits, hwaccel=hwaccel, provider=provider))


def _current_worker_state() -> _WorkerState:
    from distributed import get_worker

    return _WorkerState.of(get_worker())


def run_job(task: Task[AnyJob], job: AnyJob, requirements: Requirements, reporter: ProgressReporter) -> Outcome | ChunkPlan:
    """Run a job and return its outcome; for a long video return how to split it."""
    state = _current_worker_state()
    state.check(requirements)
    context = WorkContext(state.tools, reporter.callback())
    if not isinstance(job, AnnotateJob):
        return _with_host(run_task(task, job, context))
    from annotate.batch.annotate import annotate_or_split

    return _catch_errors(job, lambda: annotate_or_split(state.with_local_hardware(job), context))


def run_chunk(
    job: AnnotateJob, requirements: Requirements, reporter: ProgressReporter, number: int, count: int
) -> Chunk | None:
    """Analyze chunk ``number`` of ``count``; return None if that fails, so that the whole video is analyzed instead."""
    from annotate.analysis.parallel import analyze_chunk
    from annotate.analysis.pipeline import Analysis
    from annotate.batch.annotate import describer_for

    state = _current_worker_state()
    state.check(requirements)
    job, callback = state.with_local_hardware(job), reporter.callback(number)
    try:
        analysis = Analysis.open(require_local(job.path), job.settings, limits=job.limits, tools=state.tools)
        analysis.describe = describer_for(job.settings, state.tools)
        return analyze_chunk(analysis, number, count, lambda done_s: callback(done_s, None))
    except MediaError:
        return None


def run_merge(
    job: AnnotateJob, requirements: Requirements, reporter: ProgressReporter, plan: ChunkPlan, chunks: list[Chunk | None]
) -> Outcome:
    """Merge the results of all chunks of a long video and write its outputs."""
    from annotate.batch.annotate import AnalyzedChunks, annotate_video

    state = _current_worker_state()
    state.check(requirements)
    context = WorkContext(state.tools, reporter.callback())
    return _catch_errors(job, lambda: annotate_video(state.with_local_hardware(job), context, AnalyzedChunks(plan, chunks)))


def _catch_errors(job: Job, execute: Callable[[], Result]) -> Result | Outcome:
    """Return the result of ``execute``; errors become failed outcomes."""
    try:
        result = execute()
    except AnnotateError as error:
        return _with_host(Outcome.failed(job.path, error))
    except Exception as error:  # noqa: BLE001  (a bug that affects one video must not end a run over thousands)
        return _with_host(Outcome.failed_internally(job.path, error))
    return _with_host(result) if isinstance(result, Outcome) else result


def _with_host(outcome: Outcome) -> Outcome:
    """Return an outcome with the name of this machine if it is a failure."""
    return replace(outcome, host=platform.node()) if outcome.status is Status.FAILED else outcome
