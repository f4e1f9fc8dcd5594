"""Simulate what limits a cluster of 10 to 1,000 workers: ``python -m tests.benchmarks.cluster_simulation``.

Tasks queue for three resources: a worker, the scheduler (one task at a time) and the storage (one task at a time). The
longest videos start first, and a free worker takes the next task (longest-first list scheduling; Graham, "Bounds on
multiprocessing timing anomalies", SIAM Journal on Applied Mathematics, 1969). The assumptions are printed with the
table; the speed of a core and the scheduler's time per task come from the other benchmarks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

S_PER_HOUR = 3600
HOURS_PER_DAY = 24
WORKERS = (10, 30, 100, 300, 1000)
MILLION_HOURS = 1_000_000
NO_LIMIT, WORK, TASK_LENGTH = "nothing", "work", "task length"
_GOOD_SHARE = 0.95

Lengths = NDArray[np.float64]


@dataclass(frozen=True)
class VideoKind:
    """A kind of video: its share of an archive, and its log-normal distribution of lengths."""

    name: str
    share: float
    median_min: float
    spread: float


VIDEO_KINDS = (
    VideoKind("clips", 0.60, 3, 0.9),
    VideoKind("programs", 0.33, 35, 0.5),
    VideoKind("films", 0.068, 95, 0.25),
    VideoKind("day-long recordings", 0.002, 600, 0.5),
)


@dataclass(frozen=True)
class ClusterModel:
    """Assumptions about the machines."""

    workers: int
    speed: float = 8.5
    """Speed of a core, as a multiple of real time."""
    scheduler_s: float = 0.005
    """Time of scheduler and driver per task."""
    task_s: float = 0.3
    """Overhead of a worker per task: opening, seeking, writing."""
    storage_bytes_per_s: float = 1.25e9
    video_bytes_per_s: float = 5e6 / 8
    deaths_per_hour: float = 1 / (30 * HOURS_PER_DAY)
    """Failure rate of a worker; a failure loses its current task."""


@dataclass(frozen=True)
class SimulatedRun:
    """Duration of a run, share of the workers' time spent on frames, and the bottleneck."""

    hours: float
    share: float
    limit: str


def draw_lengths(hours: float, seed: int = 0) -> Lengths:
    """Return the lengths in seconds of the videos of an archive of ``hours``, longest first."""
    generator = np.random.default_rng(seed)
    mean_min = sum(kind.share * kind.median_min * math.exp(kind.spread**2 / 2) for kind in VIDEO_KINDS)
    count = max(1, round(hours * 60 / mean_min))
    kinds = generator.choice(len(VIDEO_KINDS), count, p=[kind.share for kind in VIDEO_KINDS])
    medians = np.array([kind.median_min for kind in VIDEO_KINDS])[kinds]
    spreads = np.array([kind.spread for kind in VIDEO_KINDS])[kinds]
    lengths: Lengths = np.sort(60 * medians * np.exp(spreads * generator.standard_normal(count)))[::-1]
    return lengths * (hours * S_PER_HOUR / lengths.sum())


def split_into_chunks(lengths: Lengths, chunk_s: float) -> Lengths:
    """Return the lengths of the chunks of all videos, in order; the last chunk of a video is the remainder."""
    counts = np.maximum(1, np.ceil(lengths / chunk_s)).astype(int)
    tasks = np.full(counts.sum(), chunk_s)
    tasks[np.cumsum(counts) - 1] = lengths - (counts - 1) * chunk_s
    return tasks


def simulate(tasks_s: Lengths, cluster: ClusterModel, seed: int = 0) -> SimulatedRun:
    """Simulate tasks, given in seconds of video, in order."""
    generator = np.random.default_rng(seed)
    work = tasks_s / cluster.speed + cluster.task_s
    fails = generator.random(len(work)) < -np.expm1(-cluster.deaths_per_hour * work / S_PER_HOUR)
    lost = np.where(fails, generator.random(len(work)) * work, 0.0)
    reading = tasks_s * cluster.video_bytes_per_s / cluster.storage_bytes_per_s
    free = [0.0] * cluster.workers
    scheduler_free = storage_free = end = 0.0
    for work_s, lost_s, read_s in zip(work.tolist(), lost.tolist(), reading.tolist(), strict=True):
        scheduler_free = max(scheduler_free, free[0]) + cluster.scheduler_s
        storage_free = max(storage_free, scheduler_free) + read_s
        done = max(scheduler_free + lost_s + work_s, storage_free)
        heapq.heapreplace(free, done)
        end = max(end, done)
    share = float(tasks_s.sum()) / cluster.speed / (end * cluster.workers)
    bounds = {
        WORK: float((work + lost).sum()) / cluster.workers,
        "scheduler": len(work) * cluster.scheduler_s,
        "storage": float(reading.sum()),
        "longest video": float(work.max()),
    }
    limit = max(bounds, key=lambda name: bounds[name])
    if limit == WORK:
        limit = NO_LIMIT if share >= _GOOD_SHARE else TASK_LENGTH
    return SimulatedRun(end / S_PER_HOUR, share, limit)


def rows(hours: float, cluster: ClusterModel, chunk_s: float) -> Iterator[tuple[str, ...]]:
    """Yield one row of the table per number of workers, for whole videos and for chunks."""
    lengths = draw_lengths(hours)
    for workers in WORKERS:
        sized = ClusterModel(**(vars(cluster) | {"workers": workers}))
        cells: list[str] = [f"{hours:,.0f}", f"{workers:,}"]
        for tasks in (lengths, split_into_chunks(lengths, chunk_s)):
            run = simulate(tasks, sized)
            cells += [f"{run.hours:,.1f} h", f"{run.share:.2f}", run.limit]
        yield tuple(cells)


def assumptions(cluster: ClusterModel, chunk_s: float) -> str:
    """Return the assumptions as text."""
    kinds = "; ".join(
        f"{kind.share:.1%} {kind.name} (median {kind.median_min:g} min, spread {kind.spread:g})" for kind in VIDEO_KINDS
    )
    return (
        f"videos: {kinds}, log-normal lengths; chunks of {chunk_s:g} s\n"
        f"a core: {cluster.speed:g} times real time, {cluster.task_s:g} s per task; the scheduler: "
        f"{1000 * cluster.scheduler_s:g} ms per task\n"
        f"storage: {cluster.storage_bytes_per_s / 1e9:g} GB/s for all; videos of "
        f"{8e-6 * cluster.video_bytes_per_s:g} Mbit/s; "
        f"a worker fails every {1 / cluster.deaths_per_hour / HOURS_PER_DAY:.0f} days"
    )


def _million(cluster: ClusterModel, chunk_s: float) -> str:
    """Return a table of core-hours and days for a million hours, scaled up from an archive of a tenth."""
    tasks = split_into_chunks(draw_lengths(MILLION_HOURS / 10), chunk_s)
    table = []
    for workers in WORKERS:
        run = simulate(tasks, ClusterModel(**(vars(cluster) | {"workers": workers})))
        core_hours = MILLION_HOURS / cluster.speed / run.share
        table.append((f"{workers:,}", f"{core_hours:,.0f}", f"{core_hours / workers / HOURS_PER_DAY:,.0f}", run.limit))
    return tabulate(table, ("workers", "core-hours", "days", "limited by"), tablefmt="github", disable_numparse=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--speed", default=ClusterModel.speed, show_default=True, help="Speed of a core as a multiple of real time.")
@click.option("--scheduler-ms", default=1000 * ClusterModel.scheduler_s, show_default=True, help="Scheduler time per task.")
@click.option(
    "--storage-gb", default=ClusterModel.storage_bytes_per_s / 1e9, show_default=True, help="Storage throughput, GB/s."
)
@click.option(
    "--megabits", default=8e-6 * ClusterModel.video_bytes_per_s, show_default=True, help="Bit rate of videos, Mbit/s."
)
@click.option("--part-s", "chunk_s", default=300.0, show_default=True, help="Length of chunks in seconds.")
def main(speed: float, scheduler_ms: float, storage_gb: float, megabits: float, chunk_s: float) -> None:
    """Simulate, and print tables."""
    cluster = ClusterModel(0, speed, scheduler_ms / 1000, ClusterModel.task_s, storage_gb * 1e9, megabits * 1e6 / 8)
    click.echo(assumptions(cluster, chunk_s))
    headers = ("hours", "workers", "whole videos", "of ideal", "limited by", "chunks", "of ideal", "limited by")
    table = [row for hours in (100, 10_000, 100_000) for row in rows(hours, cluster, chunk_s)]
    click.echo(tabulate(table, headers, tablefmt="github", disable_numparse=True))
    click.echo("\na million hours, in chunks:")
    click.echo(_million(cluster, chunk_s))


if __name__ == "__main__":
    main()
