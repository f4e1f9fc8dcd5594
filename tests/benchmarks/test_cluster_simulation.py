"""The simulation, compared with results calculated by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.cluster_simulation import VIDEO_KINDS, ClusterModel, draw_lengths, simulate, split_into_chunks

IDEAL = ClusterModel(2, speed=2.0, scheduler_s=0.0, task_s=0.0, storage_bytes_per_s=1e30, deaths_per_hour=0.0)


def variant(**changes: float) -> ClusterModel:
    return ClusterModel(**(vars(IDEAL) | changes))


def test_two_workers_share_even_work() -> None:
    run = simulate(np.full(10, 3600.0), IDEAL)
    assert (run.hours, run.share, run.limit) == (2.5, 1.0, "nothing")


def test_one_very_long_video_is_the_limit_unless_split() -> None:
    """One worker needs 36 hours at twice real time, the other one hour; in chunks they share the work."""
    lengths = np.array([72.0, 2.0]) * 3600
    run = simulate(lengths, IDEAL)
    assert (run.hours, run.limit) == (36.0, "longest video")
    assert run.share == pytest.approx(37 / 72)
    assert simulate(split_into_chunks(lengths, 300), IDEAL).hours == pytest.approx(18.5)


def test_slow_scheduler_is_the_limit() -> None:
    """A thousand tasks of one second, scheduled every two seconds."""
    run = simulate(np.full(1000, 2.0), variant(scheduler_s=2.0))
    assert run.limit == "scheduler"
    assert run.hours == pytest.approx((1000 * 2 + 1) / 3600)


def test_slow_storage_is_the_limit() -> None:
    """100 videos of 100 s at 10 byte/s from storage of 100 byte/s: 1,000 s of reading, 250 s of work per worker."""
    run = simulate(np.full(100, 100.0), variant(workers=10, speed=4.0, storage_bytes_per_s=100.0, video_bytes_per_s=10.0))
    assert run.limit == "storage"
    assert run.hours == pytest.approx(1000 / 3600)


def test_failures_lose_half_a_task_each() -> None:
    """At one failure in 100 hours and tasks of one hour, half a percent of the work is lost."""
    tasks = np.full(20_000, 7200.0)
    run = simulate(tasks, variant(deaths_per_hour=1e-2))
    assert run.share == pytest.approx(1 / (1 + 0.01 / 2), rel=2e-3)


def test_chunks_add_up_to_the_videos() -> None:
    assert split_into_chunks(np.array([650.0, 300.0, 10.0]), 300).tolist() == [300, 300, 50, 300, 10]


def test_archives_have_the_requested_length_and_kinds() -> None:
    lengths = draw_lengths(20_000)
    assert lengths.sum() == pytest.approx(20_000 * 3600)
    assert (np.diff(lengths) <= 0).all()
    assert sum(kind.share for kind in VIDEO_KINDS) == pytest.approx(1)
    assert (lengths > 5 * 3600).mean() == pytest.approx(0.002, rel=0.2)
