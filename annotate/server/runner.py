"""Work on orders: one thread per slot, each with worker processes of its own that do the command line's jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem
from annotate.batch.annotate import annotate_video
from annotate.batch.job import AnnotateJob, AnyJob, Job, Outcome, Status, Task
from annotate.batch.processes import ProcessExecutor
from annotate.batch.run import run_jobs
from annotate.server.catalog import Catalog, CatalogVideo
from annotate.server.copies import DerivedVideos, make_copy
from annotate.server.queue import Kind, Order, Queue, State
from annotate.server.wording import for_readers_elsewhere
from annotate.settings import ALL_CORES, ONE_CORE, Limits, available_cores
from annotate.storage.values import PathOrUrl

NICENESS = 10
"""Workers give way to the server itself, so that its pages stay quick."""

_TAKE_TIMEOUT_S = 0.5
_FIRST_SCAN_POLL_S = 0.05
_BUSY_DELAY_S = 10.0

logger = logging.getLogger(__name__)

OnAdvance = Callable[[], None]


class Cancelled(Exception):  # noqa: N818  (it is asked for, and no error)
    """The work was cancelled."""


@dataclass
class OrderProgress:
    """Progress of an order in seconds of video; the length is None while it is not known."""

    done_s: float = 0.0
    duration_s: float | None = None
    begun_s: float = field(default_factory=time.monotonic)

    @property
    def to_go_s(self) -> float | None:
        """Seconds that the rest will take at the pace so far; None if that cannot be told yet."""
        if not self.duration_s or not self.done_s:
            return None
        return max(0.0, self.duration_s - self.done_s) * (time.monotonic() - self.begun_s) / self.done_s


class Slot:
    """Executor for one order at a time, which another thread can cancel."""

    slots = 1

    def __init__(self) -> None:
        self.order: Order | None = None
        self.progress = OrderProgress()
        self.cancelled = threading.Event()
        self._on_advance: OnAdvance | None = None
        self._lock = threading.Lock()
        self._workers: ProcessExecutor | None = None

    def begin(self, order: Order, on_advance: OnAdvance) -> None:
        """Take an order; ``on_advance`` is called with every progress."""
        with self._lock:
            self.progress = OrderProgress()
            self._on_advance = on_advance
            self.cancelled.clear()
            self.order = order

    def end(self) -> None:
        """Let go of the order."""
        with self._lock:
            self.order = None

    def use_cores(self, count: int) -> None:
        """Let so many chunks of a long video be analyzed at once."""
        with self._lock:
            if self._workers is None or self._workers.slots != count:
                if self._workers is not None:
                    self._workers.close()
                self._workers = ProcessExecutor(count, self._on_progress, niceness=NICENESS)

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Hand over the order's job.

        Raises:
            Cancelled: the order was cancelled.
        """
        with self._lock:
            if self.cancelled.is_set() or self._workers is None:
                raise Cancelled
            return self._workers.submit(task, job)

    def restart(self) -> None:
        """Make new workers in place of broken ones."""
        with self._lock:
            if self._workers is not None:
                self._workers.restart()

    def close(self) -> None:
        """Do nothing: the workers stay for the next order."""

    def cancel(self, order: Order | None = None) -> bool:
        """End the work, with its processes; with an ``order``, only if that is the one. Returns whether it was ended."""
        with self._lock:
            if order is not None and order is not self.order:
                return False
            self.cancelled.set()
            if self._workers is not None:
                self._workers.close()
            return True

    def _on_progress(self, path: PathOrUrl, done_s: float, duration_s: float | None) -> None:
        if self.order is None or self.cancelled.is_set():
            return
        if not self.progress.done_s:
            self.progress.begun_s = time.monotonic()
        self.progress.done_s, self.progress.duration_s = done_s, duration_s
        if self._on_advance is not None:
            self._on_advance()


class Runner:
    """Takes orders in turn and does them, ``jobs`` at a time; ``notify`` is called with a video's id on every change."""

    def __init__(
        self,
        jobs: int,
        queue: Queue,
        catalog: Catalog,
        derived: DerivedVideos,
        model_hash: str,
        notify: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._catalog = catalog
        self._derived = derived
        self._model_hash = model_hash
        self._notify = notify
        self._slots = [Slot() for _ in range(jobs)]
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to take orders."""
        for number, slot in enumerate(self._slots):
            thread = threading.Thread(target=self._serve, args=(slot,), daemon=True, name=f"slot {number}")
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """End all work; orders that are not done wait for the next start."""
        self._stopping.set()
        self._queue.stop()
        for slot in self._slots:
            slot.cancel()
        for thread in self._threads:
            thread.join()

    def progress(self, video: str, kind: Kind) -> OrderProgress | None:
        """Return the progress of an order; None if nobody works on it."""
        slot = self._slot_of(video, kind)
        return None if slot is None else slot.progress

    def cancel(self, video: str, kind: Kind) -> bool:
        """Cancel an order, whether it waits or is under way; return False if it does neither."""
        if self._queue.cancel_waiting(video, kind):
            self._notify(video)
            return True
        slot = self._slot_of(video, kind)
        return slot is not None and slot.cancel(slot.order)

    def _slot_of(self, video: str, kind: Kind) -> Slot | None:
        for slot in self._slots:
            order = slot.order
            if order is not None and (order.video, order.kind) == (video, kind):
                return slot
        return None

    def _serve(self, slot: Slot) -> None:
        while not self._stopping.is_set():
            if not self._catalog.snapshot.is_complete:
                self._stopping.wait(_FIRST_SCAN_POLL_S)
                continue
            order = self._queue.take(_TAKE_TIMEOUT_S)
            if order is None:
                continue
            slot.begin(order, partial(self._notify, order.video))
            self._notify(order.video)
            end = self._do(order, slot)
            slot.end()
            try:
                self._catalog.refresh(order.video)  # before the order counts as done, so that its results are seen then
            except Exception:  # a disk may be gone; the next scan tries again
                logger.exception("%s could not be refreshed", order.video)
            end()
            self._notify(order.video)
        slot.cancel()

    def _do(self, order: Order, slot: Slot) -> Callable[[], None]:
        """Do an order, and return what tells the queue how it ended."""
        queue = self._queue
        video = self._catalog.find(order.video)
        if video is None:
            return lambda: queue.finish(order, State.FAILED, "the video is not there any more")
        try:
            outcome = self._outcome(order, video, slot)
        except (Cancelled, CancelledError):
            if self._stopping.is_set():
                return lambda: queue.put_back(order)
            return lambda: queue.finish(order, State.CANCELLED)
        except Exception as error:  # a fault of ours with one video must not end the server
            logger.exception("order for %s", order.video)
            fault = f"an error of this program ({type(error).__name__}); please report it"
            return lambda: queue.finish(order, State.FAILED, fault)
        if outcome.trace:
            logger.info("%s", outcome.trace)
        if outcome.status is Status.LOCKED:
            return lambda: queue.put_back(order, _BUSY_DELAY_S)
        state = State.FAILED if outcome.status is Status.FAILED else State.DONE
        reason = for_readers_elsewhere(outcome, outcome.about)
        return lambda: queue.finish(order, state, reason)

    def _job(self, order: Order, video: CatalogVideo, limits: Limits) -> tuple[Task[Any], Job]:
        """Return what the command line would do for the video, or what makes a copy of it."""
        if order.kind is not Kind.ANNOTATE:
            return make_copy, self._derived.job(video, order.kind, limits)
        item, settings = ArchiveItem.read(video.path, video.target), self._catalog.settings.analysis
        return annotate_video, AnnotateJob(item, settings, OutputOptions(), self._model_hash, limits)

    def _outcome(self, order: Order, video: CatalogVideo, slot: Slot) -> Outcome:
        """Do an order; one that is alone gets all cores, of several each gets its share."""
        busy = self._queue.count(State.RUNNING) + self._queue.count(State.WAITING)
        cores = available_cores()
        share = max(1, cores // max(1, min(len(self._slots), busy)))
        slot.use_cores(share)
        task, job = self._job(order, video, ALL_CORES if share == cores else ONE_CORE)
        return next(iter(run_jobs(task, [job], slot)))
