"""Makes ``report.jpg``: the report page of the sample videos, and one of them beside its timeline, drawn by Chromium.

``python sample_videos/report_picture.py``, with ``pip install '.[test]'`` and ``chromium`` or ``google-chrome`` on the path.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from annotate.archive.run import annotate_archive
from annotate.reports.page.build import write_page

FOLDER = Path(__file__).parent
CLIPS = ("cut.mp4", "no_face.mp4", "phone.mov", "portrait.mp4", "two_faces.mp4")
SHOWN = "two_faces.mp4"
PRESSED = 2
"""So many changes on, both faces are there."""

SIZE = (1280, 740)
GAP, PAPER = 12, (128, 128, 128)
QUALITY = 84
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def draw(page: Page, address: str) -> list[Image.Image]:
    """The charts in light, and a video in dark."""
    page.goto(address)
    page.wait_for_function("document.querySelectorAll('.plot .main-svg').length >= 3")
    pictures = [page.screenshot()]
    page.emulate_media(color_scheme="dark")
    page.get_by_role("link", name=SHOWN).click()
    page.wait_for_function("document.querySelector('.ap video')?.readyState >= 2")
    for _ in range(PRESSED):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("!document.querySelector('.ap video').seeking")
    page.wait_for_timeout(1000)
    pictures.append(page.screenshot(clip={"x": 0, "y": 0, "width": SIZE[0], "height": 470}))
    return [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]


def main() -> None:
    """Annotates the clips, makes the page, draws it and joins the pictures."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is on the path")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as tool:
        folder = Path(name) / FOLDER.name
        folder.mkdir()
        for clip in CLIPS:
            shutil.copy2(FOLDER / clip, folder)
        list(annotate_archive([folder / clip for clip in CLIPS]))
        write_page([folder], folder / "report.html")
        chromium = tool.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        width, height = SIZE
        page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        pictures = draw(page, (folder / "report.html").as_uri())
        chromium.close()
    joined = Image.new("RGB", (width, sum(picture.height for picture in pictures) + GAP * (len(pictures) - 1)), PAPER)
    top = 0
    for picture in pictures:
        joined.paste(picture, (0, top))
        top += picture.height + GAP
    joined.save(FOLDER / "report.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
