"""Claims in object storage: one owner at a time, and one that lost its claim writes nothing."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.batch.check import Fault, remove_stale
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
    """Makes all that was written so far older than a lease."""
    age_of = S3Client.age_of

    def age_of_older(client: S3Client, path: S3Address) -> tuple[datetime.timedelta, str]:
        age, etag = age_of(client, path)
        return age + PASSED, etag

    def older() -> None:
        monkeypatch.setattr(S3Client, "age_of", age_of_older)

    return older


def locks(bucket: Bucket) -> list[str]:
    return [key for key in bucket.keys if key.endswith(".lock")]


def test_a_claim_is_an_object_that_is_gone_afterwards(bucket: Bucket, base: S3Address) -> None:
    with lock(base) as first, lock(base) as second:
        assert (first is not None, second) == (True, None)
        (key,) = locks(bucket)
        assert key.startswith("films/.annotate-")
        assert json.loads(bucket.get(key))["renewals"] == 0
    assert bucket.keys == []


def test_names_that_differ_in_case_share_a_claim(bucket: Bucket, base: S3Address) -> None:
    with lock(base), lock(base.with_name("Movie")) as other:
        assert other is None


def test_a_claim_is_renewed_while_it_is_held(bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch) -> None:
    with lock(base) as held:
        assert held is not None
        (key,) = locks(bucket)
        held.confirm()
        held.confirm()
        assert json.loads(bucket.get(key))["renewals"] == 2


def test_a_claim_that_nobody_renews_is_taken_over_and_lost(
    bucket: Bucket, base: S3Address, pass_time: Callable[[], None]
) -> None:
    with lock(base) as first:
        assert first is not None
        pass_time()
        with lock(base) as second:
            assert second is not None
            second.confirm()
        assert locks(bucket) == []
        with pytest.raises(OutputError, match="another run has taken the video over"):
            first.confirm()


def test_a_renewal_whose_answer_was_lost_loses_nothing(bucket: Bucket, base: S3Address) -> None:
    with lock(base) as held:
        assert held is not None
        (key,) = locks(bucket)
        bucket.put(key, json.dumps({**json.loads(bucket.get(key)), "renewals": 9}).encode())
        held.confirm()
    assert bucket.keys == []


def test_a_claim_that_is_interrupted_while_it_is_made_is_withdrawn(
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


def test_a_claim_whose_end_is_interrupted_is_ended(bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch) -> None:
    delete, calls = S3Client.delete, []

    def interrupted_once(client: S3Client, path: S3Address) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise SystemExit
        delete(client, path)

    with pytest.raises(SystemExit), lock(base):
        monkeypatch.setattr(S3Client, "delete", interrupted_once)
    assert (len(calls), bucket.keys) == (2, [])


def test_who_lost_a_claim_is_told_and_leaves_the_others_alone(bucket: Bucket, base: S3Address) -> None:
    with lock(base) as held:
        assert held is not None
        (key,) = locks(bucket)
        bucket.put(key, b"another's")
        with pytest.raises(OutputError, match="another run has taken the video over"):
            held.confirm()
    assert bucket.get(key) == b"another's"


def test_a_run_that_lost_its_claim_writes_nothing(
    bucket: Bucket, empty_clip: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a.mp4", empty_clip)  # type: ignore[arg-type]

    def analyze_and_lose(analysis: Analysis, cores: object) -> list[Annotation]:
        bucket.put(locks(bucket)[0], b"another's")
        return analyze(analysis)

    monkeypatch.setattr("annotate.batch.annotate.analyze", analyze_and_lose)
    (outcome,) = run(bucket.url)
    assert outcome.status is Status.FAILED
    assert outcome.problem.startswith("not written, since another run has taken the video over")
    assert bucket.keys == [*locks(bucket), "a.mp4"]


def test_only_what_nobody_renews_is_swept(bucket: Bucket, base: S3Address, pass_time: Callable[[], None]) -> None:
    key = f"films/.annotate-{'0' * 16}.lock"
    bucket.put(key, b"{}")
    bucket.put("films/.annotate-notes.lock", b"somebody's")
    folder = base.parent
    storage = storage_for(folder)
    assert (storage.abandoned(folder), storage.sweep(folder)) == ([], [])
    pass_time()
    assert [str(path) for path in storage.abandoned(folder)] == [f"{bucket.url}/{key}"]
    assert [str(path) for path in storage.sweep(folder)] == [f"{bucket.url}/{key}"]
    assert bucket.keys == ["films/.annotate-notes.lock"]


def test_a_killed_runs_claim_is_found_by_check_and_removed(bucket: Bucket, pass_time: Callable[[], None]) -> None:
    root = parse_path(bucket.url)
    bucket.put(f".annotate-{'0' * 16}.lock", b"{}")
    pass_time()
    (finding,) = check([root])
    assert finding.fault is Fault.UNFINISHED
    assert remove_stale(finding) == [finding.path]
    assert bucket.keys == []


def test_a_store_without_conditions_is_refused(bucket: Bucket, base: S3Address, monkeypatch: pytest.MonkeyPatch) -> None:
    file_system = S3Client().filesystem
    call = file_system.call_s3

    def ignore_conditions(method: str, IfNoneMatch: str = "", IfMatch: str = "", **arguments: object) -> object:  # noqa: N803
        return call(method, **arguments)

    monkeypatch.setattr(file_system, "call_s3", ignore_conditions)
    with pytest.raises(StorageError, match="the store ignores conditions of puts"), lock(base):
        pass
    assert bucket.keys == []
