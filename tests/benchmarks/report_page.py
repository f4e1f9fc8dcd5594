"""Measure the HTML report of a large archive: ``python -m tests.benchmarks.report_page``.

Create tables with sidecars in a temporary folder and an HTML report of them, open it in headless Chromium, scroll,
search, sort, compare, find moments, and open a video; print the time of each step. Needs ``pip install '.[test]'`` and
Chromium on the path.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from playwright.sync_api import Page, sync_playwright
from tabulate import tabulate

from annotate.html_report.build import write_page
from tests.benchmarks.summaries import make_reports
from tests.browser import BROWSERS, find_browser

CHARTS = "document.querySelectorAll('.plot canvas').length === 2"
FRAMES, STEP_PX = 240, 400
SCROLL = """async ([frames, step]) => {
  const took = [];
  let last = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < frames; frame++) {
    scrollBy(0, step);
    const now = await new Promise(requestAnimationFrame);
    took.push(now - last);
    last = now;
  }
  return took.sort((one, other) => one - other);
}"""


PAINTED = "new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--reports", metavar="N", default=10_000, show_default=True, help="Number of tables.")
@click.option("--rows", metavar="N", default=100, show_default=True, help="Rows per table.")
def main(reports: int, rows: int) -> None:
    """Run the measurements and print a table."""
    browser = find_browser()
    if browser is None:
        raise click.ClickException(f"none of {', '.join(BROWSERS)} is on the path")
    measured: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as tool:
        folder = Path(name)
        make_reports(folder / "archive", reports, rows)
        page_path = folder / "report.html"
        with timed("creating the report", measured):
            write_page([folder / "archive"], page_path)
        measured.append(("size of the page", f"{page_path.stat().st_size / 1e6:.1f} MB"))
        parts = [path.stat().st_size for path in folder.glob("report_files/*")]
        measured.append(("size of the other files", f"{sum(parts) / 1e6:.1f} MB"))
        chromium = tool.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        browse(page, page_path, measured)
        chromium.close()
    print(f"{reports} tables with {reports * rows} rows, {len(os.sched_getaffinity(0))} cores\n")
    print(tabulate(measured, ("step", "result"), tablefmt="github", disable_numparse=True))


def browse(page: Page, path: Path, measured: list[tuple[str, str]]) -> None:
    """Use the page like a person, and measure each step."""
    start_s = time.perf_counter()
    page.goto(path.as_uri())
    measured.append(("opening, until the table is shown", f"{time.perf_counter() - start_s:.2f} s"))
    page.wait_for_function(CHARTS)
    measured.append(("opening, until the charts are drawn", f"{time.perf_counter() - start_s:.2f} s"))
    frame_ms = page.evaluate(SCROLL, [FRAMES, STEP_PX])
    median, late = frame_ms[len(frame_ms) // 2], frame_ms[len(frame_ms) * 95 // 100]
    measured.append((f"scrolling {STEP_PX} pixels per frame", f"median {median:.0f} ms, 95th percentile {late:.0f} ms"))
    page.evaluate("scrollTo(0, 0)")

    @contextmanager
    def step(name: str) -> Iterator[None]:
        with timed(name, measured):
            yield
            page.evaluate(PAINTED)

    with step("searching by name"):
        page.fill("#search", "19")
    page.fill("#search", "")
    with step("searching by emotion and share"):
        page.select_option("[name=emotion]", "fear")
        page.fill("[name=min_share]", "15")
    page.click("#resetFilters")
    with step("sorting by a number"):
        page.click("#table thead button >> nth=4")
    with step("sorting by name"):
        page.click("#table thead button >> nth=0")
    with step("comparing folders"):
        page.click("#tab-compare")
    with step("opening moments"):
        page.click("#tab-moments")
        page.wait_for_selector("#table.moments")
    measured.append(("moments", page.locator("#count").inner_text()))
    with step("searching moments by emotion and confidence"):
        page.select_option("[name=emotion]", "fear")
        page.fill("[name=min_confidence]", "60")
    page.click("#resetFilters")
    with step("sorting moments"):
        page.click("#table thead button >> nth=5")
    with step("opening a video"):
        page.click("#table tbody a >> nth=0")
        page.wait_for_selector(".ap-track path")


@contextmanager
def timed(step: str, measured: list[tuple[str, str]]) -> Iterator[None]:
    """Append a step and its duration to ``measured``."""
    start_s = time.perf_counter()
    yield
    measured.append((step, f"{time.perf_counter() - start_s:.2f} s"))


if __name__ == "__main__":
    main()
