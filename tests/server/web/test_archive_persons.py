"""Persons of an archive: in the API and on their page, in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from annotate.archive.layout import ARCHIVE_PERSONS
from annotate.archive.persons import read_person_rows
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import read_report
from annotate.batch.persons import show_persons
from annotate.player import thumbnails
from annotate.results.persons import PersonRow, format_persons, tracks_of
from annotate.server.web.strings import PAGE_WORDS
from tests.browser import open_browser
from tests.server.conftest import Opener
from tests.server.helpers import service_of, wait_until
from tests.server.servers import serving
from tests.server.web.test_pages import until, watched

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from playwright.sync_api import Page

FOLDERS = ("a", "b")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, two_faces: Path) -> Path:
    """An archive of two videos with two face tracks each: persons 1 and 2, and persons 3 and 2."""
    archive = tmp_path_factory.mktemp("archive_persons") / "films"
    for folder in FOLDERS:
        shutil.copytree(two_faces, archive / folder)
    first, second = tracks_of(read_report(archive / "a/two_faces.emotions.csv").table)
    numbers = {"a": (1, 2), "b": (3, 2)}
    rows = [
        PersonRow(track, number, video=f"{folder}/two_faces.mp4")
        for folder in FOLDERS
        for track, number in zip((first, second), numbers[folder], strict=True)
    ]
    (archive / ARCHIVE_PERSONS).write_text(format_persons(rows))
    items = [item for item in scan([archive]) if isinstance(item, ArchiveItem)]
    assert [outcome.faces for outcome in show_persons(archive / ARCHIVE_PERSONS, items)] == [2, 2]
    return archive


@pytest.fixture
def archive(films: Path, tmp_path: Path) -> Path:
    """A copy of the archive."""
    return Path(shutil.copytree(films, tmp_path / "films"))


def rows_in_file(archive: Path) -> list[tuple[str, int, int, str]]:
    rows = read_person_rows(archive / ARCHIVE_PERSONS)
    return sorted((row.video[0], row.track.face_id, row.person, row.name) for row in rows)


def found(client: TestClient, **query: str | int) -> list[dict[str, Any]]:
    """Return the persons of the archive once it is scanned."""
    service = service_of(client)
    wait_until(lambda: service.catalog.snapshot.is_complete)
    persons: list[dict[str, Any]] = client.get("/api/persons", params=query).json()["persons"]
    return persons


def shown(persons: list[dict[str, Any]]) -> list[tuple[int, str, int, int]]:
    return [(one["person"], one["name"], one["videos"], one["tracks"]) for one in persons]


def test_persons_of_all_videos_are_named_merged_and_split(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    persons = found(client)
    assert shown(persons) == [(1, "", 1, 1), (2, "", 2, 2), (3, "", 1, 1)]
    assert all(one["can_edit"] for one in persons)
    assert [(face["folder"], face["face_id"]) for face in persons[1]["faces"]] == [("a", 2), ("b", 2)]
    assert persons[1]["seconds"] == pytest.approx(sum(face["seconds"] for face in persons[1]["faces"]))
    second = f"/api/videos/{persons[1]['video']}/persons/2"
    assert client.put(f"{second}/name", json={"name": "Ann"}).status_code == 200
    assert shown(found(client)) == [(1, "", 1, 1), (2, "Ann", 2, 2), (3, "", 1, 1)]  # at once, in both videos
    assert client.post(f"/api/videos/{persons[0]['video']}/persons/1/merge/3").status_code == 200
    assert shown(found(client)) == [(1, "", 2, 2), (2, "Ann", 2, 2)]
    video = client.get(f"/api/videos/{persons[1]['video']}").json()
    assert (video["faces"], video["people"]) == (2, 2)
    faces = client.get(f"{second}/faces").json()
    assert ([(face["folder"], face["face_id"]) for face in faces["faces"]], faces["total"]) == ([("a", 2), ("b", 2)], 2)
    assert client.post(f"/api/videos/{faces['faces'][1]['id']}/faces/2/split").status_code == 200
    assert shown(found(client)) == [(1, "", 2, 2), (2, "Ann", 1, 1), (3, "", 1, 1)]
    assert rows_in_file(archive) == [("a", 1, 1, ""), ("a", 2, 2, "Ann"), ("b", 1, 1, ""), ("b", 2, 3, "")]


def test_only_videos_whose_persons_changed_are_read_again(
    opener: Opener, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = opener(directory=archive, write=True)
    first = found(client)[0]
    service = service_of(client)
    read: list[Path] = []
    add = service.catalog.index._add_batch
    monkeypatch.setattr(
        service.catalog.index,
        "_add_batch",
        lambda batch: (read.extend(report.path for report in batch.reports.values()), add(batch)),
    )
    client.put(f"/api/videos/{first['video']}/persons/1/name", json={"name": "Ann"})
    service.catalog.scan()
    assert set(read) == {archive / "a/two_faces.emotions.csv"}


def test_persons_are_searched_ordered_and_paged(opener: Opener, archive: Path) -> None:
    rows = read_person_rows(archive / ARCHIVE_PERSONS)
    named = [replace(row, name="Ann Lee") if row.person == 3 else row for row in rows]
    (archive / ARCHIVE_PERSONS).write_text(format_persons(named))
    client = opener(directory=archive)
    assert not any(one["can_edit"] for one in found(client))
    assert [one["person"] for one in found(client, q="lee ann")] == [3]
    assert [one["person"] for one in found(client, q="2")] == [2]
    assert found(client, sort="seconds")[0]["person"] == 2
    assert [one["person"] for one in found(client, offset=1, limit=1)] == [2]
    assert [one["person"] for one in found(client, folder="b")] == [2, 3]
    first = found(client)[0]["video"]
    assert client.get(f"/api/videos/{first}/persons/9/faces").status_code == 404
    assert client.put(f"/api/videos/{first}/persons/1/name", json={"name": "x"}).status_code == 403


def test_every_face_track_has_a_picture(opener: Opener, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MAX_FACES", 1)  # as if the video had many face tracks
    client = opener(directory=archive)
    url = f"/api/videos/{found(client)[0]['video']}/faces"
    assert [client.get(f"{url}/{face_id}").status_code for face_id in (1, 2, 3)] == [200, 200, 404]


def test_a_damaged_file_of_persons_names_nobody_until_it_is_mended(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    assert len(found(client)) == 3
    file = archive / ARCHIVE_PERSONS
    content = file.read_text()
    for text, count in (("person,name\n", 0), (content, 3)):
        file.write_text(text)
        service_of(client).catalog.scan()
        assert len(found(client)) == count


def test_without_an_archive_there_are_no_persons(opener: Opener) -> None:
    client = opener()
    assert client.get("/api/persons").status_code == 404
    assert client.get("/persons").status_code == 404


@pytest.fixture
def page(archive: Path, tmp_path: Path) -> Iterator[Page]:
    """The page of persons, in a browser; the test fails if there are errors in its console."""
    with serving(tmp_path, "--jobs", "1", "--write", archive) as server, open_browser() as browser:
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", locale="ru")
        for page in watched(context):
            page.goto("/archive")
            page.wait_for_selector("#tree li li")
            page.locator("nav a[href='/persons']").click()
            page.wait_for_selector("#people > li")
            yield page


def test_persons_are_named_merged_and_split_by_keyboard(page: Page, archive: Path) -> None:
    until(page, "[...document.querySelectorAll('#people img')].every((each) => each.naturalWidth > 0)")
    assert page.locator("#people img").count() == 4
    page.locator("[data-person='2'] form input").focus()
    page.keyboard.type("Ann <b>")
    page.keyboard.press("Enter")
    page.locator("#people strong, #people form input[value='Ann b']").wait_for()
    assert page.evaluate("document.activeElement.value") == "Ann b"
    for number in (3, 1):
        page.locator(f"[data-person='{number}'] .choose").focus()
        page.keyboard.press("Space")
    page.locator("#merging [data-key=merge]").focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#people > li').length === 2")
    assert page.evaluate("document.activeElement.dataset.key.startsWith('name')")
    assert page.locator("#merging").is_hidden()
    page.locator("[data-person='2'] summary").focus()
    page.keyboard.press("Enter")
    page.locator("[data-person='2'] details li button").nth(1).focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#people > li').length === 3")
    assert rows_in_file(archive) == [("a", 1, 3, ""), ("a", 2, 2, "Ann b"), ("b", 1, 3, ""), ("b", 2, 4, "")]
    page.locator("#filters input").fill("ann")
    until(page, "document.querySelectorAll('#people > li').length === 1")
    page.locator("[data-person='2'] a", has_text=PAGE_WORDS["ru"]["moments"]).click()
    page.wait_for_selector(".moments tbody tr")
    assert set(page.locator(".moments tbody .hint").all_inner_texts()) == {"a · Ann b"}
    page.go_back()
    page.locator("[data-person='2'] .person-faces a").first.click()
    page.locator("h1", has_text="two_faces.mp4").wait_for()
