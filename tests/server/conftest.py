"""Fixtures: the application behind a test client, sample videos and an archive."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from annotate.batch.executor import InlineExecutor, RunProgress
from annotate.server import catalog, runner
from annotate.server.service import Service
from annotate.server.settings import ServeSettings
from annotate.server.web.app import make_app
from annotate.server.web.schemas import event_of
from tests.clips import run_ffmpeg

Opener = Callable[..., TestClient]

LONG_S = 20.0


@pytest.fixture(scope="session")
def long_clip(media: Path, face_clip: Path) -> Path:
    """A video of 20 s with one face, long enough to interrupt its annotation."""
    path = media / "long.mp4"
    run_ffmpeg("-stream_loop", str(round(LONG_S / 2) - 1), "-i", face_clip, "-c", "copy", path)
    return path


class _ThreadWorkers(InlineExecutor):
    """Executor that runs jobs in the calling thread, to avoid the cost of starting processes."""

    def __init__(self, slots: int, on_progress: RunProgress | None = None, *, niceness: int = 0) -> None:
        super().__init__(on_progress)
        self.slots = slots


@pytest.fixture
def opener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """A function that opens a server with the given settings, without a port, and returns its test client.

    Jobs run in threads, or with ``processes=True`` in worker processes as in a real server.
    """
    opened: list[TestClient] = []
    monkeypatch.setattr(catalog, "_SCAN_INTERVAL_S", 0.3)

    def open_server(address: str = "127.0.0.1", *, processes: bool = False, **settings: Any) -> TestClient:
        if not processes:
            monkeypatch.setattr(runner, "ProcessExecutor", _ThreadWorkers)
        chosen = replace(ServeSettings(tmp_path / "data"), **settings)
        client = TestClient(make_app(Service(chosen, event_of)), base_url="http://127.0.0.1:8765", client=(address, 50000))
        client.__enter__()
        opened.append(client)
        return client

    yield open_server
    for client in opened:
        client.__exit__()


@pytest.fixture
def archive(tmp_path: Path, face_clip: Path, empty_clip: Path) -> Path:
    """An archive of ``a.mp4`` with a face, ``below/b.mp4`` without, and ``below/broken.mp4``, which is not a video."""
    folder = tmp_path / "archive"
    (folder / "below").mkdir(parents=True)
    shutil.copy2(face_clip, folder / "a.mp4")
    shutil.copy2(empty_clip, folder / "below" / "b.mp4")
    (folder / "below" / "broken.mp4").write_text("no video")
    return folder
