"""What is kept and what is not, what listeners hear, and large files."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from annotate.analytics.moments import Wanted
from annotate.server.catalog_index import ReportIndex
from annotate.server.data_dir import new_upload_id
from annotate.server.events import Hub, TooManyError
from annotate.server.queue import Client, Upload
from annotate.server.settings import parse_duration_s, parse_size_bytes
from tests.analytics.samples import CLIP, MOVIE, report
from tests.server.conftest import Opener
from tests.server.helpers import ACTIVE, by_name, finish, send, service_of

LARGE_BYTES = 10 * 10**9


def test_old_uploads_are_removed_and_young_ones_and_those_that_wait_are_kept(opener: Opener, empty_clip: Path) -> None:
    client = opener(keep_s=3600.0)
    service = service_of(client)
    young = finish(client, send(client, empty_clip)["id"])["id"]
    old, waiting = new_upload_id(), new_upload_id()
    long_ago_s = time.time() - 7200
    for video in (old, waiting):
        folder = service.places.uploads / video
        folder.mkdir()
        (folder / "a.mp4").write_bytes(b"no video")
        service.library.add(Upload(video, "a.mp4", 8, Client("10.0.0.1"), long_ago_s))
    finish(client, old)
    finish(client, waiting)
    service.runner.close()
    client.post(f"/api/videos/{waiting}/annotate")
    service.sweep()
    kept = {video["id"] for video in client.get("/api/uploads").json()["videos"]}
    assert kept == {young, waiting} == set(os.listdir(service.places.uploads))


def test_without_a_limit_uploads_are_kept_and_what_belongs_to_none_goes(opener: Opener, empty_clip: Path) -> None:
    client = opener()
    service = service_of(client)
    video = finish(client, send(client, empty_clip)["id"])["id"]
    places = service.places
    for place in (places.incoming, places.uploads, places.made):
        (place / new_upload_id()).mkdir()
        (place / "somebody's").mkdir()
    (places.made / "a0123456789abcdef").mkdir()
    service.sweep()
    assert sorted(os.listdir(places.uploads)) == ["somebody's", video]
    assert os.listdir(places.incoming) == ["somebody's"]
    assert sorted(os.listdir(places.made)) == ["a0123456789abcdef", "somebody's"]


def test_an_upload_that_comes_in_is_not_swept(opener: Opener) -> None:
    service = service_of(opener())
    with service.receiving(Client("10.0.0.1"), 5) as (video, folder):
        (folder / "a.mp4").write_bytes(b"12345")
        service.sweep()
        assert folder.exists()
        service.take_up(video, "a.mp4", 5, Client("10.0.0.1"))
        service.sweep()
    service.sweep()
    assert (service.places.uploads / video / "a.mp4").exists()


def test_news_of_a_video_come_until_it_is_done(opener: Opener, face_clip: Path) -> None:
    client = opener()
    video = send(client, face_clip)
    text = client.get(f"/api/videos/{video['id']}/events").text
    told = [json.loads(line[len("data: ") :]) for line in text.splitlines() if line.startswith("data: ")]
    assert {one["id"] for one in told} == {video["id"]}
    assert [one["state"] in ACTIVE for one in told[:-1]] == [True] * (len(told) - 1)
    assert told[-1]["state"] == "annotated"
    done_s = [one["progress"]["done_s"] for one in told if one["progress"]]
    assert done_s == sorted(done_s)
    again = client.get(f"/api/videos/{video['id']}/events").text
    assert again.count("event: video") == 1


def test_a_slow_listener_gets_the_latest_of_each_video_and_only_so_many_listen() -> None:
    async def listen() -> list[dict[str, object]]:
        hub = Hub(most=2, most_of_one=1)
        hub.open()
        all_news, of_one = hub.listen("10.0.0.1"), hub.listen("10.0.0.2", "b")
        first, other = asyncio.ensure_future(anext(all_news)), asyncio.ensure_future(anext(of_one))
        await asyncio.sleep(0)
        for address in ("10.0.0.1", "10.0.0.3"):
            with pytest.raises(TooManyError):
                hub.listen(address)
        for number in range(3):
            for video in ("a", "b"):
                hub.tell({"id": video, "number": number})
        got = [await first, await anext(all_news), await other]
        hub.close()
        assert [news async for news in all_news] == [news async for news in of_one] == []
        assert hub.listeners == 0
        hub.listen("10.0.0.1")
        return got

    assert asyncio.run(listen()) == [
        {"id": "a", "number": 2},
        {"id": "b", "number": 2},
        {"id": "b", "number": 2},
    ]


def test_the_end_of_a_file_of_10_gb_is_there_at_once(opener: Opener, archive: Path) -> None:
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


def test_the_data_folder_is_no_part_of_the_archive_around_it(opener: Opener, archive: Path, empty_clip: Path) -> None:
    client = opener(directory=archive, data=archive / "data")
    finish(client, send(client, empty_clip)["id"])
    service_of(client).library.scan()
    assert client.get("/api/archive").json()["states"] == {"missing": 3}
    assert client.get("/api/uploads").json()["total"] == 1


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7y", "7 d 3", "nan", "1e3s"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time"):
        parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "G", "0", "-1", "1X", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size_bytes(text)


def test_reports_are_read_once_and_again_when_they_change(tmp_path: Path) -> None:
    index = ReportIndex()
    first, second = report(tmp_path, "movie.mp4", MOVIE), report(tmp_path, "clip.mp4", CLIP)
    assert index.update({first: 1, second: 1})
    assert not index.update({first: 1, second: 1})
    figures = index.figures(first)
    assert figures is not None
    assert (figures.duration_s, figures.faces, figures.dominant) == (10.0, 2, "anger")
    assert dict(figures.shares) == pytest.approx({"anger": 1.6 / 2.8, "happiness": 1.2 / 2.8})
    report(tmp_path, "movie.mp4", CLIP)
    assert index.update({first: 2, second: 1})
    assert [moment.span.start_s for moment in index.moments(Wanted(), {first})] == [1.0]
    assert len(list(index.moments(Wanted(("sadness",)), {first, second}))) == 2
    changed = index.figures(first)
    assert changed is not None
    assert dict(changed.shares) == {"sadness": 1.0}
    assert index.update({first: 2})
    assert index.figures(second) is None
    assert {moment.report.path for moment in index.moments(Wanted(), {first, second})} == {first}


def test_a_report_that_was_cut_off_is_told_until_it_is_whole(tmp_path: Path) -> None:
    index = ReportIndex()
    path = report(tmp_path, "movie.mp4", MOVIE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    index.update({path: 1})
    assert "damaged or cut off" in index.fault(path)
    path.write_bytes(whole)
    index.update({path: 1})
    assert index.fault(path) == ""
    assert index.figures(path) is not None
