"""A cluster of processes on this machine: a scheduler and workers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]

ENVIRONMENT = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2", "PYTHONPATH": str(ROOT)}
_READY_S = 60.0


class ClusterProcesses:
    """A scheduler process and worker processes."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", environment: dict[str, str] | None = None) -> None:
        self.file = folder / "scheduler.json"
        self._environment = os.environ | ENVIRONMENT | (environment or {})
        self._log = (folder / "log.txt").open("a")
        self.scheduler = self._start(
            "scheduler", "--scheduler-file", str(self.file), "--no-dashboard", "--host", host, "--port", "0"
        )
        _wait_for(self.file.exists)
        self.workers: list[subprocess.Popen[bytes]] = []

    def add(self, core: int | None = None, prefix: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        """Start a single-threaded worker, pinned to ``core`` if given; its nanny restarts it if it dies."""
        options = ("--scheduler-file", str(self.file), "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", *options)
        self.workers.append(self._start("worker", *options, core=core, prefix=prefix))

    def remove(self) -> None:
        """Stop all workers."""
        for worker in self.workers:
            _end(worker)
        self.workers.clear()

    def end(self) -> None:
        """Stop workers and scheduler."""
        self.remove()
        _end(self.scheduler)
        self._log.close()

    def _start(
        self, what: str, *options: str, core: int | None = None, prefix: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        pinning = [] if core is None else ["taskset", "-c", str(core)]
        command = [*prefix, *pinning, sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
        return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=self._log)


@contextlib.contextmanager
def cluster_processes(folder: Path, workers: int = 0, **options: str) -> Iterator[ClusterProcesses]:
    """Yield a cluster of ``workers``, each pinned to a core; stop it afterwards."""
    started = ClusterProcesses(folder, **options)
    try:
        for core in range(workers):
            started.add(core % (os.cpu_count() or 1))
        yield started
    finally:
        started.end()


def wait_for_workers(cluster: ClusterProcesses, count: int) -> None:
    """Wait until a cluster has ``count`` workers."""
    from distributed import Client

    with Client(scheduler_file=str(cluster.file), set_as_default=False) as client:
        _wait_for(lambda: len(client.nthreads()) == count)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _READY_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise click.ClickException("the cluster did not become ready in time")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
