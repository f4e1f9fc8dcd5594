"""Doing what is ordered: a thread a slot, each with worker processes of its own that do the command line's jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from annotate.archive.layout import Wanted
from annotate.batch.job import Job, Outcome, Status, Work
from annotate.batch.processes import ProcessWorkers
from annotate.batch.run import run_jobs
from annotate.server.catalog import Library, Video
from annotate.server.queue import Kind, Order, Queue, State
from annotate.settings import AUTOMATIC_THREADS, ONE_CORE, Limits, available_cores

NICENESS = 10
"""Workers give way to the server itself, so that its pages stay quick."""

_TAKE_TIMEOUT_S = 0.5
_LOOK_INTERVAL_S = 0.05
_BUSY_DELAY_S = 10.0

logger = logging.getLogger(__name__)

Advance = Callable[[], None]


class Cancelled(Exception):  # noqa: N818  (it is asked for, and no error)
    """The work was called off."""


@dataclass
class Progress:
    """How far an order is: seconds of video that are done, of so many if that is known."""

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
    """Workers for one order at a time, that can be called off by another thread."""

    width = 1

    def __init__(self) -> None:
        self.order: Order | None = None
        self.progress = Progress()
        self.called_off = threading.Event()
        self._advance: Advance | None = None
        self._lock = threading.Lock()
        self._workers: ProcessWorkers | None = None

    def begin(self, order: Order, advance: Advance) -> None:
        """From now on the slot is at an order."""
        with self._lock:
            self.progress = Progress()
            self._advance = advance
            self.called_off.clear()
            self.order = order

    def end(self) -> None:
        """The order is done."""
        with self._lock:
            self.order = None

    def use_cores(self, count: int) -> None:
        """So many parts of a long video may be worked on at once."""
        with self._lock:
            if self._workers is None or self._workers.width != count:
                if self._workers is not None:
                    self._workers.close()
                self._workers = ProcessWorkers(count, self._tell, niceness=NICENESS)

    def submit(self, job: Work) -> Future[Outcome]:
        """Hands the order's job over, unless it was called off."""
        with self._lock:
            if self.called_off.is_set() or self._workers is None:
                raise Cancelled
            return self._workers.submit(job)

    def restart(self) -> None:
        """Makes new workers in place of broken ones."""
        with self._lock:
            if self._workers is not None:
                self._workers.restart()

    def close(self) -> None:
        """Nothing: the workers stay for the next order."""

    def call_off(self, order: Order | None = None) -> bool:
        """Ends what is under way, with its processes; with an ``order``, only if that is it."""
        with self._lock:
            if order is not None and order is not self.order:
                return False
            self.called_off.set()
            if self._workers is not None:
                self._workers.close()
            return True

    def _tell(self, path: Path, done_s: float, duration_s: float | None) -> None:
        """So many seconds of the video are done."""
        if self.order is None or self.called_off.is_set():
            return
        if not self.progress.done_s:
            self.progress.begun_s = time.monotonic()
        self.progress.done_s, self.progress.duration_s = done_s, duration_s
        if self._advance is not None:
            self._advance()


Copier = Callable[[Video, Kind, Limits], Work]
"""Gives the job that makes a copy of a video."""


class Runner:
    """Takes orders in turn and has them done, ``jobs`` at a time; ``tell`` is told of every change of a video."""

    def __init__(
        self, jobs: int, queue: Queue, library: Library, model_hash: str, tell: Callable[[str], None], copy: Copier
    ) -> None:
        self._queue = queue
        self._library = library
        self._model_hash = model_hash
        self._tell = tell
        self._copy = copy
        self._slots = [Slot() for _ in range(jobs)]
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begins to take orders."""
        for number, slot in enumerate(self._slots):
            thread = threading.Thread(target=self._serve, args=(slot,), daemon=True, name=f"slot {number}")
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Ends all work; what was under way waits for the next start."""
        self._stopping.set()
        self._queue.stop()
        for slot in self._slots:
            slot.call_off()
        for thread in self._threads:
            thread.join()

    def progress(self, video: str, kind: Kind) -> Progress | None:
        """How far an order is that is under way."""
        slot = self._slot_of(video, kind)
        return None if slot is None else slot.progress

    def cancel(self, video: str, kind: Kind) -> bool:
        """Calls an order off, whether it waits or is under way; False if it does neither."""
        if self._queue.cancel_waiting(video, kind):
            self._tell(video)
            return True
        slot = self._slot_of(video, kind)
        return slot is not None and slot.call_off(slot.order)

    def _slot_of(self, video: str, kind: Kind) -> Slot | None:
        for slot in self._slots:
            order = slot.order
            if order is not None and (order.video, order.kind) == (video, kind):
                return slot
        return None

    def _serve(self, slot: Slot) -> None:
        while not self._stopping.is_set():
            if not self._library.snapshot.is_complete:
                self._stopping.wait(_LOOK_INTERVAL_S)
                continue
            order = self._queue.take(_TAKE_TIMEOUT_S)
            if order is None:
                continue
            slot.begin(order, partial(self._tell, order.video))
            self._tell(order.video)
            end = self._do(order, slot)
            slot.end()
            try:
                self._library.refresh(order.video)  # before the order counts as done, so that its results are seen then
            except Exception:  # a disk may be gone; the next scan looks again
                logger.exception("%s could not be looked at", order.video)
            end()
            self._tell(order.video)
        slot.call_off()

    def _do(self, order: Order, slot: Slot) -> Callable[[], None]:
        """Does what is ordered, and gives what then is to be told to the queue."""
        queue = self._queue
        video = self._library.find(order.video)
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
        if outcome.status is Status.BUSY:
            return lambda: queue.put_back(order, _BUSY_DELAY_S)
        state = State.FAILED if outcome.status is Status.FAILED else State.DONE
        reason = without_paths(outcome.reason, video)
        return lambda: queue.finish(order, state, reason)

    def _job(self, order: Order, video: Video, limits: Limits) -> Work:
        """What the command line would do for the video, or a copy of it."""
        if order.kind is not Kind.ANNOTATE:
            return self._copy(video, order.kind, limits)
        return Job(video.path, video.target, self._library.settings.analysis, Wanted(), self._model_hash, limits)

    def _outcome(self, order: Order, video: Video, slot: Slot) -> Outcome:
        """Has it done; one that is alone gets all cores, of several each gets its share."""
        busy = self._queue.count(State.RUNNING) + self._queue.count(State.WAITING)
        cores = available_cores()
        share = max(1, cores // max(1, min(len(self._slots), busy)))
        slot.use_cores(share)
        limits = Limits(threads=AUTOMATIC_THREADS) if share == cores else ONE_CORE
        return next(iter(run_jobs([self._job(order, video, limits)], slot)))


def without_paths(text: str, video: Video) -> str:
    """A sentence about a video as people elsewhere may read it: without where things lie on this machine."""
    text = text.removeprefix(f"{video.path}: ")
    for path in (video.path, video.path.parent, video.target.base.parent, video.outputs.base.parent):
        text = text.replace(str(path), path.name)
    return text.encode("utf-8", "backslashreplace").decode()
