"""A store with the S3 API on the loopback address, and a client of its own to look into it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from annotate.storage.s3 import client, listing

SECRET = "SecretOfTheTests"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a store whose address, and credentials for it, are in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    nowhere = str(tmp_path_factory.mktemp("aws") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "KeyOfTheTests",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        client.filesystem.cache_clear()
        yield boto3.client("s3")
    client.filesystem.cache_clear()
    server.stop()


@pytest.fixture
def fresh_client() -> Iterator[None]:
    """The program finds endpoint and credentials anew, now and after the test."""
    client.filesystem.cache_clear()
    yield
    client.filesystem.cache_clear()


class Bucket:
    """A bucket as others see it; ``requests`` are those that the program made of the store, method and key."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes | Path) -> None:
        """Puts an object."""
        body = content.read_bytes() if isinstance(content, Path) else content
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        """An object's content."""
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def delete(self, key: str) -> None:
        """Deletes an object."""
        self.client.delete_object(Bucket=self.name, Key=key)

    @property
    def keys(self) -> list[str]:
        """All keys, sorted."""
        return sorted(item["Key"] for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", ()))

    def fetched(self) -> list[str]:
        """Keys of videos that were read."""
        return [key for method, key in self.requests if method == "get" and key.endswith(".mp4")]


@pytest.fixture
def bucket(endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket."""
    listing.forget()
    made = Bucket(endpoint, f"archive-{next(_numbers)}")
    endpoint.create_bucket(Bucket=made.name)
    file_system = client.filesystem()
    call, get_file, cat_file = file_system.call_s3, file_system.get_file, file_system.cat_file

    def note(method: str, name: str) -> None:
        made.requests.append((method, name.partition("/")[2]))

    def call_noted(method: str, **arguments: Any) -> Any:
        made.requests.append((method, arguments.get("Key", "")))
        return call(method, **arguments)

    def get_noted(name: str, *arguments: Any, **options: Any) -> Any:
        note("get", name)
        return get_file(name, *arguments, **options)

    def cat_noted(name: str, *arguments: Any, **options: Any) -> Any:
        note("get", name)
        return cat_file(name, *arguments, **options)

    monkeypatch.setattr(file_system, "call_s3", call_noted)
    monkeypatch.setattr(file_system, "get_file", get_noted)
    monkeypatch.setattr(file_system, "cat_file", cat_noted)
    yield made
    listing.forget()
