"""An asyncio semaphore that admits waiting tasks by priority."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator


class PrioritySemaphore:
    """Admits at most ``size`` tasks of one event loop at a time: the highest priority first, then the earliest.

    >>> async def run_by_priority():
    ...     semaphore, order = PrioritySemaphore(), []
    ...     async def task(priority):
    ...         async with semaphore.acquire(priority):
    ...             order.append(priority)
    ...     tasks = [asyncio.ensure_future(task(priority)) for priority in (0, 2, 1)]
    ...     await asyncio.sleep(0)
    ...     semaphore.resize(1)
    ...     await asyncio.gather(*tasks)
    ...     return order
    >>> asyncio.run(run_by_priority())
    [2, 1, 0]
    """

    def __init__(self) -> None:
        self.size = 0
        self._active = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def resize(self, size: int) -> None:
        """Set the maximum number of admitted tasks; tasks already admitted continue."""
        self.size = size
        self._admit()

    @contextlib.asynccontextmanager
    async def acquire(self, priority: int) -> AsyncIterator[None]:
        """Wait for admission; release it on exit."""
        admission: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-priority, next(self._numbers), admission))
        self._admit()
        try:
            await admission
            yield
        finally:
            if admission.done() and not admission.cancelled():
                self._active -= 1
                self._admit()

    def _admit(self) -> None:
        while self._waiting and self._active < self.size:
            _, _, admission = heapq.heappop(self._waiting)
            if not admission.cancelled():
                self._active += 1
                admission.set_result(None)
