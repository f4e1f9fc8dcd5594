"""Reading small objects for many items at once."""

from __future__ import annotations

from pathlib import Path

from annotate.storage.s3 import client, listing
from annotate.storage.s3.path import ObjectPath, parse_place
from annotate.storage.s3.prefetch import read_ahead
from tests.object_store import Bucket


def test_each_object_is_asked_for_once_and_not_kept(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"{number}", str(number).encode())
    paths = [parse_place(f"{bucket.url}/{number}") for number in (*range(5), 7)]
    seen = []
    for path in read_ahead(paths, lambda path: [path]):
        assert isinstance(path, ObjectPath)
        assert len(bucket.requests) == 6
        try:
            seen.append(path.read_bytes())
        except FileNotFoundError:
            seen.append(b"none")
    assert seen == [b"0", b"1", b"2", b"3", b"4", b"none"]
    assert len(bucket.requests) == 6
    assert client.read(ObjectPath("/", bucket.name, "3")) == b"3"
    assert len(bucket.requests) == 7


def test_what_is_written_meanwhile_is_read_anew(bucket: Bucket) -> None:
    bucket.put("a", b"old")
    path = parse_place(f"{bucket.url}/a")
    for _ in read_ahead([path], lambda path: [path]):
        path.write_bytes(b"new")
        assert path.read_bytes() == b"new"


def test_what_a_listing_says_is_not_there_is_not_asked_for(bucket: Bucket) -> None:
    bucket.put("a", b"")
    root = ObjectPath("/", bucket.name)
    client.remember_tree(root)
    bucket.requests.clear()
    assert list(read_ahead([root / "a", root / "b"], lambda path: [path.with_name("b")])) == [root / "a", root / "b"]
    assert ((root / "a").stat().st_size, (root / "b").exists(), root.is_dir(), bucket.requests) == (0, False, True, [])
    listing.forget()


def test_local_files_are_taken_one_by_one() -> None:
    taken = []
    items = (taken.append(number) or Path(str(number)) for number in range(5))  # type: ignore[func-returns-value]
    assert next(read_ahead(items, lambda path: [path])) == Path("0")
    assert taken == [0]
