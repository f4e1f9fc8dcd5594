"""Worker processes on this machine, behind the interface of executors."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from annotate.batch.executor import OnProgress
from annotate.batch.job import AnyJob, Outcome, Task, WorkContext, run_task

if TYPE_CHECKING:
    from annotate.analysis.parallel import Cores
    from annotate.analysis.tools import Tools

KILL_AFTER_S = 4.0
_REPORT_INTERVAL_S = 0.2
_LISTEN_INTERVAL_S = 0.05
_PARENT_CHECK_INTERVAL_S = 1.0
_JOIN_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class _Equipment:
    """What a worker process is given when it starts.

    It tells how far it is by ``messages``. ``cores`` are as many as there are workers; each takes one for a job, and for a
    long video those that nobody has.
    """

    messages: Any
    cores: Cores | None
    parent: int
    niceness: int


class _WorkerProcess(SpawnProcess):
    """A worker; the process that runs knows itself by `multiprocessing.current_process`."""

    def __init__(self, equipment: _Equipment, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._equipment = equipment

    @cached_property
    def tools(self) -> Tools:
        """What is kept from job to job."""
        from annotate.analysis.tools import Tools  # takes half a second

        return Tools()

    def run(self) -> None:
        """Work: the parent alone hears Ctrl-C; a worker ends when told to, and when its parent is gone."""
        os.nice(self._equipment.niceness)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_end_with, args=(self._equipment.parent,), daemon=True).start()
        super().run()

    def load(self) -> None:
        """Load what a job would load; whatever is wrong with it is told by the first job."""
        with contextlib.suppress(Exception):
            importlib.import_module("annotate.batch.annotate")
            self.tools.ffmpeg  # noqa: B018  (it is looked for)

    def do(self, task: Task[AnyJob], job: AnyJob) -> Outcome:
        """Do a job. When the worker is told to end, the job is unwound first: its decoder and files go."""
        cores, messages, last_s = self._equipment.cores, self._equipment.messages, -_REPORT_INTERVAL_S

        def progress(done_s: float, duration_s: float | None) -> None:
            nonlocal last_s
            now_s = time.monotonic()
            if done_s == 0 or now_s - last_s >= _REPORT_INTERVAL_S:
                last_s = now_s
                messages.put((job.path, done_s, duration_s))

        usual = signal.signal(signal.SIGTERM, _unwind)
        try:
            with cores or contextlib.nullcontext():
                return run_task(task, job, WorkContext(self.tools, progress, cores))
        except SystemExit:
            os._exit(1)  # the pool's own loop would go on with the next job
        finally:
            signal.signal(signal.SIGTERM, usual)


class _WorkerContext(SpawnContext):
    """Starts workers afresh and remembers them, so that each of several executors ends its own alone."""

    def __init__(self, slots: int, niceness: int) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []
        self.messages = self.SimpleQueue()
        cores = self.Semaphore(slots) if slots > 1 else None
        self._equipment = _Equipment(self.messages, cores, os.getpid(), niceness)

    def Process(self, *args: Any, **options: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        """Make a new process, as executors ask for it."""
        process = _WorkerProcess(self._equipment, *args, **options)
        self.started.append(process)
        return process


@dataclass
class _Pool:
    """Running workers, and the thread that listens to them."""

    context: _WorkerContext
    executor: ProcessPoolExecutor
    closed: threading.Event
    listener: threading.Thread


class ProcessExecutor:
    """``slots`` processes that are started afresh, not copied, so that they inherit no threads and no open files.

    There are no more of them than ``max_jobs``. With ``niceness`` they and their decoders give way to other processes (see
    nice(2)).
    """

    def __init__(
        self, slots: int, on_progress: OnProgress | None = None, *, niceness: int = 0, max_jobs: int | None = None
    ) -> None:
        self.slots = slots
        self._processes = slots if max_jobs is None else max(1, min(slots, max_jobs))
        self._on_progress = on_progress
        self._niceness = niceness
        self._pool: _Pool | None = None

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Hand a job to a worker; workers are started when they are needed."""
        return self._started().executor.submit(_work, task, job)

    def prepare(self) -> None:
        """Have a first worker load what jobs need, while this process finds out what there is to do."""
        self._started().executor.submit(_load)

    def restart(self) -> None:
        """End what is left of the workers; the next job starts new ones."""
        self.close()

    def close(self) -> None:
        """Ask the workers to end, which ends their decoders, and kill those that do not."""
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
        pool.listener.join(_JOIN_TIMEOUT_S)  # left to the interpreter's end, it may free semaphores by half

    def _started(self) -> _Pool:
        if self._pool is None:
            context, closed = _WorkerContext(self.slots, self._niceness), threading.Event()
            listener = threading.Thread(target=self._listen, args=(context.messages, closed), daemon=True)
            self._pool = _Pool(context, ProcessPoolExecutor(self._processes, mp_context=context), closed, listener)
            listener.start()
        return self._pool

    def _listen(self, messages: Any, closed: threading.Event) -> None:
        """Look again and again: a worker killed while it spoke must not keep anybody waiting."""
        while not closed.is_set():
            if messages.empty():
                closed.wait(_LISTEN_INTERVAL_S)
                continue
            news = messages.get()
            if self._on_progress is not None:
                self._on_progress(*news)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    """End by an exception, once: the pool tells workers again when the first of them has ended, as they unwind."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _this_worker() -> _WorkerProcess:
    process = multiprocessing.current_process()
    assert isinstance(process, _WorkerProcess)
    return process


def _load() -> None:
    _this_worker().load()


def _work(task: Task[AnyJob], job: AnyJob) -> Outcome:
    return _this_worker().do(task, job)


def _end_with(parent: int) -> None:
    time.sleep(_PARENT_CHECK_INTERVAL_S)
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(KILL_AFTER_S)
    os._exit(1)
