"""Broker of events: pending events of a slow listener are replaced, so that it gets the latest of each video."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

Event = dict[str, Any]
"""Document about the video ``id``, or about the archive as a whole."""

ARCHIVE = "archive"
"""The ``id`` of events of the archive."""


class TooManyError(Exception):
    """Nobody more can listen."""


class _Listener:
    def __init__(self, video: str | None) -> None:
        self.video = video
        self.waiting: dict[str, Event] = {}
        self.woken = asyncio.Event()


class EventBroker:
    """Passes events on from any thread; at most ``most`` listen at a time, and of one address ``max_of_one``."""

    def __init__(self, most: int, max_of_one: int) -> None:
        self._most = most
        self._max_of_one = max_of_one
        self._listeners: set[_Listener] = set()
        self._of_address: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def open(self) -> None:
        """Begin to pass events on, in the running event loop."""
        self._loop = asyncio.get_running_loop()

    def publish(self, event: Event) -> None:
        """Pass on an event of the video ``event["id"]``; may be called by any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._spread, event)

    def close(self) -> None:
        """Let all listeners go; may be called by any thread, and by a handler of signals."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._close)

    def subscribe(self, address: str, video: str | None = None) -> AsyncIterator[Event]:
        """Return events from now on, of one video or of all, until the broker is closed.

        Raises:
            TooManyError: too many listen already.
        """
        if self._is_full(address):
            raise TooManyError
        return self._events(video, address)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def _is_full(self, address: str) -> bool:
        return len(self._listeners) >= self._most or self._of_address[address] >= self._max_of_one

    async def _events(self, video: str | None, address: str) -> AsyncIterator[Event]:
        """Yield events to a listener, who counts from the first step on: one that is never begun holds no place."""
        if self._is_full(address):
            return
        listener = _Listener(video)
        self._listeners.add(listener)
        self._of_address[address] += 1
        try:
            while not self._is_closed:
                await listener.woken.wait()
                listener.woken.clear()
                waiting, listener.waiting = listener.waiting, {}
                for event in waiting.values():
                    yield event
        finally:
            self._listeners.discard(listener)
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def _spread(self, event: Event) -> None:
        for listener in self._listeners:
            if listener.video in (None, event["id"]):
                listener.waiting[str(event["id"])] = event
                listener.woken.set()

    def _close(self) -> None:
        self._is_closed = True
        for listener in self._listeners:
            listener.woken.set()
