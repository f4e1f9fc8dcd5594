"""Persons of a video: in the API and on the page of the video, in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotate.archive.layout import ARCHIVE_PERSONS
from annotate.archive.persons import read_person_rows
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import read_report
from annotate.batch.persons import show_persons
from annotate.results.persons import PersonRow, format_persons, tracks_of
from tests.browser import open_browser
from tests.server.conftest import Opener
from tests.server.helpers import by_name
from tests.server.servers import serving
from tests.server.web.test_pages import until, watched

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

OTHER = "other.mp4"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, two_faces: Path) -> Path:
    """An archive with a video of two persons, and a file of persons that knows another video too."""
    archive = shutil.copytree(two_faces, tmp_path_factory.mktemp("persons") / "films")
    tracks = tracks_of(read_report(archive / "two_faces.emotions.csv").table)
    rows = [PersonRow(track, number, video="two_faces.mp4") for number, track in enumerate(tracks, 1)]
    other = PersonRow(tracks[0], 2, video=OTHER)
    (archive / ARCHIVE_PERSONS).write_text(format_persons([*rows, other]))
    items = [item for item in scan([archive]) if isinstance(item, ArchiveItem)]
    assert [outcome.faces for outcome in show_persons(archive / ARCHIVE_PERSONS, items)] == [2]
    return archive


@pytest.fixture
def archive(films: Path, tmp_path: Path) -> Path:
    """A copy of the archive."""
    return Path(shutil.copytree(films, tmp_path / "films"))


def persons_in_file(archive: Path) -> list[tuple[str, int, str]]:
    return [(row.video, row.person, row.name) for row in read_person_rows(archive / ARCHIVE_PERSONS)]


def test_what_is_said_stands_in_the_file_of_the_archive(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    url = f"/api/videos/{by_name(client, 'two_faces')['id']}"
    found = client.get(f"{url}/persons").json()
    assert found["can_edit"]
    assert [(one["person"], one["name"], one["faces"]) for one in found["persons"]] == [(1, "", [1]), (2, "", [2])]
    named = client.put(f"{url}/persons/2/name", json={"name": " Ann {x}"}).json()
    assert [one["name"] for one in named["persons"]] == ["", "Ann x"]
    assert persons_in_file(archive) == [(OTHER, 2, "Ann x"), ("two_faces.mp4", 1, ""), ("two_faces.mp4", 2, "Ann x")]
    moments = client.get("/api/moments", params={"person": "ann x"}).json()["moments"]
    assert {(one["face_id"], one["person"], one["person_name"]) for one in moments} == {(2, 2, "Ann x")}
    (merged,) = client.post(f"{url}/persons/1/merge/2").json()["persons"]
    assert (merged["person"], merged["name"], merged["faces"]) == (1, "Ann x", [1, 2])
    assert persons_in_file(archive)[0] == (OTHER, 1, "Ann x")
    apart = client.post(f"{url}/faces/1/split").json()["persons"]
    assert [(one["person"], one["name"], one["faces"]) for one in apart] == [(1, "Ann x", [2]), (2, "", [1])]


def test_unknown_persons_and_archives_that_are_only_read_are_refused(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    url = f"/api/videos/{by_name(client, 'two_faces')['id']}"
    before = persons_in_file(archive)
    for answer in (
        client.put(f"{url}/persons/9/name", json={"name": "x"}),
        client.post(f"{url}/persons/1/merge/9"),
        client.post(f"{url}/faces/9/split"),
    ):
        assert answer.status_code == 400
        assert str(archive) not in answer.text
    assert client.put(f"{url}/persons/1/name", json={"name": "x" * 9999}).status_code == 422
    client.app.state.service.settings = opener(directory=archive, data=archive.parent / "more").app.state.service.settings  # type: ignore[attr-defined]
    assert client.put(f"{url}/persons/1/name", json={"name": "x"}).status_code == 403
    assert not client.get(f"{url}/persons").json()["can_edit"]
    assert persons_in_file(archive) == before


@pytest.fixture
def page(archive: Path, tmp_path: Path) -> Iterator[Page]:
    """The page of the video, in a browser; the test fails if there are errors in its console."""
    with serving(tmp_path, "--jobs", "1", "--write", archive) as server, open_browser() as browser:
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        for page in watched(context):
            page.goto("/archive")
            page.locator("tr a", has_text="two_faces.mp4").click()
            page.wait_for_selector("#people li")
            yield page


def forbid(route: Route) -> None:
    """Answer as a server that does not write to the archive."""
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "can_edit": False})


def test_persons_are_named_and_merged_by_keyboard(page: Page, archive: Path) -> None:
    until(page, "[...document.querySelectorAll('#people img')].every((each) => each.naturalWidth > 0)")
    assert page.locator("#people img").count() == 2
    page.locator("[data-person='2'] input").focus()
    page.keyboard.type("Ann <b>")
    page.keyboard.press("Enter")
    page.locator(".ap-row", has_text="Ann b").wait_for()
    assert page.evaluate("document.activeElement.dataset.key") == "name2"
    page.locator("[data-person='1'] option", has_text="Ann b").wait_for(state="attached")
    page.locator("[data-person='1'] select").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#people li').length === 1")
    assert page.evaluate("document.activeElement.dataset.key") == "name1"
    assert page.locator("#people input").input_value() == "Ann b"
    until(page, "document.querySelectorAll('.ap-row:not(.ap-ruler)').length === 1")
    page.locator("[data-key=face1]").focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#people li').length === 2")
    assert persons_in_file(archive)[1:] == [("two_faces.mp4", 2, ""), ("two_faces.mp4", 1, "Ann b")]
    page.route("**/persons", forbid)
    page.reload()
    page.locator("#people strong", has_text="Ann b").wait_for()
    counts = "[...document.querySelectorAll('#people li')].map((each) => each.innerText.split('person').length - 1)"
    until(page, f"{counts}.join() === '1,1'")  # once, also unnamed
