"""What browsing a server costs while it works: ``python -m tests.benchmarks.serve``.

Makes an archive of videos with reports in a temporary folder, serves it with two jobs under way, and has clients browse it:
each opens a page or asks for what a page asks for, reads it for a while, and goes on. Prints how long the answers took.
Needs ``pip install '.[test]'``.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click
import httpx
import numpy as np
from tabulate import tabulate

from tests.clips import SAMPLES, run_ffmpeg
from tests.runs import annotate
from tests.server.servers import Server, serving

_FOLDERS = 20
_LONG_LOOPS = 600
_JOBS = 2
_TIMEOUT_S = 60.0
_SHARES = (50, 90, 99)
_PAGES = ("/", "/archive", "/api/status", "/api/uploads")
_SEARCHES = ("/api/archive", "/api/archive?q=5", "/api/archive?emotion=surprise")
_OF_A_VIDEO = ("/videos/{id}", "/api/videos/{id}", "/api/videos/{id}/player")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--clients", metavar="N", default=50, show_default=True, help="Clients that browse at once.")
@click.option("--videos", metavar="N", default=1000, show_default=True, help="Videos of the archive.")
@click.option("--seconds", metavar="N", default=60.0, show_default=True, help="How long they browse.")
@click.option("--reading", metavar="N", default=1.0, show_default=True, help="Mean seconds that a client reads a page.")
def main(clients: int, videos: int, seconds: float, reading: float) -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = make_archive(folder / "archive", videos)
        long_one = folder / "long.mp4"
        run_ffmpeg("-stream_loop", str(_LONG_LOOPS), "-i", SAMPLES / "two_faces.mp4", "-c", "copy", long_one)
        with serving(folder, "--jobs", str(_JOBS), archive) as server:
            ids = wait_for_archive(server, videos)
            for _ in range(_JOBS):
                server.send(long_one)
            while server.get("/api/status")["running"] < _JOBS:
                time.sleep(0.1)
            took = browse(server, ids, clients, seconds, reading)
            running = server.get("/api/status")["running"]
    print(f"{clients} clients, each reading for {reading:g} s; {videos} videos; {running} jobs under way to the end\n")
    rows = [(path, len(took[path]), *percentiles_ms(took[path])) for path in sorted(took)]
    rows.append(("all", sum(row[1] for row in rows), *percentiles_ms([one for many in took.values() for one in many])))
    print(tabulate(rows, ("page", "answers", *(f"{share} % within, ms" for share in _SHARES)), tablefmt="github"))


def make_archive(archive: Path, videos: int) -> Path:
    """Copies of one sample with its results, in folders."""
    first = archive / "folder 0" / "0.mp4"
    first.parent.mkdir(parents=True)
    shutil.copy2(SAMPLES / "two_faces.mp4", first)
    list(annotate([first]))
    meta = first.with_name("0.emotions.meta.json").read_text()
    for number in range(1, videos):
        path = archive / f"folder {number % _FOLDERS}" / f"{number}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.hardlink_to(first)
        for ending in ("csv", "boxes.csv", "en.srt"):
            path.with_name(f"{number}.emotions.{ending}").hardlink_to(first.with_name(f"0.emotions.{ending}"))
        path.with_name(f"{number}.emotions.meta.json").write_text(
            meta.replace('"0.mp4"', f'"{number}.mp4"').replace('"0.emotions.', f'"{number}.emotions.')
        )
    return archive


def wait_for_archive(server: Server, videos: int) -> list[str]:
    """Ids of some videos, when the archive has been looked through."""
    while not (document := server.get("/api/archive?state=annotated"))["is_complete"]:
        time.sleep(0.2)
    assert document["total"] == videos
    return [video["id"] for video in document["videos"]]


def browse(server: Server, ids: Sequence[str], clients: int, seconds: float, reading_s: float) -> dict[str, list[float]]:
    """Seconds that answers took, by what was asked for."""
    took: dict[str, list[float]] = {}
    end_s = time.monotonic() + seconds

    def go_on(number: int) -> None:
        chance = random.Random(number)
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=_TIMEOUT_S) as client:
            time.sleep(chance.uniform(0, reading_s))
            while time.monotonic() < end_s:
                path = chance.choice((*_PAGES, *_SEARCHES, *_OF_A_VIDEO))
                begun_s = time.monotonic()
                client.get(path.format(id=chance.choice(ids))).raise_for_status()
                took.setdefault(path, []).append(time.monotonic() - begun_s)
                time.sleep(chance.expovariate(1 / reading_s))

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def percentiles_ms(seconds: Sequence[float]) -> list[str]:
    return [f"{1000 * value:.0f}" for value in np.percentile(seconds, _SHARES)]


if __name__ == "__main__":
    main()
