"""Looking at a page in a browser as people do: where things are, and which colour they have."""

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


def color_at(page: Page) -> tuple[int, int, int]:
    """The colour of the video, above its controls and beside its cues."""
    line = line_of(page, 0.2)
    return line[len(line) // 2]


def colored(page: Page, color: tuple[int, int, int]) -> list[float]:
    """Where a colour is on the line of the cues, as shares of the width."""
    line = line_of(page, 0.46)
    return [at / len(line) for at, found in enumerate(line) if is_close(found, color)]


def outline(page: Page, emotion: str) -> list[float]:
    """Where the blocks of an emotion begin, how long and how high they are, in milliseconds and ten-thousandths."""
    place: list[float] = page.locator(f'.ap-track path[data-emotion="{emotion}"]').evaluate(
        "path => { const box = path.getBBox(); return [box.x, box.width, box.height]; }"
    )
    return place


def is_close(color: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return max(abs(one - two) for one, two in zip(color, other, strict=True)) < 40
