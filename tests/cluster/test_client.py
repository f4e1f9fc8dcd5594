"""Runs on Dask clusters with real worker processes on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem, scan
from annotate.batch.job import Outcome, Status, WorkContext
from annotate.batch.persons import describe_archive
from annotate.batch.run import annotate_task, run_jobs
from annotate.cluster import jobs, tasks
from annotate.emotions.classifier import load_classifier
from annotate.errors import SettingsError
from annotate.results.failure import Attempt, read_failure
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.storage.address import S3Address
from annotate.storage.base import storage_for
from annotate.storage.s3.lease import LEASE_S
from tests.clips import H264, make_from_images
from tests.runs import annotate, job_for

pytestmark = pytest.mark.processes

distributed = pytest.importorskip("distributed")
cluster = pytest.importorskip("annotate.cluster.client")

SETTINGS = Settings(chunk_s=1)
TIMEOUT_S = 60.0
LOOPBACK = "127.0.0.1:0"


@pytest.fixture(scope="module")
def running() -> Iterator[distributed.LocalCluster]:
    """A running cluster of two workers with one thread each."""
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": cluster.ALLOWED_FAILURES}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=LOOPBACK, memory_limit=0, silence_logs=100
        ) as local_cluster,
    ):
        yield local_cluster


@pytest.fixture
def address(running: distributed.LocalCluster) -> str:
    return str(running.scheduler_address)


@dataclass(frozen=True)
class FakeJob:
    """A job without a video: its process is recorded, then it crashes, waits for a file, or succeeds."""

    path: Path
    crashes: bool = False
    awaited: Path | None = None
    limits: Limits = ONE_CORE

    @property
    def item(self) -> ArchiveItem:
        return ArchiveItem(self.path, self.outputs, None, None)

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.path.with_suffix(""))

    @property
    def pids(self) -> list[int]:
        """IDs of the processes that started it."""
        path = self.path.with_suffix(".pids")
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_fake_job(job: FakeJob, context: WorkContext) -> Outcome:
    """The task of a `FakeJob`."""
    with job.path.with_suffix(".pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if job.crashes:
        os.kill(os.getpid(), signal.SIGKILL)
    while job.awaited is not None and not job.awaited.exists():
        if context.progress is not None:
            context.progress(0.0, None)
        time.sleep(0.02)
    return Outcome(job.path, Status.ANNOTATED, 1.0)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true; fail after a timeout."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, face_image: Path, empty_clip: Path) -> Path:
    """A long video with a face, a damaged copy of it, a video without faces, and a text file."""
    folder = tmp_path_factory.mktemp("videos")
    shots = [(face_image, 1.3), (face_image, 2.4)]
    long = make_from_images(folder / "long.mp4", shots, options=(*H264, "-g", "9"))
    content = bytearray(long.read_bytes())
    for offset in range(len(content) // 2, len(content) // 2 + 4000, 40):
        content[offset] ^= 0xFF
    (folder / "damaged.mp4").write_bytes(content)
    shutil.copy2(empty_clip, folder / "empty.mp4")
    (folder / "text.mp4").write_text("not a video\n" * 100)
    return folder


def test_outputs_equal_those_of_one_process(
    videos: Path, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, remote = Path(shutil.copytree(videos, tmp_path / "local")), Path(shutil.copytree(videos, tmp_path / "remote"))
    list(annotate([local], SETTINGS))
    monkeypatch.chdir(tmp_path)
    calls: list[tuple[Path, float, float | None]] = []
    workers = cluster.ClusterExecutor(address, lambda *arguments: calls.append(arguments))
    outcomes = list(annotate([Path("remote")], SETTINGS, executor=workers))
    assert {str(outcome.path): outcome.status for outcome in outcomes} == {
        "remote/damaged.mp4": Status.ANNOTATED,
        "remote/empty.mp4": Status.NO_FACES,
        "remote/long.mp4": Status.ANNOTATED,
        "remote/text.mp4": Status.FAILED,
    }
    (failed,) = (outcome for outcome in outcomes if outcome.status is Status.FAILED)
    assert (failed.about, failed.host) == (None, os.uname().nodename)
    assert "video (" in failed.problem
    assert failed.message.endswith(f" [on {os.uname().nodename}]")
    records = [read_failure(folder / "text.emotions.failed.json") for folder in (local, remote)]
    attempt = Attempt.of(SETTINGS, load_classifier().model_hash, ONE_CORE)
    assert [record.attempt for record in records if record] == [attempt, attempt]
    for folder in (local, remote):  # records have the time
        (folder / "text.emotions.failed.json").unlink()
    assert len(files(local)) == 14
    assert files(remote) == files(local)
    assert {(path, duration_s) for path, _, duration_s in calls} >= {(Path("remote/long.mp4"), 3.72)}
    again = list(annotate([Path("remote")], SETTINGS, executor=cluster.ClusterExecutor(address)))
    assert sorted(outcome.status.value for outcome in again) == ["failed", *["up_to_date"] * 3]


def test_descriptors_equal_those_of_one_process(videos: Path, tmp_path: Path, address: str) -> None:
    local = Path(shutil.copytree(videos, tmp_path / "local", ignore=shutil.ignore_patterns("text.mp4")))
    list(annotate([local], SETTINGS))
    remote = Path(shutil.copytree(local, tmp_path / "remote"))
    for folder, executor in ((local, None), (remote, cluster.ClusterExecutor(address))):
        outcomes = list(describe_archive(list(scan([folder])), executor))
        assert [outcome.status for outcome in outcomes] == [Status.DESCRIBED] * 3
    stored = [sorted(folder.glob("*.descriptors.npz")) for folder in (local, remote)]
    assert [path.name for path in stored[0]] == [f"{name}.emotions.descriptors.npz" for name in ("damaged", "empty", "long")]
    for first, second in zip(*stored, strict=True):
        assert first.read_bytes() == second.read_bytes()
    with np.load(stored[0][-1]) as arrays:
        assert np.linalg.norm(arrays["vectors"], axis=1) == pytest.approx(np.ones(len(arrays["face_ids"])), abs=0.1)


def test_a_video_that_crashes_three_workers_fails(tmp_path: Path, address: str) -> None:
    fake_jobs = [FakeJob(tmp_path / f"{number}.mp4", crashes=number == 1) for number in range(6)]
    workers = cluster.ClusterExecutor(address)
    outcomes = {outcome.path: outcome for outcome in run_jobs(run_fake_job, fake_jobs, workers)}
    workers.close()
    assert [outcomes[job.path].status for job in fake_jobs] == [
        Status.FAILED if job.crashes else Status.ANNOTATED for job in fake_jobs
    ]
    problem = outcomes[fake_jobs[1].path].problem
    assert "3 workers crashed" in problem
    assert "tcp://" in problem
    assert len(set(fake_jobs[1].pids)) == 3


def test_the_job_of_a_killed_worker_is_run_by_another(tmp_path: Path, address: str) -> None:
    proceed = tmp_path / "proceed"
    fake_jobs = [FakeJob(tmp_path / f"{number}.mp4", awaited=proceed) for number in range(4)]
    workers = cluster.ClusterExecutor(address)
    futures = [workers.submit(run_fake_job, job) for job in fake_jobs]
    wait_until(lambda: bool(fake_jobs[0].pids))
    os.kill(fake_jobs[0].pids[0], signal.SIGKILL)
    wait_until(lambda: len(fake_jobs[0].pids) == 2)
    proceed.touch()
    assert [future.result(TIMEOUT_S).status for future in futures] == [Status.ANNOTATED] * 4
    workers.close()


def test_closing_cancels_running_jobs_and_leaves_the_cluster_running(
    tmp_path: Path, face_image: Path, running: distributed.LocalCluster
) -> None:
    clip = make_from_images(tmp_path / "a.mp4", [(face_image, 40)], size=(640, 480))
    progress_s: list[float] = []
    workers = cluster.ClusterExecutor(running.scheduler_address, lambda path, done_s, duration_s: progress_s.append(done_s))
    job = job_for(clip, Outputs(tmp_path / "a"))
    future = workers.submit(annotate_task, job)
    wait_until(lambda: bool(progress_s) and progress_s[-1] > 0)
    assert len(list(tmp_path.iterdir())) > 1
    workers.close()
    assert future.cancelled()
    wait_until(lambda: [path.name for path in tmp_path.iterdir()] == ["a.mp4"])
    with distributed.Client(running.scheduler_address, set_as_default=False) as client:
        assert client.submit(abs, -1).result(TIMEOUT_S) == 1


def test_a_locked_video_is_tried_again(
    tmp_path: Path, empty_clip: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOCKED_DELAY_S", 0.1)
    monkeypatch.setattr(jobs, "LOCKED_TRIES", 3)
    video = shutil.copy2(empty_clip, tmp_path / "a.mp4")
    outputs = Outputs(tmp_path / "a")
    job = job_for(video, outputs)
    workers = cluster.ClusterExecutor(address)
    with storage_for(tmp_path).lock(outputs.base) as lock:
        assert lock is not None
        assert workers.submit(annotate_task, job).result(TIMEOUT_S).status is Status.LOCKED
        monkeypatch.setattr(jobs, "LOCKED_TRIES", 300)
        future = workers.submit(annotate_task, job)
        time.sleep(0.5)
        assert not future.done()
    assert future.result(TIMEOUT_S).status is Status.NO_FACES
    workers.close()


def test_another_version_on_a_worker_ends_the_run(
    tmp_path: Path, empty_clip: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "VERSION", "9.9")
    video = shutil.copy2(empty_clip, tmp_path / "a.mp4")
    with pytest.raises(SettingsError) as raised:
        list(annotate([video], executor=cluster.ClusterExecutor(address)))
    assert str(raised.value.path).startswith("worker tcp://")
    assert "annotate 0.1.0" in raised.value.problem
    assert "annotate 9.9" in raised.value.problem
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_incompatible_worker_refuses_tasks(tmp_path: Path, address: str) -> None:
    """Workers check themselves, even if the client has not checked them."""
    requirements = tasks.Requirements(tasks.Versions("9.9", 1, "3.1", "2000"), None, "cpu")
    job = FakeJob(tmp_path / "a.mp4")
    with distributed.Client(address, set_as_default=False) as client:
        future = client.submit(tasks.run_job, run_fake_job, job, requirements, tasks.ProgressReporter("run", 0), pure=False)
        with pytest.raises(tasks.IncompatibleWorkerError, match=r"annotate 0\.1\.0.* annotate 9\.9"):
            future.result(TIMEOUT_S)
    assert job.pids == []


@pytest.mark.parametrize(
    ("changed", "versions"),
    [
        ({"program": "1.0"}, ["annotate 1.0", "annotate 0.1.0"]),
        ({"analysis": 1}, ["analysis version 1", "analysis version 5"]),
        ({"model_hash": "b"}, ["model b", "model a"]),
    ],
)
def test_version_differences_name_both_versions(changed: dict[str, object], versions: list[str]) -> None:
    own = {"program": "0.1.0", "analysis": 5, "python": "3.11", "distributed": "2026.8.0", "model_hash": "a"}
    difference = tasks.Versions(**own).difference(tasks.Versions(**{**own, **changed}))  # type: ignore[arg-type]
    positions = [difference.index(version) for version in versions]
    assert positions == sorted(positions)
    assert tasks.Versions(**own).difference(tasks.Versions(**own)) == ""  # type: ignore[arg-type]


def test_without_workers_jobs_wait_and_the_user_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_NO_WORKER_NOTICE_S", 0.1)
    monkeypatch.setattr(cluster, "_CONNECT_TIMEOUT_S", 1.0)
    messages: list[str] = []
    fake_jobs = [FakeJob(tmp_path / f"{number}.mp4", awaited=tmp_path / "proceed") for number in range(9)]
    options = {"threads_per_worker": 3, "processes": False, "protocol": "tcp", "dashboard_address": LOOPBACK}
    with distributed.LocalCluster(n_workers=0, silence_logs=100, **options) as running:
        workers = cluster.ClusterExecutor(running.scheduler_address, notify=messages.append)
        future = workers.submit(run_fake_job, fake_jobs[0])
        wait_until(lambda: bool(messages))
        assert messages[0].startswith(f"No worker is connected to {running.scheduler_address}")
        assert workers.slots == 2
        running.scale(1)
        wait_until(lambda: workers.slots == 3)
        (tmp_path / "proceed").touch()
        assert future.result(TIMEOUT_S).status is Status.ANNOTATED
        assert len(messages) == 1
        running.close()
        with contextlib.suppress(cluster.ClusterError):
            workers.submit(run_fake_job, fake_jobs[1]).result(TIMEOUT_S)
        with pytest.raises(cluster.ClusterError, match=r"connection .* lost"):
            workers.submit(run_fake_job, fake_jobs[2]).result(TIMEOUT_S)
        workers.close()


def test_an_unreachable_scheduler_or_invalid_address_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(cluster.ClusterError, match=r"^tcp://127\.0\.0\.1:1: .*scheduler"):
        cluster.ClusterExecutor("tcp://127.0.0.1:1")
    with pytest.raises(SettingsError, match=r"--cluster scheduler\.json: .*cluster address"):
        cluster.ClusterExecutor("scheduler.json")
    (tmp_path / "scheduler.json").write_text("nonsense")
    with pytest.raises(SettingsError, match=r"scheduler\.json: not a scheduler file"):
        cluster.ClusterExecutor(str(tmp_path / "scheduler.json"))


def test_locked_objects_are_tried_until_the_lease_of_a_dead_worker_expires(tmp_path: Path) -> None:
    local = job_for(tmp_path / "a.mp4", Outputs(tmp_path / "a"))
    remote = replace(local, item=replace(local.item, outputs=Outputs(S3Address("bucket", "a"))))
    local_s, remote_s = (jobs.locked_tries(job) * jobs.LOCKED_DELAY_S for job in (local, remote))
    assert local_s == 60
    assert remote_s == local_s + LEASE_S
