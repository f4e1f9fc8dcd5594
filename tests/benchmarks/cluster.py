"""Measure the overhead and fault tolerance of a cluster: ``python -m tests.benchmarks.cluster``.

Scheduler and workers are processes on this machine, each worker pinned to one core. Each part prints its results; the parts
that kill or cut off workers fail if an output is missing or differs from that of a run on one machine.
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
from collections.abc import Callable, Iterator
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
from tests.benchmarks.cluster_processes import ENVIRONMENT, ROOT, ClusterProcesses, cluster_processes, wait_for_workers
from tests.clips import SAMPLES
from tests.reliability.processes import resident_bytes

PARTS = ("speed", "overhead", "many", "kills", "cut")

_CLIP = next(clip for clip in CLIPS if clip.name == "720p, one face")
_RUN_TIMEOUT_S = 3600.0
_SAMPLE_INTERVAL_JOBS = 1000
_KILL_INTERVAL_S = 10.0

_NAMESPACE_NAMES = ("annotate-one", "annotate-two")
_BRIDGE, _NETWORK = "annotate0", "10.213.77"
_CUT_START_S, _CUT_DURATION_S = 10.0, 40.0
_WORKER_TTL_S = 10
"""Time without a heartbeat after which the scheduler considers a worker dead."""


@dataclass(frozen=True)
class EmptyJob:
    """A job without work, to measure the overhead of a task."""

    path: Path
    limits: Limits = ONE_CORE

    @property
    def item(self) -> ArchiveItem:
        """A video that does not exist."""
        return ArchiveItem(self.path, self.outputs, None, None)

    @property
    def outputs(self) -> Outputs:
        """Names of its outputs, which are not written."""
        return Outputs(self.path)


def run_empty_job(job: EmptyJob, context: WorkContext) -> Outcome:
    """Return an outcome without doing anything."""
    return Outcome(job.path, Status.UP_TO_DATE)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Run only these parts.")
@click.option("--runs", metavar="N", default=3, show_default=True, help="Number of runs of speed and overhead.")
@click.option("--seconds", metavar="N", default=30, show_default=True, help="Length of the clips of speed in seconds.")
@click.option("--videos", metavar="N", default=8, show_default=True, help="Number of videos of speed.")
@click.option("--tasks", metavar="N", default=100_000, show_default=True, help="Number of empty jobs of many.")
@click.option("--clips", metavar="N", default=100, show_default=True, help="Number of videos of kills.")
@click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write results to this file.",
)
def main(
    only: tuple[str, ...], runs: int, seconds: int, videos: int, tasks: int, clips: int, json_path: Path | None
) -> None:
    """Run the parts and print their results."""
    parts: dict[str, Callable[[Path], dict[str, object]]] = {
        "speed": lambda folder: speed(folder, runs, seconds, videos),
        "overhead": lambda folder: overhead(folder, runs),
        "many": lambda folder: many(folder, tasks),
        "kills": lambda folder: kills(folder, clips),
        "cut": cut,
    }
    results = {}
    for part in only or PARTS:
        with tempfile.TemporaryDirectory() as name:
            results[part] = parts[part](Path(name))
        click.echo(f"{part}: {json.dumps(results[part])}")
    if json_path is not None:
        json_path.write_text(json.dumps(results, indent=1) + "\n")


def speed(folder: Path, runs: int, seconds: int, videos: int) -> dict[str, object]:
    """Compare one worker, two workers, and two local processes on the same archive, alternating within each run."""
    archive = folder / "archive"
    archive.mkdir()
    first = make_clip(_CLIP, archive, seconds)
    for number in range(1, videos):
        os.link(first, archive / f"{number}{first.suffix}")
    times_s: dict[str, list[float]] = {}
    with cluster_processes(folder) as cluster:
        for _ in range(runs):
            for count in (1, 2):
                for core in range(count):
                    cluster.add(core)
                wait_for_workers(cluster, count)
                _annotate(archive, folder, "--cluster", str(cluster.file))  # warm-up: loads models and libraries
                start_s = time.perf_counter()
                _annotate(archive, folder, "--cluster", str(cluster.file))
                times_s.setdefault(f"{count} workers", []).append(time.perf_counter() - start_s)
                cluster.remove()
            start_s = time.perf_counter()
            _annotate(archive, folder, "--jobs", "2")
            times_s.setdefault("without cluster, 2 jobs", []).append(time.perf_counter() - start_s)
    shares = [one / two / 2 for one, two in zip(times_s["1 workers"], times_s["2 workers"], strict=True)]
    return {
        "seconds": {name: [round(value, 1) for value in values] for name, values in times_s.items()},
        "share of ideal, median": round(statistics.median(shares), 3),
        "share of ideal": [round(share, 3) for share in shares],
    }


def overhead(folder: Path, runs: int, count: int = 2000) -> dict[str, object]:
    """Measure the milliseconds per empty job with two workers."""
    with cluster_processes(folder, 2) as cluster:
        wait_for_workers(cluster, 2)
        times_ms = [1000 * _run_empty_jobs(cluster, count) / count for _ in range(runs)]
    return {
        "ms per task, median": round(statistics.median(times_ms), 2),
        "ms per task": [round(each, 2) for each in times_ms],
    }


def many(folder: Path, count: int) -> dict[str, object]:
    """Measure the memory of driver and scheduler over many empty jobs."""
    samples: list[tuple[int, int]] = []
    with cluster_processes(folder, 2) as cluster:
        wait_for_workers(cluster, 2)

        def sample() -> None:
            samples.append((resident_bytes(os.getpid()), resident_bytes(cluster.scheduler.pid)))

        elapsed_s = _run_empty_jobs(cluster, count, sample)
    quarter = max(1, len(samples) // 4)
    return {
        "tasks": count,
        "seconds": round(elapsed_s, 1),
        "peak memory, MB, by quarter": {
            name: [
                round(max(pair[index] for pair in samples[start : start + quarter]) / 1e6)
                for start in range(0, quarter * 4, quarter)
            ]
            for index, name in enumerate(("driver", "scheduler"))
        },
    }


def kills(folder: Path, clips: int) -> dict[str, object]:
    """Kill a worker every ten seconds; the outputs must equal those of one machine."""
    archive = _short_clips(folder, clips)
    expected = _outputs_of_one_machine(archive, folder)
    with cluster_processes(folder, 2) as cluster:
        wait_for_workers(cluster, 2)
        start_s = time.perf_counter()
        run = _start_run(archive, folder, cluster)
        killed = 0
        while _wait_run(run, _KILL_INTERVAL_S):
            victims = [pid for worker in cluster.workers for pid in _worker_ids(worker.pid)]
            if victims:
                os.kill(victims[killed % len(victims)], signal.SIGKILL)
                killed += 1
        elapsed_s = time.perf_counter() - start_s
    return {"clips": clips, "killed": killed, "seconds": round(elapsed_s, 1), **_check_outputs(run, folder, expected, clips)}


def cut(folder: Path, clips: int = 30) -> dict[str, object]:
    """Run workers in network namespaces, and cut one off for a while; the outputs must equal those of one machine."""
    allowed = subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0
    if not allowed or shutil.which("ip") is None:
        return {"skipped": "needs permission to create network namespaces, and the command ip"}
    archive = _short_clips(folder, clips)
    expected = _outputs_of_one_machine(archive, folder)
    environment = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{_WORKER_TTL_S} s"}
    with _namespaces(), contextlib.ExitStack() as stack:
        cluster = ClusterProcesses(folder, f"{_NETWORK}.1", environment)
        stack.callback(cluster.end)
        for number, space in enumerate(_NAMESPACE_NAMES):
            host = ("--host", f"{_NETWORK}.{number + 2}")
            cluster.add(number, ("ip", "netns", "exec", space), host)
        wait_for_workers(cluster, 2)
        run = _start_run(archive, folder, cluster)
        _wait_run(run, _CUT_START_S)
        _ip("link", "set", f"{_BRIDGE}-1", "down")
        is_running_while_cut = _wait_run(run, _CUT_DURATION_S)
        _ip("link", "set", f"{_BRIDGE}-1", "up")
        run.wait(_RUN_TIMEOUT_S)
    return {
        "clips": clips,
        "still running after the cut": is_running_while_cut,
        **_check_outputs(run, folder, expected, clips),
    }


@contextlib.contextmanager
def _namespaces() -> Iterator[None]:
    """Create two network namespaces on a bridge; delete them afterwards."""
    with contextlib.ExitStack() as stack:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        stack.callback(_ip, "link", "del", _BRIDGE)
        _ip("addr", "add", f"{_NETWORK}.1/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for number, space in enumerate(_NAMESPACE_NAMES):
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


def _run_empty_jobs(cluster: ClusterProcesses, count: int, sample: Callable[[], None] | None = None) -> float:
    """Run ``count`` empty jobs; return the seconds they took."""
    executor = ClusterExecutor(str(cluster.file))
    try:
        start_s = time.perf_counter()
        done = 0
        for outcome in run_jobs(run_empty_job, (EmptyJob(Path(f"/{number}.mp4")) for number in range(count)), executor):
            if outcome.status is not Status.UP_TO_DATE:
                raise click.ClickException(outcome.reason)
            done += 1
            if sample is not None and done % _SAMPLE_INTERVAL_JOBS == 0:
                sample()
        elapsed_s = time.perf_counter() - start_s
    finally:
        executor.close()
    if done != count:
        raise click.ClickException(f"only {done} of {count} jobs done")
    return elapsed_s


def _short_clips(folder: Path, count: int) -> Path:
    """Create and return an archive of ``count`` copies of a sample video, ten per folder."""
    archive = folder / "archive"
    for number in range(count):
        parent = archive / str(number // 10)
        parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SAMPLES / "two_faces.mp4", parent / f"{number}.mp4")
    return archive


def _annotate(archive: Path, folder: Path, *options: str) -> None:
    """Annotate an archive, then delete the outputs."""
    results = folder / "results"
    command = [sys.executable, "-m", "annotate", "--quiet", *options, "-o", str(results), str(archive)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=_RUN_TIMEOUT_S)
    shutil.rmtree(results)


def _outputs_of_one_machine(archive: Path, folder: Path) -> dict[str, bytes]:
    results = folder / "expected"
    command = [sys.executable, "-m", "annotate", "--quiet", "-o", str(results), str(archive)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=_RUN_TIMEOUT_S)
    return _files(results)


def _start_run(archive: Path, folder: Path, cluster: ClusterProcesses) -> subprocess.Popen[bytes]:
    options = ["--cluster", str(cluster.file), "--log", str(folder / "log.jsonl"), "-o", str(folder / "results")]
    command = [sys.executable, "-m", "annotate", "--quiet", *options, str(archive)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | ENVIRONMENT)


def _wait_run(run: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait ``seconds`` or until the run ends; return whether it is still running."""
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _check_outputs(run: subprocess.Popen[bytes], folder: Path, expected: dict[str, bytes], count: int) -> dict[str, object]:
    """Return the number of outputs and videos of a run.

    Raises:
        ClickException: it failed, its outputs differ from those expected, or a video was reported twice.
    """
    actual = _files(folder / "results")
    reported = Counter(json.loads(line)["path"] for line in (folder / "log.jsonl").read_text().splitlines())
    wrong = sorted(set(actual) ^ set(expected)) + [name for name in expected if actual.get(name) != expected[name]]
    if run.returncode != 0 or wrong or len(reported) != count or max(reported.values()) > 1:
        problems = f"wrong outputs: {wrong[:5]}; {len(reported)} of {count} videos reported"
        raise click.ClickException(f"the run ended with {run.returncode}; {problems}")
    return {"outputs": len(actual), "as on one machine": True, "reported once": len(reported)}


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _worker_ids(pid: int) -> list[int]:
    """Return the ids of a nanny's worker processes, without helper processes."""
    worker_ids = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                worker_ids.append(child)
    return worker_ids


if __name__ == "__main__":
    from tests.benchmarks import cluster

    cluster.main()  # not the copy in __main__: workers import functions by the name of their module
