"""The executor that runs jobs on the workers of a Dask cluster.

An event loop in its own thread runs each job: as one task or, for a long video, as one task per chunk and one that merges
them. At most one task per core is submitted to the scheduler, so that no task is queued on a worker, and the death of a
worker counts only against the task that it was running.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from annotate.batch.executor import RunProgress
from annotate.batch.job import AnnotateJob, AnyJob, Outcome, Status, Task
from annotate.cluster import jobs, tasks
from annotate.cluster.address import LOCAL, check_address, check_certificates, is_scheduler_file, read_scheduler_file
from annotate.cluster.priority_semaphore import PrioritySemaphore
from annotate.cluster.tasks import IncompatibleWorkerError, ProgressReporter, Requirements
from annotate.errors import ClusterError, SettingsError
from annotate.extras import check_extra
from annotate.settings import Limits, available_cores
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    import distributed

    from annotate.batch.annotate import ChunkPlan

Result = TypeVar("Result")

ALLOWED_FAILURES = 2
"""Number of worker deaths that a task survives on a ``local`` cluster; at the next one it fails."""

_ANY_LOOPBACK_PORT = "127.0.0.1:0"
_NEW, _CHUNK, _MERGE = range(3)
"""Priorities of tasks: merges run first, and new videos last."""

_MIN_SLOTS = 2
_WATCH_INTERVAL_S = 0.5
_NO_WORKER_NOTICE_S = 3.0
"""The message that no worker is connected appears after this time."""

_CONNECT_TIMEOUT_S = 15.0
_SEND_INTERVAL_S = 0.002
"""Dask clients batch messages for 10 ms by default, which would leave workers idle between tasks."""

_SAME_VERSIONS = "install the same versions on all machines"
_UNWIND_TIMEOUT_S = 8.0
_UNWIND_INTERVAL_S = 0.1
_CLOSE_TIMEOUT_S = 20.0

logger = logging.getLogger(__name__)


class ClusterExecutor:
    """Runs jobs on the cluster at ``address``: ``local``, a scheduler's address, or the path of a scheduler file.

    ``local`` starts ``jobs`` worker processes on this machine, by default one per core; any other cluster is used with its
    current workers and left running. ``notify`` is called with messages for the user. ``worker_limits`` has the hwaccel and
    provider for the workers, by default those of the jobs.

    Raises:
        SettingsError: the address is invalid, or the cluster extra is not installed.
        ClusterError: no scheduler is reachable at the address.
    """

    def __init__(
        self,
        address: str,
        on_progress: RunProgress | None = None,
        *,
        jobs: int | None = None,
        notify: Callable[[str], None] | None = None,
        worker_limits: Limits | None = None,
    ) -> None:
        check_address(address)
        check_extra("--cluster", "cluster", {"distributed": "distributed"})
        self._address = address
        self._on_progress = on_progress
        self._worker_limits = worker_limits
        self._notify = notify or logger.info
        self._jobs = jobs or available_cores()
        self._run_id = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._semaphore = PrioritySemaphore()
        self._checked: set[str] = set()
        self._requirements: Requirements | None = None
        self._error: Exception | None = None
        self._closed = False
        self._progress: dict[int, _VideoProgress] = {}
        self._pending: set[asyncio.Task[Outcome]] = set()
        _silence_dask()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="cluster")
        self._thread.start()
        self._cluster: Any = None
        self._client: distributed.Client
        self._watcher: asyncio.Task[None] | None = None
        try:
            self._wait_for(self._open())
        except BaseException:
            self._stop_loop()
            raise

    @property
    def slots(self) -> int:
        """Number of cores of the current workers; at least 2, so that jobs are submitted ahead."""
        return max(_MIN_SLOTS, self._semaphore.size)

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Schedule a job; it waits if there are no workers. The future raises errors that end the whole run."""
        return asyncio.run_coroutine_threadsafe(self._run_job(task, job), self._loop)

    def restart(self) -> None:
        """Do nothing: the scheduler reassigns the tasks of dead workers."""

    def close(self) -> None:
        """Cancel running jobs and wait briefly until workers have unwound them; shut a ``local`` cluster down."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(Exception):
            self._wait_for(self._close(), _CLOSE_TIMEOUT_S)
        self._stop_loop()

    def _wait_for(self, coroutine: Coroutine[Any, Any, Result], timeout_s: float | None = None) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_TIMEOUT_S)

    async def _open(self) -> None:
        import dask
        from distributed import Client, LocalCluster

        options: dict[str, Any] = {"address": self._address}
        if self._address == LOCAL:
            with dask.config.set(
                {"distributed.scheduler.allowed-failures": ALLOWED_FAILURES, "distributed.scheduler.worker-saturation": 1.0}
            ):
                self._cluster = await LocalCluster(
                    n_workers=self._jobs,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=_ANY_LOOPBACK_PORT,
                    worker_dashboard_address=_ANY_LOOPBACK_PORT,
                    memory_limit=0,
                    preload=tasks.__name__,
                    silence_logs=logging.CRITICAL,
                    asynchronous=True,
                )
            options = {"address": self._cluster}
        elif is_scheduler_file(self._address):
            options = {"address": read_scheduler_file(Path(self._address))}
        check_certificates(options["address"])
        try:
            self._client = await Client(**options, asynchronous=True, set_as_default=False, timeout=_CONNECT_TIMEOUT_S)
        except (OSError, ValueError, TypeError) as error:
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            remedy = "start one with `dask scheduler`, or check --cluster"
            raise ClusterError(f"cannot connect to a scheduler ({cause})", remedy, path=self._address) from error
        self._client.scheduler_comm.interval = _SEND_INTERVAL_S
        self._client.subscribe_topic(tasks.TOPIC, self._on_progress_event)
        self._watcher = asyncio.ensure_future(self._watch())

    async def _close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        canceled = [task for task in self._pending if task.cancel()]
        if canceled:
            await asyncio.wait(canceled)
            await self._wait_until_idle()
        with contextlib.suppress(Exception):
            await self._client.close(timeout=1)
        if self._cluster is not None:
            await self._cluster.close()

    async def _wait_until_idle(self) -> None:
        """Wait until no worker runs a task of annotate, with a timeout: decoders end and locks are released."""
        deadline_s = time.monotonic() + _UNWIND_TIMEOUT_S
        with contextlib.suppress(Exception):
            while time.monotonic() < deadline_s:
                await asyncio.sleep(_UNWIND_INTERVAL_S)
                running = self._client.run(tasks.count_running_tasks, on_error="ignore")
                counts = await asyncio.wait_for(running, _UNWIND_TIMEOUT_S)
                if not any(counts.values()):
                    return

    async def _watch(self) -> None:
        """Follow workers that join and leave, check new ones, and notify the user if there are none."""
        idle_since_s: float | None = time.monotonic()
        try:
            while True:
                threads: dict[str, int] = await self._client.nthreads()
                if self._requirements is not None:
                    await self._check(set(threads) - self._checked)
                    self._checked = set(threads)
                    self._semaphore.resize(sum(threads.values()))
                if threads:
                    idle_since_s = None
                elif idle_since_s is None:
                    idle_since_s = time.monotonic()
                elif self._pending and 0 < idle_since_s < time.monotonic() - _NO_WORKER_NOTICE_S:
                    self._notify(
                        f"No worker is connected to {self._address}. "
                        f"Waiting; start one with `dask worker {self._scheduler_argument} --nthreads 1`."
                    )
                    idle_since_s = 0.0
                await asyncio.sleep(_WATCH_INTERVAL_S)
        except SettingsError as error:
            self._abort(error)
        except Exception as error:  # Dask raises many types when the connection is lost
            logger.info("the scheduler does not answer", exc_info=error)
            self._abort(self._connection_lost())

    async def _check(self, new: set[str]) -> None:
        """Compare versions with those of new workers, and the first time with those of the scheduler.

        Raises:
            IncompatibleWorkerError: a worker or the scheduler is incompatible.
        """
        assert self._requirements is not None
        if not self._checked and new:
            try:
                reason = await self._client.run_on_scheduler(tasks.check_scheduler, self._requirements)
            except ImportError as error:
                raise tasks.import_failure(f"scheduler {self._address}", error) from None
            if reason:
                raise IncompatibleWorkerError(reason, _SAME_VERSIONS, path=f"scheduler {self._address}")
        if not new:
            return
        answers = await self._client.run(tasks.check_worker, self._requirements, workers=sorted(new), on_error="return")
        for address, answer in answers.items():
            if isinstance(answer, ImportError | AttributeError):
                raise tasks.import_failure(f"worker {address}", answer)
            if isinstance(answer, OSError):
                continue  # the worker has left meanwhile
            if answer:
                raise IncompatibleWorkerError(answer, _SAME_VERSIONS, path=f"worker {address}")

    def _abort(self, error: Exception) -> None:
        """End the run with an error."""
        self._error = error
        for task in self._pending:
            task.cancel()

    def _connection_lost(self) -> ClusterError:
        remedy = "restart the scheduler and rerun to continue"
        return ClusterError("connection to the scheduler lost", remedy, path=self._address)

    @property
    def _scheduler_argument(self) -> str:
        """The address as an argument of ``dask worker``."""
        return f"--scheduler-file {self._address}" if is_scheduler_file(self._address) else self._address

    def _on_progress_event(self, event: tuple[float, Any]) -> None:
        """Receive progress that a worker reported."""
        try:
            run_id, number, chunk, done_s, duration_s = event[1]
        except (TypeError, ValueError):
            return
        progress = self._progress.get(number) if run_id == self._run_id else None
        if progress is not None and self._on_progress is not None:
            progress.chunks_s[chunk] = done_s
            progress.duration_s = duration_s or progress.duration_s
            self._on_progress(progress.path, sum(progress.chunks_s.values()), progress.duration_s)

    async def _run_job(self, task: Task[AnyJob], user_job: AnyJob) -> Outcome:
        if self._error is not None:
            raise self._error
        current = asyncio.current_task()
        assert current is not None
        job = jobs.to_worker(user_job, self._worker_limits)
        self._requirements = self._requirements or Requirements.of(job)
        number = next(self._numbers)
        self._progress[number] = _VideoProgress(user_job.path)
        self._pending.add(current)
        try:
            for _ in range(jobs.locked_tries(job)):
                outcome = await self._attempt(task, job, ProgressReporter(self._run_id, number))
                if outcome.status is not Status.LOCKED:
                    break
                await asyncio.sleep(jobs.LOCKED_DELAY_S)
        except (asyncio.CancelledError, CancelledError):
            if self._closed:
                raise
            self._error = self._error or self._connection_lost()
            raise self._error from None
        finally:
            self._pending.discard(current)
            del self._progress[number]
        return jobs.with_user_paths(outcome, job, user_job)

    async def _attempt(self, task: Task[AnyJob], job: AnyJob, reporter: ProgressReporter) -> Outcome:
        from distributed import KilledWorker

        assert self._requirements is not None
        try:
            result = await self._run_task(_NEW, tasks.run_job, task, job, self._requirements, reporter)
            if isinstance(result, Outcome):
                return result
            assert isinstance(job, AnnotateJob)
            self._progress[reporter.number].duration_s = result.duration_s
            return await self._run_in_chunks(job, reporter, result)
        except KilledWorker as death:
            count = death.allowed_failures + 1
            problem = (
                f"{count} workers crashed on this video, the last at {death.last_worker.address} "
                "(out of memory or a decoder fault)"
            )
            return Outcome(job.path, Status.FAILED, problem=problem, remedy="check the video and the workers' free memory")
        except IncompatibleWorkerError as error:
            self._abort(error)
            raise
        except ImportError as error:
            failure = tasks.import_failure("a worker", error)
            self._abort(failure)
            raise failure from None
        except Exception as error:  # noqa: BLE001  (a bug that affects one video must not end a run over thousands)
            return Outcome.failed_internally(job.path, error)

    async def _run_in_chunks(self, job: AnnotateJob, reporter: ProgressReporter, plan: ChunkPlan) -> Outcome:
        """Process a long video: one task per chunk, and one that merges them."""
        pending = [
            asyncio.ensure_future(
                self._run_task_remotely(_CHUNK, tasks.run_chunk, job, self._requirements, reporter, number, plan.count)
            )
            for number in range(plan.count)
        ]
        chunks: list[Any] = []
        try:
            chunks = await asyncio.gather(*pending)
            outcome: Outcome = await self._run_task(_MERGE, tasks.run_merge, job, self._requirements, reporter, plan, chunks)
            return outcome
        finally:
            for chunk_task in pending:
                chunk_task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            for chunk in chunks:
                chunk.release()

    async def _run_task(self, priority: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a task and return its result."""
        future = await self._run_task_remotely(priority, function, *arguments)
        try:
            return await future
        finally:
            future.release()

    async def _run_task_remotely(self, priority: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a task and return its finished Dask future; the result stays on the worker until the future is released."""
        from distributed import wait

        async with self._semaphore.acquire(priority):
            key = f"{tasks.KEY_PREFIX}{function.__name__}-{uuid.uuid4()}"
            future = self._client.submit(function, *arguments, key=key, pure=False, priority=priority)
            try:
                with self._client.as_current():
                    await wait(future)
            except BaseException:
                future.release()
                raise
        if future.status == "error":
            error = await future.exception()
            future.release()
            raise error
        return future


class _VideoProgress:
    """Progress of a video: processed seconds of each chunk."""

    def __init__(self, path: PathOrUrl) -> None:
        self.path = path
        self.chunks_s: dict[int, float] = {}
        self.duration_s: float | None = None


def _silence_dask() -> None:
    """Hide the log messages of Dask unless verbose output is enabled."""
    import distributed  # noqa: F401  (sets up its loggers)

    if logging.getLogger().isEnabledFor(logging.INFO):
        return
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
