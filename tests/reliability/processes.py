"""Runs of the program as processes of their own, and what the system's process table says of them (Linux)."""

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
_PROCESSES = Path("/proc")
_POLL_INTERVAL_S = 0.02
_SAMPLE_INTERVAL_S = 0.25
_LOOKS = 3
"""A family counts as gone when none of it is found so often in a row: a process that just begins is easily missed."""

_GONE_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Run:
    """A run of the program, all of whose processes carry the same mark in their environment."""

    process: subprocess.Popen[bytes]
    mark: bytes
    output_path: Path
    errors_path: Path

    @property
    def output(self) -> str:
        """What it wrote to stdout."""
        return self.output_path.read_text(errors="replace")

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return self.errors_path.read_text(errors="replace")

    @property
    def is_over(self) -> bool:
        """Whether its main process has ended."""
        return self.process.poll() is not None

    def family(self) -> list[int]:
        """The main process and its descendants, those too whose parent is gone."""
        return [pid for pid in _all_processes() if self.mark in _read(pid, "environ").split(b"\0")]

    def workers(self) -> list[int]:
        """Its worker processes."""
        return [pid for pid in self.family() if b"spawn_main" in _read(pid, "cmdline")]

    def decoders(self) -> list[int]:
        """Its processes of ffmpeg."""
        return [pid for pid in self.family() if b"ffmpeg" in _read(pid, "cmdline").split(b"\0")[0]]

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status; None, after ending it, if it takes longer than that."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.end()
            return None

    def wait_until(self, moment: Callable[[], bool]) -> bool:
        """Waits for a moment; False if the run is over before."""
        while not self.is_over:
            if moment():
                return True
            time.sleep(_POLL_INTERVAL_S)
        return False

    def wait_until_gone(self) -> float | None:
        """Seconds until none of its processes is left; None, after ending them, if that takes too long."""
        begun_s = time.monotonic()
        empty = 0
        while empty < _LOOKS:
            if time.monotonic() - begun_s > _GONE_TIMEOUT_S:
                self.end()
                return None
            empty = 0 if self.family() else empty + 1
            time.sleep(_POLL_INTERVAL_S)
        return max(0.0, time.monotonic() - begun_s - _LOOKS * _POLL_INTERVAL_S)

    def end(self) -> None:
        """Kills all its processes."""
        while family := self.family():
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(_POLL_INTERVAL_S)
        self.process.wait()


def start(arguments: Sequence[str | Path], folder: Path) -> Run:
    """Starts the program; what it says is kept in ``folder``."""
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
    """A run of which nothing is left afterwards."""
    run = start(arguments, folder)
    try:
        yield run
    finally:
        run.end()


@dataclass(frozen=True)
class Sample:
    """What a run holds at a moment; memory in bytes, of the largest process of its kind."""

    main_descriptors: int
    worker_descriptors: int
    processes: int
    main_bytes: int
    worker_bytes: int
    decoder_bytes: int


@contextlib.contextmanager
def watching(run: Run) -> Iterator[list[Sample]]:
    """Samples a run from its first worker on until it is over or the block is left."""
    samples: list[Sample] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_SAMPLE_INTERVAL_S) and not run.is_over:
            if workers := run.workers():
                samples.append(_sample(run, workers))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def _sample(run: Run, workers: Sequence[int]) -> Sample:
    return Sample(
        _descriptors(run.process.pid),
        max(map(_descriptors, workers)),
        len(run.family()),
        resident_bytes(run.process.pid),
        max(map(resident_bytes, workers)),
        max(map(resident_bytes, run.decoders()), default=0),
    )


def _all_processes() -> list[int]:
    return [int(name) for name in os.listdir(_PROCESSES) if name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    """What the process table says of a process; nothing if it is over or somebody else's."""
    try:
        return (_PROCESSES / str(pid) / name).read_bytes()
    except OSError:
        return b""


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(_PROCESSES / str(pid) / "fd"))
    except OSError:
        return 0


def resident_bytes(pid: int) -> int:
    """What a process holds in memory; 0 if it is over."""
    fields = _read(pid, "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0
