"""Who does the jobs: this process, or worker processes on this machine, behind the interface of concurrent.futures."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotate.batch.executor import Advance
from annotate.batch.job import Outcome, Work, run_job

if TYPE_CHECKING:
    from annotate.analysis.parallel import Cores


KILL_AFTER_S = 4.0
_REPORT_INTERVAL_S = 0.2
_LISTEN_INTERVAL_S = 0.05
_PARENT_CHECK_INTERVAL_S = 1.0
_JOIN_TIMEOUT_S = 1.0


class _OwnContext(SpawnContext):
    """Starts processes afresh and remembers them, so that each of several executors ends its own alone."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **options: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        """A new process, as executors ask for it."""
        process = SpawnProcess(*args, **options)
        self.started.append(process)
        return process


class ProcessWorkers:
    """``width`` processes that are started afresh, not copied, so that they inherit no threads and no open files.

    There are no more of them than ``most_jobs``. With ``niceness`` they and their decoders give way to other processes (see
    nice(2)).
    """

    def __init__(
        self, width: int, advance: Advance | None = None, *, niceness: int = 0, most_jobs: int | None = None
    ) -> None:
        self.width = width
        self._processes = width if most_jobs is None else max(1, min(width, most_jobs))
        self._advance = advance
        self._niceness = niceness
        self._context = _OwnContext()
        self._executor: Executor | None = None
        self._closed = threading.Event()
        self._listener: threading.Thread | None = None

    def submit(self, job: Work) -> Future[Outcome]:
        """Hands a job to a worker; workers are started when they are needed."""
        return self._started().submit(_work, job)

    def prepare(self) -> None:
        """Has a first worker load what jobs need, while this process finds out what there is to do."""
        self._started().submit(_load)

    def restart(self) -> None:
        """Ends what is left of the workers; the next job starts new ones."""
        self.close()

    def close(self) -> None:
        """Asks the workers to end, which ends their decoders, and kills those that do not."""
        if self._executor is None:
            return
        workers = [process for process in self._context.started if process.is_alive()]
        for process in workers:
            process.terminate()
        deadline_s = time.monotonic() + KILL_AFTER_S
        for process in workers:
            process.join(max(0.0, deadline_s - time.monotonic()))
            if process.is_alive():
                process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._closed.set()
        if self._listener is not None:
            self._listener.join(_JOIN_TIMEOUT_S)  # left to the interpreter's end, it may free semaphores by half
        self._executor = self._listener = None

    def _started(self) -> Executor:
        if self._executor is None:
            self._executor = self._start()
        return self._executor

    def _start(self) -> Executor:
        self._closed = threading.Event()
        messages = self._context.SimpleQueue()
        self._context.started.clear()
        executor = ProcessPoolExecutor(
            self._processes,
            mp_context=self._context,
            initializer=_begin,
            initargs=(
                messages,
                self._context.Semaphore(self.width) if self.width > 1 else None,
                os.getpid(),
                self._niceness,
            ),
        )
        self._listener = threading.Thread(target=self._listen, args=(messages, self._closed), daemon=True)
        self._listener.start()
        return executor

    def _listen(self, messages: Any, closed: threading.Event) -> None:
        """Looks again and again: a worker killed while it spoke must not keep anybody waiting."""
        while not closed.is_set():
            if messages.empty():
                closed.wait(_LISTEN_INTERVAL_S)
                continue
            news = messages.get()
            if self._advance is not None:
                self._advance(*news)


_report: Callable[[Path, float, float | None], None] = lambda path, done_s, duration_s: None  # noqa: E731
_cores: Cores | None = None


def _begin(messages: Any, cores: Cores | None, parent: int, niceness: int) -> None:
    """Prepares a worker: the parent alone hears Ctrl-C; a worker ends when told to, and when its parent is gone.

    ``cores`` are as many as there are workers; each takes one for a job, and for a long video those that nobody has.
    """
    global _report, _cores
    _cores = cores
    os.nice(niceness)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    def report(path: Path, done_s: float, duration_s: float | None) -> None:
        messages.put((path, done_s, duration_s))

    _report = report


def _end_with(parent: int) -> None:
    time.sleep(_PARENT_CHECK_INTERVAL_S)
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(KILL_AFTER_S)
    os._exit(1)


def _load() -> None:
    """Loads what a job would load; whatever is wrong with it is told by the first job."""
    with contextlib.suppress(Exception):
        importlib.import_module("annotate.batch.annotate")
        importlib.import_module("annotate.media.ffmpeg").find_ffmpeg()


def _work(job: Work) -> Outcome:
    """Does a job in a worker. When the worker is told to end, the job is unwound first: its decoder and files go."""
    last_s = -_REPORT_INTERVAL_S

    def progress(done_s: float, duration_s: float | None) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if done_s == 0 or now_s - last_s >= _REPORT_INTERVAL_S:
            last_s = now_s
            _report(job.path, done_s, duration_s)

    usual = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        with _cores or contextlib.nullcontext():
            return run_job(job, progress, _cores)
    except SystemExit:
        os._exit(1)  # the pool's own loop would go on with the next job
    finally:
        signal.signal(signal.SIGTERM, usual)
