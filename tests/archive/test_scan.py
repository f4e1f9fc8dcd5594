"""Scans: videos with their outputs and sidecars, each sidecar read once, in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem, scan
from annotate.batch.job import AnyJob, Outcome, Status, Task
from annotate.results.meta import Meta, describe_source
from annotate.storage.address import S3Address
from annotate.storage.base import storage_for
from annotate.storage.local.storage import LocalStorage
from annotate.storage.values import SkippedPath
from tests.object_store import Bucket
from tests.runs import annotate

META = Meta(
    analysis_version=0,
    program="annotate",
    model_hash="",
    settings={},
    source=describe_source(Path(__file__)),
    frames=1,
    duration_s=1.0,
    missing_s=0.0,
    faces=0,
    dropped_tracks=0,
    warnings={},
    ffmpeg="9",
)
"""A sidecar of another analysis version, so that its video needs to be annotated again."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two folders with two videos each, the first of each annotated by another analysis version."""
    for name in ("a.mp4", "b.mp4", "deep/a.mp4", "deep/b.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        if path.stem == "a":
            meta = replace(META, source=describe_source(path))
            Path(str(Outputs(path.with_suffix("")).meta)).write_text(meta.to_json())
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """Number of reads per file."""
    counts: Counter[Path] = Counter()
    read, read_many = LocalStorage.read, LocalStorage.read_many

    def count_read(storage: LocalStorage, path: Path) -> bytes:
        counts[path] += 1
        return read(storage, path)

    def count_reads(storage: LocalStorage, paths: Sequence[Path]) -> Iterator[bytes | OSError]:
        counts.update(paths)
        return read_many(storage, paths)

    monkeypatch.setattr(LocalStorage, "read", count_read)
    monkeypatch.setattr(LocalStorage, "read_many", count_reads)
    return counts


class Recorder:
    """An executor that records jobs without running them."""

    slots = 1

    def __init__(self) -> None:
        self.jobs: list[object] = []

    def submit(self, task: Task[AnyJob], job: AnyJob) -> Future[Outcome]:
        self.jobs.append(job)
        future: Future[Outcome] = Future()
        future.set_result(Outcome(job.path, Status.ANNOTATED))
        return future

    def restart(self) -> None:
        pytest.fail("restarted without a failure")

    def close(self) -> None:
        pass


def test_items_have_video_outputs_sidecar_and_size(archive: Path) -> None:
    items = [item for item in scan([archive]) if isinstance(item, ArchiveItem)]
    assert [item.video for item in items] == [archive / name for name in ("a.mp4", "b.mp4", "deep/a.mp4", "deep/b.mp4")]
    assert [item.outputs.base for item in items] == [item.video.with_suffix("") for item in items]
    assert [item.meta is not None for item in items] == [True, False, True, False]
    assert [item.stat.size_bytes for item in items if item.stat] == [5, 5, 10, 10]


def test_a_sidecar_is_read_once_and_passed_to_the_job(archive: Path, reads: Counter[Path]) -> None:
    recorder = Recorder()
    assert len(list(annotate([archive], executor=recorder))) == 4
    metas = {job.path: job.item.meta for job in recorder.jobs}  # type: ignore[attr-defined]
    assert {path.name for path, meta in metas.items() if meta is not None} == {"a.mp4"}
    sidecars = {path: count for path, count in reads.items() if path.name.endswith(".meta.json")}
    assert set(sidecars.values()) == {1}
    assert {archive / "a.emotions.meta.json", archive / "deep/a.emotions.meta.json"} <= set(sidecars)


def test_a_separate_output_folder_has_the_tree_of_the_archive(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    items = [item for item in scan([archive], output_dir=target) if isinstance(item, ArchiveItem)]
    assert [item.outputs.base for item in items] == [target / name for name in ("a", "b", "deep/a", "deep/b")]
    assert all(item.meta is None for item in items)


def test_sizes_are_known_without_reading_sidecars(archive: Path, reads: Counter[Path]) -> None:
    found = scan([archive, archive / "missing"])
    assert len(found) == 5
    assert {path.name: size for path, size in found.sizes_bytes().items()} == {"a.mp4": 10, "b.mp4": 10, "missing": 0}
    assert not reads


def test_skipped_paths_keep_their_position(archive: Path) -> None:
    found = list(scan([archive / "missing", archive / "a.mp4"]))
    assert isinstance(found[0], SkippedPath)
    assert isinstance(found[1], ArchiveItem)


def test_rereading_an_item_returns_its_current_state(archive: Path) -> None:
    first = next(item for item in scan([archive]) if isinstance(item, ArchiveItem))
    (archive / "a.emotions.meta.json").unlink()
    (archive / "a.mp4").write_text("longer than before")
    reread = first.reread()
    assert (reread.video, reread.outputs, reread.meta) == (first.video, first.outputs, None)
    assert reread.stat is not None
    assert reread.stat.size_bytes == 18


def test_object_storage_is_listed_once(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"{number}/a.mp4", b"video")
        bucket.put(f"{number}/a.emotions.meta.json", META.to_json().encode())
    bucket.requests.clear()
    root = S3Address(bucket.name)
    items = [item for item in scan([root]) if isinstance(item, ArchiveItem)]
    assert [item.meta for item in items] == [META] * 5
    assert [storage_for(root).absolute(item.video) for item in items] == [f"{bucket.url}/{n}/a.mp4" for n in range(5)]
    assert Counter(method for method, _ in bucket.requests) == {"list_objects_v2": 1, "get": 5}
