"""Whole runs over object storage: the same outputs as local runs, no repeated downloads, no leftovers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.archive.layout import ARCHIVE_PERSONS, OutputOptions
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.status import State
from annotate.archive.status import statuses as statuses_of
from annotate.batch.forget import forget_archive
from annotate.batch.job import Outcome, Status
from annotate.batch.persons import edit_persons, number_persons, show_persons
from annotate.batch.run import Plan
from annotate.batch.watch import Watch, WatchOptions
from annotate.persons.descriptor import DIMENSIONS
from annotate.persons.storage import format_descriptors
from annotate.persons.tracks import TrackVectors
from annotate.results.meta import describe_source, hash_content, hash_file
from annotate.results.persons import name_person
from annotate.storage.base import parse_path, storage_for
from annotate.storage.local.storage import LocalStorage
from tests.object_store import Bucket
from tests.runs import annotate

FORMATS = ("csv", "srt", "vtt", "json", "eaf")
Usage = namedtuple("Usage", "total used free")


def run(*paths: str | Path, scratch: Path | None = None, **options: object) -> list[Outcome]:
    """Annotate all videos below paths or URLs."""
    output_options = OutputOptions(**{"formats": FORMATS, **options})  # type: ignore[arg-type]
    return list(annotate([parse_path(str(path)) for path in paths], options=output_options, scratch=scratch))


def statuses(outcomes: list[Outcome]) -> list[tuple[str, Status]]:
    return [(outcome.path.name, outcome.status) for outcome in outcomes]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder for downloads."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def filled(bucket: Bucket, face_clip: Path, empty_clip: Path) -> Bucket:
    """A bucket with videos with and without a face and a text file."""
    bucket.put("films/face.mp4", face_clip)
    bucket.put("films/1998/empty.mp4", empty_clip)
    bucket.put("films/text.mp4", b"not a video\n" * 100)
    return bucket


def test_outputs_equal_those_of_a_local_run(
    filled: Bucket, scratch: Path, tmp_path: Path, face_clip: Path, empty_clip: Path
) -> None:
    local = tmp_path / "films"
    (local / "1998").mkdir(parents=True)
    shutil.copy(face_clip, local / "face.mp4")
    shutil.copy(empty_clip, local / "1998/empty.mp4")
    (local / "text.mp4").write_bytes(b"not a video\n" * 100)
    for path in local.rglob("*.mp4"):
        key = f"films/{path.relative_to(local).as_posix()}"
        modified_s = int(filled.client.head_object(Bucket=filled.name, Key=key)["LastModified"].timestamp())
        os.utime(path, (modified_s, modified_s))
    expected, outcomes = run(local), run(f"{filled.url}/films", scratch=scratch)
    assert statuses(outcomes) == statuses(expected)
    assert [(outcome.duration_s, outcome.faces, outcome.emotion) for outcome in outcomes] == [
        (outcome.duration_s, outcome.faces, outcome.emotion) for outcome in expected
    ]
    written = sorted(path for path in local.rglob("*") if path.is_file())
    assert filled.keys == [f"films/{path.relative_to(local).as_posix()}" for path in written]
    for path in written:
        if path.name == "text.emotions.failed.json":  # it has the time
            continue
        assert filled.get(f"films/{path.relative_to(local).as_posix()}") == path.read_bytes(), path.name
    assert os.listdir(scratch) == []


def test_a_failure_names_the_object_and_not_the_download(filled: Bucket, scratch: Path) -> None:
    (outcome,) = run(f"{filled.url}/films/text.mp4", scratch=scratch)
    assert outcome.status is Status.FAILED
    (again,) = run(f"{filled.url}/films/text.mp4", scratch=scratch)
    assert outcome.problem in again.problem
    assert "--retry-failed" in again.remedy
    (status,) = statuses_of(scan([parse_path(f"{filled.url}/films/text.mp4")]))
    assert (status.state, status.reason) == (State.FAILED, outcome.reason)
    assert outcome.about is None
    assert "video (" in outcome.problem
    assert str(scratch) not in outcome.message
    assert os.listdir(scratch) == []
    written = ["films/1998/empty.mp4", "films/face.mp4", "films/text.emotions.failed.json", "films/text.mp4"]
    assert filled.keys == written


def test_arriving_objects_are_watched(filled: Bucket, face_clip: Path) -> None:
    now_s = 0.0
    watch = Watch(lambda: scan([parse_path(f"{filled.url}/films")]), Plan(), WatchOptions(), lambda: now_s)
    assert (watch.look().waiting, watch.look().ready) == (3, [])
    filled.put("films/new.mp4", face_clip)
    now_s = WatchOptions.settle_s
    look = watch.look()
    assert [item.video.name for item in look.ready] == ["empty.mp4", "face.mp4", "text.mp4"]
    assert look.waiting == 1


def test_a_second_run_downloads_nothing_and_sends_few_requests(filled: Bucket) -> None:
    filled.delete("films/text.mp4")
    run(filled.url)
    before, written = filled.keys, len(filled.fetched())
    filled.requests.clear()
    assert statuses(run(filled.url)) == [("empty.mp4", Status.UP_TO_DATE), ("face.mp4", Status.UP_TO_DATE)]
    assert (written, filled.fetched()) == (2, [])
    metas = ["films/1998/empty.emotions.meta.json", "films/face.emotions.meta.json"]
    assert {key for method, key in filled.requests if method == "get"} == set(metas)
    assert [method for method, _ in filled.requests if method != "get"] == ["list_objects_v2"]
    assert filled.keys == before


def test_a_changed_object_is_annotated_again(filled: Bucket, empty_clip: Path) -> None:
    run(f"{filled.url}/films/face.mp4")
    filled.put("films/face.mp4", empty_clip)
    assert statuses(run(f"{filled.url}/films/face.mp4")) == [("face.mp4", Status.NO_FACES)]
    assert "films/face.emotions.en.srt" not in filled.keys


def test_missing_tracks_are_converted_from_the_report(filled: Bucket) -> None:
    run(f"{filled.url}/films/face.mp4", formats=("csv",))
    filled.requests.clear()
    assert statuses(run(f"{filled.url}/films/face.mp4")) == [("face.mp4", Status.CONVERTED)]
    assert filled.fetched() == []
    assert {f"films/face.emotions.{ending}" for ending in ("en.srt", "en.vtt", "json", "eaf")} <= set(filled.keys)


def test_an_object_that_changes_while_it_is_read_fails_and_leaves_no_objects(
    filled: Bucket, empty_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyze_and_change(analysis: Analysis, cores: object) -> list[Annotation]:
        annotations = analyze(analysis)
        filled.put("films/1998/empty.mp4", empty_clip.read_bytes() + b"\0")
        return annotations

    monkeypatch.setattr("annotate.batch.annotate.analyze", analyze_and_change)
    (outcome,) = run(f"{filled.url}/films/1998")
    assert (outcome.status, outcome.about) == (Status.FAILED, None)
    assert "changed" in outcome.problem
    assert filled.keys == ["films/1998/empty.mp4", "films/face.mp4", "films/text.mp4"]


def test_a_locked_video_is_not_processed(filled: Bucket) -> None:
    base = parse_path(f"{filled.url}/films/face")
    with storage_for(base).lock(base) as held:
        assert held is not None
        assert statuses(run(f"{filled.url}/films/face.mp4")) == [("face.mp4", Status.LOCKED)]
    assert filled.fetched() == []
    assert statuses(run(f"{filled.url}/films/face.mp4")) == [("face.mp4", Status.ANNOTATED)]


def test_an_interrupted_run_leaves_no_download_lock_or_sidecar(
    filled: Bucket, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        assert len(os.listdir(scratch)) == 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("annotate.batch.annotate.analyze", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(f"{filled.url}/films/face.mp4", scratch=scratch)
    assert os.listdir(scratch) == []
    assert filled.keys == ["films/1998/empty.mp4", "films/face.mp4", "films/text.mp4"]


def test_downloads_of_killed_processes_are_deleted(filled: Bucket, scratch: Path) -> None:
    left = scratch / "annotate-fetched-0"
    left.mkdir()
    (left / "lock").touch()
    (left / "video.mp4").touch()
    (scratch / "holiday.mp4").touch()
    run(f"{filled.url}/films/1998", scratch=scratch)
    assert os.listdir(scratch) == ["holiday.mp4"]


def test_too_little_space_is_reported_before_a_download(
    filled: Bucket, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10_000_000, 5_000_000, 5_000_000))
    (outcome,) = run(f"{filled.url}/films/1998", scratch=scratch)
    assert outcome.status is Status.FAILED
    assert str(scratch) in outcome.message
    assert "5 MB" in outcome.problem
    assert "--scratch" in outcome.remedy
    assert filled.fetched() == []
    assert os.listdir(scratch) == []


def test_downloads_go_to_the_temporary_folder_by_default(
    filled: Bucket, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(LocalStorage, "check_readable", lambda storage, path: pytest.fail(str(path.parent.parent)))
    with pytest.raises(pytest.fail.Exception, match=str(scratch)):
        run(f"{filled.url}/films/1998")


def test_videos_with_equal_stems_do_not_share_outputs(bucket: Bucket, empty_clip: Path) -> None:
    bucket.put("a.mp4", empty_clip)
    bucket.put("a.mkv", empty_clip)
    run(bucket.url)
    assert [key for key in bucket.keys if key.endswith(".csv")] == ["a.emotions.csv", "a.mp4.emotions.csv"]
    assert {status for _, status in statuses(run(bucket.url))} == {Status.UP_TO_DATE}


@pytest.mark.parametrize("name", ["a b#1?%25.mp4", "ü 映画'b\"c&d.mp4"])
def test_keys_with_special_characters(bucket: Bucket, empty_clip: Path, name: str) -> None:
    bucket.put(f"odd & #/{name}", empty_clip)
    (outcome,) = run(bucket.url, formats=("csv",))
    assert (outcome.status, str(outcome.path)) == (Status.NO_FACES, f"{bucket.url}/odd & #/{name}")
    base = f"odd & #/{name.removesuffix('.mp4')}.emotions"
    assert bucket.keys == sorted([f"{base}.csv", f"{base}.meta.json", f"odd & #/{name}"])
    assert json.loads(bucket.get(f"{base}.meta.json"))["source"]["name"] == name
    assert run(bucket.url, formats=("csv",))[0].status is Status.UP_TO_DATE


def test_the_source_of_an_object_equals_that_of_the_file(filled: Bucket, face_clip: Path) -> None:
    source, expected = describe_source(parse_path(f"{filled.url}/films/face.mp4")), describe_source(face_clip)
    assert (source.name, source.size_bytes, source.hash) == ("face.mp4", expected.size_bytes, expected.hash)


def test_an_object_is_read_in_ranges(bucket: Bucket) -> None:
    content = bytes(range(256)) * 9000
    bucket.put("a", content)
    path = parse_path(f"{bucket.url}/a")
    with storage_for(path).open_range(path) as file:
        assert file.read(10) == content[:10]
        file.seek(len(content) - 5)
        assert (file.read(10), file.read(10)) == (content[-5:], b"")
    assert hash_file(parse_path(f"{bucket.url}/a")) == hash_content(content)


@pytest.mark.slow
def test_large_objects_are_uploaded_and_downloaded_completely(bucket: Bucket, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 101
    path = parse_path(f"{bucket.url}/a")
    storage_for(path).write_atomic(path, content)
    with storage_for(path).local_copy(path, tmp_path) as copy:
        assert copy.read_bytes() == content
    assert bucket.client.head_object(Bucket=bucket.name, Key="a")["ETag"].endswith('-3"')
    assert os.listdir(tmp_path) == []


def test_a_missing_bucket_or_prefix_is_a_failed_outcome(bucket: Bucket) -> None:
    (outcome,) = run("s3://no-such-bucket/films")
    assert (str(outcome.path), outcome.status) == ("s3://no-such-bucket/films", Status.FAILED)
    assert "no-such-bucket" in outcome.problem
    (outcome,) = run(f"{bucket.url}/films")
    assert (str(outcome.path), outcome.status) == (f"{bucket.url}/films", Status.FAILED)
    assert "no such file" in outcome.problem
    assert run(bucket.url) == []


def test_edited_objects_are_kept_under_another_key(filled: Bucket, empty_clip: Path) -> None:
    run(filled.url)
    filled.put("films/face.emotions.en.srt", b"mine")
    filled.put("films/face.mp4", empty_clip)
    outcomes = {outcome.path.name: outcome for outcome in run(filled.url)}
    assert outcomes["face.mp4"].status is Status.NO_FACES
    assert "face.emotions.en.srt.bak-1" in outcomes["face.mp4"].problem
    assert storage_for(kept := parse_path(f"{filled.url}/films/face.emotions.en.srt.bak-1")).read(kept) == b"mine"


def test_persons_of_a_bucket_are_numbered_named_and_forgotten(filled: Bucket) -> None:
    run(filled.url)
    before = {key: filled.get(key) for key in filled.keys}
    root = parse_path(f"{filled.url}/films")
    items = [item for item in scan([root]) if isinstance(item, ArchiveItem)]
    (item,) = [item for item in items if item.video.name == "face.mp4"]
    assert item.meta is not None
    tracks = TrackVectors((1,), np.eye(1, DIMENSIONS, dtype=np.float32), np.ones(1, np.int64))
    content = format_descriptors(tracks, item.meta.outputs["face.emotions.csv"] or "")
    storage_for(root).write_atomic(item.outputs.descriptors, content, private=True)
    file = root / ARCHIVE_PERSONS
    number_persons(file, items)
    edit_persons(file, [lambda rows: name_person(rows, 1, "Ann")])
    assert [outcome.status for outcome in show_persons(file, items)] == [Status.CONVERTED]
    assert b"Ann: " in filled.get("films/face.emotions.en.srt")
    list(forget_archive(items, [file]))
    assert {key: filled.get(key) for key in filled.keys} == before
