"""Checks of a page in a browser: positions and colors on the screen, console messages and requests."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

MAX_ATTEMPTS = 100


class WatchedPage:
    """A browser page with its console messages, errors, dialogs and requests."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", lambda dialog: self.messages.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: Path, video: str = "") -> Page:
        """Open a page on the disk, or the view of a video in it."""
        address = path.as_uri()
        if video:
            (table,) = re.findall(r'id="data-table">(.*)</script>', path.read_text(encoding="utf-8"))
            (key,) = [row["key"] for row in json.loads(table) if row["name"] == video]
            address += f"#video-{key}"
        self.page.goto(address)
        if video:
            self.page.wait_for_selector(".ap-track")
        return self.page


def wait_for_video(page: Page) -> None:
    """Wait until the video can be sought."""
    page.wait_for_function("document.querySelector('.ap video').readyState >= 2")


def current_time_s(page: Page) -> float:
    """Return the current time of the video, after any seek has finished."""
    page.wait_for_function("!document.querySelector('.ap video').seeking")
    time_s: float = page.evaluate("document.querySelector('.ap video').currentTime")
    return time_s


def cursor_ms(page: Page, end_ms: int = 6000) -> float:
    """Return the position of the cursor on the timeline, measured in pixels and converted to milliseconds."""
    track, cursor = (page.locator(place).first.bounding_box() for place in (".ap-ruler .ap-track", ".ap-cursor"))
    assert track is not None
    assert cursor is not None
    return (cursor["x"] + cursor["width"] / 2 - track["x"]) / track["width"] * end_ms


def wait_until(page: Page, holds: Callable[[], bool]) -> None:
    """Poll a condition for up to 10 s."""
    for _ in range(MAX_ATTEMPTS):
        if holds():
            return
        page.wait_for_timeout(100)
    assert holds()


def pixel_row(page: Page, y_share: float) -> list[tuple[int, int, int]]:
    """Return a row of the video's pixels as shown on the screen."""
    pixels = np.asarray(Image.open(io.BytesIO(page.locator(".ap video").screenshot())).convert("RGB"))
    return [(red, green, blue) for red, green, blue in pixels[int(len(pixels) * y_share)].tolist()]


def color_at(page: Page) -> tuple[int, int, int]:
    """Return the color of the video at a place without controls and cues."""
    line = pixel_row(page, 0.2)
    return line[len(line) // 2]


def color_positions(page: Page, color: tuple[int, int, int]) -> list[float]:
    """Return the x positions with a color in the row of the cues, as shares of the width."""
    line = pixel_row(page, 0.46)
    return [at / len(line) for at, found in enumerate(line) if is_close(found, color)]


def block_box(page: Page, emotion: str) -> list[float]:
    """Return start, length (ms) and height (ten-thousandths) of the blocks of an emotion on the timeline."""
    place: list[float] = page.locator(f'.ap-track path[data-emotion="{emotion}"]').evaluate(
        "path => { const box = path.getBBox(); return [box.x, box.width, box.height]; }"
    )
    return place


def is_close(color: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return max(abs(one - two) for one, two in zip(color, other, strict=True)) < 40
