"""Broker of events: a slow listener skips outdated events, and receives only the latest one of each video."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

Event = dict[str, Any]
"""JSON document about the video with the id ``id``, or about the whole archive."""

ARCHIVE = "archive"
"""The ``id`` of events about the whole archive."""


class TooManyListenersError(Exception):
    """The maximum number of listeners is reached."""


class _Listener:
    def __init__(self, video_id: str | None) -> None:
        self.video_id = video_id
        self.pending: dict[str, Event] = {}
        self.wake = asyncio.Event()


class EventBroker:
    """Broker between threads that publish events and listeners in the event loop, limited in total and per address."""

    def __init__(self, max_listeners: int, max_per_address: int) -> None:
        self._max_listeners = max_listeners
        self._max_per_address = max_per_address
        self._listeners: set[_Listener] = set()
        self._count_by_address: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def open(self) -> None:
        """Start to deliver events, in the running event loop."""
        self._loop = asyncio.get_running_loop()

    def publish(self, event: Event) -> None:
        """Deliver an event to all listeners to the video ``event["id"]``; thread-safe."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._deliver, event)

    def close(self) -> None:
        """End the streams of all listeners; thread-safe, and safe in signal handlers."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._close)

    def subscribe(self, address: str, video_id: str | None = None) -> AsyncIterator[Event]:
        """Return the stream of new events about one video, or about all, until the broker is closed.

        Raises:
            TooManyListenersError: the maximum number of listeners is reached.
        """
        if self._is_full(address):
            raise TooManyListenersError
        return self._events(video_id, address)

    @property
    def listeners(self) -> int:
        """Number of listeners."""
        return len(self._listeners)

    def _is_full(self, address: str) -> bool:
        is_full = len(self._listeners) >= self._max_listeners
        return is_full or self._count_by_address[address] >= self._max_per_address

    async def _events(self, video_id: str | None, address: str) -> AsyncIterator[Event]:
        """Yield events to a listener, which counts from the first step on: an unused iterator must not occupy a place."""
        if self._is_full(address):
            return
        listener = _Listener(video_id)
        self._listeners.add(listener)
        self._count_by_address[address] += 1
        try:
            while not self._is_closed:
                await listener.wake.wait()
                listener.wake.clear()
                pending, listener.pending = listener.pending, {}
                for event in pending.values():
                    yield event
        finally:
            self._listeners.discard(listener)
            self._count_by_address[address] -= 1
            if not self._count_by_address[address]:
                del self._count_by_address[address]

    def _deliver(self, event: Event) -> None:
        for listener in self._listeners:
            if listener.video_id in (None, event["id"]):
                listener.pending[str(event["id"])] = event
                listener.wake.set()

    def _close(self) -> None:
        self._is_closed = True
        for listener in self._listeners:
            listener.wake.set()
