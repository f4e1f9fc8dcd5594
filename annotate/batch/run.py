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
from annotate.emotions.classifier import load_classifier
from annotate.media.ffmpeg import find_ffmpeg
from annotate.results.formats.registry import check_libraries
from annotate.settings import AUTOMATIC_THREADS, ONE_CORE, Limits, Settings
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

_WAITING_PER_SLOT = 2
_TRIES_ALONE = 2
_WINDOW_INTERVAL_S = 1.0
"""So often it is looked whether there are more slots now."""


@dataclass(frozen=True)
class Plan:
    """What annotating a scanned archive is to give, and with what means.

    Videos that ffmpeg cannot open in place are copied to ``scratch`` one by one, as they are worked on.
    """

    settings: Settings = field(default_factory=Settings)
    options: OutputOptions = field(default_factory=OutputOptions)
    limits: Limits = ONE_CORE
    scratch: Path | None = None

    def jobs(self, items: Iterable[ArchiveItem | SkippedPath]) -> Iterator[AnnotateJob | SkippedPath]:
        """Yield a job for each video.

        Raises:
            ModelError: the settings' model does not keep the contract.
            SettingsError: a library that a format needs is missing.
        """
        check_libraries(self.options.formats)
        model_hash = load_classifier(self.settings.model, self.limits.provider).model_hash
        for item in items:
            if isinstance(item, SkippedPath):
                yield item
            else:
                yield AnnotateJob(item, self.settings, self.options, model_hash, self.limits, scratch=self.scratch)


def annotate_archive(
    items: Iterable[ArchiveItem | SkippedPath], plan: Plan | None = None, executor: Executor | None = None
) -> Generator[Outcome, None, None]:
    """Annotate videos as `annotate.archive.scan.scan` finds them; yield one outcome per video as it finishes.

    Without an ``executor`` this process does it all. A single video gets all cores; of several, each gets one. What killed
    runs left where outputs are written is removed first. Where several are worked on at once the largest files are begun
    first, and free cores take chunks of long ones.

    Raises:
        ModelError: the settings' model does not keep the contract.
        FFmpegError: there is no usable ffmpeg.
        SettingsError: a library that a format needs is missing.
    """
    plan, executor = plan or Plan(), executor or InlineExecutor()
    find_ffmpeg()
    jobs = yield from split_finished(plan.jobs(items), _finished)
    yield from run_decoding(annotate_task, jobs, executor)


@dataclass(frozen=True)
class PlannedVideo:
    """What `annotate_archive` would do with a video and why, in words.

    ``duration_s`` is the video's length as its sidecar has it; None for a video that would be annotated (``is_work``).
    """

    path: PathOrUrl
    what: str
    is_work: bool = False
    duration_s: float | None = None


def plan_archive(items: Iterable[ArchiveItem | SkippedPath], plan: Plan | None = None) -> Iterator[PlannedVideo]:
    """Yield what `annotate_archive` would do with each video; nothing is done.

    Raises:
        ModelError: the settings' model does not keep the contract.
        SettingsError: a library that a format needs is missing.
    """
    for job in (plan or Plan()).jobs(items):
        if isinstance(job, SkippedPath):
            yield PlannedVideo(job.path, f"fail: {job}")
            continue
        try:
            decision = job.decide()
            is_work = decision.action is Action.ANNOTATE
            duration_s = decision.meta.duration_s if decision.meta is not None and not is_work else None
            yield PlannedVideo(job.path, f"{decision.action.value}: {decision.reason}", is_work, duration_s)
        except OSError as error:
            yield PlannedVideo(job.path, f"fail: {error.strerror}")


def split_finished(
    entries: Iterable[AnyJob | SkippedPath], finished: Callable[[AnyJob], Outcome | None]
) -> Generator[Outcome, None, list[AnyJob]]:
    """Yield the outcomes that are known before any work, and return the jobs that are left.

    What killed runs left in their folders is removed first. ``finished`` gives None for a job that there is work for.
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
    """Yield outcomes of jobs as they are done, after which the executor is closed.

    A single video gets all cores; of several, each gets one, and the largest files are begun first.
    """
    if executor.slots > 1:
        jobs = sorted(jobs, key=_size_bytes, reverse=True)
    if len(jobs) == 1 or executor.slots == 1:
        jobs = [replace(job, limits=replace(job.limits, threads=AUTOMATIC_THREADS)) for job in jobs]
    try:
        yield from run_jobs(task, jobs, executor)
    finally:
        executor.close()


def run_jobs(task: Task[AnyJob], jobs: Iterable[AnyJob], executor: Executor) -> Iterator[Outcome]:
    """Yield outcomes of jobs as they are done; a bounded number, which follows the slots, is handed over at a time.

    When a worker dies, whichever job it had is among those handed over: each of them is done again alone, and one whose
    worker dies then too, twice, is reported. The others lose nothing.
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
    """Do `annotate.batch.annotate.annotate_video`, which is loaded by the process that does it."""
    from annotate.batch.annotate import annotate_video  # takes half a second, which whoever only hands jobs over saves

    return annotate_video(job, context)


def _window(executor: Executor) -> int:
    """Return how many jobs are handed over at a time."""
    slots = executor.slots
    return slots * _WAITING_PER_SLOT if slots > 1 else 1


def _finished_futures(done: SimpleQueue[Future[Outcome]], timeout_s: float) -> Iterator[Future[Outcome]]:
    """Yield what is done, waiting for the first at most so long."""
    with contextlib.suppress(Empty):
        yield done.get(timeout=timeout_s)
        while True:
            yield done.get_nowait()


def _run_alone(task: Task[AnyJob], job: AnyJob, executor: Executor) -> Outcome:
    """Do a suspect by itself, once more if its worker dies: it may not have been the one that died before."""
    for _ in range(_TRIES_ALONE):
        executor.restart()
        try:
            return executor.submit(task, job).result()
        except BrokenExecutor:
            continue
    executor.restart()
    problem = "its worker process died, alone too (out of memory, or a fault in a decoder)"
    return Outcome(job.path, Status.FAILED, problem=problem, remedy="look at it by itself")


def _size_bytes(job: Job) -> int:
    """Return a video's size: what takes longest is begun first, so that no core waits for it in the end."""
    stat = job.item.stat
    return 0 if stat is None else stat.size_bytes


def _finished(job: AnnotateJob) -> Outcome | None:
    """Return the outcome of a video for which there is nothing to do; None if there is, or if it cannot be told."""
    try:
        decision = job.decide()
    except OSError:
        return None
    if decision.action is not Action.SKIP or decision.meta is None:
        return None
    return Outcome.skipped(job.path, decision.meta)
