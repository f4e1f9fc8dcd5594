"""Process orders: one thread per slot, each with its own worker processes, which run the jobs of the command line."""

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
from annotate.server.derived import DerivedVideos, make_derived
from annotate.server.messages import public_message
from annotate.server.queue import Order, OrderKind, OrderState, Queue
from annotate.settings import ALL_CORES, ONE_CORE, Limits, available_cores
from annotate.storage.values import PathOrUrl

NICENESS = 10
"""Niceness of worker processes: the server has priority, so that its pages stay fast."""

_TAKE_TIMEOUT_S = 0.5
_FIRST_SCAN_POLL_S = 0.05
_LOCKED_DELAY_S = 10.0

logger = logging.getLogger(__name__)

OnAdvance = Callable[[], None]


class Cancelled(Exception):  # noqa: N818  (requested by a client, not an error)
    """The order was canceled."""


@dataclass
class OrderProgress:
    """Progress of an order in seconds of video; ``duration_s`` is None while unknown, ``started_s`` is monotonic time."""

    done_s: float = 0.0
    duration_s: float | None = None
    started_s: float = field(default_factory=time.monotonic)

    @property
    def remaining_s(self) -> float | None:
        """Estimated seconds until the order is done, at the speed so far; None while unknown."""
        if not self.duration_s or not self.done_s:
            return None
        return max(0.0, self.duration_s - self.done_s) * (time.monotonic() - self.started_s) / self.done_s


class Slot:
    """Executor of one order at a time; another thread can cancel it."""

    slots = 1

    def __init__(self) -> None:
        self.order: Order | None = None
        self.progress = OrderProgress()
        self.cancelled = threading.Event()
        self._on_advance: OnAdvance | None = None
        self._lock = threading.Lock()
        self._workers: ProcessExecutor | None = None

    def assign(self, order: Order, on_advance: OnAdvance) -> None:
        """Occupy the slot with an order; ``on_advance`` is called whenever its progress changes."""
        with self._lock:
            self.progress = OrderProgress()
            self._on_advance = on_advance
            self.cancelled.clear()
            self.order = order

    def release(self) -> None:
        """Free the slot."""
        with self._lock:
            self.order = None

    def use_cores(self, count: int) -> None:
        """Use ``count`` worker processes, which analyze the chunks of a long video in parallel."""
        with self._lock:
            if self._workers is None or self._workers.slots != count:
                if self._workers is not None:
                    self._workers.close()
                self._workers = ProcessExecutor(count, self._on_progress, niceness=NICENESS)

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        """Submit the order's job to the workers.

        Raises:
            Cancelled: the order was canceled.
        """
        with self._lock:
            if self.cancelled.is_set() or self._workers is None:
                raise Cancelled
            return self._workers.submit(task, job)

    def restart(self) -> None:
        """Replace broken workers."""
        with self._lock:
            if self._workers is not None:
                self._workers.restart()

    def close(self) -> None:
        """Do nothing: the workers are kept for the next order."""

    def cancel(self, order: Order | None = None) -> bool:
        """Stop the work and its processes, or only if it is on ``order``; return whether it was stopped."""
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
            self.progress.started_s = time.monotonic()
        self.progress.done_s, self.progress.duration_s = done_s, duration_s
        if self._on_advance is not None:
            self._on_advance()


class Runner:
    """Threads that process ``jobs`` orders at a time; ``notify`` is called with a video's id on every change."""

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
        """Start to take orders."""
        for number, slot in enumerate(self._slots):
            thread = threading.Thread(target=self._process_orders, args=(slot,), daemon=True, name=f"slot {number}")
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Stop all work; unfinished orders stay in the queue for the next start."""
        self._stopping.set()
        self._queue.stop()
        for slot in self._slots:
            slot.cancel()
        for thread in self._threads:
            thread.join()

    def progress(self, video_id: str, kind: OrderKind) -> OrderProgress | None:
        """Return the progress of an order; None if it is not running."""
        slot = self._find_slot(video_id, kind)
        return None if slot is None else slot.progress

    def cancel(self, video_id: str, kind: OrderKind) -> bool:
        """Cancel a waiting or running order; return False if there is none."""
        if self._queue.cancel_waiting(video_id, kind):
            self._notify(video_id)
            return True
        slot = self._find_slot(video_id, kind)
        return slot is not None and slot.cancel(slot.order)

    def _find_slot(self, video_id: str, kind: OrderKind) -> Slot | None:
        for slot in self._slots:
            order = slot.order
            if order is not None and (order.video_id, order.kind) == (video_id, kind):
                return slot
        return None

    def _process_orders(self, slot: Slot) -> None:
        while not self._stopping.is_set():
            if not self._catalog.snapshot.is_complete:
                self._stopping.wait(_FIRST_SCAN_POLL_S)
                continue
            order = self._queue.take(_TAKE_TIMEOUT_S)
            if order is None:
                continue
            slot.assign(order, partial(self._notify, order.video_id))
            self._notify(order.video_id)
            finish = self._process(order, slot)
            slot.release()
            try:
                self._catalog.refresh(order.video_id)  # before the order ends, so that clients then see its results
            except Exception:  # the disk may be unavailable; the next scan tries again
                logger.exception("cannot refresh %s", order.video_id)
            finish()
            self._notify(order.video_id)
        slot.cancel()

    def _process(self, order: Order, slot: Slot) -> Callable[[], None]:
        """Process an order, and return a function that records its result in the queue."""
        queue = self._queue
        video = self._catalog.find(order.video_id)
        if video is None:
            return lambda: queue.finish(order, OrderState.FAILED, "the video no longer exists")
        try:
            outcome = self._run_job(order, video, slot)
        except (Cancelled, CancelledError):
            if self._stopping.is_set():
                return lambda: queue.requeue(order)
            return lambda: queue.finish(order, OrderState.CANCELLED)
        except Exception as error:  # a bug that one video triggers must not stop the server
            logger.exception("order for %s", order.video_id)
            problem = f"internal error ({type(error).__name__}); please report it"
            return lambda: queue.finish(order, OrderState.FAILED, problem)
        if outcome.trace:
            logger.info("%s", outcome.trace)
        if outcome.status is Status.LOCKED:
            return lambda: queue.requeue(order, _LOCKED_DELAY_S)
        state = OrderState.FAILED if outcome.status is Status.FAILED else OrderState.DONE
        reason = public_message(outcome, outcome.about)
        return lambda: queue.finish(order, state, reason)

    def _make_job(self, order: Order, video: CatalogVideo, limits: Limits) -> tuple[Task[Any], Job]:
        """Return task and job of an order: those of the command line, or those that make a derived video."""
        if order.kind is not OrderKind.ANNOTATE:
            return make_derived, self._derived.job(video, order.kind, limits)
        item, settings = ArchiveItem.read(video.path, video.target), self._catalog.settings.analysis
        return annotate_video, AnnotateJob(item, settings, OutputOptions(retry_failed=True), self._model_hash, limits)

    def _run_job(self, order: Order, video: CatalogVideo, slot: Slot) -> Outcome:
        """Run the job of an order; the cores are divided equally among the orders that can run at once."""
        busy = self._queue.count(OrderState.RUNNING) + self._queue.count(OrderState.WAITING)
        cores = available_cores()
        share = max(1, cores // max(1, min(len(self._slots), busy)))
        slot.use_cores(share)
        task, job = self._make_job(order, video, ALL_CORES if share == cores else ONE_CORE)
        return next(iter(run_jobs(task, [job], slot)))
