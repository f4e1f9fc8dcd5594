"""Copies that are made to be played or taken away."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from annotate.archive.scan import scan
from annotate.batch.run import annotate_archive
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.server.queue import Kind
from tests.clips import make_pattern, run_ffmpeg
from tests.server.conftest import Opener
from tests.server.helpers import ACTIVE, by_name, finish, send, service_of, wait_until


def test_a_proxy_is_made_of_what_no_browser_plays(opener: Opener, tmp_path: Path) -> None:
    source = tmp_path / "old.avi"
    sound = ("-f", "lavfi", "-t", "1", "-i", "sine=frequency=440")
    picture = ("-f", "lavfi", "-i", "testsrc2=size=161x121:rate=25:duration=1")
    run_ffmpeg(*picture, *sound, "-c:v", "ffv1", "-pix_fmt", "yuv444p", "-c:a", "pcm_s16le", source)
    client = opener()
    video = send(client, source)
    path = f"/api/videos/{video['id']}/made/proxy"
    assert client.get(path).status_code == 404
    assert client.post(path).json()["proxy"]["state"] in ACTIVE
    wait_until(lambda: client.get(f"/api/videos/{video['id']}").json()["proxy"]["state"] not in ACTIVE)
    assert client.get(f"/api/videos/{video['id']}").json()["proxy"] == {"state": "done", "reason": "", "progress": None}
    answer = client.get(path, headers={"Range": "bytes=0-99"})
    assert (answer.status_code, answer.headers["content-type"]) == (206, "video/mp4")
    made = tmp_path / "made.mp4"
    made.write_bytes(client.get(path).content)
    found = probe(made)
    assert (found.width_px, found.height_px, found.duration_s) == (160, 120, 1.0)
    assert [(stream.kind, stream.codec) for stream in found.streams] == [("video", "h264"), ("audio", "aac")]
    for time_ms in (0, 480, 960):
        pictures = [read_still(one, time_ms, height_px=120).astype(float)[:, :160] for one in (source, made)]
        assert np.abs(pictures[0] - pictures[1]).mean() < 12
        other = read_still(source, (time_ms + 500) % 1000, height_px=120).astype(float)[:, :160]
        assert np.abs(pictures[0] - other).mean() > 12
    assert client.post(path).json()["proxy"]["state"] == "done"


def test_a_rendered_copy_shows_boxes_in_the_language_asked_for(opener: Opener, face_clip: Path, tmp_path: Path) -> None:
    client = opener()
    video = finish(client, send(client, face_clip)["id"])
    path = f"/api/videos/{video['id']}/made/rendered"
    client.post(path, params={"language": "ru"})
    wait_until(lambda: client.get(f"/api/videos/{video['id']}").json()["rendered"]["ru"]["state"] not in ACTIVE)
    states = client.get(f"/api/videos/{video['id']}").json()["rendered"]
    assert {language: made["state"] for language, made in states.items()} == {"en": "none", "ru": "done"}
    answer = client.get(path, params={"language": "ru", "download": "true"})
    assert 'filename="face.rendered.ru.mp4"' in answer.headers["content-disposition"]
    made = tmp_path / "made.mp4"
    made.write_bytes(answer.content)
    drawn, plain = (read_still(one, 1000).astype(float) for one in (made, face_clip))
    assert np.abs(drawn - plain).max() > 100
    assert client.get(path).status_code == 404


def test_copies_go_when_their_video_changes_or_is_removed(opener: Opener, archive: Path) -> None:
    list(annotate_archive(scan([archive / "a.mp4"])))
    client = opener(directory=archive)
    service = service_of(client)
    video = by_name(client, "a.mp4")
    path = f"/api/videos/{video['id']}"

    def make() -> None:
        client.post(f"{path}/made/proxy")
        wait_until(lambda: client.get(path).json()["proxy"]["state"] not in ACTIVE)

    make()
    folder = service.data_dir.derived / video["id"]
    (first,) = os.listdir(folder)
    make_pattern(archive / "a.mp4", duration_s=0.4)
    service.catalog.scan()
    assert client.get(path).json()["proxy"]["state"] == "none"
    make()
    (second,) = os.listdir(folder)
    assert second != first
    assert second.startswith(Kind.PROXY.value)


def test_without_a_report_nothing_is_drawn(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    video = by_name(client, "a.mp4")
    path = f"/api/videos/{video['id']}"
    client.post(f"{path}/made/rendered")
    wait_until(lambda: client.get(path).json()["rendered"]["en"]["state"] not in ACTIVE)
    made = client.get(path).json()["rendered"]["en"]
    assert (made["state"], made["reason"]) == ("failed", "not annotated yet")


def test_what_is_no_video_gives_no_copy(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    video = by_name(client, "broken")
    path = f"/api/videos/{video['id']}"
    for kind, key in (("proxy", "proxy"), ("rendered", "rendered")):
        client.post(f"{path}/made/{kind}")

        def state(key: str = key) -> dict[str, str]:
            document = client.get(path).json()[key]
            return document if key == "proxy" else document["en"]  # type: ignore[no-any-return]

        wait_until(lambda: state()["state"] not in ACTIVE)
        assert state()["state"] == "failed"
        assert str(archive) not in state()["reason"]
    assert client.get(f"{path}/made/proxy").status_code == 404
