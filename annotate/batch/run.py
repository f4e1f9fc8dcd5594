"""Annotate an archive; a failing video never stops the run."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem
from annotate.batch.executor import Executor, InlineExecutor
from annotate.batch.job import AnnotateJob, AnyJob, Job, Outcome, Status, Task, WorkContext
from annotate.batch.plan import Action
from annotate.emotions.model_file import hash_model, read_model
from annotate.errors import read_error
from annotate.media.ffmpeg import find_ffmpeg
from annotate.results.formats.registry import check_libraries
from annotate.settings import AUTOMATIC_THREADS, CPU, NO_BASELINE, ONE_CORE, Limits, Settings
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

_JOBS_PER_SLOT = 2
"""Jobs submitted per slot: one in work, one queued, so that workers never wait for the next."""

_TRIES_ALONE = 2
_WINDOW_INTERVAL_S = 1.0
"""Interval at which the number of slots is checked."""


@dataclass(frozen=True)
class Plan:
    """Options of a run over an archive.

    Videos in object storage are downloaded to ``scratch`` when they are processed.
    """

    settings: Settings = field(default_factory=Settings)
    options: OutputOptions = field(default_factory=OutputOptions)
    limits: Limits = ONE_CORE
    scratch: Path | None = None

    def jobs(self, items: Iterable[ArchiveItem | SkippedPath]) -> Iterator[AnnotateJob | SkippedPath]:
        """Yield a job for each video; skipped paths are passed through.

        Raises:
            ModelError: the model does not follow the model contract.
            SettingsError: a library that a format needs is missing, or the model has no class for the baseline.
        """
        check_libraries(self.options.formats)
        if self.settings.persons:
            from annotate.persons.descriptor import check_descriptor  # loads dlib

            check_descriptor()
        model_hash = _check_model(self.settings, self.limits.provider)
        for item in items:
            if isinstance(item, SkippedPath):
                yield item
            else:
                yield AnnotateJob(item, self.settings, self.options, model_hash, self.limits, scratch=self.scratch)


def annotate_archive(
    items: Iterable[ArchiveItem | SkippedPath], plan: Plan | None = None, executor: Executor | None = None
) -> Generator[Outcome, None, None]:
    """Annotate the videos of a scan (`annotate.archive.scan.scan`); yield one outcome per video as it finishes.

    Without an ``executor`` all work is done in this process. A single video gets all cores; with several, each gets one,
    the largest files are started first, and idle cores take chunks of long videos. Leftovers of killed runs are deleted
    from the output folders first.

    Raises:
        ModelError: the model does not follow the model contract.
        FFmpegError: no usable ffmpeg was found.
        SettingsError: a library that a format needs is missing, or the model has no class for the baseline.
    """
    plan, executor = plan or Plan(), executor or InlineExecutor()
    find_ffmpeg()
    jobs = yield from split_finished(plan.jobs(items), _finished)
    yield from run_decoding(annotate_task, jobs, executor)


@dataclass(frozen=True)
class PlannedVideo:
    """Preview of one video: ``description`` is the action of `annotate_archive` and the reason.

    ``duration_s`` is the length recorded in the sidecar, None if it is unknown or if ``needs_annotation``.
    """

    path: PathOrUrl
    description: str
    needs_annotation: bool = False
    duration_s: float | None = None


def plan_archive(items: Iterable[ArchiveItem | SkippedPath], plan: Plan | None = None) -> Iterator[PlannedVideo]:
    """Yield a preview of `annotate_archive`, one entry per video; write nothing.

    Raises:
        ModelError: the model does not follow the model contract.
        SettingsError: a library that a format needs is missing, or the model has no class for the baseline.
    """
    for job in (plan or Plan()).jobs(items):
        if isinstance(job, SkippedPath):
            yield PlannedVideo(job.path, f"fail: {job}")
            continue
        try:
            decision = job.decide()
            needs_annotation = decision.action is Action.ANNOTATE
            duration_s = decision.meta.duration_s if decision.meta is not None and not needs_annotation else None
            yield PlannedVideo(job.path, f"{decision.action.value}: {decision.reason}", needs_annotation, duration_s)
        except OSError as error:
            yield PlannedVideo(job.path, f"fail: {read_error(job.path, error).reason}")


def split_finished(
    entries: Iterable[AnyJob | SkippedPath], finished: Callable[[AnyJob], Outcome | None]
) -> Generator[Outcome, None, list[AnyJob]]:
    """Yield the outcomes of entries that need no work, and return the remaining jobs.

    ``finished`` returns the outcome of such a job, None if it needs work. Leftovers of killed runs are deleted from the
    output folders first.
    """
    jobs, swept = [], set()
    for entry in entries:
        if isinstance(entry, SkippedPath):
            yield Outcome(entry.path, Status.FAILED, problem=entry.problem, remedy=entry.remedy)
            continue
        folder = entry.outputs.base.parent
        if folder not in swept:
            swept.add(folder)
            storage_for(folder).sweep(folder)
        outcome = finished(entry)
        if outcome is None:
            jobs.append(entry)
        else:
            yield outcome
    return jobs


def run_decoding(task: Task[AnyJob], jobs: list[AnyJob], executor: Executor) -> Generator[Outcome, None, None]:
    """Run jobs that decode videos; yield outcomes as they finish, then close the executor.

    A single video gets all cores; with several, each gets one, and the largest files are started first.
    """
    if executor.slots > 1:  # the longest first, so that none is left running alone at the end
        jobs = sorted(jobs, key=_size_bytes, reverse=True)
    if len(jobs) == 1 or executor.slots == 1:
        jobs = [replace(job, limits=replace(job.limits, threads=AUTOMATIC_THREADS)) for job in jobs]
    try:
        yield from run_jobs(task, jobs, executor)
    finally:
        executor.close()


def run_jobs(task: Task[AnyJob], jobs: Iterable[AnyJob], executor: Executor) -> Iterator[Outcome]:
    """Run jobs and yield outcomes as they finish; the number of submitted jobs follows the executor's slots.

    When a worker dies, every submitted job is a suspect: each is rerun alone, and fails if its worker dies then too, twice.
    """
    pending: Iterator[AnyJob] = iter(jobs)
    in_work: dict[Future[Outcome], AnyJob] = {}
    done: SimpleQueue[Future[Outcome]] = SimpleQueue()
    while True:
        for job in itertools.islice(pending, max(0, _window(executor) - len(in_work))):
            try:
                future = executor.submit(task, job)
            except BrokenExecutor:
                pending = itertools.chain([job], pending)
                break
            in_work[future] = job
            future.add_done_callback(done.put)
        if not in_work:
            refused = next(pending, None)
            if refused is None:
                return
            executor.restart()
            pending = itertools.chain([refused], pending)
            continue
        suspects = []
        for future in _finished_futures(done, _WINDOW_INTERVAL_S):
            job = in_work.pop(future)
            try:
                yield future.result()
            except BrokenExecutor:
                suspects.append(job)
        if suspects:
            suspects += in_work.values()
            in_work.clear()
            done = SimpleQueue()
            for job in suspects:
                yield _run_alone(task, job, executor)


def annotate_task(job: AnnotateJob, context: WorkContext) -> Outcome:
    """Run `annotate.batch.annotate.annotate_video`, imported only in the process that runs the job."""
    from annotate.batch.annotate import annotate_video  # half a second that the submitting process saves

    return annotate_video(job, context)


def _check_model(settings: Settings, provider: str) -> str:
    """Return the hash of the model; load it, which takes a while, only where that may fail.

    Raises:
        ModelError: the model does not follow the model contract.
        SettingsError: the provider is not available, or the model has no class for the baseline.
    """
    if settings.model is None and provider == CPU and settings.baseline == NO_BASELINE:
        return hash_model(read_model(None)[1])
    from annotate.emotions.classifier import load_classifier
    from annotate.results.baseline import check_baseline

    classifier = load_classifier(settings.model, provider)
    check_baseline(settings.baseline, classifier.contract.class_names)
    return classifier.model_hash


def _window(executor: Executor) -> int:
    """Return the maximum number of submitted jobs."""
    slots = executor.slots
    return slots * _JOBS_PER_SLOT if slots > 1 else 1


def _finished_futures(done: SimpleQueue[Future[Outcome]], timeout_s: float) -> Iterator[Future[Outcome]]:
    """Yield finished futures; wait at most ``timeout_s`` for the first."""
    with contextlib.suppress(Empty):
        yield done.get(timeout=timeout_s)
        while True:
            yield done.get_nowait()


def _run_alone(task: Task[AnyJob], job: AnyJob, executor: Executor) -> Outcome:
    """Run a suspect alone, and once more if its worker dies."""
    for _ in range(_TRIES_ALONE):
        executor.restart()
        try:
            return executor.submit(task, job).result()
        except BrokenExecutor:
            continue
    executor.restart()
    problem = "worker crashed twice on this video, even alone (out of memory or a decoder fault)"
    return Outcome(job.path, Status.FAILED, problem=problem, remedy="check the video and the free memory")


def _size_bytes(job: Job) -> int:
    """Return the size of a video, 0 if unknown."""
    stat = job.item.stat
    return 0 if stat is None else stat.size_bytes


def _finished(job: AnnotateJob) -> Outcome | None:
    """Return the outcome of a video that is up to date or failed before; None if it needs work, or cannot be read.

    The job of a video that cannot be read reports that.
    """
    try:
        decision = job.decide()
    except OSError:
        return None
    if decision.failure is not None:
        return Outcome.remembered(job.path, decision.failure)
    if decision.action is not Action.SKIP or decision.meta is None:
        return None
    return Outcome.skipped(job.path, decision.meta)
