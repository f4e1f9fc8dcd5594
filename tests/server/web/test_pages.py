"""The pages in headless Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotate.archive.scan import scan
from annotate.batch.run import annotate_archive
from annotate.emotions.labels import EMOTION_WORDS, EMOTIONS
from annotate.server.web.strings import PAGE_WORDS
from tests.browser import open_browser
from tests.clips import SAMPLES, run_ffmpeg
from tests.server.helpers import wait_until
from tests.server.servers import Server, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

MARKUP = "<b>&\"'<img src=x onerror=alert(1)>.mp4".replace("/", "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as one:
        yield one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, two_faces: Path) -> Iterator[Server]:
    """A server with an archive of an annotated video, a new one, and one that no browser can play."""
    folder = tmp_path_factory.mktemp("pages")
    archive = folder / "films"
    (archive / "old").mkdir(parents=True)
    shutil.copytree(two_faces, archive, dirs_exist_ok=True)
    shutil.copy(SAMPLES / "no_face.mp4", archive / MARKUP)
    run_ffmpeg("-i", SAMPLES / "cut.mp4", "-c:v", "ffv1", archive / "old" / "old.avi")
    list(annotate_archive(scan([archive / "old" / "old.avi"])))
    with serving(folder, "--jobs", "1", archive) as one:
        yield one


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A browser page; the test fails if there are errors or warnings in its console."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 1200, "height": 800})
    yield from watched(context)


def watched(context: BrowserContext, expected: tuple[str, ...] = ()) -> Iterator[Page]:
    """Yield a new page of a context, and fail afterwards if it has logged errors, except ``expected``, or opened dialogs."""
    complaints: list[str] = []
    one = context.new_page()
    one.set_default_timeout(30_000)
    one.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
    one.on("pageerror", lambda error: complaints.append(str(error)))
    one.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    yield one
    context.close()
    assert [one for one in complaints if not any(text in one for text in expected)] == []


def until(page: Page, condition: str) -> None:
    """Wait for a condition by polling; the page's security policy does not allow `wait_for_function`."""
    wait_until(lambda: bool(page.evaluate(condition)))


def test_an_upload_is_annotated_played_and_downloaded(page: Page, tmp_path: Path) -> None:
    own = tmp_path / "portrait.mp4"
    shutil.copy(SAMPLES / "portrait.mp4", own)
    page.goto("/uploads")
    page.set_input_files("#files", own)
    row = page.locator("tr", has_text="portrait.mp4")
    until(page, "[...document.querySelectorAll('.reason')].some((each) => / of 0:12/.test(each.textContent))")
    assert re.search(r"0:\d\d of 0:12( · 0:\d\d left)?", row.locator(".row-state").inner_text())
    row.locator(".state.annotated").wait_for()
    assert row.locator(".row-length").inner_text() == "0:12"
    row.locator("a").click()
    page.wait_for_selector(".ap-track path[data-emotion=happiness]")
    lanes = page.locator(".ap-row:not(.ap-ruler)")
    assert lanes.count() == 1
    thumbnail = page.locator(".ap-face")
    until(page, "document.querySelector('.ap-face').naturalWidth > 0")
    assert thumbnail.count() == 1
    until(page, "document.querySelector('video').readyState > 0")
    place = lanes.first.locator(".ap-track").bounding_box()
    page.mouse.click(place["x"] + place["width"] * 0.75, place["y"] + place["height"] / 2)
    until(page, "Math.abs(document.querySelector('video').currentTime - 9) < 0.05")
    with page.expect_download() as waiting:
        page.locator("#formats a", has_text="CSV").click()
    list(annotate_archive(scan([own])))
    downloaded = Path(waiting.value.path()).read_bytes()
    assert waiting.value.suggested_filename == "portrait.emotions.csv"
    assert downloaded == (tmp_path / "portrait.emotions.csv").read_bytes()


def test_a_running_order_can_be_canceled_and_its_upload_deleted(page: Page, long_clip: Path) -> None:
    page.goto("/uploads")
    page.set_input_files("#files", long_clip)
    row = page.locator("tr", has_text=long_clip.name).filter(has=page.locator(".state"))
    row.locator(".state.running").wait_for()
    row.locator("button", has_text="Cancel").click()
    row.locator(".state.cancelled").wait_for()
    page.evaluate("window.confirm = () => true")
    row.locator("button", has_text="Delete").click()
    row.wait_for(state="detached")


def test_a_file_that_is_not_a_video_fails_with_a_reason(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    page.goto("/uploads")
    page.set_input_files("#files", path)
    row = page.locator("tr", has_text="text.mp4")
    row.locator(".state.failed").wait_for()
    assert "video" in row.locator(".reason").inner_text()


def test_the_archive_can_be_browsed_searched_and_annotated(page: Page, server: Server) -> None:
    page.goto("/archive")
    names = page.locator(".row-name a")
    page.wait_for_selector(".row-name a")
    assert names.all_inner_texts() == ["old/", MARKUP, "two_faces.mp4"]
    page.locator("#tree a", has_text="old").click()
    until(page, "document.querySelector('.row-name a').textContent === 'old.avi'")
    assert "folder=old" in page.url
    page.go_back()
    until(page, "document.querySelectorAll('.row-name a').length === 3")
    page.keyboard.press("/")
    page.keyboard.type("faces")
    until(page, "document.querySelectorAll('.row-name a').length === 1")
    page.locator("[name=q]").fill("")
    page.locator("[name=emotion]").select_option("happiness")
    until(page, "document.querySelectorAll('.row-name a').length === 2")
    page.locator("[name=emotion]").select_option("")
    row = page.locator("tr", has_text=MARKUP)
    row.locator(".state.missing").wait_for()
    page.locator("#annotate").click()
    page.locator("#notice", has_text=": 1.").wait_for()
    row.locator(".state.annotated").wait_for()
    assert row.locator(".state").inner_text() == "no faces"
    page.locator("#notice").wait_for(state="hidden")
    new = server.data.parent / "films" / "new.mp4"
    shutil.copy(SAMPLES / "no_face.mp4", new)
    page.locator(".row-name a", has_text="new.mp4").wait_for()
    new.unlink()
    page.locator(".row-name a", has_text="new.mp4").wait_for(state="detached")
    assert not [name for name in os.listdir(server.data.parent / "films") if name.startswith("<b>") and "emotions" in name]


def test_moments_can_be_found_and_played(page: Page) -> None:
    page.goto("/archive")
    page.locator("#tab-moments").click()
    page.wait_for_selector(".moments tbody tr")
    page.locator("[name=emotion]").select_option("happiness")
    page.locator("[name=min_seconds]").fill("2.2")
    page.locator("[name=q]").fill("two")
    until(page, "document.querySelectorAll('.moments tbody tr').length === 2")
    page.locator("[name=min_confidence]").fill("1")
    until(page, "location.search.includes('min_confidence=0.01')")
    expected = ["two_faces.mp4", "happiness", "0:04.0"]
    cells = "[...document.querySelectorAll('.moments tbody tr')[1].cells].map(cell => cell.innerText.split('\\n')[0])"
    until(page, f"JSON.stringify({cells}.slice(0, 3)) === {json.dumps(json.dumps(expected, separators=(',', ':')))}")
    page.locator(".moments tbody tr").nth(1).locator("a").click()
    until(page, "Math.abs(document.querySelector('video')?.currentTime - 4) < 0.05")


def test_error_replies_are_shown_as_sentences(browser: Browser, server: Server) -> None:
    """Whatever an error reply contains, the page shows text; here 422 for parameters in the URL, then other replies."""
    words = PAGE_WORDS["ru"]
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", locale="ru")
    for page in watched(context, expected=("status of 422", "ERR_INTERNET_DISCONNECTED")):
        page.goto("/archive?view=moments&min_confidence=600&min_seconds=-1")
        for key in ("minConfidence", "minSeconds"):
            page.locator("#list", has_text=words[key]).wait_for()
        assert "object" not in page.locator("#list").inner_text()
        replies = [{"detail": [{"loc": ["query", "q"], "msg": "m"}]}, {"detail": {"a": 1}}, {"detail": []}, {}, None, "x"]
        shown = page.evaluate(
            "replies => import('/static/common.js').then(module => replies.map(one => module.errorText(one, 500, 'Gone')))",
            replies,
        )
        assert shown == [
            words["invalid"].format(name="q", reason="m"),
            *[words["errorStatus"].format(status="500 Gone")] * 5,
        ]
        context.set_offline(offline=True)
        message = "import('/static/common.js').then(module => module.ask('/status')).catch(error => error.message)"
        assert page.evaluate(message) == words["noReply"]


def test_a_video_the_browser_cannot_play_is_converted_on_request(page: Page) -> None:
    page.goto("/archive?folder=old")
    page.locator(".row-name a").click()
    page.locator("#proxy button").click()
    until(page, "document.querySelector('video')?.videoWidth > 0")
    assert page.evaluate("document.querySelector('video').src").endswith("/made/proxy")


def test_names_with_markup_are_shown_as_text(page: Page) -> None:
    page.goto("/archive")
    page.locator(".row-name a", has_text="<b>").click()
    page.wait_for_selector(".ap, #state:not(:empty)")
    assert page.locator("h1").inner_text() == MARKUP
    assert page.locator("h1 b, h1 img").count() == 0


def test_texts_follow_the_language_of_the_browser(browser: Browser, server: Server) -> None:
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", locale="ru-RU")
    for page in watched(context):
        page.goto("/archive")
        page.wait_for_selector(".row-name a")
        assert page.locator("html").get_attribute("lang") == "ru"
        assert page.locator(".top nav a").all_inner_texts() == ["Архив", "Люди", "Загрузки", "API"]
        page.locator("tr", has_text="two_faces").get_by_text(EMOTION_WORDS["ru"]["happiness"]).wait_for()
        page.locator("a", has_text="two_faces.mp4").click()
        page.wait_for_selector(".ap-legend")
        assert page.locator(".ap-legend li").all_inner_texts() == [EMOTION_WORDS["ru"][emotion] for emotion in EMOTIONS]
        assert page.locator("#formats a", has_text="SRT").get_attribute("href").endswith("language=ru")


def test_damaged_and_older_results_are_marked_and_counted(browser: Browser, server: Server) -> None:
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", locale="ru")
    words = PAGE_WORDS["ru"]

    def change(route: Route) -> None:
        """Answer as if one video were damaged, and another had results of an older analysis version."""
        answer = route.fetch()
        document = answer.json()
        for video in document["videos"]:
            is_first = video["name"] == "two_faces.mp4"
            marks = {"damage": {"en": "cut", "ru": "обрезано"}} if is_first else {"state": "stale", "older": True}
            video.update(marks, reason="cut" if is_first else "")
        route.fulfill(response=answer, json={**document, "damaged": 3, "older": 1})

    for page in watched(context):
        page.route("**/api/archive?*limit=200*", change)
        page.goto("/archive")
        row = page.locator("tr", has_text="two_faces.mp4")
        row.locator(".state.damaged").wait_for()
        assert row.locator(".reason").all_inner_texts() == ["обрезано"]
        colors = "getComputedStyle(document.querySelector('.state.{}'), '::before').backgroundColor"
        assert page.evaluate(colors.format("damaged")) == page.evaluate(colors.format("stale"))
        older = page.locator("tr", has_text=MARKUP)
        assert older.locator(".state").inner_text() == words["older"]
        assert older.locator(".reason").all_inner_texts() == [words["olderHint"]]
        summary = page.locator("#summary").inner_text()
        assert words["damagedCount"].format(number=3) in summary
        assert words["olderCount"].format(number=1) in summary


def test_the_start_page_is_that_of_the_archive(page: Page) -> None:
    page.goto("/")
    page.locator(".row-name a", has_text="two_faces.mp4").wait_for()
    assert page.url.endswith("/archive")
    page.locator(".top nav a", has_text=PAGE_WORDS["en"]["uploads"]).click()
    page.wait_for_selector("#drop")


def test_moments_are_complete_on_a_phone(browser: Browser, server: Server) -> None:
    """In Russian, whose words are longer."""
    address, size = f"http://127.0.0.1:{server.port}", {"width": 360, "height": 740}
    context = browser.new_context(base_url=address, viewport=size, locale="ru")
    for page in watched(context):
        page.goto("/archive?view=moments&q=two_faces")
        row = page.locator(".moments tbody tr").first
        row.wait_for()
        for cell in row.locator("td").all():
            assert cell.is_visible()
            assert cell.inner_text().strip()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("path", ["/uploads", "/archive", "/archive?view=moments", "/api", "/nosuch"])
def test_pages_fit_a_phone_and_dark_mode(browser: Browser, server: Server, path: str) -> None:
    size = {"width": 360, "height": 740}
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}", viewport=size, is_mobile=True, color_scheme="dark"
    )
    for page in watched(context, expected=("status of 404",) if path == "/nosuch" else ()):
        page.goto(path)
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert max(map(int, re.findall(r"\d+", background)[:3])) < 60


def test_pages_can_be_used_with_the_keyboard(page: Page) -> None:
    page.goto("/archive")
    page.wait_for_selector(".row-name a")
    page.locator(".row-name a").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == MARKUP
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".ap-track")
    assert page.locator("h1").inner_text() == "two_faces.mp4"


def test_all_languages_have_the_same_texts() -> None:
    keys = {language: set(words) for language, words in PAGE_WORDS.items()}
    assert keys["en"] == keys["ru"]
    for key, text in PAGE_WORDS["en"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", PAGE_WORDS["ru"][key])), key


def test_axe_finds_no_fault_on_any_page(page: Page, server: Server) -> None:
    """axe-core checks names of controls and heads, contrast, roles and structure, in light and dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    video = next(each["id"] for each in server.get("/api/archive")["videos"] if each["name"] == "two_faces.mp4")
    for path, shown in (
        ("/archive", ".videos tbody tr"),
        ("/archive?view=moments", ".moments tbody tr"),
        ("/uploads", ".drop"),
        (f"/videos/{video}", ".ap-track"),
        ("/api", "details"),
    ):
        page.goto(path)
        page.wait_for_selector(shown)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (path, scheme)
    page.emulate_media(color_scheme="light")


def test_several_videos_are_chosen_and_downloaded(page: Page) -> None:
    page.goto("/archive?q=two_faces")
    page.get_by_role("checkbox", name="two_faces.mp4").check()
    with page.expect_download() as download:
        page.get_by_role("button", name=PAGE_WORDS["en"]["downloadChosen"]).click()
    assert zipfile.is_zipfile(download.value.path())
    page.get_by_role("button", name=PAGE_WORDS["en"]["chooseNone"]).click()
    assert not page.get_by_role("checkbox", name="two_faces.mp4").is_checked()


def test_moments_have_pictures_and_can_be_exported(page: Page) -> None:
    page.goto("/archive?view=moments&min_confidence=60")
    page.wait_for_selector(".moments tbody tr")
    assert page.get_by_label(PAGE_WORDS["en"]["minConfidence"]).input_value() == "60"
    until(page, "document.querySelector('img.moment').naturalWidth === 72")
    with page.expect_download() as download:
        page.get_by_role("link", name=PAGE_WORDS["en"]["exportEdl"]).click()
    assert Path(download.value.path()).read_text().startswith("TITLE")
    with page.expect_download() as download:
        page.get_by_role("link", name=PAGE_WORDS["en"]["exportClips"]).click()
    assert zipfile.is_zipfile(download.value.path())
