"""Locks in object storage: one owner at a time, and a run that lost its lock writes nothing."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.batch.check import FindingKind, delete_stale_files
from annotate.batch.job import Status
from annotate.errors import OutputError, StorageError
from annotate.storage.address import S3Address
from annotate.storage.base import Lock, parse_path, storage_for
from annotate.storage.s3 import lease
from annotate.storage.s3.client import S3Client
from tests.batch.test_s3 import run
from tests.object_store import Bucket
from tests.runs import check

PASSED = datetime.timedelta(seconds=lease.LEASE_S + 1)


@pytest.fixture
def base(bucket: Bucket) -> S3Address:
    return S3Address(bucket.name, "films/movie")


def lock(base: S3Address) -> AbstractContextManager[Lock | None]:
    return storage_for(base).lock(base)


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make everything written so far older than a lease."""
    age_and_etag = S3Client.age_and_etag

    def older_age_and_etag(client: S3Client, path: S3Address) -> tuple[datetime.timedelta, str]:
        age, etag = age_and_etag(client, path)
        return age + PASSED, etag

    def make_older() -> None:
        monkeypatch.setattr(S3Client, "age_and_etag", older_age_and_etag)

    return make_older


def locks(bucket: Bucket) -> list[str]:
    """Return the keys of the lock objects."""
    return [key for key in bucket.keys if key.endswith(".lock")]


def test_a_lock_is_an_object_that_is_deleted_on_release(bucket: Bucket, base: S3Address) -> None:
    with lock(base) as first, lock(base) as second:
        assert (first is not None, second) == (True, None)
        (key,) = locks(bucket)
        assert key.startswith("films/.annotate-")
        assert json.loads(bucket.get(key))["renewals"] == 0
    assert bucket.keys == []


def test_names_that_differ_in_case_share_a_lock(bucket: Bucket, base: S3Address) -> None:
    with lock(base), lock(base.with_name("Movie")) as other:
        assert other is None


def test_a_held_lock_is_renewed(bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch) -> None:
    with lock(base) as held:
        assert held is not None
        (key,) = locks(bucket)
        held.confirm()
        held.confirm()
        assert json.loads(bucket.get(key))["renewals"] == 2


def test_an_expired_lock_is_taken_over_and_lost(bucket: Bucket, base: S3Address, pass_time: Callable[[], None]) -> None:
    with lock(base) as first:
        assert first is not None
        pass_time()
        with lock(base) as second:
            assert second is not None
            second.confirm()
        assert locks(bucket) == []
        with pytest.raises(OutputError, match="another run"):
            first.confirm()


def test_a_lost_response_to_a_renewal_does_not_lose_the_lock(bucket: Bucket, base: S3Address) -> None:
    with lock(base) as held:
        assert held is not None
        (key,) = locks(bucket)
        bucket.put(key, json.dumps({**json.loads(bucket.get(key)), "renewals": 9}).encode())
        held.confirm()
    assert bucket.keys == []


def test_a_lock_is_deleted_if_its_creation_is_interrupted(
    bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_conditional = S3Client.put_conditional

    def put_and_end(*arguments: object) -> None:
        put_conditional(*arguments)  # type: ignore[arg-type]
        raise SystemExit

    monkeypatch.setattr(S3Client, "put_conditional", put_and_end)
    with pytest.raises(SystemExit), lock(base):
        pass
    assert bucket.keys == []


def test_a_lock_is_deleted_if_it_is_interrupted_after_its_creation(
    bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        assert locks(bucket) != []
        raise SystemExit

    monkeypatch.setattr(lease, "Lease", interrupt)
    with pytest.raises(SystemExit), lock(base):
        pass
    assert bucket.keys == []


def test_a_lock_is_deleted_if_its_release_is_interrupted(
    bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, calls = S3Client.delete, []

    def interrupted_once(client: S3Client, path: S3Address) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise SystemExit
        delete(client, path)

    with pytest.raises(SystemExit), lock(base):
        monkeypatch.setattr(S3Client, "delete", interrupted_once)
    assert (len(calls), bucket.keys) == (2, [])


def test_confirming_a_lost_lock_raises_and_leaves_the_other_lock_alone(bucket: Bucket, base: S3Address) -> None:
    with lock(base) as held:
        assert held is not None
        (key,) = locks(bucket)
        bucket.put(key, b"another's")
        with pytest.raises(OutputError, match="another run"):
            held.confirm()
    assert bucket.get(key) == b"another's"


def test_a_run_that_lost_its_lock_writes_nothing(
    bucket: Bucket, empty_clip: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a.mp4", empty_clip)  # type: ignore[arg-type]

    def analyze_and_lose(analysis: Analysis, cores: object) -> list[Annotation]:
        bucket.put(locks(bucket)[0], b"another's")
        return analyze(analysis)

    monkeypatch.setattr("annotate.batch.annotate.analyze", analyze_and_lose)
    (outcome,) = run(bucket.url)
    assert outcome.status is Status.FAILED
    assert "another run" in outcome.problem
    assert bucket.keys == [*locks(bucket), "a.mp4"]


def test_only_expired_locks_are_swept(bucket: Bucket, base: S3Address, pass_time: Callable[[], None]) -> None:
    key = f"films/.annotate-{'0' * 16}.lock"
    bucket.put(key, b"{}")
    bucket.put("films/.annotate-notes.lock", b"somebody's")
    folder = base.parent
    storage = storage_for(folder)
    assert (storage.find_abandoned(folder), storage.sweep(folder)) == ([], [])
    pass_time()
    assert [str(path) for path in storage.find_abandoned(folder)] == [f"{bucket.url}/{key}"]
    assert [str(path) for path in storage.sweep(folder)] == [f"{bucket.url}/{key}"]
    assert bucket.keys == ["films/.annotate-notes.lock"]


def test_check_finds_and_deletes_the_lock_of_a_killed_run(bucket: Bucket, pass_time: Callable[[], None]) -> None:
    root = parse_path(bucket.url)
    bucket.put(f".annotate-{'0' * 16}.lock", b"{}")
    pass_time()
    (finding,) = check([root])
    assert finding.kind is FindingKind.UNFINISHED
    assert delete_stale_files(finding) == [finding.path]
    assert bucket.keys == []


def test_a_store_that_ignores_conditions_is_refused(
    bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_system = S3Client().filesystem
    call = file_system.call_s3

    def ignore_conditions(method: str, IfNoneMatch: str = "", IfMatch: str = "", **arguments: object) -> object:  # noqa: N803
        return call(method, **arguments)

    monkeypatch.setattr(file_system, "call_s3", ignore_conditions)
    with pytest.raises(StorageError, match="ignores"), lock(base):
        pass
    assert bucket.keys == []
