"""What limits a cluster of 10 to 1,000 workers: ``python -m tests.benchmarks.cluster_simulation``.

A model of three things that tasks queue for: a worker, the scheduler, which hands out one task after another, and the
storage, which delivers the bytes of one after another. The longest videos are begun first, and a worker takes the next
task when it is free (list scheduling, longest first; Graham, "Bounds on multiprocessing timing anomalies", SIAM Journal on
Applied Mathematics, 1969). What is assumed is printed with the table; the speed of a core and the scheduler's time a task
are measured by the other benchmarks.
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
A_MILLION = 1_000_000
NOTHING, WORK, GRAIN = "nothing", "work", "length of tasks"
_GOOD_SHARE = 0.95

Lengths = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """Videos of one kind: their share of all, and the log-normal distribution of their lengths."""

    name: str
    share: float
    median_min: float
    spread: float


KINDS = (
    Kind("clips", 0.60, 3, 0.9),
    Kind("programmes", 0.33, 35, 0.5),
    Kind("films", 0.068, 95, 0.25),
    Kind("recordings of a day", 0.002, 600, 0.5),
)


@dataclass(frozen=True)
class Cluster:
    """What is assumed of machines."""

    workers: int
    speed: float = 4.8
    """Multiple of real time at which a core annotates."""
    scheduler_s: float = 0.005
    """Of the scheduler and the driver, for each task."""
    task_s: float = 0.3
    """Of a worker, for each task besides its frames: opening, seeking, writing."""
    storage_bytes_per_s: float = 1.25e9
    video_bytes_per_s: float = 5e6 / 8
    deaths_per_hour: float = 1 / (30 * HOURS_PER_DAY)
    """Of a worker: it then loses the task it is at."""


@dataclass(frozen=True)
class Run:
    """How long a run takes, what share of the workers' time is spent on frames, and what limits it."""

    hours: float
    share: float
    limit: str


def draw_lengths(hours: float, seed: int = 0) -> Lengths:
    """Lengths in seconds of the videos of an archive of so many hours, the longest first."""
    generator = np.random.default_rng(seed)
    mean_min = sum(kind.share * kind.median_min * math.exp(kind.spread**2 / 2) for kind in KINDS)
    count = max(1, round(hours * 60 / mean_min))
    kinds = generator.choice(len(KINDS), count, p=[kind.share for kind in KINDS])
    medians = np.array([kind.median_min for kind in KINDS])[kinds]
    spreads = np.array([kind.spread for kind in KINDS])[kinds]
    lengths: Lengths = np.sort(60 * medians * np.exp(spreads * generator.standard_normal(count)))[::-1]
    return lengths * (hours * S_PER_HOUR / lengths.sum())


def divided(lengths: Lengths, chunk_s: float) -> Lengths:
    """Lengths of the tasks of videos that are worked on in parts, in order, the last part of each being what is left."""
    counts = np.maximum(1, np.ceil(lengths / chunk_s)).astype(int)
    tasks = np.full(counts.sum(), chunk_s)
    tasks[np.cumsum(counts) - 1] = lengths - (counts - 1) * chunk_s
    return tasks


def simulate(tasks_s: Lengths, cluster: Cluster, seed: int = 0) -> Run:
    """Runs tasks, seconds of video each, in their order."""
    generator = np.random.default_rng(seed)
    work = tasks_s / cluster.speed + cluster.task_s
    dies = generator.random(len(work)) < -np.expm1(-cluster.deaths_per_hour * work / S_PER_HOUR)
    lost = np.where(dies, generator.random(len(work)) * work, 0.0)
    reading = tasks_s * cluster.video_bytes_per_s / cluster.storage_bytes_per_s
    free = [0.0] * cluster.workers
    scheduler_free = storage_free = end = 0.0
    for own_s, lost_s, read_s in zip(work.tolist(), lost.tolist(), reading.tolist(), strict=True):
        scheduler_free = max(scheduler_free, free[0]) + cluster.scheduler_s
        storage_free = max(storage_free, scheduler_free) + read_s
        done = max(scheduler_free + lost_s + own_s, storage_free)
        heapq.heapreplace(free, done)
        end = max(end, done)
    share = float(tasks_s.sum()) / cluster.speed / (end * cluster.workers)
    bounds = {
        WORK: float((work + lost).sum()) / cluster.workers,
        "scheduler": len(work) * cluster.scheduler_s,
        "storage": float(reading.sum()),
        "longest video": float(work.max()),
    }
    most = max(bounds, key=lambda name: bounds[name])
    if most == WORK:
        most = NOTHING if share >= _GOOD_SHARE else GRAIN
    return Run(end / S_PER_HOUR, share, most)


def rows(hours: float, cluster: Cluster, chunk_s: float) -> Iterator[tuple[str, ...]]:
    """A row of the table for each number of workers, for whole videos and for parts."""
    lengths = draw_lengths(hours)
    for workers in WORKERS:
        own = Cluster(**(vars(cluster) | {"workers": workers}))
        cells: list[str] = [f"{hours:,.0f}", f"{workers:,}"]
        for tasks in (lengths, divided(lengths, chunk_s)):
            run = simulate(tasks, own)
            cells += [f"{run.hours:,.1f} h", f"{run.share:.2f}", run.limit]
        yield tuple(cells)


def assumptions(cluster: Cluster, chunk_s: float) -> str:
    """What the table rests on."""
    kinds = "; ".join(
        f"{kind.share:.1%} {kind.name} (median {kind.median_min:g} min, spread {kind.spread:g})" for kind in KINDS
    )
    return (
        f"videos: {kinds}, log-normal lengths; parts of {chunk_s:g} s\n"
        f"a core: {cluster.speed:g} times real time, {cluster.task_s:g} s a task; the scheduler: "
        f"{1000 * cluster.scheduler_s:g} ms a task\n"
        f"storage: {cluster.storage_bytes_per_s / 1e9:g} GB/s for all; videos of "
        f"{8e-6 * cluster.video_bytes_per_s:g} Mbit/s; "
        f"a worker dies every {1 / cluster.deaths_per_hour / HOURS_PER_DAY:.0f} days"
    )


def _million(cluster: Cluster, chunk_s: float) -> str:
    """What a million hours cost: core-hours, and days, at the share that an archive a tenth as large reaches."""
    tasks = divided(draw_lengths(A_MILLION / 10), chunk_s)
    table = []
    for workers in WORKERS:
        run = simulate(tasks, Cluster(**(vars(cluster) | {"workers": workers})))
        core_hours = A_MILLION / cluster.speed / run.share
        table.append((f"{workers:,}", f"{core_hours:,.0f}", f"{core_hours / workers / HOURS_PER_DAY:,.0f}", run.limit))
    return tabulate(table, ("workers", "core-hours", "days", "limited by"), tablefmt="github", disable_numparse=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--speed", default=Cluster.speed, show_default=True, help="Multiple of real time of a core.")
@click.option("--scheduler-ms", default=1000 * Cluster.scheduler_s, show_default=True, help="Of the scheduler, a task.")
@click.option("--storage-gb", default=Cluster.storage_bytes_per_s / 1e9, show_default=True, help="Gigabytes a second.")
@click.option("--megabits", default=8e-6 * Cluster.video_bytes_per_s, show_default=True, help="A second, of videos.")
@click.option("--part-s", default=300.0, show_default=True, help="Length of parts.")
def main(speed: float, scheduler_ms: float, storage_gb: float, megabits: float, chunk_s: float) -> None:
    """Print the tables."""
    cluster = Cluster(0, speed, scheduler_ms / 1000, Cluster.task_s, storage_gb * 1e9, megabits * 1e6 / 8)
    click.echo(assumptions(cluster, chunk_s))
    headers = ("hours", "workers", "whole videos", "of ideal", "limited by", "parts", "of ideal", "limited by")
    table = [row for hours in (100, 10_000, 100_000) for row in rows(hours, cluster, chunk_s)]
    click.echo(tabulate(table, headers, tablefmt="github", disable_numparse=True))
    click.echo("\na million hours, in parts:")
    click.echo(_million(cluster, chunk_s))


if __name__ == "__main__":
    main()
