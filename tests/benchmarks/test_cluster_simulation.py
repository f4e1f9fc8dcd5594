"""The simulation, against what can be told by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.cluster_simulation import KINDS, Cluster, divided, draw_lengths, simulate

IDEAL = Cluster(2, speed=2.0, scheduler_s=0.0, task_s=0.0, storage_bytes_per_s=1e30, deaths_per_hour=0.0)


def changed(**changes: float) -> Cluster:
    return Cluster(**(vars(IDEAL) | changes))


def test_two_workers_share_even_work() -> None:
    run = simulate(np.full(10, 3600.0), IDEAL)
    assert (run.hours, run.share, run.limit) == (2.5, 1.0, "nothing")


def test_a_film_that_is_longer_than_all_the_rest_is_what_is_waited_for() -> None:
    """36 hours by one worker at twice real time; the other has but an hour to do. In parts they share it."""
    lengths = np.array([72.0, 2.0]) * 3600
    run = simulate(lengths, IDEAL)
    assert (run.hours, run.limit) == (36.0, "longest video")
    assert run.share == pytest.approx(37 / 72)
    assert simulate(divided(lengths, 300), IDEAL).hours == pytest.approx(18.5)


def test_a_slow_scheduler_is_told() -> None:
    """A thousand tasks of a second each, handed out every two seconds."""
    run = simulate(np.full(1000, 2.0), changed(scheduler_s=2.0))
    assert run.limit == "scheduler"
    assert run.hours == pytest.approx((1000 * 2 + 1) / 3600)


def test_slow_storage_is_told() -> None:
    """A hundred videos of 100 s at 10 bytes a second, from 100 bytes a second: 1,000 s for 2,500 s of work by ten."""
    run = simulate(np.full(100, 100.0), changed(workers=10, speed=4.0, storage_bytes_per_s=100.0, video_bytes_per_s=10.0))
    assert run.limit == "storage"
    assert run.hours == pytest.approx(1000 / 3600)


def test_deaths_cost_work() -> None:
    """With one death in 1,000 hours on average, half of a task is lost to each."""
    tasks = np.full(20_000, 7200.0)
    run = simulate(tasks, changed(deaths_per_hour=1e-2))
    assert run.share == pytest.approx(1 / (1 + 0.01 / 2), rel=2e-3)


def test_parts_are_the_whole() -> None:
    assert divided(np.array([650.0, 300.0, 10.0]), 300).tolist() == [300, 300, 50, 300, 10]


def test_archives_have_the_length_and_the_kinds_that_were_asked_for() -> None:
    lengths = draw_lengths(20_000)
    assert lengths.sum() == pytest.approx(20_000 * 3600)
    assert (np.diff(lengths) <= 0).all()
    assert sum(kind.share for kind in KINDS) == pytest.approx(1)
    assert (lengths > 5 * 3600).mean() == pytest.approx(0.002, rel=0.2)
