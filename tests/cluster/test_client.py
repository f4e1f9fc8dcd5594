"""Runs on clusters of real worker processes on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.batch.job import Outcome, Status, WorkContext
from annotate.batch.run import annotate_task, run_jobs
from annotate.cluster import jobs, tasks
from annotate.errors import SettingsError
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.storage.address import S3Address
from annotate.storage.base import storage_for
from annotate.storage.s3.lease import LEASE_S
from tests.clips import H264, make_from_pictures
from tests.runs import annotate, job_for

distributed = pytest.importorskip("distributed")
cluster = pytest.importorskip("annotate.cluster.client")

SETTINGS = Settings(chunk_s=1)
PATIENCE_S = 60.0
LOOPBACK = "127.0.0.1:0"


@pytest.fixture(scope="module")
def running() -> Iterator[distributed.LocalCluster]:
    """A cluster as people start one, with two workers of a thread each."""
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": cluster.ALLOWED_FAILURES}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=LOOPBACK, memory_limit=0, silence_logs=100
        ) as made,
    ):
        yield made


@pytest.fixture
def address(running: distributed.LocalCluster) -> str:
    return str(running.scheduler_address)


@dataclass(frozen=True)
class Deed:
    """A job that is something else than annotating: its process is noted, then it dies, waits for a file, or is done."""

    path: Path
    deadly: bool = False
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
        """The processes that began it."""
        path = self.path.with_suffix(".pids")
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def do_deed(deed: Deed, context: WorkContext) -> Outcome:
    """The task of a deed."""
    with deed.path.with_suffix(".pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if deed.deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    while deed.awaited is not None and not deed.awaited.exists():
        if context.progress is not None:
            context.progress(0.0, None)
        time.sleep(0.02)
    return Outcome(deed.path, Status.ANNOTATED, 1.0)


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, face_picture: Path, empty_clip: Path) -> Path:
    """A face in several parts, whole and damaged; no face; a text."""
    folder = tmp_path_factory.mktemp("videos")
    shots = [(face_picture, 1.3), (face_picture, 2.4)]
    long = make_from_pictures(folder / "long.mp4", shots, options=(*H264, "-g", "9"))
    content = bytearray(long.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 4000, 40):
        content[place] ^= 0xFF
    (folder / "damaged.mp4").write_bytes(content)
    shutil.copy2(empty_clip, folder / "empty.mp4")
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    return folder


def test_a_cluster_writes_what_one_process_writes(
    videos: Path, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Path(shutil.copytree(videos, tmp_path / "here")), Path(shutil.copytree(videos, tmp_path / "there"))
    list(annotate([here], SETTINGS))
    monkeypatch.chdir(tmp_path)
    told: list[tuple[Path, float, float | None]] = []
    workers = cluster.ClusterExecutor(address, lambda *news: told.append(news))
    outcomes = list(annotate([Path("there")], SETTINGS, executor=workers))
    assert {str(outcome.path): outcome.status for outcome in outcomes} == {
        "there/damaged.mp4": Status.ANNOTATED,
        "there/empty.mp4": Status.NO_FACES,
        "there/long.mp4": Status.ANNOTATED,
        "there/text.mp4": Status.FAILED,
    }
    (failed,) = (outcome for outcome in outcomes if outcome.status is Status.FAILED)
    assert (failed.about, failed.host) == (None, os.uname().nodename)
    assert failed.problem.startswith("not a video that can be opened (")
    assert failed.sentence.endswith(f" [on {os.uname().nodename}]")
    assert len(files(here)) == 14
    assert files(there) == files(here)
    assert {(path, length_s) for path, _, length_s in told} >= {(Path("there/long.mp4"), 3.72)}
    again = list(annotate([Path("there")], SETTINGS, executor=cluster.ClusterExecutor(address)))
    assert sorted(outcome.status.value for outcome in again) == ["failed", *["up_to_date"] * 3]


def test_a_video_that_kills_three_workers_is_reported_and_left(tmp_path: Path, address: str) -> None:
    deeds = [Deed(tmp_path / f"{number}.mp4", deadly=number == 1) for number in range(6)]
    workers = cluster.ClusterExecutor(address)
    outcomes = {outcome.path: outcome for outcome in run_jobs(do_deed, deeds, workers)}
    workers.close()
    assert [outcomes[deed.path].status for deed in deeds] == [
        Status.FAILED if deed.deadly else Status.ANNOTATED for deed in deeds
    ]
    assert outcomes[deeds[1].path].problem.startswith("3 worker processes died on it, the last at tcp://")
    assert len(set(deeds[1].pids)) == 3


def test_what_a_killed_worker_was_at_is_done_by_another(tmp_path: Path, address: str) -> None:
    go_on = tmp_path / "go_on"
    deeds = [Deed(tmp_path / f"{number}.mp4", awaited=go_on) for number in range(4)]
    workers = cluster.ClusterExecutor(address)
    futures = [workers.submit(do_deed, deed) for deed in deeds]
    until(lambda: bool(deeds[0].pids))
    os.kill(deeds[0].pids[0], signal.SIGKILL)
    until(lambda: len(deeds[0].pids) == 2)
    go_on.touch()
    assert [future.result(PATIENCE_S).status for future in futures] == [Status.ANNOTATED] * 4
    workers.close()


def test_closing_calls_off_what_is_under_way_and_leaves_the_cluster(
    tmp_path: Path, face_picture: Path, running: distributed.LocalCluster
) -> None:
    clip = make_from_pictures(tmp_path / "a.mp4", [(face_picture, 40)], size=(640, 480))
    told_s: list[float] = []
    workers = cluster.ClusterExecutor(running.scheduler_address, lambda path, done_s, duration_s: told_s.append(done_s))
    job = job_for(clip, Outputs(tmp_path / "a"))
    future = workers.submit(annotate_task, job)
    until(lambda: bool(told_s) and told_s[-1] > 0)
    assert len(list(tmp_path.iterdir())) > 1
    workers.close()
    assert future.cancelled()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    with distributed.Client(running.scheduler_address, set_as_default=False) as client:
        assert client.submit(abs, -1).result(PATIENCE_S) == 1


def test_a_video_that_somebody_holds_is_asked_for_again(
    tmp_path: Path, empty_clip: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BUSY_DELAY_S", 0.5)
    monkeypatch.setattr(jobs, "BUSY_TRIES", 3)
    video = shutil.copy2(empty_clip, tmp_path / "a.mp4")
    outputs = Outputs(tmp_path / "a")
    job = job_for(video, outputs)
    workers = cluster.ClusterExecutor(address)
    with storage_for(tmp_path).lock(outputs.base) as lock:
        assert lock is not None
        assert workers.submit(annotate_task, job).result(PATIENCE_S).status is Status.LOCKED
        future = workers.submit(annotate_task, job)
        time.sleep(0.7)
        assert not future.done()
    assert future.result(PATIENCE_S).status is Status.NO_FACES
    workers.close()


def test_another_version_ends_the_run_with_a_sentence(
    tmp_path: Path, empty_clip: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "VERSION", "9.9")
    video = shutil.copy2(empty_clip, tmp_path / "a.mp4")
    with pytest.raises(SettingsError) as raised:
        list(annotate([video], executor=cluster.ClusterExecutor(address)))
    assert str(raised.value).startswith("worker tcp://")
    assert "it has annotate 0.1.0, and this run has annotate 9.9; install the same on all" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_worker_that_does_not_fit_gives_no_results(tmp_path: Path, address: str) -> None:
    """Whoever did not look at it before: it looks at itself."""
    need = tasks.Need(tasks.Versions("9.9", 1, "3.1", "2000"), None, "cpu")
    deed = Deed(tmp_path / "a.mp4")
    with distributed.Client(address, set_as_default=False) as client:
        future = client.submit(tasks.do, do_deed, deed, need, tasks.ProgressReporter("run", 0), pure=False)
        with pytest.raises(tasks.WrongWorkerError, match=r"it has annotate 0\.1\.0, and this run has annotate 9\.9"):
            future.result(PATIENCE_S)
    assert deed.pids == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"program": "1.0"}, "it has annotate 1.0, and this run has annotate 0.1.0"),
        ({"analysis": 1}, "it has analysis version 1, and this run has analysis version 5"),
        ({"model_hash": "b"}, "it has model b, and this run has model a"),
        ({}, ""),
    ],
)
def test_differences_are_told(other: dict[str, object], said: str) -> None:
    mine = {"program": "0.1.0", "analysis": 5, "python": "3.11", "distributed": "2026.8.0", "model_hash": "a"}
    assert tasks.Versions(**mine).difference(tasks.Versions(**{**mine, **other})) == said  # type: ignore[arg-type]


def test_without_workers_jobs_wait_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_SILENCE_S", 0.1)
    monkeypatch.setattr(cluster, "_CONNECT_TIMEOUT_S", 1.0)
    told: list[str] = []
    deeds = [Deed(tmp_path / f"{number}.mp4", awaited=tmp_path / "go_on") for number in range(9)]
    options = {"threads_per_worker": 3, "processes": False, "protocol": "tcp", "dashboard_address": LOOPBACK}
    with distributed.LocalCluster(n_workers=0, silence_logs=100, **options) as made:
        workers = cluster.ClusterExecutor(made.scheduler_address, tell=told.append)
        future = workers.submit(do_deed, deeds[0])
        until(lambda: bool(told))
        assert told[0].startswith(f"no worker is connected to {made.scheduler_address}; videos wait until there is one")
        assert workers.slots == 2
        made.scale(1)
        until(lambda: workers.slots == 3)
        (tmp_path / "go_on").touch()
        assert future.result(PATIENCE_S).status is Status.ANNOTATED
        assert len(told) == 1
        made.close()
        with contextlib.suppress(cluster.ClusterError):
            workers.submit(do_deed, deeds[1]).result(PATIENCE_S)
        with pytest.raises(cluster.ClusterError, match="the connection to the scheduler is lost"):
            workers.submit(do_deed, deeds[2]).result(PATIENCE_S)
        workers.close()


def test_where_no_scheduler_is_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(cluster.ClusterError, match=r"tcp://127\.0\.0\.1:1: no scheduler answers there"):
        cluster.ClusterExecutor("tcp://127.0.0.1:1")
    with pytest.raises(SettingsError, match=r"--cluster scheduler\.json: is neither local"):
        cluster.ClusterExecutor("scheduler.json")
    (tmp_path / "scheduler.json").write_text("nonsense")
    with pytest.raises(SettingsError, match=r"scheduler\.json: is not the file that"):
        cluster.ClusterExecutor(str(tmp_path / "scheduler.json"))


def test_in_object_storage_it_is_asked_until_a_dead_worker_lets_go(tmp_path: Path) -> None:
    local = job_for(tmp_path / "a.mp4", Outputs(tmp_path / "a"))
    remote = replace(local, item=replace(local.item, outputs=Outputs(S3Address("bucket", "a"))))
    here_s, there_s = (jobs.busy_tries(job) * jobs.BUSY_DELAY_S for job in (local, remote))
    assert here_s == 60
    assert there_s == here_s + LEASE_S
