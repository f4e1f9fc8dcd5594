"""Servers that listen on a port, in a process of their own or in this one, and requests to them."""

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
    """A server on a port; ``run`` is its process, or None if it runs in this one."""

    run: Run | None
    port: int
    data: Path

    @property
    def process(self) -> Run:
        """The server's process."""
        assert self.run is not None
        return self.run

    def connection(self) -> http.client.HTTPConnection:
        """Return a new HTTP connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Send a request, and return status and document of the response."""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else None

    def get(self, path: str) -> Any:
        """Return the document at a path."""
        status, document = self.ask("GET", path)
        assert status == 200, document
        return document

    def send(self, path: Path) -> str:
        """Upload a file and return its id."""
        status, document = self.ask("PUT", f"/api/uploads/{path.name}", path.read_bytes())
        assert status == 201, document
        return str(document["id"])

    def state(self, video: str) -> str:
        """Return the state of a video."""
        return str(self.get(f"/api/videos/{video}")["state"])

    def raw(self) -> socket.socket:
        """Return a new TCP connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)


@contextlib.contextmanager
def serving(folder: Path, *options: str | Path) -> Iterator[Server]:
    """Start a server with its data in a subfolder, and end its processes afterwards."""
    data = folder / "data"
    run = start(["-v", "serve", "--port", "0", "--data", data, *options], folder)
    try:
        wait_until(lambda: run.is_over or "Serving at" in run.output)
        match = re.search(r"https?://127\.0\.0\.1:(\d+)/", run.output)
        assert match is not None, run.errors
        yield Server(run, int(match[1]), data)
    finally:
        run.end()
