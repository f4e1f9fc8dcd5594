"""Corrections of a video: in the API and on the page of the video, in headless Chromium, by mouse and by keyboard alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from annotate.archive.corrections import read_corrections
from annotate.archive.stored_report import read_report
from annotate.results.corrections import EXCLUDE
from annotate.results.segments import Segment, segments_of
from annotate.server.queue import OrderKind
from annotate.server.web.strings import PAGE_WORDS
from annotate.settings import ONE_CORE
from tests.browser import open_browser
from tests.server.conftest import Opener
from tests.server.helpers import by_name, service_of, wait_until
from tests.server.servers import Server, serving
from tests.server.web.test_pages import until, watched

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from playwright.sync_api import Browser, BrowserContext, Page, Route

FILE = "two_faces.emotions.corrections.csv"
HOSTILE = "=cmd() <b>Ann"
WORDS = PAGE_WORDS["en"]


@pytest.fixture
def archive(two_faces: Path, tmp_path: Path) -> Path:
    """An archive with an annotated video of two persons."""
    return Path(shutil.copytree(two_faces, tmp_path / "films"))


def rows(file: Path) -> list[tuple[int | None, int, int, str, str]]:
    return [
        (row.face_id, row.span.start_ms, row.span.end_ms, row.emotion, row.author)
        for row in read_corrections(file).corrections
    ]


def url_of(client: TestClient) -> str:
    return f"/api/videos/{by_name(client, 'two_faces')['id']}/corrections"


def given(face_id: int, start_s: float, end_s: float, emotion: str, author: str = "Ann", *seen: str) -> dict[str, Any]:
    return {"face_id": face_id, "start_s": start_s, "end_s": end_s, "emotion": emotion, "author": author, "seen": seen}


def decided(review: dict[str, Any]) -> list[tuple[Any, ...]]:
    names = ("face_id", "start_s", "end_s", "emotion", "machine_emotion", "state", "author")
    return [tuple(one[name] for name in names) for one in review["segments"] if one["source"] == "author"]


def test_an_archive_that_is_only_read_is_corrected_in_the_data_folder(opener: Opener, archive: Path) -> None:
    before = {path.name: path.read_bytes() for path in archive.iterdir()}
    client = opener(directory=archive)
    url, service = url_of(client), service_of(client)
    review = client.get(url).json()
    assert (review["confirmed"], review["corrected"], review["undo"], review["problems"]) == (0, 0, "", [])
    version = by_name(client, "two_faces")["shares"]
    saved = client.post(url, json=given(1, 0, 1.6, "sad") | {"note": "see"}).json()
    assert [(*one[:4], *one[5:]) for one in decided(saved)] == [(1, 0, 1.6, "sadness", "corrected", "Ann")]
    assert {path.name: path.read_bytes() for path in archive.iterdir()} == before
    (file,) = service.settings.data.rglob("two_faces.mp4.emotions.corrections.csv")
    assert rows(file) == [(1, 0, 1600, "sadness", "Ann")]
    assert by_name(client, "two_faces")["shares"] != version
    (moment,) = client.get("/api/moments", params={"emotion": "sadness"}).json()["moments"]
    assert (moment["face_id"], moment["start_s"], moment["end_s"]) == (1, 0, 1.6)
    video = service.catalog.find(by_name(client, "two_faces")["id"])
    assert video is not None
    assert service.derived.job(video, OrderKind.RENDER_EN, ONE_CORE).corrections[:1] == (file,)
    results = url.replace("corrections", "results")
    assert '"source": "author"' in client.get(f"{results}/json").text
    service.settings = service.catalog.settings = replace(service.settings, write=True)
    kept = client.post(url, json=given(2, 0, 9, EXCLUDE)).json()
    assert {(one[0], one[3]) for one in decided(kept)} == {(1, "sadness"), (2, EXCLUDE)}
    assert rows(archive / FILE) == [(2, 0, 9000, EXCLUDE, "Ann")]
    lanes = client.get(url.replace("corrections", "player")).json()["lanes"]
    assert [(lane["faces"], bool(lane["spans"])) for lane in lanes] == [([1], True), ([2], False)]
    assert client.get(url.replace("corrections", "faces/2")).status_code == 200


def test_a_segment_is_confirmed_and_steps_of_an_author_are_undone_and_redone(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    url = url_of(client)
    first = client.get(url).json()["segments"][0]
    client.post(url, json=given(1, first["start_s"], first["end_s"], first["emotion"]))
    review = client.post(url, json=given(2, 4.2, 5, "anger", "Bob")).json()
    assert (review["confirmed"], review["corrected"]) == (1, 1)
    ours = client.get(url, params={"author": " Ann "}).json()
    assert client.post(f"{url}/undo", json={"author": "Ann", "time": review["undo"]}).status_code == 409
    undone = client.post(f"{url}/undo", json={"author": "Ann", "time": ours["undo"]}).json()
    assert [row[-1] for row in decided(undone)] == ["Bob"]
    assert (undone["undo"], bool(undone["redo"])) == ("", True)
    assert client.post(f"{url}/undo", json={"author": "Ann", "time": ours["undo"]}).status_code == 400
    redone = client.post(f"{url}/redo", json={"author": "Ann", "time": undone["redo"]}).json()
    assert (redone["confirmed"], redone["corrected"], redone["redo"]) == (1, 1, "")


def test_nobody_overrides_what_they_did_not_see(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    url = url_of(client)
    with ThreadPoolExecutor() as pool:
        answers = pool.map(lambda face_id: client.post(url, json=given(face_id, 3, 4, "fear")).status_code, (1, 2))
        assert list(answers) == [200, 200]
    late = client.post(url, json=given(1, 3.5, 5, "anger", "Bob"))
    assert late.status_code == 409
    assert (1, 3, 4, "fear", "Ann") in [(*one[:4], one[-1]) for one in decided(late.json()["review"])]
    assert len(rows(archive / FILE)) == 2
    assert client.post(url, json=given(1, 4, 5, "anger", "Bob")).status_code == 200
    (mark,) = {one["correction"] for one in late.json()["review"]["segments"] if one["face_id"] == 1 and one["correction"]}
    assert client.post(url, json=given(1, 3, 3.5, "anger", "Bob", mark)).status_code == 200
    assert len(rows(archive / FILE)) == 4


def test_what_does_not_fit_is_refused_and_names_are_data(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    url = url_of(client)
    for wrong in (
        given(9, 0, 1, "fear"),
        given(1, 0, 1, "envy"),
        given(1, 100, 101, "fear"),
        given(1, 1, 1, "fear"),
        given(1, 0, 1, "fear", " \n"),
    ):
        answer = client.post(url, json=wrong)
        assert answer.status_code == 400
        assert str(archive) not in answer.text
    for wrong in (given(1, -1, 1, "fear"), given(1, 0, 1, "x" * 9999), {"face_id": 1}):
        assert client.post(url, json=wrong).status_code == 422
    assert client.post(url, json=given(1, 0, 1, "fear"), headers={"Origin": "http://evil.example"}).status_code == 403
    assert not (archive / FILE).exists()
    review = client.post(url, json=given(1, 0, 1, "fear", HOSTILE) | {"note": 'a,\n"b\x1b'}).json()
    assert decided(review)[0][-1] == HOSTILE
    assert f",'{HOSTILE}," in (archive / FILE).read_text()
    assert [one["note"] for one in review["segments"] if one["note"]] == ['a, "b']
    assert client.post(f"{url}/undo", json={"author": HOSTILE, "time": review["undo"]}).json()["corrected"] == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as one:
        yield one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, two_faces: Path) -> Iterator[Server]:
    """A server that writes beside videos, with one video in each of three folders."""
    folder = tmp_path_factory.mktemp("corrections")
    for name in ("keys", "mouse", "both"):
        shutil.copytree(two_faces, folder / "films" / name)
    with serving(folder, "--jobs", "1", "--write", folder / "films") as one:
        yield one


@pytest.fixture(scope="module")
def machine(two_faces: Path) -> list[Segment]:
    """The segments of the video as the machine made them."""
    return segments_of(read_report(two_faces / "two_faces.emotions.csv").table, ())


def file_in(server: Server, name: str) -> Path:
    return server.data.parent / "films" / name / FILE


def opened(browser: Browser, server: Server, **options: Any) -> BrowserContext:
    base = f"http://127.0.0.1:{server.port}"
    return browser.new_context(base_url=base, viewport={"width": 1200, "height": 900}, **options)


def show(page: Page, folder: str) -> None:
    page.goto(f"/archive?folder={folder}")
    page.locator("tr a", has_text="two_faces.mp4").click()
    page.wait_for_selector(".fix-title")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def shown(ms: int) -> str:
    """Return a time of less than a minute as the page shows it."""
    return f"0:{ms / 1000:05.2f}"


def test_a_review_by_keyboard_alone(browser: Browser, server: Server, machine: list[Segment]) -> None:
    file = file_in(server, "keys")
    message, title = ".fix-message", ".fix-title"
    first, second, third, *_ = (segment for segment in machine if segment.face_id == 1)
    start_ms, end_ms = second.span.start_ms, second.span.end_ms
    moved_ms = round(start_ms, -1) + 100
    unsure = min((one for one in machine if one not in (second, third)), key=lambda one: one.confidence)
    for page in watched(opened(browser, server)):
        show(page, "keys")
        unnamed = """[...document.querySelectorAll('#corrections :is(button, input, progress)')].filter((each) =>
            !(each.textContent.trim() || each.getAttribute('aria-labelledby') || each.labels.length)).length"""
        assert page.evaluate(unnamed) == 0
        tab_to(page, ".ap-track")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.locator(title, has_text=shown(start_ms)).wait_for()
        page.keyboard.press("Digit2")
        page.locator(message, has_text=WORDS["nameFirst"]).wait_for()
        page.keyboard.type(HOSTILE)
        page.keyboard.press("Enter")
        page.locator(message, has_text="disgust").wait_for()
        page.locator(title, has_text=HOSTILE).wait_for()
        assert page.locator("#corrections b").count() == 0
        assert rows(file) == [(1, start_ms, end_ms, "disgust", HOSTILE)]
        page.keyboard.press("Period")
        page.keyboard.press("BracketLeft")  # the first 0.1 s goes to the neighbor
        page.locator(title, has_text=shown(moved_ms)).wait_for()
        assert rows(file)[1:] == [(1, start_ms, moved_ms, first.emotion, HOSTILE)]
        page.keyboard.press("Control+z")
        page.locator(title, has_text=shown(start_ms)).wait_for()
        page.keyboard.press("Control+Shift+z")
        page.locator(title, has_text=shown(moved_ms)).wait_for()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.locator(message, has_text=shown(third.span.start_ms)).wait_for()
        progress = page.locator("#review-progress")
        until(page, "document.querySelector('#review-progress').textContent.includes('confirmed: 1, corrected: 2')")
        assert f": {len(machine) + 1}." in progress.inner_text()
        page.keyboard.press("n")
        page.locator(title, has_text=shown(unsure.span.start_ms)).wait_for()
        page.keyboard.press("0")
        page.locator(message, has_text=WORDS["excluded"]).wait_for()
        page.locator(".fix-excluded").wait_for()
        assert page.locator(".fix-excluded").count() == 1
        tab_to(page, "[data-key=segmentEnd]")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        wait_until(lambda: len(rows(file)) == 5)
    excluded, left = rows(file)[3:]
    assert excluded == (unsure.face_id, unsure.span.start_ms, unsure.span.end_ms, EXCLUDE, HOSTILE)
    assert left[:3] == (unsure.face_id, round(unsure.span.end_ms, -1) - 100, unsure.span.end_ms)
    assert rows(file)[2] == (1, third.span.start_ms, third.span.end_ms, third.emotion, HOSTILE)


def test_a_segment_is_chosen_and_its_edge_dragged_by_mouse(browser: Browser, server: Server, machine: list[Segment]) -> None:
    file, words = file_in(server, "mouse"), PAGE_WORDS["ru"]
    chosen, after = [segment for segment in machine if segment.face_id == 1][1:3]
    middle_s = (chosen.span.start_s + chosen.span.end_s) / 2
    assert after.span.end_s > chosen.span.end_s + 1
    held: list[Route] = []
    for page in watched(opened(browser, server, locale="ru")):
        show(page, "mouse")
        page.evaluate("document.querySelector('video').dataset.same = 'yes'")
        page.locator("[data-key=yourName]").fill("Боб")
        page.mouse.click(*place_at(page, middle_s))
        note = page.locator("[data-key=note]")
        page.route(lambda url: url.endswith("/corrections"), lambda route: held.append(route), times=1)
        note.fill("рот")
        with page.expect_request(lambda request: request.method == "POST"):
            page.locator("[data-choice=fear]").click()
        note.fill("глаз")  # while it is saved
        held[0].continue_()
        until(page, "document.querySelector('[data-choice=fear]').getAttribute('aria-pressed') === 'true'")
        wait_until(lambda: len(rows(file)) == 1)
        page.wait_for_timeout(500)  # until the timeline has been drawn anew
        assert note.input_value() == "глаз"
        note.fill("")
        x, y = place_at(page, chosen.span.end_s)
        until(page, f"document.elementFromPoint({x}, {y})?.dataset.edge === 'end'")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(*place_at(page, chosen.span.end_s + 0.7), steps=3)
        page.mouse.up()
        wait_until(lambda: len(rows(file)) == 2)
        page.locator("[data-key=undo][aria-disabled=false]").click()
        page.locator(".fix-message", has_text=words["undone"]).wait_for()
        page.locator("[data-key=redo][aria-disabled=false]").click()
        page.locator(".fix-message", has_text=words["redone"]).wait_for()
        assert page.evaluate("document.querySelector('video').dataset.same") == "yes"
        page.reload()
        page.wait_for_selector(".fix-title")
        assert page.locator("[data-key=yourName]").input_value() == "Боб"
    first, second = read_corrections(file).corrections
    assert (first.span, first.emotion, first.author, first.note) == (chosen.span, "fear", "Боб", "рот")
    assert (second.span.start_ms, second.emotion, second.note) == (chosen.span.end_ms, "fear", "")
    assert abs(second.span.end_ms - chosen.span.end_ms - 700) < 60


SECOND_ROW = """() => {
    const track = document.querySelectorAll(".ap-track")[1];
    track.scrollIntoView({ block: "nearest", behavior: "instant" });
    return track.getBoundingClientRect().toJSON();
}"""


def place_at(page: Page, time_s: float) -> tuple[float, float]:
    """Return where a time of the second row of the timeline is on the screen, to which it is scrolled; the video has 8 s."""
    box = page.evaluate(SECOND_ROW)  # in one step, since the timeline is drawn anew when something was saved
    return box["x"] + time_s * box["width"] / 8, box["y"] + box["height"] / 2


def test_two_people_at_once_see_what_the_other_did(browser: Browser, server: Server) -> None:
    file = file_in(server, "both")

    def start(page: Page, name: str) -> None:
        show(page, "both")
        page.locator("[data-key=yourName]").fill(name)

    def choose(page: Page, row: int, share: float, emotion: str) -> None:
        track = page.locator(".ap-track").nth(row)
        box = track.bounding_box()
        assert box is not None
        track.click(position={"x": box["width"] * share, "y": 10})
        page.locator(f"[data-choice={emotion}]").click()

    deafen = """Object.defineProperty(document, 'hidden', {value: true});
        document.dispatchEvent(new Event('visibilitychange'))"""
    for ann in watched(opened(browser, server)):
        for bob in watched(opened(browser, server), ("status of 409",)):
            start(ann, "Ann")
            start(bob, "Bob")
            bob.evaluate(deafen)  # his page does not hear any more what others do
            choose(ann, 1, 0.5, "anger")
            ann.locator(".fix-message", has_text="anger").wait_for()
            choose(bob, 1, 0.5, "fear")
            bob.locator(".fix-conflict li", has_text="Ann: anger").wait_for()
            assert [row[3:] for row in rows(file)] == [("anger", "Ann")]
            bob.locator(".fix-title", has_text="Ann").wait_for()
            bob.locator(".fix-conflict button", has_text=WORDS["saveAnyway"]).click()
            ann.locator(".fix-title", has_text="Bob").wait_for()
            assert bob.locator(".fix-conflict *").count() == 0
            choose(ann, 2, 0.9, "sadness")
            ann.locator(".fix-message", has_text="sadness").wait_for()
            choose(bob, 1, 0.1, "neutral")  # where nobody else decided
            bob.locator(".fix-message", has_text="neutral").wait_for()
            until(bob, "document.querySelector('#review-progress').textContent.includes('corrected: 3')")
    assert [(row[0], *row[3:]) for row in rows(file)] == [
        (1, "anger", "Ann"),
        (1, "fear", "Bob"),
        (2, "sadness", "Ann"),
        (1, "neutral", "Bob"),
    ]
