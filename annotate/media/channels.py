"""Lines from a running program beside its output: a pipe of their own, or a file where processes inherit no descriptors."""

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


class LineChannel:
    """A channel for lines: ``target`` is the program's name for it, ``inherited`` are descriptors that it needs."""

    def __init__(
        self, target: str, inherited: tuple[int, ...], opened: Callable[[subprocess.Popen[bytes]], Iterable[str]]
    ) -> None:
        self.target = target
        self.inherited = inherited
        self._opened = opened
        self._threads: list[threading.Thread] = []

    def pass_to(self, add: Callable[[str], None], process: subprocess.Popen[bytes]) -> Callable[[], None]:
        """Pass every line to a function, in a thread, so that the program never waits; return what waits for the last."""
        lines = self._opened(process)

        def read() -> None:
            for line in lines:
                add(line)

        thread = threading.Thread(target=read, daemon=True)
        self._threads.append(thread)
        thread.start()
        return lambda: thread.join(_JOIN_TIMEOUT_S)

    def queued(self, process: subprocess.Popen[bytes]) -> Iterator[str]:
        """Return the lines, as they come."""
        pending: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        lines = self._opened(process)

        def read() -> None:
            for line in lines:
                pending.put(line)
            pending.put(None)

        thread = threading.Thread(target=read, daemon=True)
        self._threads.append(thread)
        thread.start()
        return iter(pending.get, None)

    def join(self) -> None:
        """Wait for the threads that read, after the program has ended."""
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT_S)


@contextlib.contextmanager
def line_channel() -> Iterator[LineChannel]:
    """Open a channel for one program, which ends before the block does."""
    if os.name == "posix":
        reading, writing = os.pipe()
        with os.fdopen(reading, encoding="ascii", errors="replace") as lines, os.fdopen(writing, "wb") as kept_open:

            def opened(_: subprocess.Popen[bytes]) -> Iterable[str]:
                kept_open.close()
                return lines

            channel = LineChannel(f"pipe:{writing}", (writing,), opened)
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
