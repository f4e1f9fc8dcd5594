"""Translation of store errors, conditional puts and listings."""

from __future__ import annotations

import pickle

import pytest
from botocore.exceptions import ClientError
from s3fs.errors import translate_boto_error
from tblib import pickling_support

from annotate.errors import AnnotateError, StorageError
from annotate.storage.address import S3Address
from annotate.storage.base import parse_path, storage_for
from annotate.storage.s3.client import S3Client
from tests.object_store import Bucket


@pytest.mark.parametrize(
    ("code", "key_word"),
    [
        ("AccessDenied", "access denied"),
        ("403", "access denied"),
        ("InvalidAccessKeyId", "credentials"),
        ("SignatureDoesNotMatch", "credentials"),
        ("NotImplemented", "not support"),
        ("NoSuchBucket", "bucket {bucket}"),
        ("SlowDown", "SlowDown"),
        ("Unheard", "Unheard"),
    ],
)
def test_error_codes_are_translated(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, code: str, key_word: str) -> None:
    def refuse(method: str, **arguments: object) -> None:
        raise translate_boto_error(ClientError({"Error": {"Code": code, "Message": "with pa55word"}}, method))

    monkeypatch.setattr(S3Client().filesystem, "call_s3", refuse)
    path = parse_path(f"{bucket.url}/films/a.mp4")
    with pytest.raises(StorageError) as caught:
        storage_for(path).stat(path)
    assert caught.value.path == path
    assert key_word.format(bucket=bucket.name) in caught.value.problem
    assert "pa55word" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    assert isinstance(caught.value, AnnotateError)
    pickling_support.install()  # as Dask does
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (str(sent), sent.path, sent.strerror) == (str(caught.value), path, caught.value.reason)


def test_a_missing_object_is_not_found(bucket: Bucket) -> None:
    path = parse_path(f"{bucket.url}/films/a.mp4")
    with pytest.raises(FileNotFoundError):
        storage_for(path).stat(path)
    with pytest.raises(FileNotFoundError):
        storage_for(path).read(path)
    storage = storage_for(path)
    storage.delete(path)
    assert (storage.exists(path), storage.is_dir(path.parent), storage.list_dir(path.parent)) == (False, False, [])


def test_a_conditional_put_returns_none_if_the_condition_fails(bucket: Bucket) -> None:
    path = parse_path(f"{bucket.url}/a")
    assert isinstance(path, S3Address)
    client = S3Client()
    first = client.put_conditional(path, b"1", None)
    assert first is not None
    assert client.put_conditional(path, b"2", None) is None  # type: ignore[arg-type]
    second = client.put_conditional(path, b"3", first)
    assert second not in (None, first)
    assert client.put_conditional(path, b"4", first) is None  # type: ignore[arg-type]
    assert bucket.get("a") == b"3"
    bucket.delete("a")
    assert client.put_conditional(path, b"5", second) is None  # type: ignore[arg-type]
    assert bucket.keys == []


def test_listings_of_several_pages_are_complete(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("films/1.txt", "films/2.txt", "films/3.txt", "films/more/a.txt", "films/more/b.txt"):
        bucket.put(key, b"")
    file_system = S3Client().filesystem
    call = file_system.call_s3
    monkeypatch.setattr(file_system, "call_s3", lambda method, **arguments: call(method, **{**arguments, "MaxKeys": 2}))
    folder = parse_path(f"{bucket.url}/films")
    bucket.requests.clear()
    assert [path.name for path in storage_for(folder).list_dir(folder)] == ["1.txt", "2.txt", "3.txt", "more"]
    assert [method for method, _ in bucket.requests] == ["list_objects_v2"] * 2
    assert isinstance(folder, S3Address)
    S3Client().cache_tree(folder)
    assert [path.name for path in storage_for(folder).list_dir(folder / "more")] == ["a.txt", "b.txt"]
    assert [method for method, _ in bucket.requests] == ["list_objects_v2"] * 5
