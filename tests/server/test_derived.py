"""Derived videos: proxies for playback and rendered videos for download."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from annotate.archive.scan import scan
from annotate.batch.run import annotate_archive
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.server.queue import OrderKind
from tests.clips import make_pattern, run_ffmpeg
from tests.server.conftest import Opener
from tests.server.helpers import ACTIVE, by_name, finish, send, service_of, wait_until


def test_a_proxy_is_playable_in_browsers_and_has_the_same_frames(opener: Opener, tmp_path: Path) -> None:
    source = tmp_path / "old.avi"
    sound = ("-f", "lavfi", "-t", "1", "-i", "sine=frequency=440")
    frames = ("-f", "lavfi", "-i", "testsrc2=size=161x121:rate=25:duration=1")
    run_ffmpeg(*frames, *sound, "-c:v", "ffv1", "-pix_fmt", "yuv444p", "-c:a", "pcm_s16le", source)
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
        original, converted = (read_still(one, time_ms, height_px=120).astype(float)[:, :160] for one in (source, made))
        assert np.abs(original - converted).mean() < 12
        other = read_still(source, (time_ms + 500) % 1000, height_px=120).astype(float)[:, :160]
        assert np.abs(original - other).mean() > 12
    assert client.post(path).json()["proxy"]["state"] == "done"


def test_a_rendered_video_shows_boxes_in_the_requested_language(opener: Opener, face_clip: Path, tmp_path: Path) -> None:
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


def test_a_derived_video_is_replaced_when_its_source_changes(opener: Opener, archive: Path) -> None:
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
    assert second.startswith(OrderKind.PROXY.value)


def test_rendering_fails_for_a_video_without_a_table(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    video = by_name(client, "a.mp4")
    path = f"/api/videos/{video['id']}"
    client.post(f"{path}/made/rendered")
    wait_until(lambda: client.get(path).json()["rendered"]["en"]["state"] not in ACTIVE)
    made = client.get(path).json()["rendered"]["en"]
    assert (made["state"], "not annotated yet" in made["reason"]) == ("failed", True)


def test_a_file_that_is_not_a_video_has_no_derived_videos(opener: Opener, archive: Path) -> None:
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
