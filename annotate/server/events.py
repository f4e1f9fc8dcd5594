"""News of videos to everybody who listens: of each video only the latest is kept for one who listens slowly."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

News = dict[str, Any]
"""What is told, of the video ``id``, or of the archive as a whole."""

ARCHIVE = "archive"
"""The ``id`` of news of the archive."""


class TooManyError(Exception):
    """Nobody more can listen."""


class _Listener:
    def __init__(self, video: str | None) -> None:
        self.video = video
        self.waiting: dict[str, News] = {}
        self.woken = asyncio.Event()


class Hub:
    """Passes news on from any thread; at most ``most`` listen at a time, and of one address ``most_of_one``."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._listeners: set[_Listener] = set()
        self._of_address: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def open(self) -> None:
        """Begins to pass news on, in the running event loop."""
        self._loop = asyncio.get_running_loop()

    def tell(self, news: News) -> None:
        """Passes on news of the video ``news["id"]``; may be called by any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._spread, news)

    def close(self) -> None:
        """Lets all listeners go; may be called by any thread, and by a handler of signals."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._close)

    def listen(self, address: str, video: str | None = None) -> AsyncIterator[News]:
        """News from now on, of one video or of all, until the hub is closed.

        Raises:
            TooManyError: too many listen already.
        """
        if self._is_full(address):
            raise TooManyError
        return self._news(video, address)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def _is_full(self, address: str) -> bool:
        return len(self._listeners) >= self._most or self._of_address[address] >= self._most_of_one

    async def _news(self, video: str | None, address: str) -> AsyncIterator[News]:
        """Counts from its first step on, so that one that is never begun holds no place."""
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
                for news in waiting.values():
                    yield news
        finally:
            self._listeners.discard(listener)
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def _spread(self, news: News) -> None:
        for listener in self._listeners:
            if listener.video in (None, news["id"]):
                listener.waiting[str(news["id"])] = news
                listener.woken.set()

    def _close(self) -> None:
        self._is_closed = True
        for listener in self._listeners:
            listener.woken.set()
