"""Attacks on a server over the network (slow, many, oversized and truncated requests), and kills. See SECURITY.md."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from annotate.archive.scan import scan
from annotate.batch.run import annotate_archive
from annotate.server.service import Service
from annotate.server.settings import ServeSettings
from annotate.server.web.listen import bind, make_server
from annotate.server.web.schemas import event_of
from annotate.settings import available_cores
from tests.media.test_hostile import CANARY, PLAYLISTS
from tests.reliability.processes import start
from tests.server.helpers import ACTIVE, wait_until
from tests.server.servers import TIMEOUT_S, Server, serving

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not Path("/proc").exists(), reason="reads the process table"),
]

_MAX_LISTENERS = 32
_ROUNDS_PER_CORE = 4
_UPLOAD_HEAD = b"PUT /api/uploads/a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), "--jobs", "2", "--max-upload", "1M") as one:
        yield one
        assert one.get("/api/status")["program"].startswith("annotate ")
        assert "uvicorn.error: Exception" not in one.process.errors
        assert "internal error" not in one.process.errors


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/static/../../service.py", "/api/videos/../../../etc/passwd", "//etc/passwd"]
)
def test_paths_outside_the_server_are_not_found(server: Server, path: str) -> None:
    for target in (path, path.replace("..", "%2e%2e"), path.replace("/", "%2f").replace("%2f", "/", 1)):
        with contextlib.closing(server.connection()) as connection:
            connection.request("GET", target)
            answer = connection.getresponse()
            assert answer.status == 404
            assert b"root:" not in answer.read()


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT /api/uploads/a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 100_000,
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_malformed_requests_are_rejected(server: Server, text: bytes) -> None:
    with server.raw() as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                answer += part
    assert not answer or re.match(rb"HTTP/1\.1 4\d\d ", answer)


def test_an_oversized_upload_is_aborted_and_leaves_no_files(server: Server) -> None:
    with server.raw() as connection:
        connection.sendall(b"PUT /api/uploads/a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 50_000_000:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
    assert sent < 50_000_000
    wait_until(lambda: os.listdir(server.data / "incoming") == [])
    assert server.ask("PUT", "/api/uploads/a.mp4", b"", **{"Content-Length": "999999999999"})[0] in (400, 413)


def test_an_incomplete_upload_leaves_no_files(server: Server) -> None:
    before = server.get("/api/uploads")["total"]
    with server.raw() as connection:
        connection.sendall(
            b"PUT /api/uploads/a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n" + b"x" * 100
        )
        wait_until(lambda: len(os.listdir(server.data / "incoming")) == 1)
    wait_until(lambda: os.listdir(server.data / "incoming") == [])
    assert server.get("/api/uploads")["total"] == before


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Server]:
    """A server in this process with timeouts of one second."""
    settings = ServeSettings(tmp_path / "data", port=0, body_timeout_s=1.0, idle_timeout_s=1.0)
    service = Service(settings, event_of)
    ready = threading.Event()
    with bind(settings) as listening:
        server = make_server(service, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        assert ready.wait(TIMEOUT_S)
        yield Server(None, listening.getsockname()[1], settings.data)
        server.should_exit = True
        service.broker.close()
        thread.join()


def test_slow_bodies_and_idle_connections_are_closed_and_block_no_others(impatient: Server) -> None:
    starts = [_UPLOAD_HEAD, b"GET / HTTP/1.1\r\nHost: 127.0", b""] * 10
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(impatient.raw()) for _ in starts]
        for connection, start_bytes in zip(connections, starts, strict=True):
            connection.sendall(start_bytes)
        assert impatient.get("/api/status")["waiting"] == 0
        for connection, start_bytes in zip(connections, starts, strict=True):
            answer = b""
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
            assert answer.startswith(b"HTTP/1.1 408 " if start_bytes == _UPLOAD_HEAD else b"")
            assert answer or start_bytes != _UPLOAD_HEAD
    assert os.listdir(impatient.data / "incoming") == []


def test_a_trickling_body_times_out_too(impatient: Server) -> None:
    with impatient.raw() as connection:
        connection.sendall(_UPLOAD_HEAD)
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                connection.sendall(b"x")
                time.sleep(0.02)
                if connection in select.select([connection], [], [], 0)[0]:
                    break
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_listeners_above_the_limit_are_rejected_and_leave_no_trace(server: Server) -> None:
    def listen() -> tuple[http.client.HTTPConnection, int]:
        connection = server.connection()
        connection.request("GET", "/api/events")
        return connection, connection.getresponse().status

    for _ in range(_ROUNDS_PER_CORE * available_cores()):
        listeners = [listen() for _ in range(2 * _MAX_LISTENERS)]
        statuses = [status for _, status in listeners]
        assert statuses.count(200) == _MAX_LISTENERS
        assert statuses.count(503) == _MAX_LISTENERS
        assert server.get("/api/status")["program"]
        for connection, _ in listeners:
            connection.close()

        def is_free() -> bool:
            connection, status = listen()
            connection.close()
            return status == 200

        wait_until(is_free)


def test_hostile_videos_fail_without_opening_files_or_connections(server: Server, tmp_path: Path, face_clip: Path) -> None:
    canary = tmp_path / "canary.txt"
    canary.write_text(f"{CANARY}\n" * 1000)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0)
        port = listening.getsockname()[1]
        sent = []
        for name, text in PLAYLISTS.items():
            path = tmp_path / f"{name}.mp4"
            path.write_text(text.format(url=f"http://127.0.0.1:{port}", video=face_clip, canary=canary, port=port))
            sent.append(server.send(path))
        truncated = tmp_path / "cut.mp4"
        truncated.write_bytes(face_clip.read_bytes()[:3000])
        sent.append(server.send(truncated))
        for video in sent:
            wait_until(lambda video=video: server.state(video) not in ACTIVE)  # type: ignore[misc]
            document = server.get(f"/api/videos/{video}")
            assert document["state"] == "failed"
            assert CANARY not in document["reason"]
            assert str(server.data) not in document["reason"]
        with pytest.raises(BlockingIOError):
            listening.accept()


def outputs_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.endswith((".csv", ".srt"))}


def wait_for_work(server: Server, video: str) -> None:
    wait_until(lambda: bool((server.get(f"/api/videos/{video}")["progress"] or {}).get("done_s")))


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_after_a_kill_interrupted_orders_are_completed(
    tmp_path: Path, long_clip: Path, face_clip: Path, number: signal.Signals
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    copy = own / long_clip.name
    copy.write_bytes(long_clip.read_bytes())
    with serving(tmp_path, "--jobs", "1") as server:
        video = server.send(long_clip)
        waiting = server.send(face_clip)
        wait_for_work(server, video)
        server.process.process.send_signal(number)
        assert server.process.wait(TIMEOUT_S) == (-number if number == signal.SIGKILL else 0)
        assert server.process.wait_until_all_ended() is not None
        assert "Traceback" not in server.process.errors
    with serving(tmp_path, "--jobs", "2") as server:
        assert server.get("/api/uploads")["total"] == 2
        for one in (video, waiting):
            wait_until(lambda one=one: server.state(one) not in ACTIVE)  # type: ignore[misc]
            assert server.state(one) == "annotated"
        folder = server.data / "uploads" / video
        assert not [path.name for path in folder.iterdir() if path.name.startswith(".annotate-")]
    (outcome,) = annotate_archive(scan([copy]))
    assert outcome.faces
    assert outputs_of(folder) == outputs_of(own)


def test_a_second_server_with_the_same_data_folder_is_rejected(server: Server, tmp_path: Path) -> None:
    run = start(["serve", "--port", "0", "--data", server.data], tmp_path)
    assert run.wait(TIMEOUT_S) == 2
    assert str(server.data) in run.errors
    assert "another server" in run.errors


def test_a_port_in_use_is_an_error(server: Server, tmp_path: Path) -> None:
    run = start(["serve", "--port", str(server.port), "--data", tmp_path / "data"], tmp_path)
    assert run.wait(TIMEOUT_S) == 2
    assert f"127.0.0.1:{server.port}: cannot listen" in run.errors


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["/nowhere/at/all"], "/nowhere/at/all"),
        (["--token", "short"], "16 characters"),
        (["--keep", "soon"], "'soon'"),
        (["--max-upload", "huge"], "'huge'"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
    ],
)
def test_invalid_options_are_usage_errors(tmp_path: Path, options: Sequence[str], expected: str) -> None:
    run = start(["serve", "--port", "0", "--data", tmp_path / "data", *options], tmp_path)
    assert run.wait(TIMEOUT_S) == 2
    assert expected in run.errors
    assert "Traceback" not in run.errors


def test_network_clients_need_the_printed_token(tmp_path: Path) -> None:
    run = start(["-v", "serve", "--host", "0.0.0.0", "--port", "0", "--data", tmp_path / "data"], tmp_path)
    try:
        wait_until(lambda: run.is_over or "Serving at" in run.output)
        match = re.search(r":(\d+)/\?token=([\w-]{32})", run.output)
        assert match is not None, run.errors
        server = Server(run, int(match[1]), tmp_path)
        assert server.ask("GET", "/api/status")[0] == 401
        assert server.ask("GET", "/api/status", Authorization=f"Bearer {match[2]}")[0] == 200
        assert server.ask("GET", "/api/status", Authorization=f"Bearer {match[2][:-1]}")[0] == 401
        with contextlib.closing(server.connection()) as connection:
            connection.request("GET", f"/?token={match[2]}")
            assert connection.getresponse().status == 303
        assert "GET /: 303" in run.errors
        assert match[2] not in run.errors
    finally:
        run.end()
