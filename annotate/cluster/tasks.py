"""What workers of a cluster do: a video, a part of a long one, or the joining of its parts; one core each.

Workers answer with outcomes, or keep what parts gave for the worker that joins them. They hold the model and the detector
from one task to the next.
"""

from __future__ import annotations

import functools
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from annotate.batch.job import Job, Outcome, Status, Work, run_job
from annotate.errors import AnnotateError, SettingsError
from annotate.settings import PROVIDERS, Limits
from annotate.version import ANALYSIS_VERSION, VERSION

if TYPE_CHECKING:
    from annotate.analysis.parallel import Stream
    from annotate.batch.annotate import Division
    from annotate.batch.job import Progress

Answer = TypeVar("Answer")

PROVIDER_VARIABLE = "ANNOTATE_PROVIDER"
"""Of a worker's environment: what its network runs on, whatever the run's --provider is."""

KEY_PREFIX = "annotate_"
"""What keys of this program's tasks begin with."""

TOPIC = "annotate"
_REPORT_INTERVAL_S = 1.0


class WrongWorkerError(SettingsError):
    """A worker would find something else than this process, or cannot work at all."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


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
    def of(cls, work: Work) -> Need:
        """What a job needs."""
        if not isinstance(work, Job):
            return cls(Versions.here(), None, Limits.provider)
        return cls(Versions.here(work.model_hash or None), work.settings.model, work.limits.provider)


def dask_setup(worker: object) -> None:
    """What workers of a ``local`` cluster do when they start: this run alone hears Ctrl-C, and then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def check_worker(need: Need) -> str:
    """Why this process would not serve, in words; empty if it would. It loads the model."""
    model_hash = None
    if need.versions.model_hash is not None:
        from annotate.emotions.classifier import load_classifier
        from annotate.media.ffmpeg import find_ffmpeg

        try:
            model_hash = load_classifier(need.model, provider_here(need.provider)).model_hash
            find_ffmpeg()
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
        raise SettingsError(f"{PROVIDER_VARIABLE}={own}: choose from {', '.join(sorted(PROVIDERS))}")
    return own


def count_working() -> int:
    """How many of this program's tasks this worker is at, called off or not."""
    from distributed import get_worker

    return sum(str(task.key).startswith(KEY_PREFIX) for task in get_worker().state.executing)


@dataclass(frozen=True)
class Voice:
    """By what a job's worker tells how far it is: the run's name and the job's number in it."""

    run: str
    number: int

    def progress(self, part: int = 0) -> Progress:
        """Tells seconds done and the video's length, now and then, and ends the task if it was called off."""
        from distributed import get_worker

        worker = get_worker()
        key, last_s = worker.get_current_task(), -_REPORT_INTERVAL_S

        def report(done_s: float, duration_s: float | None) -> None:
            nonlocal last_s
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                raise _CalledOff
            now_s = time.monotonic()
            if now_s - last_s >= _REPORT_INTERVAL_S:
                last_s = now_s
                worker.log_event(TOPIC, [self.run, self.number, part, done_s, duration_s])

        return report


class _CalledOff(BaseException):
    """Nobody waits for the task any more."""


def do(work: Work, need: Need, voice: Voice) -> Outcome | Division:
    """Does a job, unless it is a long video's: then tells in how many parts."""
    _check(need)
    if not isinstance(work, Job):
        return _on_host(run_job(work, voice.progress()))
    from annotate.batch.annotate import begin

    job = _localized(work)
    return _answered(job, lambda: begin(job, voice.progress()))


def look(work: Job, need: Need, voice: Voice, number: int, count: int) -> Stream | None:
    """Looks at a part of a long video; None if it had better be looked at whole."""
    from annotate.batch.annotate import look as look_at

    _check(need)
    report = voice.progress(number)
    return look_at(_localized(work), number, count, lambda done_s: report(done_s, None))


def join(work: Job, need: Need, voice: Voice, division: Division, parts: list[Stream | None]) -> Outcome:
    """Joins what parts of a long video gave, and writes."""
    from annotate.batch.annotate import join as join_all

    _check(need)
    job = _localized(work)
    return _answered(job, lambda: join_all(job, division, parts, voice.progress()))


def _localized(job: Job) -> Job:
    """A job with the hardware that there is here."""
    limits = job.limits
    hwaccel, provider = _hwaccel_here(limits.hwaccel), provider_here(limits.provider)
    return replace(job, limits=replace(limits, hwaccel=hwaccel, provider=provider))


@functools.cache
def _hwaccel_here(asked: str) -> str:
    from annotate.media.hwaccel import choose_hwaccel

    return choose_hwaccel(asked)


_checked: set[Need] = set()


def _check(need: Need) -> None:
    """Once a process and run: workers may have joined after the run began.

    Raises:
        WrongWorkerError: this worker would find something else.
    """
    if need in _checked:
        return
    if reason := check_worker(need):
        from distributed import get_worker

        raise WrongWorkerError(f"worker {get_worker().address} on {platform.node()}: {reason}; install the same on all")
    _checked.add(need)


def _answered(job: Job, execute: Callable[[], Answer]) -> Answer | Outcome:
    """What ``execute`` gives; whatever goes wrong is told as an outcome."""
    try:
        answer = execute()
    except AnnotateError as error:
        return _on_host(Outcome(job.path, Status.FAILED, reason=str(error), trace=traceback.format_exc()))
    except Exception as error:  # noqa: BLE001  (a fault of ours with one video must not end a run over thousands)
        return _on_host(fault(job.path, error))
    return _on_host(answer) if isinstance(answer, Outcome) else answer


def fault(path: Path, error: BaseException) -> Outcome:
    """What is told of an error that is none of the video's."""
    reason = f"{path}: an error of this program ({type(error).__name__}: {error}); please report it with -v's output"
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Outcome(path, Status.FAILED, reason=reason, trace=trace)


def _on_host(outcome: Outcome) -> Outcome:
    """A failure, with the name of the machine that it happened on."""
    if outcome.status is not Status.FAILED:
        return outcome
    return replace(outcome, reason=f"{outcome.reason} [on {platform.node()}]")
