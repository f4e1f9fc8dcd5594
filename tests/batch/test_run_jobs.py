"""`run_jobs`: the number of submitted jobs, and progress."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from annotate.batch.executor import InlineExecutor
from annotate.batch.job import AnyJob, Job, Outcome, Status, Task, WorkContext
from annotate.batch.run import run_jobs
from tests.runs import annotate, job_for


def _never(job: Job, context: WorkContext) -> Outcome:
    pytest.fail("the executor must not run the task")


class _GrowingExecutor:
    """An executor that records the number of submitted jobs per number of slots."""

    def __init__(self) -> None:
        self.slots = 2
        self.held: list[tuple[Future[Outcome], Job]] = []
        self.max_held: dict[int, int] = {}

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self.held.append((future, job))
        self.max_held[self.slots] = max(self.max_held.get(self.slots, 0), len(self.held))
        return future

    def finish_one(self) -> None:
        future, job = self.held.pop(0)
        future.set_result(Outcome(job.path, Status.ANNOTATED))

    def restart(self) -> None:
        pytest.fail("no worker crashed")

    def close(self) -> None:
        pass


def test_the_number_of_submitted_jobs_follows_the_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.batch.run._WINDOW_INTERVAL_S", 0.01)
    workers, paths = _GrowingExecutor(), [Path(f"{number}.mp4") for number in range(60)]
    jobs = [job_for(path) for path in paths]
    done: list[Path] = []

    def finish_jobs() -> None:
        while len(done) < len(paths):
            if len(done) == 20:
                workers.slots = 5
            if workers.held:
                workers.finish_one()
            threading.Event().wait(0.002)

    thread = threading.Thread(target=finish_jobs, daemon=True)
    thread.start()
    for outcome in run_jobs(_never, jobs, workers):
        done.append(outcome.path)
    thread.join()
    assert sorted(done) == sorted(paths)
    assert workers.max_held[2] <= 4
    assert 4 < workers.max_held[5] <= 10


def test_progress_is_reported_in_seconds_of_video(tmp_path: Path, empty_clip: Path) -> None:
    calls: list[tuple[Path, float, float | None]] = []
    path = shutil.copy(empty_clip, tmp_path / "a.mp4")
    list(annotate([path], executor=InlineExecutor(lambda *arguments: calls.append(arguments))))
    assert {(path, duration_s) for path, _, duration_s in calls} == {(tmp_path / "a.mp4", 1.0)}
    assert [done_s for _, done_s, _ in calls] == pytest.approx([0.04 * number for number in range(26)])
