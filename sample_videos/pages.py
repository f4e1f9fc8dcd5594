"""Draw ``report.jpg`` and ``serve.jpg``: the HTML report and the pages of ``annotate serve`` for the sample videos.

Run ``python sample_videos/pages.py``; needs ``pip install '.[test]'``, and ``chromium`` or ``google-chrome`` on the path.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from annotate.archive.scan import scan
from annotate.batch.run import Plan, annotate_archive
from annotate.html_report.build import write_page

FOLDER = Path(__file__).parent
CLIPS = ("cut.mp4", "no_face.mp4", "phone.mov", "portrait.mp4", "two_faces.mp4")
SHOWN, MOMENT_S, KEY_PRESSES = "two_faces.mp4", 5.2, 2
"""The clip shown, a time with both faces, and the number of presses of the right arrow key that also leads to one."""

WIDTH, REPORT_HEIGHT, ARCHIVE_HEIGHT, SERVED_HEIGHT, SHOWN_HEIGHT = 1280, 740, 520, 740, 470
GAP_PX, BACKGROUND = 12, (128, 128, 128)
QUALITY = 84
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def draw_report(page: Page, url: str) -> list[bytes]:
    """Return screenshots of the charts (light theme) and of a video (dark theme)."""
    page.goto(url)
    page.wait_for_function("document.querySelectorAll('.plot canvas').length >= 2")
    page.wait_for_timeout(1000)
    charts = page.screenshot()
    page.emulate_media(color_scheme="dark")
    page.get_by_role("link", name=SHOWN).click()
    page.wait_for_function("document.querySelector('.ap video')?.readyState >= 2")
    for _ in range(KEY_PRESSES):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("!document.querySelector('.ap video').seeking")
    page.wait_for_timeout(1000)
    return [charts, page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": SHOWN_HEIGHT})]


def draw_served(page: Page, url: str) -> list[bytes]:
    """Annotate the archive on its page; return screenshots of it (light theme) and of a video (dark theme)."""
    page.goto(f"{url}archive")
    page.locator("#annotate").click()
    while page.evaluate("document.querySelectorAll('.state.annotated').length") < len(CLIPS):
        page.wait_for_timeout(200)
    page.reload()
    page.locator(".row-name a").first.wait_for()
    archive = page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": ARCHIVE_HEIGHT})
    page.emulate_media(color_scheme="dark")
    link = page.get_by_role("link", name=SHOWN).get_attribute("href")
    page.goto(f"{url}{str(link)[1:]}#t={MOMENT_S}")
    page.locator(".ap-face").first.wait_for()
    page.wait_for_timeout(3000)
    return [archive, page.screenshot()]


def new_page(browser: Browser, height: int) -> Page:
    """Return an empty page with the light theme."""
    return browser.new_page(viewport={"width": WIDTH, "height": height}, color_scheme="light")


def join(target: Path, contents: Sequence[bytes]) -> None:
    """Write images joined vertically."""
    images = [Image.open(io.BytesIO(content)).convert("RGB") for content in contents]
    joined = Image.new("RGB", (WIDTH, sum(image.height for image in images) + GAP_PX * (len(images) - 1)), BACKGROUND)
    top = 0
    for image in images:
        joined.paste(image, (0, top))
        top += image.height + GAP_PX
    joined.save(target, quality=QUALITY, optimize=True)


def copy_clips(folder: Path) -> Path:
    """Copy the clips into a subfolder with the same name as theirs; return it."""
    copies = folder / FOLDER.name
    copies.mkdir(parents=True)
    for clip in CLIPS:
        shutil.copy2(FOLDER / clip, copies)
    return copies


def main() -> None:
    """Annotate copies of the clips with the library and with the server, and draw the pages of both."""
    path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if path is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is on the path")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        clips = copy_clips(Path(name) / "report")
        list(annotate_archive(scan(sorted(clips.iterdir())), Plan()))
        write_page([clips], clips / "report.html")
        join(FOLDER / "report.jpg", draw_report(new_page(browser, REPORT_HEIGHT), (clips / "report.html").as_uri()))
        clips = copy_clips(Path(name) / "served")
        command = [sys.executable, "-m", "annotate", "serve", clips, "--data", Path(name) / "data", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            join(FOLDER / "serve.jpg", draw_served(new_page(browser, SERVED_HEIGHT), url))
            server.terminate()
        browser.close()


if __name__ == "__main__":
    main()
