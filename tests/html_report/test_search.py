"""Search, moments and comparisons on the HTML report, in a headless Chromium; moments are those of `find_moments`."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from annotate import find_moments, summarize
from annotate.archive.layout import ARCHIVE_PERSONS
from annotate.archive.stored_report import read_report
from annotate.html_report.build import PageOptions, write_page
from annotate.html_report.strings import REPORT_WORDS
from annotate.results.meta import read_meta
from annotate.results.persons import PersonRow, format_persons, tracks_of
from tests.analytics.samples import MOVIE, block, change_meta, meta_of, report
from tests.html_report.page_checks import WatchedPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = (
    *(
        block(1, number, 1000 * number, 1000 * number + 900, "fear", confidence=0.5 + 0.1 * (number % 5))
        for number in range(8)
    ),
    block(2, 0, 500, 1300, "happiness", confidence=0.9),
    block(2, 1, 1300, 2100, "anger", confidence=0.4),
)
PERSONS = {"movie.mp4": {1: (1, "Ann"), 2: (2, "")}, "long.mp4": {1: (2, ""), 2: (1, "Ann")}}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three videos in two folders, persons, trials, and a page of all; one video is truncated."""
    root = tmp_path_factory.mktemp("search")
    films = root / "films"
    tables = [report(films / "a", "movie.mp4", MOVIE), report(films, "long.mp4", LONG, duration_s=20.0)]
    rows = []
    for table, persons in zip(tables, PERSONS.values(), strict=True):
        name = table.name.replace(".emotions.csv", ".mp4")
        video = f"a/{name}" if table.parent != films else name
        tracks = tracks_of(read_report(table).table)
        rows += [PersonRow(track, *persons[track.face_id], video=video) for track in tracks]
        sidecar = meta_of(table)
        meta = read_meta(sidecar)
        assert meta is not None
        path = ARCHIVE_PERSONS if table.parent == films else f"../{ARCHIVE_PERSONS}"
        sidecar.write_text(replace(meta, persons=(path,)).to_json())
    (films / ARCHIVE_PERSONS).write_text(format_persons(rows))
    change_meta(report(films, "cut.mp4", (block(1, 0, 0, 800, "sadness"),), duration_s=5.0), missing_s=3.25)
    (root / "trials.csv").write_text(
        "video,start,end,condition,participant\nlong.mp4,0,2.5,film,P1\na/movie.mp4,0,1,rest,P1\n"
    )
    options = PageOptions(thumbnails=False, trials=root / "trials.csv")
    write_page([films], root / "page.html", options)
    return root


def names(page: Page) -> list[str]:
    """Return the names of videos in the table."""
    return page.locator("#table tbody th bdi").all_text_contents()


def choose(page: Page, label: str, value: str) -> None:
    """Fill in a filter, or choose an option by its text."""
    field = page.locator("#filters").get_by_label(label)
    if field.evaluate("field => field.tagName") == "SELECT":
        field.select_option(label=value)
    else:
        field.fill(value)


def downloaded(page: Page) -> list[dict[str, str]]:
    """Return the rows of the CSV file that the page saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_videos_are_found_by_share_person_trial_length_and_state(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    everything = ["long.mp4", "cut.mp4", "movie.mp4"]
    for filters, found in (
        ({"Emotion": "anger"}, ["movie.mp4", "long.mp4"]),
        ({"Emotion": "anger", "Minimum share (%)": "20"}, ["movie.mp4"]),
        ({"Emotion": "any", "Minimum share (%)": "99"}, ["cut.mp4"]),
        ({"Person": "Ann"}, ["long.mp4", "movie.mp4"]),
        ({"Trial": "film"}, ["long.mp4"]),
        ({"Minimum length (s)": "10"}, ["long.mp4", "movie.mp4"]),
        ({"Maximum length (s)": "10"}, ["cut.mp4", "movie.mp4"]),
        ({"State": "truncated"}, ["cut.mp4"]),
        ({"State": "annotated"}, ["long.mp4", "movie.mp4"]),
    ):
        for label, value in filters.items():
            choose(page, label, value)
        assert sorted(names(page)) == sorted(found), filters
        if "Emotion" in filters:
            assert names(page) == found, "by share"
        page.get_by_role("button", name="Reset").click()
        assert sorted(names(page)) == sorted(everything)


def test_moments_are_those_of_the_command_line(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    page.get_by_role("tab", name="Moments").click()
    page.locator("#table.moments").wait_for()
    for filters, query in (
        ({}, {}),
        ({"Emotion": "fear", "Minimum confidence (%)": "60"}, {"emotions": "fear", "min_confidence": 0.6}),
        ({"Minimum length (s)": "1.5"}, {"min_s": 1.5}),
        ({"Person": "Ann"}, {"persons": "Ann"}),
        ({"Person": "person 2", "Emotion": "anger"}, {"persons": "2", "emotions": "anger"}),
        ({"Trial": "P1"}, {"trials": archive / "trials.csv"}),
    ):
        for label, value in filters.items():
            choose(page, label, value)
        found = sorted(as_moments(downloaded(page)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # videos without a trial
            expected = find_moments(archive / "films", **query).astype(str).to_dict("records")
        assert found == sorted(as_moments(expected))
        assert page.locator("#count").inner_text() == f"Moments found: {len(found)}."
        if filters:
            page.get_by_role("button", name="Reset").click()


def as_moments(rows: Iterable[Mapping[Any, Any]]) -> list[tuple[object, ...]]:
    """Return moments as tuples that can be compared."""
    texts, numbers = ("emotion", "person", "name"), ("face_id", "start_time", "end_time")
    return [
        (
            Path(row["video"]).name,
            *(row[name] for name in texts),
            *(float(row[name]) for name in numbers),
            round(float(row["confidence"]), 3),
        )
        for row in rows
    ]


def test_a_link_restores_the_selection(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    page.get_by_role("tab", name="Moments").click()
    choose(page, "Emotion", "fear")
    choose(page, "Minimum confidence (%)", "60")
    page.locator("#table thead").get_by_role("button", name="Start").click()
    rows = page.locator("#table tbody tr").all_text_contents()
    assert rows
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.locator("#table.moments").wait_for()
    assert page.locator("#table tbody tr").all_text_contents() == rows
    assert page.locator("#table tbody").evaluate("body => body.getBoundingClientRect().top < innerHeight")
    page.locator("#table tbody a").last.click()
    page.wait_for_selector(".ap-track")
    start_s = float(page.url.partition("&t=")[2])
    cursor = page.locator(".ap-row [role=slider], [role=slider].ap-track").first
    assert float(cursor.get_attribute("aria-valuenow") or -1) == start_s
    moment = page.url
    page.get_by_role("button", name="Copy link to this moment").click()
    page.get_by_role("status").filter(has_text="ink").first.wait_for()
    assert page.url.startswith(moment.partition("&")[0])
    page.get_by_role("link", name="All videos").click()
    page.locator("#table.moments").wait_for()
    assert page.locator("#table tbody tr").all_text_contents() == rows
    forget_missing_videos(watched)


def forget_missing_videos(watched: WatchedPage) -> None:
    """Forget the messages about videos, which do not exist."""
    watched.messages[:] = [text for text in watched.messages if "ERR_FILE_NOT_FOUND" not in text]


def test_every_column_sorts(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    for view, count in (("Videos", 9), ("Moments", 7)):
        page.get_by_role("tab", name=view).click()
        page.locator(f"#table.{view.lower()}").wait_for()
        heads = page.locator("#table thead button")
        assert heads.count() == count
        for number in range(count):
            texts = []
            for _ in range(2):
                heads.nth(number).click()
                texts.append(page.locator("#table tbody tr").all_text_contents())
                assert page.locator("#table [aria-sort$=ending]").count() == 1
            assert sorted(texts[0]) == sorted(texts[1])
            assert texts[0] != texts[1]


def test_videos_are_saved_with_the_columns_of_the_summary(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    choose(page, "Maximum length (s)", "10")
    rows = {row["video"]: row for row in downloaded(page)}
    expected = summarize(archive / "films").set_index("video")
    expected.index = [Path(video).name for video in expected.index]
    assert set(rows) == {"cut.mp4", "movie.mp4"}
    assert rows["cut.mp4"]["states"] == "truncated"
    for name, row in rows.items():
        for column in (
            "duration_s",
            "face_s",
            "face_time_s",
            "faces",
            "people",
            "confidence",
            "changes_per_minute",
            "anger",
            "sadness",
        ):
            assert float(row[column]) == pytest.approx(expected.loc[name, column], abs=1e-4), column


def test_groups_are_compared(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    page.get_by_role("tab", name="Compare").click()
    kinds = page.locator("#filters").get_by_label("Compare").locator("option").all_text_contents()
    assert kinds == ["videos", "folders", "persons", "conditions", "trials"]
    for by in kinds[1:]:
        choose(page, "Compare", by)
        assert page.locator(".compare thead th").count() == 3, by
    choose(page, "Compare", "persons")
    expected = summarize(archive / "films", by="person").set_index("name")
    rows = {row["name"]: row for row in downloaded(page)}
    assert set(rows) == {"Ann", "person 2"}
    assert float(rows["Ann"]["face_s"]) == expected.loc["Ann", "face_s"]
    assert float(rows["person 2"]["fear"]) == expected.loc["", "fear"]


def test_chosen_videos_are_compared_and_the_link_keeps_them(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    for name in ("long.mp4", "movie.mp4"):
        page.get_by_role("checkbox", name=f"Compare {name}").check()
    page.get_by_role("button", name="Compare chosen (2)").click()
    heads = page.locator(".compare thead th a")
    assert sorted(heads.all_text_contents()) == ["long.mp4", "movie.mp4"]
    page.reload()
    page.get_by_label("Add").fill("cut.mp4")
    assert sorted(heads.all_text_contents()) == ["cut.mp4", "long.mp4", "movie.mp4"]
    page.get_by_role("button", name="Remove long.mp4").click()
    assert sorted(heads.all_text_contents()) == ["cut.mp4", "movie.mp4"]
    assert page.locator("#list canvas").count() == 1


def test_a_truncated_video_says_so(watched: WatchedPage, archive: Path) -> None:
    page = watched.open(archive / "page.html")
    assert page.locator("#table tr", has_text="cut.mp4").locator(".mark").all_text_contents() == ["truncated"]
    page.get_by_role("link", name="cut.mp4").click()
    page.locator("#detail-notes").wait_for()
    assert re.search(r"\b3\.2 s\b", page.locator("#detail-notes").inner_text())
    page.wait_for_selector(".ap-track")
    page.get_by_role("status").first.wait_for()
    forget_missing_videos(watched)


def test_languages_have_the_same_texts_and_the_page_follows_the_browser(watched: WatchedPage, archive: Path) -> None:
    english, russian = REPORT_WORDS["en"], REPORT_WORDS["ru"]
    assert set(english) == set(russian)
    assert [key for key in english if placeholders(english[key]) != placeholders(russian[key])] == []
    assert watched.page.context.browser is not None
    context = watched.page.context.browser.new_context(locale="ru-RU")
    page = context.new_page()
    page.goto((archive / "page.html").as_uri())
    for tab in ("viewVideos", "viewMoments", "viewCompare"):
        page.get_by_role("tab", name=russian[tab]).click()
        page.evaluate("document.querySelectorAll('[lang=en]').forEach((each) => each.remove())")
        text = page.evaluate("document.body.innerText")
        data = "movie|long|cut|mp|films|film|rest|Ann|search|annotate|CSV"
        assert set(re.findall(r"[A-Za-z]{2,}", text)) <= set(data.split("|")), tab
    assert page.evaluate("document.documentElement.lang") == "ru"
    context.close()


def placeholders(text: str) -> set[str]:
    """Return the placeholders of a text."""
    return set(re.findall(r"\{(\w+)\}", text))


def test_rows_are_added_as_they_are_scrolled_and_all_are_printed(watched: WatchedPage, tmp_path: Path) -> None:
    blocks = [block(1, number, 1000 * number, 1000 * number + 900, ("fear", "anger")[number % 2]) for number in range(230)]
    report(tmp_path / "in", "a.mp4", blocks, duration_s=230.0)
    write_page([tmp_path / "in"], tmp_path / "page.html", PageOptions(thumbnails=False))
    page = watched.open(tmp_path / "page.html")
    page.get_by_role("tab", name="Moments").click()
    page.locator("#table.moments").wait_for()
    assert page.locator("#table").get_attribute("aria-rowcount") == "231"
    assert page.locator("#table tbody tr").count() == 200
    page.locator("#table tbody tr").last.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('#table tbody tr').length === 230")
    page.reload()
    page.locator("#table.moments").wait_for()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#table tbody tr").count() == 230


def test_axe_finds_no_fault(watched: WatchedPage, archive: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = watched.open(archive / "page.html")
    for view, shown in (("Videos", "#table.videos"), ("Moments", "#table.moments"), ("Compare", ".compare")):
        page.get_by_role("tab", name=view).click()
        page.wait_for_selector(shown)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (view, scheme)
