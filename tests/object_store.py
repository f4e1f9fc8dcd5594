"""An S3 server (moto) on the loopback address, and a separate client to inspect it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from annotate.storage.s3.filesystem import ArchiveFileSystem

SECRET = "SecretOfTheTests"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    """The URL of a store that runs for the whole test session."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def endpoint(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the store; its URL and credentials are set in the environment."""
    missing = str(tmp_path_factory.mktemp("aws") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "KeyOfTheTests",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": store_url,
            "AWS_CONFIG_FILE": missing,
            "AWS_SHARED_CREDENTIALS_FILE": missing,
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        ArchiveFileSystem.clear_instance_cache()
        yield boto3.client("s3")
    ArchiveFileSystem.clear_instance_cache()


@pytest.fixture
def fresh_client() -> Iterator[None]:
    """Make annotate read endpoint and credentials again, now and after the test."""
    ArchiveFileSystem.clear_instance_cache()
    yield
    ArchiveFileSystem.clear_instance_cache()


class Bucket:
    """A bucket seen by a separate client; ``requests`` are method and key of the requests made by annotate."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """URL of the bucket."""
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes | Path) -> None:
        """Put an object."""
        body = content.read_bytes() if isinstance(content, Path) else content
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        """Return the content of an object."""
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.client.delete_object(Bucket=self.name, Key=key)

    @property
    def keys(self) -> list[str]:
        """All keys, sorted."""
        return sorted(item["Key"] for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", ()))

    def fetched(self) -> list[str]:
        """Return the keys of videos that were downloaded."""
        return [key for method, key in self.requests if method == "get" and key.endswith(".mp4")]


@pytest.fixture
def bucket(endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket."""
    file_system = ArchiveFileSystem()
    file_system.listings.forget()
    made = Bucket(endpoint, f"archive-{next(_numbers)}")
    endpoint.create_bucket(Bucket=made.name)
    call_async, call = file_system._call_s3, file_system.call_s3

    def record(method: str, options: dict[str, Any]) -> None:
        made.requests.append(("get" if method == "get_object" else method, options.get("Key", "")))

    async def recorded_call_async(method: str, *arguments: Any, **options: Any) -> Any:
        record(method, options)
        return await call_async(method, *arguments, **options)

    def recorded_call(method: str, *arguments: Any, **options: Any) -> Any:
        record(method, options)
        return call(method, *arguments, **options)

    monkeypatch.setattr(file_system, "_call_s3", recorded_call_async)
    monkeypatch.setattr(file_system, "call_s3", recorded_call)
    yield made
    file_system.listings.forget()
