"""Expiry of uploads, events, and large files."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from annotate.server.data_dir import new_upload_id
from annotate.server.queue import Client, Upload
from tests.server.conftest import Opener
from tests.server.helpers import ACTIVE, by_name, finish, send, service_of

LARGE_BYTES = 10 * 10**9


def test_expired_uploads_are_deleted_unless_they_are_waiting(opener: Opener, empty_clip: Path) -> None:
    client = opener(keep_s=3600.0)
    service = service_of(client)
    recent = finish(client, send(client, empty_clip)["id"])["id"]
    expired, waiting = new_upload_id(), new_upload_id()
    long_ago_s = time.time() - 7200
    for video in (expired, waiting):
        folder = service.data_dir.uploads / video
        folder.mkdir()
        (folder / "a.mp4").write_bytes(b"no video")
        service.catalog.add(Upload(video, "a.mp4", 8, Client("10.0.0.1"), long_ago_s))
    finish(client, expired)
    finish(client, waiting)
    service.runner.close()
    client.post(f"/api/videos/{waiting}/annotate")
    service.sweep()
    kept = {video["id"] for video in client.get("/api/uploads").json()["videos"]}
    assert kept == {recent, waiting} == set(os.listdir(service.data_dir.uploads))


def test_without_expiry_only_folders_without_an_upload_are_deleted(opener: Opener, empty_clip: Path) -> None:
    client = opener()
    service = service_of(client)
    video = finish(client, send(client, empty_clip)["id"])["id"]
    data_dir = service.data_dir
    for parent in (data_dir.incoming, data_dir.uploads, data_dir.derived):
        (parent / new_upload_id()).mkdir()
        (parent / "unknown").mkdir()
    (data_dir.derived / "a0123456789abcdef").mkdir()
    service.sweep()
    assert sorted(os.listdir(data_dir.uploads)) == sorted(["unknown", video])
    assert os.listdir(data_dir.incoming) == ["unknown"]
    assert sorted(os.listdir(data_dir.derived)) == ["a0123456789abcdef", "unknown"]


def test_an_upload_in_progress_is_not_deleted(opener: Opener) -> None:
    service = service_of(opener())
    with service.receive_upload(Client("10.0.0.1"), 5) as (video, folder):
        (folder / "a.mp4").write_bytes(b"12345")
        service.sweep()
        assert folder.exists()
        service.accept_upload(video, "a.mp4", 5, Client("10.0.0.1"))
        service.sweep()
    service.sweep()
    assert (service.data_dir.uploads / video / "a.mp4").exists()


def test_events_about_a_video_end_when_it_is_done(opener: Opener, face_clip: Path) -> None:
    client = opener()
    video = send(client, face_clip)
    text = client.get(f"/api/videos/{video['id']}/events").text
    events = [json.loads(line[len("data: ") :]) for line in text.splitlines() if line.startswith("data: ")]
    assert {one["id"] for one in events} == {video["id"]}
    assert [one["state"] in ACTIVE for one in events[:-1]] == [True] * (len(events) - 1)
    assert events[-1]["state"] == "annotated"
    done_s = [one["progress"]["done_s"] for one in events if one["progress"]]
    assert done_s == sorted(done_s)
    again = client.get(f"/api/videos/{video['id']}/events").text
    assert again.count("event: video") == 1


def test_the_end_of_a_10_gb_file_is_served_immediately(opener: Opener, archive: Path) -> None:
    large = archive / "large.mp4"
    with large.open("wb") as file:
        file.truncate(LARGE_BYTES)
        file.seek(LARGE_BYTES - 4)
        file.write(b"tail")
    client = opener(directory=archive)
    video = by_name(client, "large")
    answer = client.get(f"/api/videos/{video['id']}/file", headers={"Range": f"bytes={LARGE_BYTES - 8}-"})
    assert (answer.status_code, answer.content) == (206, b"\0\0\0\0tail")
    assert answer.headers["content-range"] == f"bytes {LARGE_BYTES - 8}-{LARGE_BYTES - 1}/{LARGE_BYTES}"


def test_a_data_folder_inside_the_archive_is_not_scanned(opener: Opener, archive: Path, empty_clip: Path) -> None:
    client = opener(directory=archive, data=archive / "data")
    finish(client, send(client, empty_clip)["id"])
    service_of(client).catalog.scan()
    assert client.get("/api/archive").json()["states"] == {"missing": 3}
    assert client.get("/api/uploads").json()["total"] == 1
