"""Run annotate as a separate process, and inspect its processes via /proc (Linux)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

_MARK = "ANNOTATE_RELIABILITY"
_PROC = Path("/proc")
_POLL_INTERVAL_S = 0.02
_SAMPLE_INTERVAL_S = 0.25
_EMPTY_POLLS = 3
"""Number of consecutive polls without a process after which all count as ended; a starting process is easily missed."""

_EXIT_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Run:
    """A run of annotate; an environment variable marks all its processes."""

    process: subprocess.Popen[bytes]
    mark: bytes
    output_path: Path
    errors_path: Path

    @property
    def output(self) -> str:
        """Its stdout so far."""
        return self.output_path.read_text(errors="replace")

    @property
    def errors(self) -> str:
        """Its stderr so far."""
        return self.errors_path.read_text(errors="replace")

    @property
    def is_over(self) -> bool:
        """Whether its main process has ended."""
        return self.process.poll() is not None

    def process_ids(self) -> list[int]:
        """Return the ids of the main process and its descendants, including orphans."""
        return [pid for pid in _all_processes() if self.mark in _read(pid, "environ").split(b"\0")]

    def workers(self) -> list[int]:
        """Return the ids of its worker processes."""
        return [pid for pid in self.process_ids() if b"spawn_main" in _read(pid, "cmdline")]

    def decoders(self) -> list[int]:
        """Return the ids of its ffmpeg processes."""
        return [pid for pid in self.process_ids() if b"ffmpeg" in _read(pid, "cmdline").split(b"\0")[0]]

    def wait(self, timeout_s: float) -> int | None:
        """Return its exit status; kill it and return None after ``timeout_s``."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.end()
            return None

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Wait until ``condition`` is true; return False if the run ends before."""
        while not self.is_over:
            if condition():
                return True
            time.sleep(_POLL_INTERVAL_S)
        return False

    def wait_until_all_ended(self) -> float | None:
        """Return the seconds until all its processes have ended; kill them and return None after a timeout."""
        start_s = time.monotonic()
        empty_polls = 0
        while empty_polls < _EMPTY_POLLS:
            if time.monotonic() - start_s > _EXIT_TIMEOUT_S:
                self.end()
                return None
            empty_polls = 0 if self.process_ids() else empty_polls + 1
            time.sleep(_POLL_INTERVAL_S)
        return max(0.0, time.monotonic() - start_s - _EMPTY_POLLS * _POLL_INTERVAL_S)

    def end(self) -> None:
        """Kill all its processes."""
        while process_ids := self.process_ids():
            for pid in process_ids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(_POLL_INTERVAL_S)
        self.process.wait()


def start(arguments: Sequence[str | Path], folder: Path) -> Run:
    """Start annotate; its output is written to files in ``folder``."""
    name = uuid.uuid4().hex
    output_path, errors_path = folder / f"{name}.output", folder / f"{name}.errors"
    command = [sys.executable, "-m", "annotate", *map(str, arguments)]
    with output_path.open("wb") as output, errors_path.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, _MARK: name},
            cwd=REPOSITORY,
            start_new_session=True,
        )
    return Run(process, f"{_MARK}={name}".encode(), output_path, errors_path)


@contextlib.contextmanager
def running(arguments: Sequence[str | Path], folder: Path) -> Iterator[Run]:
    """Yield a run, and kill its processes afterwards."""
    run = start(arguments, folder)
    try:
        yield run
    finally:
        run.end()


@dataclass(frozen=True)
class Sample:
    """Resources of a run at one moment; memory in bytes, of the largest process of its kind."""

    main_descriptors: int
    worker_descriptors: int
    processes: int
    main_bytes: int
    worker_bytes: int
    decoder_bytes: int


@contextlib.contextmanager
def polling(run: Run, interval_s: float, note: Callable[[], None]) -> Iterator[None]:
    """Call ``note`` each ``interval_s`` in a thread, until the run or the context ends."""
    ended = threading.Event()

    def poll() -> None:
        while not ended.wait(interval_s) and not run.is_over:
            note()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def sampling(run: Run) -> Iterator[list[Sample]]:
    """Yield a list that is filled with samples from the start of the first worker until the run or the context ends."""
    samples: list[Sample] = []

    def note() -> None:
        if workers := run.workers():
            samples.append(_sample(run, workers))

    with polling(run, _SAMPLE_INTERVAL_S, note):
        yield samples


def _sample(run: Run, workers: Sequence[int]) -> Sample:
    return Sample(
        _descriptors(run.process.pid),
        max(map(_descriptors, workers)),
        len(run.process_ids()),
        resident_bytes(run.process.pid),
        max(map(resident_bytes, workers)),
        max(map(resident_bytes, run.decoders()), default=0),
    )


def _all_processes() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    """Return a file of a process in /proc; empty if the process has ended or belongs to another user."""
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(_PROC / str(pid) / "fd"))
    except OSError:
        return 0


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 if it has ended."""
    fields = _read(pid, "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0
