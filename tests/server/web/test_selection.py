"""Several videos at once, and moments as lists and pictures."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from pathlib import Path

import opentimelineio as otio
import pytest
from PIL import Image

from annotate import find_moments
from annotate.archive.scan import scan
from annotate.batch.run import annotate_archive
from annotate.media.probe import probe
from tests.clips import SAMPLES
from tests.server.conftest import Opener
from tests.server.helpers import finish, send, service_of, wait_until


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two annotated videos of one name, in two folders."""
    folder = tmp_path_factory.mktemp("films")
    for name in ("a", "b"):
        (folder / name).mkdir()
        os.link(SAMPLES / "two_faces.mp4", folder / name / "two.mp4")
    list(annotate_archive(scan([folder])))
    return folder


def test_results_of_several_videos_are_one_zip(opener: Opener, films: Path) -> None:
    client = opener(directory=films)
    wait_until(lambda: client.get("/api/archive").json()["is_complete"])
    ids = [video["id"] for video in client.get("/api/archive", params={"q": "two"}).json()["videos"]]
    assert len(ids) == 2
    answer = client.get("/api/selection/results.zip", params={"id": [*ids, "u0123456789abcdef"], "language": "ru"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert "content-length" not in answer.headers
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = archive.namelist()
    assert {"a/two.emotions.csv", "b/two.emotions.csv", "a/two.emotions.ru.srt"} <= set(names)
    assert archive.read("a/two.emotions.csv") == (films / "a/two.emotions.csv").read_bytes()
    unknown = client.get("/api/selection/results.zip", params={"id": ["u0123456789abcdef"]})
    assert unknown.status_code == 404


def test_several_uploads_are_annotated_and_removed(opener: Opener, empty_clip: Path, films: Path) -> None:
    client = opener(directory=films)
    wait_until(lambda: client.get("/api/archive").json()["is_complete"])
    film = client.get("/api/archive", params={"q": "two"}).json()["videos"][0]["id"]
    ids = [finish(client, send(client, empty_clip, f"{number}.mp4")["id"])["id"] for number in range(2)]
    service_of(client).runner.close()
    assert client.post("/api/selection/annotate", json={"ids": [*ids, ids[0], "x"]}).json() == {"ordered": 2}
    assert client.post("/api/selection/remove", json={"ids": [*ids, film]}).json() == {"ordered": 2}
    assert client.get("/api/uploads").json()["total"] == 0
    assert client.get(f"/api/videos/{film}").status_code == 200


def test_moments_are_exported_as_a_table_and_an_edit_list(opener: Opener, films: Path) -> None:
    client = opener(directory=films)
    wait_until(lambda: client.get("/api/archive").json()["is_complete"])
    answer = client.get("/api/moments/export", params={"min_confidence": 60})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    expected = find_moments(films, min_confidence=0.6)
    assert expected["face_id"].tolist()
    assert [(row["emotion"], float(row["start_time"])) for row in rows] == list(
        zip(expected["emotion"], expected["start_time"], strict=True)
    )
    assert {row["video"] for row in rows} == {"a/two.mp4", "b/two.mp4"}
    edl = client.get("/api/moments/export", params={"min_confidence": 0.6, "format": "edl"})
    assert edl.text.count("FROM CLIP NAME") == len(expected)
    timeline = client.get("/api/moments/export", params={"min_confidence": 0.6, "format": "otio"})
    clips = list(otio.adapters.read_from_string(timeline.text, "otio_json").find_clips())
    starts_s = [round(clip.source_range.start_time.to_seconds(), 1) for clip in clips]
    assert starts_s == pytest.approx([round(start_s, 1) for start_s in expected["start_time"]], abs=0.11)
    assert {clip.media_reference.target_url for clip in clips} == {"./a/two.mp4", "./b/two.mp4"}
    assert str(films) not in edl.text + answer.text + timeline.text
    assert client.get("/api/moments", params={"min_confidence": 60}).json()["total"] == len(expected)
    assert client.get("/api/moments", params={"min_confidence": 101}).status_code == 422


def test_moments_are_cut_out_into_one_zip(opener: Opener, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their table; those of a video that is gone are left out, and nothing is left in the data folder."""
    client = opener(directory=films)
    wait_until(lambda: client.get("/api/archive").json()["is_complete"])
    query = {"emotion": "surprise"}
    moments = client.get("/api/moments", params=query).json()["moments"]
    (films / "a/two.mp4").rename(films / "a/two.gone")
    try:
        answer = client.get("/api/moments/clips.zip", params=query)
    finally:
        (films / "a/two.gone").rename(films / "a/two.mp4")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    rows = list(csv.DictReader(io.StringIO(archive.read("clips.csv").decode("utf-8-sig"))))
    expected = [one["start_s"] for one in moments if one["folder"] == "b"]
    assert expected
    assert [float(row["start_time"]) for row in rows] == expected
    assert {row["video"] for row in rows} == {"b/two.mp4"}
    assert [*(row["file"] for row in rows), "clips.csv"] == archive.namelist()
    for row in rows:
        clip = films.parent / "clip.mp4"
        clip.write_bytes(archive.read(row["file"]))
        assert probe(clip).duration_s == pytest.approx(float(row["clip_end_time"]) - float(row["clip_start_time"]), abs=0.1)
    assert not list(service_of(client).data_dir.clips.iterdir())
    assert client.get("/api/moments/clips.zip", params={"emotion": "surprise", "min_seconds": 99}).status_code == 404
    monkeypatch.setattr("annotate.server.web.moments.MAX_CLIPS", 0)
    assert client.get("/api/moments/clips.zip", params=query).status_code == 422


def test_a_moment_has_a_picture_of_its_face(opener: Opener, films: Path) -> None:
    client = opener(directory=films)
    wait_until(lambda: client.get("/api/archive").json()["is_complete"])
    moment = client.get("/api/moments").json()["moments"][0]
    path = f"/api/videos/{moment['id']}/moments/{moment['face_id']}"
    answer = client.get(f"{path}/{round(500 * (moment['start_s'] + moment['end_s']))}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (72, 72)
    assert client.get(f"{path}/99000").status_code == 404
