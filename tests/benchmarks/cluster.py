"""What a cluster costs, and what it survives: ``python -m tests.benchmarks.cluster``.

Scheduler and workers are processes of this machine, each worker held to one core. Every part prints its figures; those that
try what may befall a run end with an error if anything is missing, or not as a run on one machine writes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.batch.job import Outcome, Status, WorkContext
from annotate.batch.run import run_jobs
from annotate.cluster.client import ClusterExecutor
from annotate.settings import ONE_CORE, Limits
from tests.benchmarks.clips import CLIPS, make_clip
from tests.clips import SAMPLES
from tests.reliability.processes import resident_bytes

ROOT = Path(__file__).parents[2]
PARTS = ("speed", "overhead", "many", "kills", "cut")

_CLIP = next(clip for clip in CLIPS if clip.name == "720p, one face")
_READY_S = 60.0
_RUN_TIMEOUT_S = 3600.0
_SAMPLED_EVERY = 1000
_KILL_INTERVAL_S = 10.0
_ENVIRONMENT = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2", "PYTHONPATH": str(ROOT)}

_SPACES = ("annotate-one", "annotate-two")
_BRIDGE, _NETWORK = "annotate0", "10.213.77"
_CUT_AFTER_S, _CUT_FOR_S = 10.0, 40.0
_WORKER_LIFE_S = 10
"""A worker that the scheduler has not heard of for so long is thought dead."""


@dataclass(frozen=True)
class Nothing:
    """A job that is none, for what handing it over costs."""

    path: Path
    limits: Limits = ONE_CORE

    @property
    def item(self) -> ArchiveItem:
        """The video, which is not there."""
        return ArchiveItem(self.path, self.outputs, None, None)

    @property
    def outputs(self) -> Outputs:
        """Names of outputs that are not written."""
        return Outputs(self.path)


def do_nothing(job: Nothing, context: WorkContext) -> Outcome:
    """Do nothing."""
    return Outcome(job.path, Status.UP_TO_DATE)


class Machines:
    """A scheduler, and workers that come and go."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", environment: dict[str, str] | None = None) -> None:
        self.file = folder / "scheduler.json"
        self._environment = os.environ | _ENVIRONMENT | (environment or {})
        self._log = (folder / "log.txt").open("a")
        self.scheduler = self._start(
            "scheduler", "--scheduler-file", str(self.file), "--no-dashboard", "--host", host, "--port", "0"
        )
        _wait_for(self.file.exists)
        self.workers: list[subprocess.Popen[bytes]] = []

    def add(self, core: int | None = None, prefix: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        """Starts a worker of one thread, on one core, and starts it anew if it dies."""
        options = ("--scheduler-file", str(self.file), "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", *options)
        self.workers.append(self._start("worker", *options, core=core, prefix=prefix))

    def remove(self) -> None:
        """Ends all workers."""
        for worker in self.workers:
            _end(worker)
        self.workers.clear()

    def end(self) -> None:
        """Ends everything."""
        self.remove()
        _end(self.scheduler)
        self._log.close()

    def _start(
        self, what: str, *options: str, core: int | None = None, prefix: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        held_to = [] if core is None else ["taskset", "-c", str(core)]
        command = [*prefix, *held_to, sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
        return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=self._log)


@contextlib.contextmanager
def machines(folder: Path, workers: int = 0, **options: str) -> Iterator[Machines]:
    """A cluster of so many workers, one a core, for as long as it is needed."""
    started = Machines(folder, **options)
    try:
        for core in range(workers):
            started.add(core % (os.cpu_count() or 1))
        yield started
    finally:
        started.end()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
@click.option("--runs", metavar="N", default=3, show_default=True, help="Runs of speed and overhead.")
@click.option("--seconds", metavar="N", default=30, show_default=True, help="Length of the clips of speed.")
@click.option("--videos", metavar="N", default=8, show_default=True, help="Videos of speed.")
@click.option("--tasks", metavar="N", default=100_000, show_default=True, help="Videos of many, each of which is nothing.")
@click.option("--clips", metavar="N", default=100, show_default=True, help="Videos of kills.")
@click.option("--json", "json_path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Keep figures.")
def main(
    only: tuple[str, ...], runs: int, seconds: int, videos: int, tasks: int, clips: int, json_path: Path | None
) -> None:
    """Measure, and try."""
    parts: dict[str, Callable[[Path], dict[str, object]]] = {
        "speed": lambda folder: speed(folder, runs, seconds, videos),
        "overhead": lambda folder: overhead(folder, runs),
        "many": lambda folder: many(folder, tasks),
        "kills": lambda folder: kills(folder, clips),
        "cut": cut,
    }
    figures = {}
    for part in only or PARTS:
        with tempfile.TemporaryDirectory() as name:
            figures[part] = parts[part](Path(name))
        click.echo(f"{part}: {json.dumps(figures[part])}")
    if json_path is not None:
        json_path.write_text(json.dumps(figures, indent=1) + "\n")


def speed(folder: Path, runs: int, seconds: int, videos: int) -> dict[str, object]:
    """One worker and two over the same archive, and processes of one machine, in turn within each run."""
    archive = folder / "archive"
    archive.mkdir()
    first = make_clip(_CLIP, archive, seconds)
    for number in range(1, videos):
        os.link(first, archive / f"{number}{first.suffix}")
    took_s: dict[str, list[float]] = {}
    with machines(folder) as cluster:
        for _ in range(runs):
            for count in (1, 2):
                for core in range(count):
                    cluster.add(core)
                _wait_for_workers(cluster, count)
                _annotate(archive, folder, "--cluster", str(cluster.file))  # models and libraries are loaded by it
                begun_s = time.perf_counter()
                _annotate(archive, folder, "--cluster", str(cluster.file))
                took_s.setdefault(f"{count} workers", []).append(time.perf_counter() - begun_s)
                cluster.remove()
            begun_s = time.perf_counter()
            _annotate(archive, folder, "--jobs", "2")
            took_s.setdefault("without cluster, 2 jobs", []).append(time.perf_counter() - begun_s)
    shares = [one / two / 2 for one, two in zip(took_s["1 workers"], took_s["2 workers"], strict=True)]
    return {
        "seconds": {name: [round(value, 1) for value in values] for name, values in took_s.items()},
        "share of ideal, median": round(statistics.median(shares), 3),
        "share of ideal": [round(share, 3) for share in shares],
    }


def overhead(folder: Path, runs: int, count: int = 2000) -> dict[str, object]:
    """Milliseconds for a video that is nothing, with two workers."""
    with machines(folder, 2) as cluster:
        _wait_for_workers(cluster, 2)
        took_ms = [1000 * _do_nothing(cluster, count) / count for _ in range(runs)]
    return {"ms a task, median": round(statistics.median(took_ms), 2), "ms a task": [round(each, 2) for each in took_ms]}


def many(folder: Path, count: int) -> dict[str, object]:
    """Memory of driver and scheduler while videos that are nothing go through them."""
    samples: list[tuple[int, int]] = []
    with machines(folder, 2) as cluster:
        _wait_for_workers(cluster, 2)

        def sample() -> None:
            samples.append((resident_bytes(os.getpid()), resident_bytes(cluster.scheduler.pid)))

        took_s = _do_nothing(cluster, count, sample)
    quarter = max(1, len(samples) // 4)
    return {
        "tasks": count,
        "seconds": round(took_s, 1),
        "most memory, MB, by quarter": {
            name: [
                round(max(pair[which] for pair in samples[start : start + quarter]) / 1e6)
                for start in range(0, quarter * 4, quarter)
            ]
            for which, name in enumerate(("driver", "scheduler"))
        },
    }


def kills(folder: Path, clips: int) -> dict[str, object]:
    """A worker is killed every ten seconds, and starts anew; the outputs must be those of one machine."""
    archive = _short_clips(folder, clips)
    expected = _outputs_of_one_machine(archive, folder)
    with machines(folder, 2) as cluster:
        _wait_for_workers(cluster, 2)
        begun_s = time.perf_counter()
        run = _begin(archive, folder, cluster)
        killed = 0
        while _goes_on(run, _KILL_INTERVAL_S):
            victims = [pid for worker in cluster.workers for pid in _children(worker.pid)]
            if victims:
                os.kill(victims[killed % len(victims)], signal.SIGKILL)
                killed += 1
        took_s = time.perf_counter() - begun_s
    return {"clips": clips, "killed": killed, "seconds": round(took_s, 1), **_compared(run, folder, expected, clips)}


def cut(folder: Path, clips: int = 30) -> dict[str, object]:
    """Executor in network namespaces, as on machines of their own, one of which is cut off and restored during a run."""
    allowed = subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0
    if not allowed or shutil.which("ip") is None:
        return {"skipped": "needs the right to make network namespaces, and the program ip"}
    archive = _short_clips(folder, clips)
    expected = _outputs_of_one_machine(archive, folder)
    environment = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{_WORKER_LIFE_S} s"}
    with _namespaces(), contextlib.ExitStack() as stack:
        cluster = Machines(folder, f"{_NETWORK}.1", environment)
        stack.callback(cluster.end)
        for number, space in enumerate(_SPACES):
            host = ("--host", f"{_NETWORK}.{number + 2}")
            cluster.add(number, ("ip", "netns", "exec", space), host)
        _wait_for_workers(cluster, 2)
        run = _begin(archive, folder, cluster)
        _goes_on(run, _CUT_AFTER_S)
        _ip("link", "set", f"{_BRIDGE}-1", "down")
        was_going_on = _goes_on(run, _CUT_FOR_S)
        _ip("link", "set", f"{_BRIDGE}-1", "up")
        run.wait(_RUN_TIMEOUT_S)
    return {
        "clips": clips,
        "went on while one was cut off": was_going_on,
        **_compared(run, folder, expected, clips),
    }


@contextlib.contextmanager
def _namespaces() -> Iterator[None]:
    """Two namespaces on a bridge of this machine."""
    with contextlib.ExitStack() as stack:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        stack.callback(_ip, "link", "del", _BRIDGE)
        _ip("addr", "add", f"{_NETWORK}.1/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for number, space in enumerate(_SPACES):
            _ip("netns", "add", space)
            stack.callback(_ip, "netns", "del", space)
            _ip("link", "add", f"{_BRIDGE}-{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", f"{_BRIDGE}-{number}", "master", _BRIDGE, "up")
            _ip("-n", space, "addr", "add", f"{_NETWORK}.{number + 2}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "link", "set", "lo", "up")
        yield


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _do_nothing(cluster: Machines, count: int, sample: Callable[[], None] | None = None) -> float:
    """Seconds for so many videos that are nothing."""
    workers = ClusterExecutor(str(cluster.file))
    try:
        begun_s = time.perf_counter()
        done = 0
        for outcome in run_jobs(do_nothing, (Nothing(Path(f"/{number}.mp4")) for number in range(count)), workers):
            if outcome.status is not Status.UP_TO_DATE:
                raise click.ClickException(outcome.reason)
            done += 1
            if sample is not None and done % _SAMPLED_EVERY == 0:
                sample()
        took_s = time.perf_counter() - begun_s
    finally:
        workers.close()
    if done != count:
        raise click.ClickException(f"{done} of {count} were done")
    return took_s


def _short_clips(folder: Path, count: int) -> Path:
    """An archive of a sample video again and again, in folders of ten."""
    archive = folder / "archive"
    for number in range(count):
        place = archive / str(number // 10)
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SAMPLES / "two_faces.mp4", place / f"{number}.mp4")
    return archive


def _annotate(archive: Path, folder: Path, *options: str) -> None:
    """Runs the command over an archive; its outputs are removed again."""
    results = folder / "results"
    command = [sys.executable, "-m", "annotate", "--quiet", *options, "-o", str(results), str(archive)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=_RUN_TIMEOUT_S)
    shutil.rmtree(results)


def _outputs_of_one_machine(archive: Path, folder: Path) -> dict[str, bytes]:
    results = folder / "expected"
    command = [sys.executable, "-m", "annotate", "--quiet", "-o", str(results), str(archive)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=_RUN_TIMEOUT_S)
    return _files(results)


def _begin(archive: Path, folder: Path, cluster: Machines) -> subprocess.Popen[bytes]:
    options = ["--cluster", str(cluster.file), "--log", str(folder / "log.jsonl"), "-o", str(folder / "results")]
    command = [sys.executable, "-m", "annotate", "--quiet", *options, str(archive)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | _ENVIRONMENT)


def _goes_on(run: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits so long, or until the run ends; tells whether it has not."""
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _compared(run: subprocess.Popen[bytes], folder: Path, expected: dict[str, bytes], count: int) -> dict[str, object]:
    """What came of a run.

    Raises:
        ClickException: it failed, or its outputs are not as expected, or a video was told of twice.
    """
    found = _files(folder / "results")
    told = Counter(json.loads(line)["path"] for line in (folder / "log.jsonl").read_text().splitlines())
    wrong = sorted(set(found) ^ set(expected)) + [name for name in expected if found.get(name) != expected[name]]
    if run.returncode != 0 or wrong or len(told) != count or max(told.values()) > 1:
        raise click.ClickException(f"ended with {run.returncode}; not as expected: {wrong[:5]}; {len(told)} of {count} told")
    return {"outputs": len(found), "as on one machine": True, "told of once": len(told)}


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _children(pid: int) -> list[int]:
    """The worker processes of a nanny, not what helps it to start them."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                children.append(child)
    return children


def _wait_for_workers(cluster: Machines, count: int) -> None:
    from distributed import Client

    with Client(scheduler_file=str(cluster.file), set_as_default=False) as client:
        _wait_for(lambda: len(client.nthreads()) == count)


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _READY_S
    while not is_so():
        if time.monotonic() > deadline_s:
            raise click.ClickException("the cluster did not become ready")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    from tests.benchmarks import cluster

    cluster.main()  # not __main__'s own: what workers are sent must have a name that they know
