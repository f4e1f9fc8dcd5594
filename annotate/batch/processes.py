"""The executor that runs jobs in worker processes on this machine."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from annotate.batch.executor import RunProgress
from annotate.batch.job import AnyJob, Outcome, Task, WorkContext, run_task
from annotate.media.ffmpeg import find_ffmpeg

if TYPE_CHECKING:
    from annotate.analysis.parallel import Cores
    from annotate.analysis.tools import Tools

KILL_AFTER_S = 4.0
_REPORT_INTERVAL_S = 0.2
_POLL_INTERVAL_S = 0.05
_PARENT_CHECK_INTERVAL_S = 1.0
_JOIN_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class _WorkerConfig:
    """Start arguments of a worker process.

    ``messages`` is the queue of progress messages. ``cores`` is a semaphore with one core per slot, None for a single
    slot: a worker takes one for each job, and idle ones for the chunks of a long video. ``parent`` is a process ID.
    """

    messages: Any
    cores: Cores | None
    parent: int
    niceness: int


class _WorkerProcess(SpawnProcess):
    """A worker process; inside it, `multiprocessing.current_process` returns this object."""

    def __init__(self, worker_config: _WorkerConfig, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._worker_config = worker_config
        self.is_terminating = False

    def start(self) -> None:
        """Start the process; an interruption waits, since a process that is half started prints a traceback."""
        with _deferred_signals():
            super().start()

    @cached_property
    def tools(self) -> Tools:
        """Tools reused by all jobs of this worker."""
        from annotate.analysis.tools import Tools  # takes half a second

        return Tools()

    def run(self) -> None:
        """Run jobs until SIGTERM or the death of the parent; Ctrl-C is left to the parent."""
        os.nice(self._worker_config.niceness)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_exit_with_parent, args=(self._worker_config.parent,), daemon=True).start()
        super().run()

    def load(self) -> None:
        """Load what a job needs, in advance; errors are left to the first job."""
        with contextlib.suppress(Exception), ThreadPoolExecutor(1) as pool:
            found = pool.submit(find_ffmpeg)
            importlib.import_module("annotate.batch.annotate")
            self.tools.ffmpeg = found.result()

    def run_job(self, task: Task[AnyJob], job: AnyJob) -> Outcome:
        """Run a job; on SIGTERM its stack is unwound first, which ends its decoder and deletes its temporary files."""
        cores, messages, last_s = self._worker_config.cores, self._worker_config.messages, -_REPORT_INTERVAL_S

        def progress(done_s: float, duration_s: float | None) -> None:
            nonlocal last_s
            now_s = time.monotonic()
            if done_s == 0 or now_s - last_s >= _REPORT_INTERVAL_S:
                last_s = now_s
                messages.put((job.path, done_s, duration_s))

        outcome: Outcome | None = None
        try:
            signal.signal(signal.SIGTERM, _unwind)
            with cores or contextlib.nullcontext():
                outcome = run_task(task, job, WorkContext(self.tools, progress, cores))
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        except SystemExit:
            pass  # dropping it with its frames closes generators that were interrupted between `with` and their body
        if outcome is None or self.is_terminating:  # the exception may have been lost in a `__del__` method
            os._exit(1)  # the pool's own loop would start the next job
        return outcome


class _WorkerContext(SpawnContext):
    """Spawns workers and records them, so that each executor ends only its own."""

    def __init__(self, slots: int, niceness: int) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []
        self.messages = self.SimpleQueue()
        cores = self.Semaphore(slots) if slots > 1 else None
        self._worker_config = _WorkerConfig(self.messages, cores, os.getpid(), niceness)

    def Process(self, *args: Any, **options: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        """Return a new process; called by `ProcessPoolExecutor`."""
        process = _WorkerProcess(self._worker_config, *args, **options)
        self.started.append(process)
        return process


@dataclass
class _Pool:
    """Running workers, and the thread that receives their messages."""

    context: _WorkerContext
    executor: ProcessPoolExecutor
    closed: threading.Event
    listener: threading.Thread


class ProcessExecutor:
    """Runs ``slots`` jobs in parallel, in spawned processes, which inherit neither threads nor open files.

    At most ``max_jobs`` processes are started. ``niceness`` lowers the priority of workers and their decoders (nice(2)).
    """

    def __init__(
        self, slots: int, on_progress: RunProgress | None = None, *, niceness: int = 0, max_jobs: int | None = None
    ) -> None:
        self.slots = slots
        self._processes = slots if max_jobs is None else max(1, min(slots, max_jobs))
        self._on_progress = on_progress
        self._niceness = niceness
        self._pool: _Pool | None = None

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Schedule a job; workers are started as needed."""
        return self._start_pool().executor.submit(_run_job, task, job)

    def prepare(self) -> None:
        """Let a first worker load models while this process plans the run."""
        self._start_pool().executor.submit(_load)

    def restart(self) -> None:
        """End the remaining workers; the next job starts new ones."""
        self.close()

    def close(self) -> None:
        """Terminate the workers and their decoders; kill those that do not end within `KILL_AFTER_S`."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        workers = [process for process in pool.context.started if process.is_alive()]
        for process in workers:
            process.terminate()
        deadline_s = time.monotonic() + KILL_AFTER_S
        for process in workers:
            process.join(max(0.0, deadline_s - time.monotonic()))
            if process.is_alive():
                process.kill()
        pool.executor.shutdown(wait=True, cancel_futures=True)
        pool.closed.set()
        pool.listener.join(_JOIN_TIMEOUT_S)  # at interpreter exit, a running thread may release semaphores incompletely

    def _start_pool(self) -> _Pool:
        """Return the running pool; start it if necessary."""
        if self._pool is None:
            context, closed = _WorkerContext(self.slots, self._niceness), threading.Event()
            listener = threading.Thread(target=self._listen, args=(context.messages, closed), daemon=True)
            self._pool = _Pool(context, ProcessPoolExecutor(self._processes, mp_context=context), closed, listener)
            listener.start()
        return self._pool

    def _listen(self, messages: Any, closed: threading.Event) -> None:
        """Receive progress messages; poll, since a blocking read would hang after a worker is killed while it sends."""
        while not closed.is_set():
            if messages.empty():
                closed.wait(_POLL_INTERVAL_S)
                continue
            message = messages.get()
            if self._on_progress is not None:
                self._on_progress(*message)


@contextlib.contextmanager
def _deferred_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the end of the block; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, _: arrived.append(number)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for arrival in arrived:
            signal.raise_signal(arrival)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    """Raise SystemExit on the first signal; ignore more, since the pool terminates the others when one worker ends."""
    signal.signal(number, signal.SIG_IGN)
    _this_worker().is_terminating = True
    sys.exit(128 + number)


def _this_worker() -> _WorkerProcess:
    process = multiprocessing.current_process()
    assert isinstance(process, _WorkerProcess)
    return process


def _load() -> None:
    _this_worker().load()


def _run_job(task: Task[AnyJob], job: AnyJob) -> Outcome:
    return _this_worker().run_job(task, job)


def _exit_with_parent(parent: int) -> None:
    """Terminate this process when its parent has died."""
    time.sleep(_PARENT_CHECK_INTERVAL_S)
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(KILL_AFTER_S)
    os._exit(1)
