"""What tests of pages share."""

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
from tests.html_report.looking import Watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def colours_clip(media: Path) -> Path:
    """Six seconds, each in its own colour."""
    return make_clip(media / "colours.webm")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; where there is none the test is skipped."""
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, colours_clip: Path) -> Path:
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
