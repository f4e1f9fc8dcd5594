"""The JSON API."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import scan
from annotate.batch.convert import convert_archive, scan_reports
from annotate.batch.job import AnnotateJob, Outcome, WorkContext
from annotate.batch.run import annotate_archive
from annotate.emotions.labels import SYNONYMS
from annotate.html_report.build import PageOptions, write_page
from annotate.results.formats.registry import FORMATS
from annotate.results.meta import read_meta
from annotate.server import runner
from tests.clips import H264, make_pattern
from tests.server.conftest import LONG_S, Opener
from tests.server.helpers import by_name, finish, send, service_of, wait_until

CHANGED_S = 1_700_000_000


def test_results_of_an_upload_equal_those_of_the_command_line(opener: Opener, tmp_path: Path, face_clip: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    path = Path(shutil.copy(face_clip, folder / "a clip.mp4"))
    os.utime(path, (CHANGED_S, CHANGED_S))
    list(annotate_archive(scan([path])))
    list(convert_archive(scan_reports([folder]), OutputOptions(FORMATS, "ru")))
    client = opener(processes=True)
    video = send(client, path, modified_s=CHANGED_S)
    assert (video["name"], video["source"], video["size_bytes"]) == ("a clip.mp4", "upload", path.stat().st_size)
    done = finish(client, video["id"])
    assert (done["state"], done["faces"], done["duration_s"], done["formats"]) == ("annotated", 1, 2.0, list(FORMATS))
    for name in FORMATS:
        answer = client.get(f"/api/videos/{video['id']}/results/{name}", params={"language": "ru"})
        file_name = answer.headers["content-disposition"].partition("''")[2].replace("%20", " ")
        expected = (folder / file_name).read_bytes()
        assert answer.content == expected, name


def test_subtitles_are_available_in_both_languages(opener: Opener, face_clip: Path) -> None:
    client = opener()
    video = finish(client, send(client, face_clip)["id"])
    english, russian = (client.get(f"/api/videos/{video['id']}/results/srt?language={one}").text for one in ("en", "ru"))
    assert (video["emotion"] in english, video["emotion"] in russian) == (True, False)


def test_the_player_gets_lanes_and_scores(opener: Opener, face_clip: Path) -> None:
    client = opener()
    video = finish(client, send(client, face_clip)["id"])
    data = client.get(f"/api/videos/{video['id']}/player").json()
    assert (data["end_ms"], [lane["face"] for lane in data["lanes"]]) == (2000, [1])
    assert data["lanes"][0]["spans"][-1][1] == 2000


def test_a_file_that_is_not_a_video_fails_with_a_reason_without_server_paths(opener: Opener, tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("not a video at all")
    client = opener()
    done = finish(client, send(client, path)["id"])
    assert done["state"] == "failed"
    assert "video" in done["reason"]
    assert str(tmp_path) not in done["reason"]
    assert client.get(f"/api/videos/{done['id']}/results/csv").status_code == 404


def test_an_upload_is_deleted_with_its_results(opener: Opener, empty_clip: Path) -> None:
    client = opener()
    video = finish(client, send(client, empty_clip)["id"])
    folder = service_of(client).data_dir.uploads / video["id"]
    assert sorted(os.listdir(folder)) == ["empty.emotions.csv", "empty.emotions.meta.json", "empty.mp4"]
    assert client.delete(f"/api/videos/{video['id']}").status_code == 204
    assert not folder.exists()
    assert client.get(f"/api/videos/{video['id']}").status_code == 404
    assert client.get("/api/uploads").json() == {"videos": [], "total": 0}


def test_a_waiting_order_can_be_canceled_and_repeated(opener: Opener, empty_clip: Path) -> None:
    client = opener()
    service = service_of(client)
    service.runner.close()
    video = send(client, empty_clip)
    assert video["state"] == "waiting"
    path = f"/api/videos/{video['id']}"
    assert client.post(f"{path}/cancel").json() == {"ordered": 1}
    assert client.post(f"{path}/cancel").json() == {"ordered": 0}
    assert client.get(path).json()["state"] == "cancelled"
    assert client.post(f"{path}/annotate").json()["state"] == "waiting"
    assert client.post(f"{path}/annotate").json()["state"] == "waiting"


def test_a_running_order_can_be_canceled_and_leaves_no_files(opener: Opener, long_clip: Path) -> None:
    client = opener(processes=True)
    video = send(client, long_clip)
    path = f"/api/videos/{video['id']}"
    wait_until(lambda: bool((client.get(path).json()["progress"] or {}).get("done_s")))
    progress = client.get(path).json()["progress"]
    assert 0 < progress["done_s"] < progress["duration_s"] == LONG_S
    assert client.post(f"{path}/cancel").json() == {"ordered": 1}
    assert finish(client, video["id"])["state"] == "cancelled"
    folder = service_of(client).data_dir.uploads / video["id"]
    assert os.listdir(folder) == ["long.mp4"]
    other = send(client, long_clip, "other.mp4")
    wait_until(lambda: bool((client.get(f"/api/videos/{other['id']}").json()["progress"] or {}).get("done_s")))


def test_the_archive_is_a_tree_with_the_state_of_each_video(opener: Opener, archive: Path) -> None:
    before = sorted(os.listdir(archive)), sorted(os.listdir(archive / "below"))
    client = opener(directory=archive, jobs=2, processes=True)
    broken = by_name(client, "broken")
    top = client.get("/api/archive").json()
    assert [folder["folder"] for folder in top["folders"]] == ["below"]
    assert top["folders"][0]["states"] == {"missing": 2}
    assert [video["name"] for video in top["videos"]] == ["a.mp4"]
    assert client.post("/api/archive/annotate", params={"folder": "below"}).json() == {"ordered": 2}
    assert finish(client, broken["id"])["state"] == "failed"
    finish(client, by_name(client, "b.mp4")["id"])
    top = client.get("/api/archive").json()
    assert top["folders"][0]["states"] == {"annotated": 1, "failed": 1}
    assert top["states"] == {"annotated": 1, "failed": 1, "missing": 1}
    assert client.post("/api/archive/annotate").json() == {"ordered": 1}
    assert finish(client, top["videos"][0]["id"])["faces"] == 1
    assert client.post("/api/archive/annotate").json() == {"ordered": 0}
    assert client.post("/api/archive/annotate", params={"failed": "true"}).json() == {"ordered": 1}
    assert (sorted(os.listdir(archive)), sorted(os.listdir(archive / "below"))) == before
    assert client.get("/api/archive", params={"folder": "nowhere"}).status_code == 404


def test_with_write_results_are_written_beside_the_videos(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    video = by_name(client, "a.mp4")
    client.post(f"/api/videos/{video['id']}/annotate")
    assert finish(client, video["id"])["state"] == "annotated"
    assert (archive / "a.emotions.csv").exists()
    (outcome,) = annotate_archive(scan([archive / "a.mp4"]))
    assert outcome.status.value == "up_to_date"


def test_results_of_the_command_line_are_shown_and_become_stale_with_the_video(
    opener: Opener, archive: Path, empty_clip: Path
) -> None:
    list(annotate_archive(scan([archive])))
    client = opener(directory=archive)
    assert by_name(client, "a.mp4")["state"] == "annotated"
    shutil.copyfile(empty_clip, archive / "a.mp4")
    service_of(client).catalog.scan()
    video = by_name(client, "a.mp4")
    assert (video["state"], "changed" in video["reason"]) == ("stale", True)
    client.post(f"/api/videos/{video['id']}/annotate")
    done = finish(client, video["id"])
    assert (done["state"], done["faces"]) == ("annotated", 0)


def test_damage_of_a_video_is_stated_as_by_the_command_and_the_report(opener: Opener, archive: Path) -> None:
    cut = archive / "below/b.mp4"
    make_pattern(cut, duration_s=4, options=(*H264, "-g", "5", "-movflags", "+faststart"))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (archive / "below/broken.mp4").unlink()
    statements = {outcome.path.name: outcome.reason for outcome in annotate_archive(scan([archive]))}
    damage = read_meta(archive / "below/b.emotions.meta.json").damage  # type: ignore[union-attr]
    assert statements == {"a.mp4": "", "b.mp4": damage.statement()}
    assert damage
    problems = write_page([archive], archive / "page.html", PageOptions(thumbnails=False)).problems
    assert [(one.path, one.statement) for one in problems] == [("below/b.mp4", damage.statement())]
    client = opener(directory=archive)
    video, intact = by_name(client, "b.mp4"), by_name(client, "a.mp4")
    assert (video["state"], video["damage"]) == ("annotated", {name: damage.statement(name) for name in ("en", "ru")})
    assert intact["damage"] == {}
    counts = {folder: client.get("/api/archive", params={"folder": folder}).json()["damaged"] for folder in ("", "below")}
    assert counts == {"": 1, "below": 1}
    upload = finish(client, send(client, cut)["id"])
    assert (upload["damage"]["en"], upload["reason"]) == (damage.statement(), damage.statement())


@pytest.mark.parametrize(
    ("path", "accept", "is_page"),
    [
        ("/nosuch", "text/html", True),
        ("/archive", "text/html", True),
        ("/static/nosuch.js", "*/*", False),
        ("/nosuch", "application/json", False),
        ("/api/nosuch", "text/html", False),
    ],
)
def test_unknown_urls_are_answered_with_a_page_or_json(opener: Opener, path: str, accept: str, is_page: bool) -> None:
    answer = opener().get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    if is_page:
        assert "<h1>" in answer.text
    else:
        assert isinstance(answer.json()["detail"], str)


def test_without_an_archive_the_start_page_is_that_of_uploads(opener: Opener) -> None:
    assert opener().get("/").url.path == "/uploads"


def test_a_damaged_table_makes_a_video_stale_with_a_reason(opener: Opener, archive: Path) -> None:
    list(annotate_archive(scan([archive])))
    report = archive / "a.emotions.csv"
    report.write_bytes(report.read_bytes()[:-20])
    client = opener(directory=archive)
    video = by_name(client, "a.mp4")
    assert video["state"] == "stale"
    assert "damaged" in video["reason"]
    assert client.get(f"/api/videos/{video['id']}/results/csv").status_code == 404


def test_responses_name_files_without_absolute_paths(opener: Opener, archive: Path, tmp_path: Path) -> None:
    list(annotate_archive(scan([archive / "a.mp4"])))
    report = archive / "a.emotions.csv"
    client = opener(directory=archive)
    missing, damaged = (by_name(client, name)["id"] for name in ("b.mp4", "a.mp4"))
    report.write_bytes(report.read_bytes()[:-20])
    answers = [client.get(f"/api/videos/{one}/{what}") for one in (missing, damaged) for what in ("results/csv", "player")]
    assert [answer.status_code for answer in answers] == [404] * 4
    details = [answer.json()["detail"] for answer in answers]
    assert ["not annotated" in detail for detail in details] == [True, True, False, False]
    assert [detail.partition(": ")[0] for detail in details[2:]] == ["a.emotions.csv"] * 2
    shutil.move(archive, tmp_path / "moved")
    service_of(client).catalog.scan()
    (problem,) = client.get("/api/archive").json()["problems"]
    assert problem.startswith("archive: ")
    for text in (*details, problem):
        assert str(tmp_path) not in text


def test_an_internal_error_reveals_no_path(
    opener: Opener, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: AnnotateJob, context: WorkContext) -> Outcome:
        raise FileNotFoundError(2, "No such file", str(job.path))

    monkeypatch.setattr(runner, "annotate_video", fail)
    client = opener(directory=archive)
    video = by_name(client, "a.mp4")
    client.post(f"/api/videos/{video['id']}/annotate")
    done = finish(client, video["id"])
    assert done["state"] == "failed"
    assert done["reason"]
    assert str(tmp_path) not in done["reason"]


def test_new_files_appear_without_a_restart(opener: Opener, archive: Path, empty_clip: Path) -> None:
    client = opener(directory=archive)
    by_name(client, "a.mp4")
    shutil.copy(empty_clip, archive / "new.mp4")
    wait_until(lambda: client.get("/api/archive", params={"q": "new"}).json()["total"] == 1)
    (archive / "new.mp4").unlink()
    wait_until(lambda: client.get("/api/archive", params={"q": "new"}).json()["total"] == 0)


def test_searching_by_words_emotion_and_state(opener: Opener, archive: Path) -> None:
    list(annotate_archive(scan([archive])))
    client = opener(directory=archive)
    emotion = by_name(client, "a.mp4")["emotion"]

    def found(**query: str) -> list[str]:
        return [video["name"] for video in client.get("/api/archive", params=query).json()["videos"]]

    assert found(q="BELOW mp4") == ["b.mp4", "broken.mp4"]
    assert found(q="nothing like it") == []
    assert found(emotion=emotion) == ["a.mp4"]
    assert found(emotion=emotion, folder="below") == []
    synonym = next(word for word, name in SYNONYMS.items() if name == emotion).upper()
    assert found(emotion=synonym) == ["a.mp4"]
    assert client.get("/api/moments", params={"emotion": synonym}).json()["total"] > 0
    for path in ("archive", "moments", "moments/export"):
        answer = client.get(f"/api/{path}", params={"emotion": "feer"})
        assert (answer.status_code, "'fear'" in answer.json()["detail"]) == (422, True)
    assert found(state="annotated") == ["a.mp4", "b.mp4"]
    assert found(state="failed", q="broken") == ["broken.mp4"]
    assert found(state="annotated", limit="1", offset="1") == ["b.mp4"]


def test_moments_equal_those_of_the_command_line(opener: Opener, archive: Path) -> None:
    from annotate.analytics.moments import find_moments

    list(annotate_archive(scan([archive])))
    expected = find_moments(archive)
    client = opener(directory=archive)
    video = by_name(client, "a.mp4")
    answer = client.get("/api/moments").json()
    keys = ("face_id", "start_s", "end_s", "emotion", "confidence")
    moments = [tuple(moment[key] for key in keys) for moment in answer["moments"]]
    columns = ("face_id", "start_time", "end_time", "emotion", "confidence")
    assert moments == list(zip(*(expected[name].tolist() for name in columns), strict=True))
    assert moments
    assert {one["id"] for one in answer["moments"]} == {video["id"]}
    assert client.get("/api/moments", params={"min_seconds": 5}).json() == {"moments": [], "total": 0}
    assert client.get("/api/moments", params={"emotion": moments[0][3], "q": "below"}).json()["total"] == 0


@pytest.mark.parametrize(
    ("requested", "first", "last", "status"),
    [
        ("bytes=0-99", 0, 99, 206),
        ("bytes=100-", 100, None, 206),
        ("bytes=-50", -50, None, 206),
        ("bytes=99999999-", 0, 0, 416),
    ],
)
def test_videos_support_range_requests(
    opener: Opener, empty_clip: Path, requested: str, first: int, last: int | None, status: int
) -> None:
    client = opener()
    video = send(client, empty_clip)
    answer = client.get(f"/api/videos/{video['id']}/file", headers={"Range": requested})
    assert answer.status_code == status
    if status == 206:
        assert answer.content == empty_clip.read_bytes()[first : None if last is None else last + 1]
        assert answer.headers["content-range"].endswith(f"/{empty_clip.stat().st_size}")
    whole = client.head(f"/api/videos/{video['id']}/file")
    assert (whole.headers["accept-ranges"], whole.headers["content-length"]) == ("bytes", str(empty_clip.stat().st_size))
    assert whole.content == b""


def test_the_openapi_document_and_its_page_list_every_route(opener: Opener) -> None:
    client = opener()
    document = client.get("/api/openapi.json").json()
    page = client.get("/api").text
    assert "/api/uploads/{name}" in document["paths"]
    for path, methods in document["paths"].items():
        assert f"<code>{path}</code>" in page
        for route in methods.values():
            assert route["summary"]
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema:
            assert f'id="{name}"' in page


def test_status_describes_the_server(opener: Opener, archive: Path) -> None:
    status = opener(directory=archive, jobs=3, max_upload_bytes=5).get("/api/status").json()
    assert (status["archive"], status["jobs"], status["writes"]) == ("archive", 3, False)
    assert (status["waiting"], status["running"], status["max_upload_bytes"]) == (0, 0, 5)
