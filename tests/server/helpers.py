"""Helpers for tests of the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from annotate.server.service import Service

TIMEOUT_S = 60.0
_POLL_INTERVAL_S = 0.05
ACTIVE = ("waiting", "running")


def wait_until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    """Wait until a condition is true, and fail after a timeout."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "timeout"
        time.sleep(_POLL_INTERVAL_S)


def service_of(client: TestClient) -> Service:
    """Return the service behind a test client."""
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    return service


def send(client: TestClient, path: Path, name: str | None = None, **query: float) -> dict[str, Any]:
    """Upload a file and return the response's document."""
    answer = client.put(f"/api/uploads/{name or path.name}", content=path.read_bytes(), params=query)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def finish(client: TestClient, video: str) -> dict[str, Any]:
    """Wait until the annotation of a video has ended, and return the video."""
    wait_until(lambda: client.get(f"/api/videos/{video}").json()["state"] not in ACTIVE)
    document: dict[str, Any] = client.get(f"/api/videos/{video}").json()
    return document


def by_name(client: TestClient, name: str, **query: str) -> dict[str, Any]:
    """Return the only video of the archive whose name contains ``name``."""
    wait_until(lambda: bool(client.get("/api/archive").json()["is_complete"]))
    (found,) = client.get("/api/archive", params={"q": name, **query}).json()["videos"]
    document: dict[str, Any] = found
    return document
