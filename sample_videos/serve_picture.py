"""Makes ``serve.jpg``: the page of ``annotate serve`` over the sample videos, and one of them, drawn by Chromium.

``python sample_videos/serve_picture.py``, with ``pip install '.[test]'`` and ``chromium`` or ``google-chrome`` on the path.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
CLIPS = ("cut.mp4", "no_face.mp4", "phone.mov", "portrait.mp4", "two_faces.mp4")
SHOWN, MOMENT_S = "two_faces.mp4", 5.2
"""A moment at which both faces are there."""

SIZE, ARCHIVE_HEIGHT = (1280, 585), 520
GAP, PAPER = 12, (128, 128, 128)
QUALITY = 84
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ALL_DONE = "document.querySelectorAll('.state.annotated').length"


def draw(page: Page, address: str) -> list[Image.Image]:
    """The archive in light, and a video in dark."""
    page.goto(f"{address}archive")
    page.locator("#annotate").click()
    while page.evaluate(ALL_DONE) < len(CLIPS):
        page.wait_for_timeout(200)
    page.reload()
    page.locator(".row-name a").first.wait_for()
    pictures = [page.screenshot(clip={"x": 0, "y": 0, "width": SIZE[0], "height": ARCHIVE_HEIGHT})]
    page.emulate_media(color_scheme="dark")
    link = page.get_by_role("link", name=SHOWN).get_attribute("href")
    page.goto(f"{address}{str(link)[1:]}#t={MOMENT_S}")
    page.locator(".ap-face").first.wait_for()
    page.wait_for_timeout(3000)
    pictures.append(page.screenshot())
    return [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]


def main() -> None:
    """Serves the clips, annotates them by the page, draws it and joins the pictures."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is on the path")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as tool:
        folder = Path(name) / FOLDER.name
        folder.mkdir()
        for clip in CLIPS:
            shutil.copy2(FOLDER / clip, folder)
        command = [sys.executable, "-m", "annotate", "serve", folder, "--data", Path(name) / "data", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            chromium = tool.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
            pictures = draw(page, address)
            chromium.close()
            server.terminate()
    joined = Image.new("RGB", (SIZE[0], sum(picture.height for picture in pictures) + GAP * (len(pictures) - 1)), PAPER)
    top = 0
    for picture in pictures:
        joined.paste(picture, (0, top))
        top += picture.height + GAP
    joined.save(FOLDER / "serve.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
