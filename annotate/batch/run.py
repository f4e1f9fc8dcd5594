"""Annotating the videos of an archive, whatever befalls any of them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from annotate.archive.discover import Obstacle
from annotate.archive.layout import Wanted, name_outputs
from annotate.batch.executor import InlineWorkers, Workers
from annotate.batch.job import Decoding, Job, Outcome, Status, Work
from annotate.batch.plan import Task
from annotate.emotions.classifier import load_classifier
from annotate.media.ffmpeg import find_ffmpeg
from annotate.results.formats.registry import check_libraries
from annotate.settings import AUTOMATIC_THREADS, ONE_CORE, Limits, Settings
from annotate.storage.locks import sweep
from annotate.storage.s3.prefetch import read_ahead

SomeWork = TypeVar("SomeWork", bound=Work)
SomeDecoding = TypeVar("SomeDecoding", bound=Decoding)

_WAITING_PER_WORKER = 2
_TRIES_ALONE = 2
_WINDOW_INTERVAL_S = 1.0
"""So often it is looked whether there are more workers now."""


def annotate_archive(
    found: Iterable[Path | Obstacle],
    settings: Settings | None = None,
    wanted: Wanted | None = None,
    workers: Workers | None = None,
    *,
    limits: Limits | None = None,
    folders: Mapping[Path, Path] | None = None,
    scratch: Path | None = None,
) -> Generator[Outcome, None, None]:
    """Annotates videos as `annotate.archive.discover.walk` finds them, and tells what became of each, as they are done.

    Without ``workers`` this process does it all. A single video gets all cores; of several, each gets one. Outputs are
    written beside the videos, or to the ``folders`` given for them. What killed runs left there is removed first. Where
    several are worked on at once the largest files are begun first, and free cores take parts of long ones. Videos from
    object storage are copied to ``scratch`` one by one, as they are worked on.

    Raises:
        ModelError: the settings' model does not keep the contract.
        FFmpegError: there is no usable ffmpeg.
        SettingsError: a library that a format needs is missing.
    """
    settings, wanted, workers = settings or Settings(), wanted or Wanted(), workers or InlineWorkers()
    limits = limits or ONE_CORE
    check_libraries(wanted.formats)
    model_hash = load_classifier(settings.model, limits.provider).model_hash
    find_ffmpeg()
    jobs = yield from settle(_jobs(found, folders, settings, wanted, model_hash, limits, scratch), _finished)
    yield from run_decoding(jobs, workers)


def settle(
    entries: Iterable[SomeWork | Obstacle], finished: Callable[[SomeWork], Outcome | None]
) -> Generator[Outcome, None, list[SomeWork]]:
    """Tells the outcomes that are known before any work, and gives the jobs that are left.

    What killed runs left in their folders is removed first. ``finished`` is None for a job that there is work for.
    """
    entries = list(entries)
    for folder in dict.fromkeys(entry.outputs.base.parent for entry in entries if not isinstance(entry, Obstacle)):
        sweep(folder)
    jobs = []
    for entry in read_ahead(entries, lambda entry: () if isinstance(entry, Obstacle) else (entry.outputs.meta,)):
        if isinstance(entry, Obstacle):
            yield Outcome(entry.path, Status.FAILED, reason=entry.reason)
        elif (outcome := finished(entry)) is not None:
            yield outcome
        else:
            jobs.append(entry)
    return jobs


def run_decoding(jobs: list[SomeDecoding], workers: Workers) -> Generator[Outcome, None, None]:
    """Outcomes of jobs as they are done, after which ``workers`` are closed.

    A single video gets all cores; of several, each gets one, and the largest files are begun first.
    """
    if workers.width > 1:
        jobs = sorted(jobs, key=_size_bytes, reverse=True)
    if len(jobs) == 1 or workers.width == 1:
        jobs = [replace(job, limits=replace(job.limits, threads=AUTOMATIC_THREADS)) for job in jobs]
    try:
        yield from run_jobs(jobs, workers)
    finally:
        workers.close()


def plan_archive(
    found: Iterable[Path | Obstacle],
    settings: Settings | None = None,
    wanted: Wanted | None = None,
    *,
    folders: Mapping[Path, Path] | None = None,
) -> Iterator[tuple[Path, str]]:
    """What `annotate_archive` would do with each video and why, in words; nothing is done.

    Raises:
        ModelError: the settings' model does not keep the contract.
        SettingsError: a library that a format needs is missing.
    """
    settings, wanted = settings or Settings(), wanted or Wanted()
    check_libraries(wanted.formats)
    model_hash = load_classifier(settings.model).model_hash
    for entry in _jobs(found, folders, settings, wanted, model_hash, ONE_CORE):
        if isinstance(entry, Obstacle):
            yield entry.path, f"fail: {entry.reason}"
            continue
        try:
            decision = entry.decision
            yield entry.path, f"{decision.task.value}: {decision.reason}"
        except OSError as error:
            yield entry.path, f"fail: {error.strerror}"


def run_jobs(jobs: Iterable[Work], workers: Workers) -> Iterator[Outcome]:
    """Outcomes of jobs as they are done; a bounded number, which follows the workers' width, is handed over at a time.

    When a worker dies, whichever job it had is among those handed over: each of them is done again alone, and one whose
    worker dies then too, twice, is reported. The others lose nothing.
    """
    coming: Iterator[Work] = iter(jobs)
    pending: dict[Future[Outcome], Work] = {}
    done: SimpleQueue[Future[Outcome]] = SimpleQueue()
    while True:
        for job in itertools.islice(coming, max(0, _window(workers) - len(pending))):
            try:
                future = workers.submit(job)
            except BrokenExecutor:
                coming = itertools.chain([job], coming)
                break
            pending[future] = job
            future.add_done_callback(done.put)
        if not pending:
            refused = next(coming, None)
            if refused is None:
                return
            workers.restart()
            coming = itertools.chain([refused], coming)
            continue
        suspects = []
        for future in _taken(done, _WINDOW_INTERVAL_S):
            job = pending.pop(future)
            try:
                yield future.result()
            except BrokenExecutor:
                suspects.append(job)
        if suspects:
            suspects += pending.values()
            pending.clear()
            done = SimpleQueue()
            for job in suspects:
                yield _alone(job, workers)


def _window(workers: Workers) -> int:
    """How many jobs are handed over at a time."""
    width = workers.width
    return width * _WAITING_PER_WORKER if width > 1 else 1


def _taken(done: SimpleQueue[Future[Outcome]], timeout_s: float) -> Iterator[Future[Outcome]]:
    """What is done, waiting for the first at most so long."""
    with contextlib.suppress(Empty):
        yield done.get(timeout=timeout_s)
        while True:
            yield done.get_nowait()


def _alone(job: Work, workers: Workers) -> Outcome:
    """Does a suspect by itself, once more if its worker dies: it may not have been the one that died before."""
    for _ in range(_TRIES_ALONE):
        workers.restart()
        try:
            return workers.submit(job).result()
        except BrokenExecutor:
            continue
    workers.restart()
    reason = f"{job.path}: its worker process died, alone too (out of memory, or a fault in a decoder); look at it by itself"
    return Outcome(job.path, Status.FAILED, reason=reason)


def _jobs(
    found: Iterable[Path | Obstacle],
    folders: Mapping[Path, Path] | None,
    settings: Settings,
    wanted: Wanted,
    model_hash: str,
    limits: Limits,
    scratch: Path | None = None,
) -> Iterator[Job | Obstacle]:
    entries = list(found)
    names = name_outputs([entry for entry in entries if isinstance(entry, Path)], folders)
    for entry in entries:
        if isinstance(entry, Obstacle):
            yield entry
        else:
            yield Job(entry, names[entry], settings, wanted, model_hash, limits, scratch=scratch)


def _size_bytes(job: Work) -> int:
    """Bytes of a video: what takes longest is begun first, so that no core waits for it in the end."""
    try:
        return job.path.stat().st_size
    except OSError:
        return 0


def _finished(job: Job) -> Outcome | None:
    """The outcome of a video for which there is nothing to do; None if there is, or if it cannot be told."""
    try:
        decision = job.decision
    except OSError:
        return None
    if decision.task is not Task.SKIP or decision.meta is None:
        return None
    return Outcome(job.path, Status.SKIPPED, decision.meta.duration_s, decision.meta.faces)
