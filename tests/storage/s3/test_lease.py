"""Claims in object storage: one owner at a time, and one that lost its claim writes nothing."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable

import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyse
from annotate.analysis.pipeline import Analysis
from annotate.archive.discover import walk
from annotate.archive.layout import Outputs
from annotate.batch.check import Fault, check_archive, remove_stale
from annotate.batch.job import Status
from annotate.errors import OutputError, StorageError
from annotate.storage.locks import abandoned, claim, confirm, sweep
from annotate.storage.s3 import client, lease
from annotate.storage.s3.path import ObjectPath, parse_place
from tests.batch.test_s3 import run
from tests.object_store import Bucket

PASSED = datetime.timedelta(seconds=lease.LEASE_S + 1)


@pytest.fixture
def outputs(bucket: Bucket) -> Outputs:
    return Outputs(parse_place(f"{bucket.url}/films/movie"))


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes all that was written so far older than a lease."""
    age_of = client.age_of

    def older() -> None:
        monkeypatch.setattr(client, "age_of", lambda path: (age_of(path)[0] + PASSED, age_of(path)[1]))

    return older


def locks(bucket: Bucket) -> list[str]:
    return [key for key in bucket.keys if key.endswith(".lock")]


def test_a_claim_is_an_object_that_is_gone_afterwards(bucket: Bucket, outputs: Outputs) -> None:
    with claim(outputs) as first, claim(outputs) as second:
        assert (first is not None, second) == (True, None)
        (key,) = locks(bucket)
        assert key.startswith("films/.annotate-")
        assert json.loads(bucket.get(key))["renewals"] == 0
    assert bucket.keys == []


def test_names_that_differ_in_case_share_a_claim(bucket: Bucket, outputs: Outputs) -> None:
    with claim(outputs), claim(Outputs(outputs.base.with_name("Movie"))) as other:
        assert other is None


def test_a_claim_is_renewed_while_it_is_held(bucket: Bucket, outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    with claim(outputs):
        (key,) = locks(bucket)
        confirm(outputs)
        confirm(outputs)
        assert json.loads(bucket.get(key))["renewals"] == 2


def test_a_claim_that_nobody_renews_is_taken_over_and_lost(
    bucket: Bucket, outputs: Outputs, pass_time: Callable[[], None]
) -> None:
    with claim(outputs) as first:
        assert first is not None
        pass_time()
        with claim(outputs) as second:
            assert second is not None
            confirm(outputs)
        assert locks(bucket) == []
        with pytest.raises(OutputError, match="another run has taken the video over"):
            confirm(outputs)


def test_a_renewal_whose_answer_was_lost_loses_nothing(bucket: Bucket, outputs: Outputs) -> None:
    with claim(outputs):
        (key,) = locks(bucket)
        bucket.put(key, json.dumps({**json.loads(bucket.get(key)), "renewals": 9}).encode())
        confirm(outputs)
    assert bucket.keys == []


def test_a_claim_that_is_interrupted_while_it_is_made_is_withdrawn(
    bucket: Bucket, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_if = client.put_if

    def put_and_end(*arguments: object) -> None:
        put_if(*arguments)  # type: ignore[arg-type]
        raise SystemExit

    monkeypatch.setattr(client, "put_if", put_and_end)
    with pytest.raises(SystemExit), claim(outputs):
        pass
    assert bucket.keys == []


def test_a_claim_whose_end_is_interrupted_is_ended(
    bucket: Bucket, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, calls = client.delete, []

    def interrupted_once(path: ObjectPath) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise SystemExit
        delete(path)

    with pytest.raises(SystemExit), claim(outputs):
        monkeypatch.setattr(client, "delete", interrupted_once)
    assert (len(calls), bucket.keys) == (2, [])


def test_who_lost_a_claim_is_told_and_leaves_the_others_alone(bucket: Bucket, outputs: Outputs) -> None:
    with claim(outputs):
        (key,) = locks(bucket)
        bucket.put(key, b"another's")
        with pytest.raises(OutputError, match="another run has taken the video over"):
            confirm(outputs)
    assert bucket.get(key) == b"another's"


def test_a_run_that_lost_its_claim_writes_nothing(
    bucket: Bucket, empty_clip: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a.mp4", empty_clip)  # type: ignore[arg-type]

    def analyse_and_lose(analysis: Analysis, cores: object) -> list[Annotation]:
        bucket.put(locks(bucket)[0], b"another's")
        return analyse(analysis)

    monkeypatch.setattr("annotate.batch.annotate.analyse", analyse_and_lose)
    (outcome,) = run(bucket.url)
    assert outcome.status is Status.FAILED
    assert "a.emotions.meta.json: not written, since another run has taken the video over" in outcome.reason
    assert bucket.keys == [*locks(bucket), "a.mp4"]


def test_only_what_nobody_renews_is_swept(bucket: Bucket, outputs: Outputs, pass_time: Callable[[], None]) -> None:
    key = f"films/.annotate-{'0' * 16}.lock"
    bucket.put(key, b"{}")
    bucket.put("films/.annotate-notes.lock", b"somebody's")
    folder = outputs.base.parent
    assert (abandoned(folder), sweep(folder)) == ([], [])
    pass_time()
    assert [str(path) for path in abandoned(folder)] == [f"{bucket.url}/{key}"]
    assert [str(path) for path in sweep(folder)] == [f"{bucket.url}/{key}"]
    assert bucket.keys == ["films/.annotate-notes.lock"]


def test_a_killed_runs_claim_is_found_by_check_and_removed(bucket: Bucket, pass_time: Callable[[], None]) -> None:
    root = parse_place(bucket.url)
    bucket.put(f".annotate-{'0' * 16}.lock", b"{}")
    pass_time()
    (finding,) = check_archive(walk([root]), {root: [root]})
    assert finding.fault is Fault.UNFINISHED
    assert remove_stale(finding) == [finding.path]
    assert bucket.keys == []


def test_a_store_without_conditions_is_refused(bucket: Bucket, outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    file_system = client.filesystem()
    call = file_system.call_s3

    def ignore_conditions(method: str, IfNoneMatch: str = "", IfMatch: str = "", **arguments: object) -> object:  # noqa: N803
        return call(method, **arguments)

    monkeypatch.setattr(file_system, "call_s3", ignore_conditions)
    with pytest.raises(StorageError, match="the store ignores conditions of puts"), claim(outputs):
        pass
    assert bucket.keys == []
