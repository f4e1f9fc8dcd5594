"""Headless Chromium for tests of pages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser() -> str | None:
    """Return the path of a Chromium-based browser that runs, or None; some systems have only a script of that name."""
    return next((path for name in BROWSERS if (path := shutil.which(name)) and _runs(path)), None)


def _runs(path: str) -> bool:
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
    return answer.returncode == 0 and "Chrom" in answer.stdout


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield a browser; skip the test if none is installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_browser()
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the path")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()
