"""A bound on how many tasks are under way, the most urgent first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator


class PrioritySemaphore:
    """Lets ``size`` tasks of one event loop be inside at a time: of those that wait the most urgent, then the earliest.

    >>> async def urgent_first():
    ...     gate, order = PrioritySemaphore(), []
    ...     async def task(urgency):
    ...         async with gate.acquire(urgency):
    ...             order.append(urgency)
    ...     tasks = [asyncio.ensure_future(task(urgency)) for urgency in (0, 2, 1)]
    ...     await asyncio.sleep(0)
    ...     gate.resize(1)
    ...     await asyncio.gather(*tasks)
    ...     return order
    >>> asyncio.run(urgent_first())
    [2, 1, 0]
    """

    def __init__(self) -> None:
        self.size = 0
        self._inside = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def resize(self, size: int) -> None:
        """From now on so many may be inside; those that are stay."""
        self.size = size
        self._admit()

    @contextlib.asynccontextmanager
    async def acquire(self, urgency: int) -> AsyncIterator[None]:
        """Waits to be let in, and leaves at the end."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-urgency, next(self._numbers), turn))
        self._admit()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._inside -= 1
                self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self.size:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.cancelled():
                self._inside += 1
                turn.set_result(None)
