"""The overview of the HTML report in a headless Chromium, opened from the disk."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotate.html_report.build import PageOptions, write_page
from tests.analytics.samples import CLIP, block, report
from tests.html_report.archives import HOSTILE, SCRIPT
from tests.html_report.page_checks import WatchedPage, block_box

CHARTS = "document.querySelectorAll('.plot canvas').length === 2"

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_overview_has_charts_and_names_as_text(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
    page.wait_for_function(CHARTS)
    assert page.title() == f"Emotions in {page_file.parent.parent.name}"
    names = page.locator("#table tbody th bdi").all_text_contents()
    assert names == [HOSTILE, "old.avi", SCRIPT, "none.mp4"]
    assert page.locator("#table b, #table script").count() == 0
    assert page.locator(".heat tbody th").all_text_contents() == [page_file.parent.parent.name, "in"]
    legend = page.locator(".legend li").all_text_contents()
    assert [text.strip() for text in legend] == [
        *("anger 15%", "disgust 0%", "fear 15%", "happiness 26%", "neutral 8%", "sadness 36%", "surprise 0%"),
    ]
    assert page.locator("#problems tbody tr").count() == 1


def test_table_sorts_both_ways_with_empty_cells_last(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
    names = page.locator("#table tbody th bdi")
    heads = page.locator("#table thead th")
    expected = {
        "Video": [HOSTILE, SCRIPT, "none.mp4", "old.avi"],
        "Face tracks": [HOSTILE, "old.avi", SCRIPT, "none.mp4"],
        "Confidence": [SCRIPT, "old.avi", HOSTILE, "none.mp4"],
    }
    for head, order in expected.items():
        heads.get_by_role("button", name=head).click()
        assert sorted(names.all_text_contents()) == sorted(order)
        first = names.all_text_contents()
        sorts = [heads.nth(number).get_attribute("aria-sort") for number in range(8)]
        assert sorted(set(map(str, sorts))) == sorted({"none", "ascending" if head == "Video" else "descending"})
        if head != "Video":
            assert first == order
    heads.get_by_role("button", name="Confidence").click()
    assert names.all_text_contents() == [HOSTILE, "old.avi", SCRIPT, "none.mp4"]


def test_table_is_searched_by_name_folder_and_emotion(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
    shown = page.locator("#table tbody th bdi")
    for words, names in (
        ("AVI", ["old.avi"]),
        ("in none", ["none.mp4"]),
        ("sadness", [SCRIPT, HOSTILE]),
        ("neut", [HOSTILE]),
        ("ness", []),
        ("<b>&", [HOSTILE]),
        ("xyz", []),
    ):
        page.get_by_label("Search").fill(words)
        assert shown.all_text_contents() == names
        assert page.locator("#count").inner_text() == f"{len(names)} of 4 videos"
    assert page.locator("#none").is_visible()
    page.get_by_label("Search").fill("")
    assert shown.all_text_contents() == [HOSTILE, "old.avi", SCRIPT, "none.mp4"]
    page.get_by_role("button", name="With face").click()
    by_face_time = shown.all_text_contents()
    page.get_by_label("Search").fill("happiness")
    assert shown.all_text_contents() == [name for name in by_face_time if name in ("old.avi", HOSTILE)]
    page.get_by_label("Search").fill("")
    assert shown.all_text_contents() == by_face_time


def test_an_emotion_is_found_by_its_share_the_dominant_first(watched: WatchedPage, tmp_path: Path) -> None:
    for name, fear, happiness in (("a", 9, 91), ("b", 40, 60), ("c", 55, 45), ("d", 11, 89), ("e", 45, 30)):
        lengths = {"fear": fear, "happiness": happiness, "anger": 100 - fear - happiness}
        blocks = [block(1, n, 1000 * n, 1000 * n + 8 * ms, emotion) for n, (emotion, ms) in enumerate(lengths.items()) if ms]
        report(tmp_path / "in", f"{name}.mp4", blocks)
    write_page([tmp_path / "in"], tmp_path / "page.html")
    page = watched.open(tmp_path / "page.html")
    page.get_by_label("Search").fill("fear")
    names = page.locator("#table tbody th bdi").all_text_contents()
    assert names == ["c.mp4", "e.mp4", "b.mp4", "d.mp4"]


def test_problems_and_the_timeline_are_visible_on_small_screens(watched: WatchedPage, page_file: Path) -> None:
    """On a phone no column is cut; at 200 % on a desktop the timeline is above the fold."""
    watched.page.set_viewport_size({"width": 390, "height": 844})
    page = watched.open(page_file)
    region = page.locator("#problems .wide")
    assert region.evaluate("each => each.scrollWidth <= each.clientWidth")
    assert page.locator("#problems td").last.is_visible()
    page.set_viewport_size({"width": 640, "height": 400})
    page.get_by_role("link", name=HOSTILE, exact=True).click()
    page.wait_for_selector(".ap-track")
    lane = page.locator(".ap-row").nth(1).bounding_box()
    assert lane is not None
    assert lane["y"] + lane["height"] <= 400


def test_a_video_is_opened_and_closed_with_the_keyboard(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
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


def test_a_link_opens_its_video_under_a_stable_url(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
    page.get_by_role("link", name=HOSTILE, exact=True).click()
    page.wait_for_selector(".ap-track")
    assert page.locator("#detail-title").inner_text() == HOSTILE
    address = page.url
    assert watched.open(page_file, HOSTILE).url == address


def test_dark_mode_follows_the_browser(watched: WatchedPage, page_file: Path) -> None:
    watched.page.emulate_media(color_scheme="dark")
    page = watched.open(page_file)
    page.wait_for_function(CHARTS)
    ground = "getComputedStyle(document.body).backgroundColor"
    cell = "getComputedStyle(document.querySelector('.heat td')).backgroundColor"
    tick = "Chart.instances[1].options.scales.x.ticks.color"
    dark = page.evaluate(f"[{ground}, {cell}, {tick}]")
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{tick} !== {dark[2]!r}")
    light = page.evaluate(f"[{ground}, {cell}, {tick}]")
    assert brightness(dark[0]) < 0.2 < 0.8 < brightness(light[0])
    assert brightness(dark[1]) < brightness(light[1])
    assert brightness(dark[2]) > 0.6 > 0.45 > brightness(light[2])


def brightness(color: str) -> float:
    """Return the brightness (0..1) of a CSS color: #rrggbb, rgb(...), or color(srgb ...)."""
    if color.startswith("#"):
        return sum(int(color[at : at + 2], 16) for at in (1, 3, 5)) / 765
    parts = [float(part) for part in re.findall(r"[\d.]+", color)[:3]]
    return sum(parts) / (3 if color.startswith("color") else 765)


def test_a_bar_shows_its_value(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
    page.wait_for_function(CHARTS)
    page.locator("#chart-shares canvas").hover(position={"x": 30, "y": 24})
    page.wait_for_function("Chart.instances[0].tooltip.opacity > 0")
    assert page.evaluate("Chart.instances[0].tooltip.body[0].lines") == ["anger: 15.1%"]


def test_charts_are_printed_in_the_width_of_paper(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
    page.wait_for_function(CHARTS)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("Object.values(Chart.instances).map((chart) => chart.width)") == [680, 680]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("Chart.instances[0].width") > 1000
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("video", ["", HOSTILE])
def test_page_fits_the_width_of_a_phone(watched: WatchedPage, page_file: Path, video: str) -> None:
    watched.page.set_viewport_size({"width": 360, "height": 740})
    page = watched.open(page_file, video)
    page.wait_for_timeout(300)
    assert page.evaluate("document.scrollingElement.scrollWidth") == 360


def test_print_has_no_search_and_no_dark_mode(watched: WatchedPage, page_file: Path) -> None:
    page = watched.open(page_file)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".filters").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#table tbody th").first.is_visible()


def test_parts_are_loaded_when_their_video_is_opened(watched: WatchedPage, tmp_path: Path) -> None:
    for number in range(5):
        report(tmp_path / "in", f"{number}.mp4", (block(1, 0, 0, 800 + number, "fear"),))
    write_page([tmp_path / "in"], tmp_path / "a b.html", PageOptions(max_inline=4))
    page = watched.open(tmp_path / "a b.html")
    page.wait_for_function(CHARTS)
    page.get_by_role("link", name="3.mp4").click()
    page.wait_for_selector(".ap-track path")
    (part,) = [url for url in watched.requests if "_files/" in url]
    assert part.startswith((tmp_path / "a b_files").as_uri())
    page.get_by_role("status").wait_for()
    assert block_box(page, "fear") == [0, 803, 10_000]
    watched.messages[:] = [text for text in watched.messages if "ERR_FILE_NOT_FOUND" not in text]


def test_a_missing_part_is_reported(browser: Browser, tmp_path: Path) -> None:
    for number in range(2):
        report(tmp_path / "in", f"{number}.mp4", CLIP)
    write_page([tmp_path / "in"], tmp_path / "report.html", PageOptions(max_inline=1))
    shutil.rmtree(tmp_path / "report_files")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.get_by_role("link", name="1.mp4").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text().startswith("./report_files/")
    page.close()
