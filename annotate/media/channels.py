"""Channels for lines that a running program writes besides its output."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_JOIN_TIMEOUT_S = 5
_WAIT_S = 0.1


class LineChannel:
    """A channel to one program, which knows it as ``target`` and inherits the descriptors ``inherited``."""

    def __init__(
        self, target: str, inherited: tuple[int, ...], open_lines: Callable[[subprocess.Popen[bytes]], Iterable[str]]
    ) -> None:
        self.target = target
        self.inherited = inherited
        self._open_lines = open_lines
        self._threads: list[threading.Thread] = []

    def pass_to(self, add: Callable[[str], None], process: subprocess.Popen[bytes]) -> Callable[[], None]:
        """Call ``add`` with every line, in a thread; return a function that waits for the last one."""
        return self._read(self._open_lines(process), add, lambda: None)

    def queued(self, process: subprocess.Popen[bytes], while_waiting: Callable[[float], None]) -> Iterator[str]:
        """Return an iterator of lines; they are read in a thread, so that the program never waits for the caller.

        While there is no line, ``while_waiting`` is called again and again with the seconds waited so far.
        """
        pending: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._read(self._open_lines(process), pending.put, lambda: pending.put(None))
        return iter(lambda: _get(pending, while_waiting), None)

    def join(self) -> None:
        """Wait for the threads; call it when the program has ended."""
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT_S)

    def _read(self, lines: Iterable[str], add: Callable[[str], None], finish: Callable[[], None]) -> Callable[[], None]:
        def read() -> None:
            for line in lines:
                add(line)
            finish()

        thread = threading.Thread(target=read, daemon=True)
        self._threads.append(thread)
        thread.start()
        return lambda: thread.join(_JOIN_TIMEOUT_S)


def _get(pending: queue.SimpleQueue[str | None], while_waiting: Callable[[float], None]) -> str | None:
    waited_s = 0.0
    while True:
        try:
            return pending.get(timeout=_WAIT_S)
        except queue.Empty:
            waited_s += _WAIT_S
            while_waiting(waited_s)


@contextlib.contextmanager
def line_channel() -> Iterator[LineChannel]:
    """Open a channel for a program that ends within the block: a pipe, or a file where processes inherit no descriptors."""
    if os.name == "posix":
        reading, writing = os.pipe()
        with os.fdopen(reading, encoding="ascii", errors="replace") as lines, os.fdopen(writing, "wb") as kept_open:

            def open_lines(_: subprocess.Popen[bytes]) -> Iterable[str]:
                kept_open.close()
                return lines

            channel = LineChannel(f"pipe:{writing}", (writing,), open_lines)
            try:
                yield channel
            finally:
                kept_open.close()
                channel.join()
    else:  # pragma: no cover
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lines"
            yield LineChannel(str(path), (), lambda process: _from_file(path, process))


def _from_file(path: Path, process: subprocess.Popen[bytes]) -> Iterator[str]:  # pragma: no cover
    while not path.exists() and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    with path.open(encoding="ascii", errors="replace") as lines:
        partial = ""
        while True:
            ended = process.poll() is not None
            partial += lines.readline()
            if partial.endswith("\n"):
                yield partial
                partial = ""
            elif ended:
                return
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.005)
