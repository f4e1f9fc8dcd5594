from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from annotate.batch import processes
from annotate.batch.job import AnnotateJob, AnyJob, Outcome, Status, Task, WorkContext
from annotate.batch.processes import ProcessExecutor
from annotate.batch.run import annotate_task, run_jobs
from tests.clips import make_from_images
from tests.runs import annotate, job_for

pytestmark = pytest.mark.processes

CRASHES, CRASHES_ONCE = "crashes.mp4", "crashes_once.mp4"
ENDS_WITHIN_S = 3.0
"""Maximum time to exit after a signal, as SECURITY.md promises."""


def crash_or_succeed(job: AnnotateJob, context: WorkContext | None = None) -> Outcome:
    """A task whose decoder may crash the worker process."""
    marker = job.path.with_suffix(".crashed")
    if job.path.name == CRASHES or (job.path.name == CRASHES_ONCE and not marker.exists()):
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(job.path, Status.ANNOTATED, 1.0)


def lose_sigterm(job: AnnotateJob, context: WorkContext) -> Outcome:
    """A task that is terminated in a ``__del__`` method, where Python drops exceptions."""

    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    Finalized()
    return Outcome(job.path, Status.ANNOTATED, 1.0)


def leave_generator_open(job: AnnotateJob, context: WorkContext) -> Outcome:
    """A task that is terminated while a generator waits for its cleanup."""

    def create_and_delete() -> Iterator[None]:
        job.path.touch()
        try:
            yield
        finally:
            job.path.unlink()

    generator = create_and_delete()
    next(generator)
    os.kill(os.getpid(), signal.SIGTERM)
    return Outcome(job.path, Status.ANNOTATED, 1.0)


class CrashingExecutor:
    """An executor that runs tasks without a `WorkContext`."""

    slots = 2

    def __init__(self) -> None:
        self.starts = 0
        self.restart()

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        return self._executor.submit(task, job, None)  # type: ignore[arg-type]

    def restart(self) -> None:
        self.starts += 1
        self._executor = ProcessPoolExecutor(self.slots, mp_context=multiprocessing.get_context("spawn"))

    def close(self) -> None:
        self._executor.shutdown()


def test_a_crashed_worker_fails_only_its_video(tmp_path: Path) -> None:
    names = ["a.mp4", CRASHES, "b.mp4", CRASHES_ONCE, "c.mp4", "d.mp4", "e.mp4"]
    workers = CrashingExecutor()
    outcomes = list(run_jobs(crash_or_succeed, [job_for(tmp_path / name) for name in names], workers))
    workers.close()
    assert sorted(outcome.path.name for outcome in outcomes) == sorted(names)
    (failed,) = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    assert failed.path.name == CRASHES
    assert "crashed" in failed.problem
    assert workers.starts > 1


def test_closed_workers_leave_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    workers = ProcessExecutor(1)
    outcome = workers.submit(annotate_task, job_for(tmp_path / "missing.mp4")).result()
    assert outcome.status is Status.FAILED
    workers.close()
    assert set(threading.enumerate()) <= before


def test_a_prepared_worker_takes_the_first_job(tmp_path: Path) -> None:
    workers = ProcessExecutor(4, max_jobs=1)
    workers.prepare()
    outcome = workers.submit(annotate_task, job_for(tmp_path / "missing.mp4")).result()
    assert outcome.status is Status.FAILED
    assert workers._pool is not None
    assert len(workers._pool.context.started) == 1
    workers.close()


@pytest.mark.parametrize("task", [lose_sigterm, leave_generator_open])
def test_sigterm_ends_a_worker_and_cleans_up_at_any_point_of_a_job(tmp_path: Path, task: Task[AnnotateJob]) -> None:
    with contextlib.closing(ProcessExecutor(1)) as workers, pytest.raises(BrokenExecutor):
        workers.submit(task, job_for(tmp_path / "a.mp4")).result(60)
    assert list(tmp_path.iterdir()) == []


def test_prepared_workers_end_on_close() -> None:
    before = set(threading.enumerate())
    workers = ProcessExecutor(1)
    workers.prepare()
    assert workers._pool is not None
    (process,) = workers._pool.context.started
    workers.close()
    assert not process.is_alive()
    assert set(threading.enumerate()) <= before


def outputs_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".csv", ".srt", ".json"}}


def test_results_do_not_depend_on_the_number_of_jobs(tmp_path: Path, face_clip: Path, face_image: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    shutil.copy2(face_clip, one / "a.mp4")
    make_from_images(one / "b.mkv", [(face_image, 1.3)], filters="noise=alls=10:allf=t")
    shutil.copytree(one, two)
    for folder, slots in ((one, 1), (two, 2)):
        outcomes = list(annotate([folder], executor=ProcessExecutor(slots)))
        assert [outcome.status for outcome in outcomes] == [Status.ANNOTATED] * 2
    assert len(outputs_of(one)) == 8
    assert outputs_of(one) == outputs_of(two)


def test_workers_report_progress(face_clip: Path, tmp_path: Path) -> None:
    calls: list[tuple[Path, float, float | None]] = []
    path = shutil.copy2(face_clip, tmp_path / "a.mp4")
    list(annotate([path], executor=ProcessExecutor(2, lambda *arguments: calls.append(arguments))))
    assert calls[0] == (path, 0.0, 2.0)


@pytest.fixture
def archive(tmp_path: Path, face_image: Path) -> Path:
    """Four videos that take some seconds each."""
    folder = tmp_path / "archive"
    folder.mkdir()
    first = make_from_images(folder / "0.mp4", [(face_image, 24)], size=(640, 480))
    for number in range(1, 4):
        shutil.copy2(first, folder / f"{number}.mp4")
    return folder


def descendants(pid: int) -> list[str]:
    """Return the command lines of all live descendants of a process."""
    answer = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in answer.stdout.splitlines()]
    tree, has_grown = {str(pid)}, True
    while has_grown:
        has_grown = False
        for child, parent, _, _ in rows:
            if parent in tree and child not in tree:
                tree.add(child)
                has_grown = True
    return [arguments for child, _, state, arguments in rows if child in tree - {str(pid)} and not state.startswith("Z")]


def start(archive: Path) -> subprocess.Popen[str]:
    """Start a run and wait until it decodes its first videos."""
    command = [sys.executable, "-m", "annotate", "--jobs", "2", str(archive)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline_s = time.monotonic() + 60
    while not any("ffmpeg" in arguments for arguments in descendants(process.pid)):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    return process


def written_names(archive: Path) -> list[str]:
    return sorted(path.name for path in archive.iterdir() if path.suffix != ".mp4")


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a process table")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_processes_and_leaves_no_files(archive: Path, number: signal.Signals, status: int) -> None:
    process = start(archive)
    family = descendants(process.pid)
    started_s = time.monotonic()
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert time.monotonic() - started_s < ENDS_WITHIN_S
    assert not set(family) & set(all_arguments())
    assert "4 remaining" in errors
    assert output == ""
    assert "Traceback" not in errors
    assert written_names(archive) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_a_worker_is_started(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    class Interrupted(Exception):  # noqa: N818
        """Raised by the signal."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    started = []

    def start(process: SpawnProcess) -> None:
        signal.raise_signal(number)
        started.append(process)

    monkeypatch.setattr(SpawnProcess, "start", start)
    process = processes._WorkerContext(1, 0).Process()
    before = signal.signal(number, interrupt)
    try:
        with pytest.raises(Interrupted):
            process.start()
        assert started == [process]
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a process table")
def test_workers_end_after_their_parent_is_killed_and_the_next_run_continues(
    archive: Path, face_image: Path, face_clip: Path
) -> None:
    """Workers notice within a second; the videos are long enough not to finish before."""
    for number in (2, 3):
        (archive / f"{number}.mp4").unlink()
    make_from_images(archive / "0.mp4", [(face_image, 40)], size=(640, 480))
    shutil.copy2(archive / "0.mp4", archive / "1.mp4")
    process = start(archive)
    family = descendants(process.pid)
    process.kill()
    process.communicate()
    deadline_s = time.monotonic() + 30
    while set(family) & set(all_arguments()):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    for video in archive.glob("*.mp4"):
        shutil.copy2(face_clip, video)  # as much is to be done, in less time
    outcomes = list(annotate([archive], executor=ProcessExecutor(2)))
    assert [outcome.status for outcome in outcomes] == [Status.ANNOTATED] * 2
    assert written_names(archive) == [
        f"{number}.emotions.{ending}" for number in (0, 1) for ending in ("boxes.csv", "csv", "en.srt", "meta.json")
    ]


def all_arguments() -> list[str]:
    """Return the command lines of all processes."""
    answer = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


def test_two_concurrent_runs_process_no_video_twice(archive: Path) -> None:
    command = [sys.executable, "-m", "annotate", "--jobs", "1", str(archive)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [line for run in runs for line in run.communicate(timeout=110)[1].splitlines()]
    assert [run.returncode for run in runs] == [0, 0]
    annotated = [line.split(": ")[0] for line in lines if ": annotated" in line]
    assert sorted(annotated) == sorted(str(path) for path in archive.glob("*.mp4"))
    assert len(written_names(archive)) == 16
