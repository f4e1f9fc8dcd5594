"""Whole servers, as processes of their own or of this one, and how they are asked."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.reliability.processes import Run, start
from tests.server.helpers import wait_until

TIMEOUT_S = 30


@dataclass
class Server:
    """A server as a process of its own."""

    run: Run | None
    port: int
    data: Path

    @property
    def process(self) -> Run:
        """What runs it."""
        assert self.run is not None
        return self.run

    def connection(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """The status and the document of an answer."""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else None

    def get(self, path: str) -> Any:
        """A document."""
        status, document = self.ask("GET", path)
        assert status == 200, document
        return document

    def send(self, path: Path) -> str:
        """Uploads a file and gives its id."""
        status, document = self.ask("PUT", f"/api/uploads/{path.name}", path.read_bytes())
        assert status == 201, document
        return str(document["id"])

    def state(self, video: str) -> str:
        """A video's state."""
        return str(self.get(f"/api/videos/{video}")["state"])

    def raw(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)


@contextlib.contextmanager
def serving(folder: Path, *options: str | Path) -> Iterator[Server]:
    """A server whose data lie below a folder; nothing of it is left afterwards."""
    data = folder / "data"
    run = start(["-v", "serve", "--port", "0", "--data", data, *options], folder)
    try:
        wait_until(lambda: run.is_over or "served at" in run.output)
        match = re.search(r"http://127\.0\.0\.1:(\d+)/", run.output)
        assert match is not None, run.errors
        yield Server(run, int(match[1]), data)
    finally:
        run.end()
