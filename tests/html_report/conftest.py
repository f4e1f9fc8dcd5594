"""Fixtures of page tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotate.html_report.build import write_page
from tests.analytics.samples import CLIP, MOVIE, report
from tests.browser import open_browser
from tests.html_report.archives import BOXES, HOSTILE, SCRIPT, annotated, make_clip
from tests.html_report.page_checks import WatchedPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def color_clip(media: Path) -> Path:
    """Return a clip of six seconds, each in its own color."""
    return make_clip(media / "colors.webm")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a headless Chromium; skip the test if there is none."""
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, color_clip: Path) -> Path:
    """Return a page about four videos: a playable one, one that no browser can play, a deleted one, one without faces."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copy(color_clip, folder / HOSTILE)
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
def watched(browser: Browser) -> Iterator[WatchedPage]:
    """Yield a new tab, which must not log messages or request anything from the network."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    watched = WatchedPage(page)
    yield watched
    assert watched.messages == []
    assert [url for url in watched.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()
