"""What a store answers, as errors of this program."""

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
    ("code", "cause"),
    [
        ("AccessDenied", "the store denies access to these credentials"),
        ("403", "the store denies access to these credentials"),
        ("InvalidAccessKeyId", "the store does not take these credentials"),
        ("SignatureDoesNotMatch", "the store does not take these credentials"),
        ("NotImplemented", "the store does not know this request, such as a conditional put"),
        ("NoSuchBucket", "there is no bucket {bucket}"),
        ("SlowDown", "the store answers SlowDown"),
        ("Unheard", "the store answers Unheard"),
    ],
)
def test_answers_are_told_by_their_codes(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, code: str, cause: str) -> None:
    def refuse(method: str, **arguments: object) -> None:
        raise translate_boto_error(ClientError({"Error": {"Code": code, "Message": "with pa55word"}}, method))

    monkeypatch.setattr(S3Client().filesystem, "call_s3", refuse)
    path = parse_path(f"{bucket.url}/films/a.mp4")
    with pytest.raises(StorageError) as caught:
        storage_for(path).stat(path)
    assert (caught.value.path, caught.value.problem) == (path, cause.format(bucket=bucket.name))
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    assert isinstance(caught.value, AnnotateError)
    pickling_support.install()  # as Dask does
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (str(sent), sent.path, sent.strerror) == (str(caught.value), path, caught.value.problem)


def test_what_is_not_there_is_not_found(bucket: Bucket) -> None:
    path = parse_path(f"{bucket.url}/films/a.mp4")
    with pytest.raises(FileNotFoundError):
        storage_for(path).stat(path)
    with pytest.raises(FileNotFoundError):
        storage_for(path).read(path)
    storage = storage_for(path)
    storage.delete(path)
    assert (storage.exists(path), storage.is_dir(path.parent), storage.list_dir(path.parent)) == (False, False, [])


def test_a_put_upon_a_condition_tells_whether_it_held(bucket: Bucket) -> None:
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


def test_folders_and_trees_are_listed_beyond_a_page(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
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
    S3Client().remember_tree(folder)
    assert [path.name for path in storage_for(folder).list_dir(folder / "more")] == ["a.txt", "b.txt"]
    assert [method for method, _ in bucket.requests] == ["list_objects_v2"] * 5
