"""Workers of a Dask cluster, behind the same interface as worker processes on this machine.

An event loop in a thread of its own follows each job: handed to a worker, and if that finds a long video, divided into
tasks of a part each and one that joins them where their results are. As many tasks as there are cores are with the
scheduler at a time, so that none waits there behind another, and a worker that dies is laid to its own task only.
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

from annotate.batch.executor import OnProgress
from annotate.batch.job import AnnotateJob, AnyJob, Outcome, Status, Task
from annotate.cluster import jobs
from annotate.cluster import tasks as tasks
from annotate.cluster.address import LOCAL, address_in, check_address, check_certificates, is_scheduler_file
from annotate.cluster.priority_semaphore import PrioritySemaphore
from annotate.cluster.tasks import Need, ProgressReporter, WrongWorkerError
from annotate.errors import ClusterError, SettingsError
from annotate.extras import check_extra
from annotate.settings import Limits, available_cores
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    import distributed

    from annotate.batch.annotate import ChunkPlan

Result = TypeVar("Result")

ALLOWED_FAILURES = 2
"""Deaths of workers that a task survives on a ``local`` cluster: with the third it is given up."""

_ANY_LOOPBACK_PORT = "127.0.0.1:0"
_NEW, _CHUNK, _MERGE = range(3)
_MIN_SLOTS = 2
_LOOK_INTERVAL_S = 0.5
_SILENCE_S = 3.0
_CONNECT_TIMEOUT_S = 15.0
_SEND_INTERVAL_S = 0.002
"""A client of Dask gathers messages for 10 ms otherwise, for which a worker would wait between two tasks."""

_SAME = "install the same on all"
_UNWIND_TIMEOUT_S = 8.0
_UNWIND_INTERVAL_S = 0.1
_CLOSE_TIMEOUT_S = 20.0

logger = logging.getLogger(__name__)


class ClusterExecutor:
    """The workers of a cluster at ``address``: ``local``, a scheduler's address, or the path of a scheduler file.

    ``local`` starts ``jobs`` worker processes here, one a core if that is not given; another cluster is used as it is, with
    the workers it has at the time, and left running. ``tell`` is given sentences for people while a run goes on.

    Raises:
        SettingsError: the address is none, or the extra is missing.
        ClusterError: no scheduler answers there.
    """

    def __init__(
        self,
        address: str,
        on_progress: OnProgress | None = None,
        *,
        jobs: int | None = None,
        tell: Callable[[str], None] | None = None,
        means: Limits | None = None,
    ) -> None:
        check_address(address)
        check_extra("--cluster", "cluster", {"distributed": "distributed"})
        self._address = address
        self._on_progress = on_progress
        self._means = means
        self._tell = tell or logger.info
        self._jobs = jobs or available_cores()
        self._run = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._gate = PrioritySemaphore()
        self._checked: set[str] = set()
        self._need: Need | None = None
        self._error: Exception | None = None
        self._closed = False
        self._in_work: dict[int, _Progress] = {}
        self._outstanding: set[asyncio.Task[Outcome]] = set()
        _silence()
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
        """Cores of the workers that are there now, but no less than two, so that jobs are handed over ahead."""
        return max(_MIN_SLOTS, self._gate.size)

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Hand a job over; it waits if no worker is there. What ends the run is raised by its future."""
        return asyncio.run_coroutine_threadsafe(self._outcome(task, job), self._loop)

    def restart(self) -> None:
        """There is nothing to make anew: the scheduler gives tasks of workers that died to others."""

    def close(self) -> None:
        """Calls off what is under way, and waits a little until it is unwound; a ``local`` cluster is ended."""
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
            options = {"address": address_in(Path(self._address))}
        check_certificates(options["address"])
        try:
            self._client = await Client(**options, asynchronous=True, set_as_default=False, timeout=_CONNECT_TIMEOUT_S)
        except (OSError, ValueError, TypeError) as error:
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            remedy = "start one with `dask scheduler`, or check --cluster"
            raise ClusterError(f"no scheduler answers there ({cause})", remedy, path=self._address) from error
        self._client.scheduler_comm.interval = _SEND_INTERVAL_S
        self._client.subscribe_topic(tasks.TOPIC, self._report)
        self._watcher = asyncio.ensure_future(self._watch())

    async def _close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        called_off = [task for task in self._outstanding if task.cancel()]
        if called_off:
            await asyncio.wait(called_off)
            await self._unwound()
        with contextlib.suppress(Exception):
            await self._client.close(timeout=1)
        if self._cluster is not None:
            await self._cluster.close()

    async def _unwound(self) -> None:
        """Until no worker is at a task of this program any more, or for some seconds: decoders end, locks go."""
        deadline_s = time.monotonic() + _UNWIND_TIMEOUT_S
        with contextlib.suppress(Exception):
            while time.monotonic() < deadline_s:
                await asyncio.sleep(_UNWIND_INTERVAL_S)
                answers = await asyncio.wait_for(self._client.run(tasks.count_working, on_error="ignore"), _UNWIND_TIMEOUT_S)
                if not any(answers.values()):
                    return

    async def _watch(self) -> None:
        """Follows the workers that come and go, and says so if there are none."""
        alone_since_s: float | None = time.monotonic()
        try:
            while True:
                threads: dict[str, int] = await self._client.nthreads()
                if self._need is not None:
                    await self._check(set(threads) - self._checked)
                    self._checked = set(threads)
                    self._gate.resize(sum(threads.values()))
                if threads:
                    alone_since_s = None
                elif alone_since_s is None:
                    alone_since_s = time.monotonic()
                elif self._outstanding and 0 < alone_since_s < time.monotonic() - _SILENCE_S:
                    self._tell(
                        f"no worker is connected to {self._address}; videos wait until there is one "
                        f"(`dask worker {self._place} --nthreads 1`)"
                    )
                    alone_since_s = 0.0
                await asyncio.sleep(_LOOK_INTERVAL_S)
        except SettingsError as error:
            self._end(error)
        except Exception as error:  # whatever a connection that is gone brings
            logger.info("the scheduler does not answer", exc_info=error)
            self._end(self._gone())

    async def _check(self, new: set[str]) -> None:
        """Compares versions on workers that are new, and at first on the scheduler.

        Raises:
            WrongWorkerError: one is not like this process.
        """
        assert self._need is not None
        if not self._checked and new:
            try:
                reason = await self._client.run_on_scheduler(tasks.check_scheduler, self._need)
            except ImportError as error:
                raise _without_program(f"the scheduler at {self._address}", error) from None
            if reason:
                raise WrongWorkerError(reason, _SAME, path=f"the scheduler at {self._address}")
        if not new:
            return
        answers = await self._client.run(tasks.check_worker, self._need, workers=sorted(new), on_error="return")
        for address, answer in answers.items():
            if isinstance(answer, ImportError | AttributeError):
                raise _without_program(f"worker {address}", answer)
            if isinstance(answer, OSError):
                continue  # it has gone meanwhile
            if answer:
                raise WrongWorkerError(answer, _SAME, path=f"worker {address}")

    def _end(self, error: Exception) -> None:
        """Ends the run with an error."""
        self._error = error
        for task in self._outstanding:
            task.cancel()

    def _gone(self) -> ClusterError:
        remedy = "start it again and give the same command to go on"
        return ClusterError("the connection to the scheduler is lost", remedy, path=self._address)

    @property
    def _place(self) -> str:
        """As ``dask worker`` takes the address."""
        return f"--scheduler-file {self._address}" if is_scheduler_file(self._address) else self._address

    def _report(self, event: tuple[float, Any]) -> None:
        """A worker tells how far it is."""
        try:
            run, number, chunk, done_s, duration_s = event[1]
        except (TypeError, ValueError):
            return
        progress = self._in_work.get(number) if run == self._run else None
        if progress is not None and self._on_progress is not None:
            progress.chunks_s[chunk] = done_s
            progress.duration_s = duration_s or progress.duration_s
            self._on_progress(progress.path, sum(progress.chunks_s.values()), progress.duration_s)

    async def _outcome(self, task: Task[AnyJob], given: AnyJob) -> Outcome:
        if self._error is not None:
            raise self._error
        current = asyncio.current_task()
        assert current is not None
        job = jobs.to_worker(given, self._means)
        self._need = self._need or Need.of(job)
        number = next(self._numbers)
        self._in_work[number] = _Progress(given.path)
        self._outstanding.add(current)
        try:
            for _ in range(jobs.busy_tries(job)):
                outcome = await self._attempt(task, job, ProgressReporter(self._run, number))
                if outcome.status is not Status.LOCKED:
                    break
                await asyncio.sleep(jobs.BUSY_DELAY_S)
        except (asyncio.CancelledError, CancelledError):
            if self._closed:
                raise
            self._error = self._error or self._gone()
            raise self._error from None
        finally:
            self._outstanding.discard(current)
            del self._in_work[number]
        return jobs.with_user_paths(outcome, job, given)

    async def _attempt(self, task: Task[AnyJob], job: AnyJob, reporter: ProgressReporter) -> Outcome:
        from distributed import KilledWorker

        assert self._need is not None
        try:
            answer = await self._answer(_NEW, tasks.do, task, job, self._need, reporter)
            if isinstance(answer, Outcome):
                return answer
            assert isinstance(job, AnnotateJob)
            self._in_work[reporter.number].duration_s = answer.duration_s
            return await self._in_chunks(job, reporter, answer)
        except KilledWorker as death:
            count = death.allowed_failures + 1
            problem = (
                f"{count} worker processes died on it, the last at {death.last_worker.address} "
                "(out of memory, or a fault in a decoder)"
            )
            return Outcome(job.path, Status.FAILED, problem=problem, remedy="look at it by itself")
        except WrongWorkerError as error:
            self._end(error)
            raise
        except ImportError as error:
            wrong = _without_program("a worker", error)
            self._end(wrong)
            raise wrong from None
        except Exception as error:  # noqa: BLE001  (a fault of ours with one video must not end a run over thousands)
            return Outcome.failed_internally(job.path, error)

    async def _in_chunks(self, job: AnnotateJob, reporter: ProgressReporter, plan: ChunkPlan) -> Outcome:
        """A long video, one task per chunk and one that merges them."""
        pending = [
            asyncio.ensure_future(self._kept(_CHUNK, tasks.analyze, job, self._need, reporter, number, plan.count))
            for number in range(plan.count)
        ]
        chunks: list[Any] = []
        try:
            chunks = await asyncio.gather(*pending)
            outcome: Outcome = await self._answer(_MERGE, tasks.merge, job, self._need, reporter, plan, chunks)
            return outcome
        finally:
            for one in pending:
                one.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            for chunk in chunks:
                chunk.release()

    async def _answer(self, urgency: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a task gives, once it was its turn."""
        future = await self._kept(urgency, function, *arguments)
        try:
            return await future
        finally:
            future.release()

    async def _kept(self, urgency: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """A task's result that lies with its worker, as long as what is given here is not released."""
        from distributed import wait

        async with self._gate.acquire(urgency):
            key = f"{tasks.KEY_PREFIX}{function.__name__}-{uuid.uuid4()}"
            future = self._client.submit(function, *arguments, key=key, pure=False, priority=urgency)
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


class _Progress:
    """How far a video is: seconds done of each chunk."""

    def __init__(self, path: PathOrUrl) -> None:
        self.path = path
        self.chunks_s: dict[int, float] = {}
        self.duration_s: float | None = None


def _without_program(who: str, error: BaseException) -> WrongWorkerError:
    problem = f"this program does not load there ({error})"
    return WrongWorkerError(problem, "install annotate with the extra cluster on all", path=who)


def _silence() -> None:
    """Keeps the library's own log off the terminal, unless more was asked for."""
    import distributed  # noqa: F401  (it sets its loggers up)

    if logging.getLogger().isEnabledFor(logging.INFO):
        return
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
