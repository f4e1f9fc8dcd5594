"""What tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import open_browser
from tests.reports.page.archives import make_clip

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
