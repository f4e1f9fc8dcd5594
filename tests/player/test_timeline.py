"""The player with its timeline in a headless Chromium."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from annotate.archive.layout import outputs_of_report
from annotate.html_report.build import PageOptions, write_page
from annotate.html_report.files import to_json
from annotate.player.player import player_data, player_script, player_style
from annotate.results.corrections import Correction, add_lines
from annotate.span import Span
from tests.analytics.samples import MOVIE, report
from tests.html_report.archives import BLOCKS, CHANGES_MS, HOSTILE, SCRIPT
from tests.html_report.page_checks import (
    WatchedPage,
    block_box,
    color_at,
    color_positions,
    current_time_s,
    cursor_ms,
    is_close,
    wait_for_video,
    wait_until,
)
from tests.results.reports import make_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

EMPTY_IMAGE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
RED, BLUE, HAPPINESS = (254, 0, 0), (0, 0, 254), (240, 227, 64)


def test_lanes_show_the_spans_of_the_report(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
    assert page.locator("#detail-title").inner_text() == HOSTILE
    tracks = page.locator(".ap-track")
    assert [tracks.nth(number).get_attribute("aria-label") for number in range(3)] == ["All faces", "Face 1", "Face 2"]
    boxes = {name: block_box(page, name) for name in ("sadness", "neutral")}
    assert boxes == {"sadness": [2100, 800, 6500], "neutral": [2900, 800, 6000]}
    drawing, track = (page.locator(css).nth(index).bounding_box() for css, index in ((".ap-track svg", 1), (".ap-track", 2)))
    assert drawing is not None
    assert track is not None
    assert (drawing["x"], drawing["width"]) == (track["x"], track["width"])
    assert page.locator(".ap-label img").count() == 2


def test_a_click_on_the_timeline_seeks_and_moves_the_cursor(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
    wait_for_video(page)
    assert is_close(color_at(page), RED)
    track = page.locator(".ap-track").nth(1).bounding_box()
    assert track is not None
    page.mouse.click(track["x"] + track["width"] * 2.5 / 6, track["y"] + 10)
    assert current_time_s(page) == pytest.approx(2.5, abs=0.02)
    assert cursor_ms(page) == pytest.approx(2500, abs=20)
    wait_until(page, lambda: is_close(color_at(page), BLUE))


def test_arrow_keys_go_from_change_to_change(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
    wait_for_video(page)
    for change_ms in CHANGES_MS[1:]:
        page.keyboard.press("ArrowRight")
        assert current_time_s(page) == pytest.approx(change_ms / 1000, abs=0.0015)
        assert cursor_ms(page) == pytest.approx(change_ms, abs=20)
    page.keyboard.press("ArrowRight")
    assert current_time_s(page) == pytest.approx(CHANGES_MS[-1] / 1000, abs=0.0015)
    for change_ms in CHANGES_MS[-2::-1]:
        page.keyboard.press("ArrowLeft")
        assert current_time_s(page) == pytest.approx(change_ms / 1000, abs=0.0015)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert current_time_s(page) == pytest.approx(2.1, abs=0.0015)
    focused = page.locator(":focus")
    assert focused.get_attribute("aria-label") == "Face 2"
    assert focused.get_attribute("aria-valuetext") == "0:02.1, sadness 0.65"
    assert float(focused.get_attribute("aria-valuenow") or 0) == pytest.approx(2.1, abs=0.0015)
    page.keyboard.press("End")
    assert cursor_ms(page) == pytest.approx(6000, abs=20)
    assert page.evaluate("(place => place.scrollWidth - place.clientWidth)(document.querySelector('.ap-scroller'))") == 0
    page.keyboard.press("Home")
    assert current_time_s(page) == pytest.approx(0, abs=0.0015)


def test_the_cursor_follows_the_video_as_it_plays(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
    wait_for_video(page)
    page.evaluate("document.querySelector('.ap video').muted = true")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('.ap video').currentTime > 0.8")
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('.ap video').paused")
    wait_until(page, lambda: abs(cursor_ms(page) - 1000 * current_time_s(page)) < 30)
    assert cursor_ms(page) > 700


def test_hovering_shows_times_and_all_scores(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
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


def test_signs_are_in_the_middle_of_the_zoom_buttons(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
    page.evaluate("document.querySelectorAll('.ap-zoom').forEach(button => { button.disabled = false; })")
    for width_px in (1200, 390):
        page.set_viewport_size({"width": width_px, "height": 800})
        for button in page.locator(".ap-zoom").all():
            pixels = np.asarray(Image.open(io.BytesIO(button.screenshot())).convert("L")).astype(int)[3:-3, 3:-3]
            for places, length in zip(np.nonzero(abs(pixels - pixels[0, 0]) > 60), pixels.shape, strict=True):
                assert places.min() + places.max() == pytest.approx(length - 1, abs=1.5)


def test_cues_are_added_by_script_above_their_faces(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
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
    assert current_time_s(page) < 0.1
    wait_until(page, lambda: bool(color_positions(page, HAPPINESS)))
    assert max(color_positions(page, HAPPINESS)) == pytest.approx(100 / 320, abs=0.03)


def test_a_table_lists_all_blocks_and_its_times_seek(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, HOSTILE)
    wait_for_video(page)
    page.locator(".ap-details summary").click()
    rows = page.locator(".ap-details tbody tr")
    rows.nth(len(BLOCKS) - 1).wait_for()
    assert rows.count() == len(BLOCKS)
    cells = rows.nth(3).locator("td").all_inner_texts()
    assert cells[:5] == ["2", "0:02.100", "0:02.900", "sadness", "0.65"]
    assert len(cells) == 5 + 7
    rows.nth(3).get_by_role("button").click()
    assert current_time_s(page) == pytest.approx(2.1, abs=0.0015)


def test_a_video_the_browser_cannot_play_has_a_note_and_a_working_timeline(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file, "old.avi")
    note = page.get_by_role("status")
    note.wait_for()
    assert "cannot play \N{FIRST STRONG ISOLATE}old.avi\N{POP DIRECTIONAL ISOLATE}" in note.inner_text()
    assert note.get_by_role("link").get_attribute("href") == "./../old.avi"
    assert not page.locator(".ap video").is_visible()
    assert "changed since it was annotated" in page.locator("#detail-notes").inner_text()
    page.keyboard.press("ArrowRight")
    assert cursor_ms(page) == pytest.approx(800, abs=20)
    track = page.locator(".ap-track").nth(2).bounding_box()
    assert track is not None
    page.mouse.click(track["x"] + track["width"] * 2 / 6, track["y"] + 10)
    assert page.locator(":focus").get_attribute("aria-valuetext") == "0:02.0, anger 1.00"


def test_a_deleted_video_has_a_note(browser: Browser, page_file: Path) -> None:
    """The console contains the browser's own message about the missing file, and nothing else."""
    missing = WatchedPage(browser.new_page())
    page = missing.open(page_file, SCRIPT)
    page.get_by_role("status").wait_for()
    assert SCRIPT in page.get_by_role("status").inner_text()
    assert page.title().startswith(SCRIPT)
    assert [text for text in missing.messages if "ERR_FILE_NOT_FOUND" not in text] == []
    page.close()


def test_a_video_without_faces_has_a_note_and_no_lanes(browser: Browser, page_file: Path) -> None:
    tab = WatchedPage(browser.new_page())
    page = tab.open(page_file, "none.mp4")
    assert page.locator(".ap-none").is_visible()
    assert page.locator(".ap-track").count() == 1
    page.close()


def test_the_player_works_under_a_strict_policy_and_in_russian(browser: Browser) -> None:
    """As on the server's pages, which have no inline scripts or styles."""
    files = {
        "/": "<!doctype html><html><head><link rel=stylesheet href=player.css></head><body><main></main>"
        "<script src=player.js></script><script src=start.js></script></body></html>",
        "/player.css": player_style(),
        "/player.js": player_script(),
        "/start.js": "const words = AnnotatePlayer.words.ru; AnnotatePlayer.mount(document.querySelector('main'), "
        f"{to_json(player_data(make_report(), {2: EMPTY_IMAGE}))}, "
        "{videoUrl: '', words, downloads: [{label: 'CSV', url: '/movie.csv'}]});",
    }
    kinds = {"css": "text/css", "js": "text/javascript"}
    tab = WatchedPage(browser.new_page())

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        policy = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:"}
        kind = kinds.get(path.rpartition(".")[2], "text/html")
        route.fulfill(body=files.get(path, ""), content_type=f"{kind}; charset=utf-8", headers=policy)

    tab.page.route("http://annotate.test/**", answer)
    tab.page.goto("http://annotate.test/")
    assert tab.page.locator(".ap-track").nth(2).get_attribute("aria-label") == "Лицо 2"
    assert block_box(tab.page, "anger")[:2] == [2000, 901]
    assert tab.page.get_by_role("link", name="CSV").get_attribute("href") == "/movie.csv"
    tab.page.locator(".ap-track").first.focus()
    for _ in range(3):
        tab.page.keyboard.press("ArrowRight")
    assert cursor_ms(tab.page) == pytest.approx(2403, abs=30)
    assert "0:02.4" in tab.page.locator(".ap-tip").inner_text()
    assert "страх" in tab.page.locator(".ap-tip").inner_text()
    assert tab.page.locator(".ap-label img").evaluate("image => image.naturalWidth") == 1
    assert tab.messages == []
    tab.page.close()


def test_what_people_corrected_has_what_the_machine_says_beside_it(browser: Browser, tmp_path: Path) -> None:
    table = report(tmp_path, "movie.mp4", MOVIE)
    outputs_of_report(table).corrections.write_bytes(add_lines(b"", [Correction(Span(400, 800), "fear", 1)]))
    write_page([tmp_path], tmp_path / "page.html", PageOptions(thumbnails=False))
    page = WatchedPage(browser.new_page()).open(tmp_path / "page.html", "movie.mp4")
    page.locator(".ap-details summary").click()
    rows = page.locator(".ap-details tbody tr")
    rows.nth(3).wait_for()
    cells = [rows.nth(number).locator("td").all_inner_texts() for number in range(3)]
    assert [(row[3], row[-1]) for row in cells] == [("anger", ""), ("fear", "anger"), ("happiness", "")]
    track = page.locator(".ap-track").nth(1)
    bounds = track.bounding_box()
    assert bounds is not None
    page.mouse.click(bounds["x"] + bounds["width"] * 0.6 / 10, bounds["y"] + 5)
    assert "machine: anger" in (page.locator(":focus").get_attribute("aria-valuetext") or "")
    assert "machine: anger" in page.locator(".ap-tip").inner_text()
