"""Reading many small objects at once, and requests saved by cached listings."""

from __future__ import annotations

from annotate.storage.address import S3Address
from annotate.storage.base import storage_for
from annotate.storage.s3.client import S3Client
from tests.object_store import Bucket


def test_each_object_is_requested_once_and_not_cached(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"{number}", str(number).encode())
    paths = [S3Address(bucket.name, str(number)) for number in (*range(5), 7)]
    *contents, missing = storage_for(paths[0]).read_many(paths)
    assert contents == [b"0", b"1", b"2", b"3", b"4"]
    assert isinstance(missing, FileNotFoundError)
    assert len(bucket.requests) == 6
    assert S3Client().read(paths[3]) == b"3"
    assert len(bucket.requests) == 7


def test_wildcards_in_names_are_not_expanded(bucket: Bucket) -> None:
    for key in ("a*", "a?[b]", "ab"):
        bucket.put(key, key.encode())
    paths = [S3Address(bucket.name, key) for key in ("a?[b]", "a*")]
    assert list(S3Client().read_many(paths)) == [b"a?[b]", b"a*"]


def test_an_overwritten_object_is_read_again(bucket: Bucket) -> None:
    bucket.put("a", b"old")
    path = S3Address(bucket.name, "a")
    storage = storage_for(path)
    assert list(storage.read_many([path])) == [b"old"]
    storage.write_atomic(path, b"new")
    assert storage.read(path) == b"new"


def test_an_object_missing_in_the_cached_listing_is_not_requested(bucket: Bucket) -> None:
    bucket.put("a", b"")
    root = S3Address(bucket.name)
    S3Client().cache_tree(root)
    bucket.requests.clear()
    storage = storage_for(root)
    (missing,) = storage.read_many([root / "b"])
    assert isinstance(missing, FileNotFoundError)
    assert (storage.stat(root / "a").size_bytes, storage.exists(root / "b"), storage.is_dir(root)) == (0, False, True)
    assert bucket.requests == []


def test_writing_drops_the_cached_listing_of_the_folder(bucket: Bucket) -> None:
    root = S3Address(bucket.name)
    S3Client().cache_tree(root)
    storage = storage_for(root)
    storage.write_atomic(root / "a", b"1")
    assert storage.list_dir(root) == [root / "a"]
