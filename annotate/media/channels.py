"""Channels for what a running program writes besides its output: lines, or blocks of bytes of one size."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Generic, TypeVar

_JOIN_TIMEOUT_S = 5
_WAIT_S = 0.1

Item = TypeVar("Item", str, bytes)


class Channel(Generic[Item]):
    """A channel to one program, which knows it as ``target`` and inherits the descriptors ``inherited``."""

    def __init__(
        self, target: str, inherited: tuple[int, ...], open_items: Callable[[subprocess.Popen[bytes]], Iterable[Item]]
    ) -> None:
        self.target = target
        self.inherited = inherited
        self._open_items: Callable[[subprocess.Popen[bytes]], Iterable[Item]] = open_items
        self._threads: list[threading.Thread] = []

    def pass_to(self, add: Callable[[Item], None], process: subprocess.Popen[bytes]) -> Callable[[], None]:
        """Call ``add`` with every item, in a thread; return a function that waits for the last one."""
        return self._read(self._open_items(process), add, lambda: None)

    def queued(self, process: subprocess.Popen[bytes], while_waiting: Callable[[float], None]) -> Iterator[Item]:
        """Return an iterator of items; they are read in a thread, so that the program never waits for the caller.

        While there is none, ``while_waiting`` is called again and again with the seconds waited so far.
        """
        pending: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._read(self._open_items(process), pending.put, lambda: pending.put(None))
        return iter(lambda: _get(pending, while_waiting), None)

    def join(self) -> None:
        """Wait for the threads; call it when the program has ended."""
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT_S)

    def _read(self, items: Iterable[Item], add: Callable[[Item], None], finish: Callable[[], None]) -> Callable[[], None]:
        def read() -> None:
            for item in items:
                add(item)
            finish()

        thread = threading.Thread(target=read, daemon=True)
        self._threads.append(thread)
        thread.start()
        return lambda: thread.join(_JOIN_TIMEOUT_S)


def _get(pending: queue.SimpleQueue[Item | None], while_waiting: Callable[[float], None]) -> Item | None:
    waited_s = 0.0
    while True:
        try:
            return pending.get(timeout=_WAIT_S)
        except queue.Empty:
            waited_s += _WAIT_S
            while_waiting(waited_s)


def line_channel() -> contextlib.AbstractContextManager[Channel[str]]:
    """Open a channel of lines for a program that ends within the block."""
    return _channel(lambda opened: io.TextIOWrapper(opened, encoding="ascii", errors="replace"), _lines_from_file)


def block_channel(size: int) -> contextlib.AbstractContextManager[Channel[bytes]]:
    """Open a channel of blocks of ``size`` bytes, without an incomplete one at the end, for a program as above."""

    def blocks(opened: IO[bytes]) -> Iterator[bytes]:
        while len(block := opened.read(size)) == size:
            yield block

    return _channel(blocks, functools.partial(_blocks_from_file, size=size))


@contextlib.contextmanager
def _channel(
    read: Callable[[IO[bytes]], Iterable[Item]], read_file: Callable[[Path, subprocess.Popen[bytes]], Iterable[Item]]
) -> Iterator[Channel[Item]]:
    """Open a channel: a pipe, or a file where processes inherit no descriptors."""
    if os.name == "posix":
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as opened, os.fdopen(writing, "wb") as kept_open:

            def open_items(_: subprocess.Popen[bytes]) -> Iterable[Item]:
                kept_open.close()
                return read(opened)

            channel = Channel(f"pipe:{writing}", (writing,), open_items)
            try:
                yield channel
            finally:
                kept_open.close()
                channel.join()
    else:  # pragma: no cover
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "items"
            yield Channel(str(path), (), functools.partial(read_file, path))


def _lines_from_file(path: Path, process: subprocess.Popen[bytes]) -> Iterator[str]:  # pragma: no cover
    rest = b""
    for content in _contents(path, process):
        *lines, rest = (rest + content).split(b"\n")
        yield from (line.decode("ascii", "replace") for line in lines)


def _blocks_from_file(path: Path, process: subprocess.Popen[bytes], size: int) -> Iterator[bytes]:  # pragma: no cover
    rest = b""
    for content in _contents(path, process):
        rest += content
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]


def _contents(path: Path, process: subprocess.Popen[bytes]) -> Iterator[bytes]:  # pragma: no cover
    """Yield what a program has added to a file, until it ends."""
    while not path.exists() and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    with path.open("rb") as opened:
        ended = False
        while not ended:
            ended = process.poll() is not None
            yield opened.read()
            if not ended:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.005)
