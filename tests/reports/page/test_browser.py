"""The page in a headless Chromium, from the disk."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from annotate.faces.blocks import Detection
from annotate.faces.box import Box
from annotate.reports.page.build import Options, write_page
from annotate.reports.page.files import to_json
from annotate.reports.page.player import player_data, player_script, player_style
from annotate.tracks.boxes import BoxPaths
from tests.reports.page.archives import BLOCKS, CHANGES_MS, annotated
from tests.reports.samples import CLIP, MOVIE, block, report
from tests.tracks.reports import make_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

HOSTILE = "<b>&\"'.webm"
SCRIPT = "<script>document.title=1<!--.mp4"
BOXES = BoxPaths([(1, Detection(0, Box(40, 90, 60, 60))), (2, Detection(0, Box(200, 90, 60, 60)))])
EMPTY_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
RED, BLUE, HAPPINESS = (254, 0, 0), (0, 0, 254), (240, 227, 64)
PATIENCE = 100


class Watched:
    """A page, what it complained of, and what it asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: Path, video: str = "") -> Page:
        """Goes to a page on the disk, or to the address of a video in it."""
        address = path.as_uri()
        if video:
            (table,) = re.findall(r'id="data-table">(.*)</script>', path.read_text(encoding="utf-8"))
            (key,) = [row["key"] for row in json.loads(table) if row["name"] == video]
            address += f"#video-{key}"
        self.page.goto(address)
        if video:
            self.page.wait_for_selector(".ap-track")
        return self.page


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, colours_clip: Path) -> Path:
    """A page over four videos: one to play, one that no browser plays, one that is gone, one without faces."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copy(colours_clip, folder / HOSTILE)
    annotated(folder / HOSTILE, boxes=BOXES)
    (folder / "old.avi").write_bytes(b"RIFF")
    annotated(folder / "old.avi", MOVIE)
    report(folder / "in", SCRIPT, CLIP)
    report(folder / "in", "none.mp4", ())
    with (folder / "old.avi").open("ab") as file:
        file.write(b"changed")
    (folder / "page").mkdir()
    write_page([folder], folder / "page/report.html")
    return folder / "page/report.html"


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A new tab, which must have nothing to complain of."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    watched = Watched(page)
    yield watched
    assert watched.complaints == []
    assert [url for url in watched.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()


def wait_for_video(page: Page) -> None:
    """Until the video can be sought."""
    page.wait_for_function("document.querySelector('.ap video').readyState >= 2")


def sought_s(page: Page) -> float:
    """The video's time, when it has arrived there."""
    page.wait_for_function("!document.querySelector('.ap video').seeking")
    time_s: float = page.evaluate("document.querySelector('.ap video').currentTime")
    return time_s


def cursor_ms(page: Page, end_ms: int = 6000) -> float:
    """Where the cursor stands on the timeline, measured in pixels."""
    track, cursor = (page.locator(place).first.bounding_box() for place in (".ap-ruler .ap-track", ".ap-cursor"))
    assert track is not None
    assert cursor is not None
    return (cursor["x"] + cursor["width"] / 2 - track["x"]) / track["width"] * end_ms


def wait_until(page: Page, holds: Callable[[], bool]) -> None:
    """Looks again and again for some seconds; what is drawn comes when it comes."""
    for _ in range(PATIENCE):
        if holds():
            return
        page.wait_for_timeout(100)
    assert holds()


def line_of(page: Page, y_share: float) -> list[tuple[int, int, int]]:
    """A line of the video's pixels as they are on the screen."""
    pixels = np.asarray(Image.open(io.BytesIO(page.locator(".ap video").screenshot())).convert("RGB"))
    return [(red, green, blue) for red, green, blue in pixels[int(len(pixels) * y_share)].tolist()]


def colour_at(page: Page) -> tuple[int, int, int]:
    """The colour of the video, above its controls and beside its cues."""
    line = line_of(page, 0.2)
    return line[len(line) // 2]


def coloured(page: Page, colour: tuple[int, int, int]) -> list[float]:
    """Where a colour is on the line of the cues, as shares of the width."""
    line = line_of(page, 0.46)
    return [at / len(line) for at, found in enumerate(line) if is_close(found, colour)]


def outline(page: Page, emotion: str) -> list[float]:
    """Where the blocks of an emotion begin, how long and how high they are, in milliseconds and ten-thousandths."""
    place: list[float] = page.locator(f'.ap-track path[data-emotion="{emotion}"]').evaluate(
        "path => { const box = path.getBBox(); return [box.x, box.width, box.height]; }"
    )
    return place


def is_close(colour: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return max(abs(one - two) for one, two in zip(colour, other, strict=True)) < 40


def test_the_overview_has_charts_and_names_as_text(watched: Watched, archive: Path) -> None:
    page = watched.open(archive)
    page.wait_for_function("document.querySelectorAll('.plot .main-svg').length >= 3")
    assert page.title() == f"Emotions in {archive.parent.parent.name}"
    names = page.locator("#table tbody th").all_text_contents()
    assert names == [HOSTILE, "old.avi", SCRIPT, "none.mp4"]
    assert page.locator("#table b, #table script").count() == 0
    labels = page.locator("#chart-places .ytick").all_text_contents()
    assert [text for text in labels if text] == ["in", archive.parent.parent.name]
    shares = page.locator("#chart-shares .bartext").all_text_contents()
    assert [text for text in shares if text] == ["15%", "15%", "26%", "8%", "36%"]
    assert page.locator("#failed tbody tr").count() == 1


def test_the_table_sorts_both_ways_and_keeps_what_is_empty_last(watched: Watched, archive: Path) -> None:
    page = watched.open(archive)
    names = page.locator("#table tbody th")
    heads = page.locator("#table thead th")
    expected = {
        "Video": [HOSTILE, SCRIPT, "none.mp4", "old.avi"],
        "Faces": [HOSTILE, "old.avi", SCRIPT, "none.mp4"],
        "Confidence": [SCRIPT, "old.avi", HOSTILE, "none.mp4"],
    }
    for head, order in expected.items():
        page.get_by_role("button", name=head).click()
        assert sorted(names.all_text_contents()) == sorted(order)
        first = names.all_text_contents()
        sorts = [heads.nth(number).get_attribute("aria-sort") for number in range(8)]
        assert sorted(set(map(str, sorts))) == sorted({"none", "ascending" if head == "Video" else "descending"})
        if head != "Video":
            assert first == order
    page.get_by_role("button", name="Confidence").click()
    assert names.all_text_contents() == [HOSTILE, "old.avi", SCRIPT, "none.mp4"]


def test_the_table_is_searched_by_name_folder_and_emotion(watched: Watched, archive: Path) -> None:
    page = watched.open(archive)
    shown = page.locator("#table tbody tr:not([hidden]) th")
    for words, names in (
        ("AVI", ["old.avi"]),
        ("in none", ["none.mp4"]),
        ("sadness", [SCRIPT]),
        ("<b>&", [HOSTILE]),
        ("xyz", []),
    ):
        page.get_by_label("Search").fill(words)
        assert shown.all_text_contents() == names
        assert page.locator("#count").inner_text() == f"{len(names)} of 4 videos"
    assert page.get_by_text("Nothing matches.").is_visible()
    page.get_by_label("Search").fill("")
    assert shown.count() == 4


def test_lanes_are_where_the_report_has_them(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, HOSTILE)
    assert page.locator("#detail-title").inner_text() == HOSTILE
    tracks = page.locator(".ap-track")
    assert [tracks.nth(number).get_attribute("aria-label") for number in range(3)] == ["All faces", "Face 1", "Face 2"]
    places = {name: outline(page, name) for name in ("sadness", "neutral")}
    assert places == {"sadness": [2100, 800, 6500], "neutral": [2900, 800, 6000]}
    drawing, track = (page.locator(place).nth(at).bounding_box() for place, at in ((".ap-track svg", 1), (".ap-track", 2)))
    assert drawing is not None
    assert track is not None
    assert (drawing["x"], drawing["width"]) == (track["x"], track["width"])
    assert page.locator(".ap-label img").count() == 2


def test_a_click_on_the_timeline_seeks_and_the_cursor_goes_there(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, HOSTILE)
    wait_for_video(page)
    assert is_close(colour_at(page), RED)
    track = page.locator(".ap-track").nth(1).bounding_box()
    assert track is not None
    page.mouse.click(track["x"] + track["width"] * 2.5 / 6, track["y"] + 10)
    assert sought_s(page) == pytest.approx(2.5, abs=0.02)
    assert cursor_ms(page) == pytest.approx(2500, abs=20)
    wait_until(page, lambda: is_close(colour_at(page), BLUE))


def test_arrow_keys_go_from_change_to_change(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, HOSTILE)
    wait_for_video(page)
    for change_ms in CHANGES_MS[1:]:
        page.keyboard.press("ArrowRight")
        assert sought_s(page) == pytest.approx(change_ms / 1000, abs=0.0015)
        assert cursor_ms(page) == pytest.approx(change_ms, abs=20)
    page.keyboard.press("ArrowRight")
    assert sought_s(page) == pytest.approx(CHANGES_MS[-1] / 1000, abs=0.0015)
    for change_ms in CHANGES_MS[-2::-1]:
        page.keyboard.press("ArrowLeft")
        assert sought_s(page) == pytest.approx(change_ms / 1000, abs=0.0015)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert sought_s(page) == pytest.approx(2.1, abs=0.0015)
    focused = page.locator(":focus")
    assert focused.get_attribute("aria-label") == "Face 2"
    assert focused.get_attribute("aria-valuetext") == "0:02.1, sadness 0.65"
    assert float(focused.get_attribute("aria-valuenow") or 0) == pytest.approx(2.1, abs=0.0015)
    page.keyboard.press("End")
    assert cursor_ms(page) == pytest.approx(6000, abs=20)
    assert page.evaluate("(place => place.scrollWidth - place.clientWidth)(document.querySelector('.ap-scroller'))") == 0
    page.keyboard.press("Home")
    assert sought_s(page) == pytest.approx(0, abs=0.0015)


def test_the_cursor_follows_the_video_as_it_plays(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, HOSTILE)
    wait_for_video(page)
    page.evaluate("document.querySelector('.ap video').muted = true")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('.ap video').currentTime > 0.8")
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('.ap video').paused")
    wait_until(page, lambda: abs(cursor_ms(page) - 1000 * sought_s(page)) < 30)
    assert cursor_ms(page) > 700


def test_hovering_tells_times_and_all_scores(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, HOSTILE)
    track = page.locator(".ap-track").nth(2).bounding_box()
    assert track is not None
    page.mouse.move(track["x"] + track["width"] * 2.5 / 6, track["y"] + 10)
    tip = page.locator(".ap-tip")
    assert tip.locator("strong").inner_text() == "Face 2 \N{MIDDLE DOT} 0:02.1 \N{EN DASH} 0:02.9"
    rest = f"{0.35 / 6:.2f}"
    words = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
    assert [re.split(r"\s+", text.strip()) for text in tip.locator(".ap-score").all_inner_texts()] == [
        [word, "0.65" if word == "sadness" else rest] for word in words
    ]
    page.mouse.move(track["x"] + track["width"] * 5.5 / 6, track["y"] + 10)
    assert "no face" in tip.inner_text()
    page.mouse.move(5, 5)
    assert not tip.is_visible()


def test_cues_are_added_by_script_and_stand_above_their_faces(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, HOSTILE)
    wait_for_video(page)
    cues = page.evaluate(
        "[...document.querySelector('.ap video').textTracks[0].cues].map("
        "cue => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent, cue.line, cue.position, cue.align])"
    )
    found = {(round(1000 * start), text): (line, position) for start, _, text, line, position, _ in cues}
    assert {text for _, text in found} == {"1: happiness", "1: fear", "2: sadness", "2: neutral"}
    assert found[0, "1: happiness"] == (
        pytest.approx(100 * (90 / 180 - 0.07), abs=0.1),
        pytest.approx(100 * 100 / 320, abs=0.1),
    )
    page.keyboard.press("End")
    for _ in CHANGES_MS:
        page.keyboard.press("ArrowLeft")
    assert sought_s(page) < 0.1
    wait_until(page, lambda: bool(coloured(page, HAPPINESS)))
    assert max(coloured(page, HAPPINESS)) == pytest.approx(100 / 320, abs=0.03)


def test_all_blocks_stand_in_a_table_whose_times_seek(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, HOSTILE)
    wait_for_video(page)
    page.locator(".ap-details summary").click()
    rows = page.locator(".ap-details tbody tr")
    rows.nth(len(BLOCKS) - 1).wait_for()
    assert rows.count() == len(BLOCKS)
    cells = rows.nth(3).locator("td").all_inner_texts()
    assert cells[:5] == ["2", "0:02.100", "0:02.900", "sadness", "0.65"]
    assert len(cells) == 5 + 7
    rows.nth(3).get_by_role("button").click()
    assert sought_s(page) == pytest.approx(2.1, abs=0.0015)


def test_what_the_browser_cannot_play_is_said_and_keeps_its_timeline(watched: Watched, archive: Path) -> None:
    page = watched.open(archive, "old.avi")
    note = page.get_by_role("status")
    note.wait_for()
    assert "cannot play \N{FIRST STRONG ISOLATE}old.avi\N{POP DIRECTIONAL ISOLATE}" in note.inner_text()
    assert note.get_by_role("link").get_attribute("href") == "./../old.avi"
    assert not page.locator(".ap video").is_visible()
    assert page.locator("#detail-noted").inner_text().startswith("the video has changed since it was annotated")
    page.keyboard.press("ArrowRight")
    assert cursor_ms(page) == pytest.approx(800, abs=20)
    track = page.locator(".ap-track").nth(2).bounding_box()
    assert track is not None
    page.mouse.click(track["x"] + track["width"] * 2 / 6, track["y"] + 10)
    assert page.locator(":focus").get_attribute("aria-valuetext") == "0:02.0, anger 1.00"


def test_a_video_that_is_gone_is_said(browser: Browser, archive: Path) -> None:
    """The browser itself notes in its console that the file is not there, and nothing else."""
    gone = Watched(browser.new_page())
    page = gone.open(archive, SCRIPT)
    page.get_by_role("status").wait_for()
    assert SCRIPT in page.get_by_role("status").inner_text()
    assert page.title().startswith(SCRIPT)
    assert [text for text in gone.complaints if "ERR_FILE_NOT_FOUND" not in text] == []
    page.close()


def test_a_video_without_faces_says_so(browser: Browser, archive: Path) -> None:
    tab = Watched(browser.new_page())
    page = tab.open(archive, "none.mp4")
    assert page.get_by_text("No face was found in this video.").is_visible()
    assert page.locator(".ap-track").count() == 1
    page.close()


def test_the_keyboard_alone_opens_a_video_and_comes_back(watched: Watched, archive: Path) -> None:
    page = watched.open(archive)
    link = page.get_by_role("link", name=HOSTILE, exact=True)
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".ap-track")
    assert page.locator(":focus").get_attribute("role") == "slider"
    page.go_back()
    page.locator("#overview").wait_for()
    assert page.locator("#player").inner_html() == ""
    assert page.locator(":focus").inner_text() == HOSTILE
    page.go_forward()
    page.wait_for_selector(".ap-track")
    page.locator("#next").click()
    page.get_by_role("heading", name="old.avi").wait_for()
    page.locator("#back").click()
    page.locator("#overview").wait_for()
    assert page.locator(":focus").inner_text() == "old.avi"


def test_a_link_leads_to_its_video_and_its_address_stays_the_same(watched: Watched, archive: Path) -> None:
    page = watched.open(archive)
    page.get_by_role("link", name=HOSTILE, exact=True).click()
    page.wait_for_selector(".ap-track")
    assert page.locator("#detail-title").inner_text() == HOSTILE
    address = page.url
    assert watched.open(archive, HOSTILE).url == address


def test_dark_where_the_reader_wants_it_dark(watched: Watched, archive: Path) -> None:
    watched.page.emulate_media(color_scheme="dark")
    page = watched.open(archive)
    page.wait_for_function("document.querySelectorAll('.plot .main-svg').length >= 3")
    tick = "getComputedStyle(document.querySelector('#chart-confidence .xtick text')).fill"
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(f"[{tick}, {ground}]")
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{tick} !== {dark[0]!r}")
    light = page.evaluate(f"[{tick}, {ground}]")
    brightness = [[sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in pair] for pair in (dark, light)]
    assert brightness[0][0] > 600 > 150 > brightness[0][1]
    assert brightness[1][0] < 150 < 600 < brightness[1][1]


@pytest.mark.parametrize("video", ["", HOSTILE])
def test_nothing_sticks_out_at_phone_width(watched: Watched, archive: Path, video: str) -> None:
    watched.page.set_viewport_size({"width": 360, "height": 740})
    page = watched.open(archive, video)
    page.wait_for_timeout(300)
    assert page.evaluate("document.scrollingElement.scrollWidth") == 360


def test_on_paper_there_is_no_search_and_no_dark(watched: Watched, archive: Path) -> None:
    page = watched.open(archive)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".search").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#table tbody th").first.is_visible()


def test_parts_are_loaded_when_their_video_is_opened(watched: Watched, tmp_path: Path) -> None:
    for number in range(5):
        report(tmp_path / "in", f"{number}.mp4", (block(1, 0, 0, 800 + number, "fear"),))
    write_page([tmp_path / "in"], tmp_path / "a b.html", Options(most_inside=4))
    page = watched.open(tmp_path / "a b.html")
    page.wait_for_function("document.querySelectorAll('.plot .main-svg').length >= 3")
    (plotly,) = [url for url in watched.requests if "_files/" in url]
    page.get_by_role("link", name="3.mp4").click()
    page.wait_for_selector(".ap-track path")
    (part,) = [url for url in watched.requests if "_files/" in url and url != plotly]
    assert part.startswith((tmp_path / "a b_files").as_uri())
    page.get_by_role("status").wait_for()
    assert outline(page, "fear") == [0, 803, 10_000]
    watched.complaints[:] = [text for text in watched.complaints if "ERR_FILE_NOT_FOUND" not in text]


def test_the_player_works_under_a_strict_policy_and_in_russian(browser: Browser) -> None:
    """As a server hands it out: no inline script, no inline style."""
    files = {
        "/": "<!doctype html><html><head><link rel=stylesheet href=player.css></head><body><main></main>"
        "<script src=player.js></script><script src=start.js></script></body></html>",
        "/player.css": player_style(),
        "/player.js": player_script(),
        "/start.js": "const words = AnnotatePlayer.words.ru; AnnotatePlayer.mount(document.querySelector('main'), "
        f"{to_json(player_data(make_report(), {2: EMPTY_PICTURE}))}, "
        "{videoUrl: '', words, downloads: [{label: 'CSV', url: '/movie.csv'}]});",
    }
    kinds = {"css": "text/css", "js": "text/javascript"}
    tab = Watched(browser.new_page())

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        policy = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:"}
        kind = kinds.get(path.rpartition(".")[2], "text/html")
        route.fulfill(body=files.get(path, ""), content_type=f"{kind}; charset=utf-8", headers=policy)

    tab.page.route("http://annotate.test/**", answer)
    tab.page.goto("http://annotate.test/")
    assert tab.page.locator(".ap-track").nth(2).get_attribute("aria-label") == "Лицо 2"
    assert outline(tab.page, "anger")[:2] == [2000, 901]
    assert tab.page.get_by_role("link", name="CSV").get_attribute("href") == "/movie.csv"
    tab.page.locator(".ap-track").first.focus()
    for _ in range(3):
        tab.page.keyboard.press("ArrowRight")
    assert cursor_ms(tab.page) == pytest.approx(2403, abs=30)
    assert "0:02.4" in tab.page.locator(".ap-tip").inner_text()
    assert "страх" in tab.page.locator(".ap-tip").inner_text()
    assert tab.page.locator(".ap-label img").evaluate("picture => picture.naturalWidth") == 1
    assert tab.complaints == []
    tab.page.close()


def test_a_part_that_is_missing_is_said(browser: Browser, tmp_path: Path) -> None:
    for number in range(2):
        report(tmp_path / "in", f"{number}.mp4", CLIP)
    write_page([tmp_path / "in"], tmp_path / "report.html", Options(most_inside=1))
    shutil.rmtree(tmp_path / "report_files")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.get_by_role("link", name="1.mp4").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text().startswith("A part of this page is missing: ./report_files/")
    page.go_back()
    page.get_by_text("this chart cannot be drawn").first.wait_for()
    page.close()
