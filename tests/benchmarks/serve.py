"""Measure response times of the web server under load: ``python -m tests.benchmarks.serve``.

Create an annotated archive in a temporary folder, serve it with two jobs running, and let clients browse: each requests
a page or its data, waits for a while, and continues. Print percentiles of the response times. Needs ``pip install
'.[test]'``.
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
_PERCENTILES = (50, 90, 99)
_PAGES = ("/uploads", "/archive", "/api/status", "/api/uploads")
_SEARCHES = ("/api/archive", "/api/archive?q=5", "/api/archive?emotion=surprise")
_OF_A_VIDEO = ("/videos/{id}", "/api/videos/{id}", "/api/videos/{id}/player")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--clients", metavar="N", default=50, show_default=True, help="Number of concurrent clients.")
@click.option("--videos", metavar="N", default=1000, show_default=True, help="Number of videos in the archive.")
@click.option("--seconds", metavar="N", default=60.0, show_default=True, help="Duration of the test in seconds.")
@click.option("--reading", metavar="N", default=1.0, show_default=True, help="Mean seconds between requests of a client.")
def main(clients: int, videos: int, seconds: float, reading: float) -> None:
    """Run the measurement and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = make_archive(folder / "archive", videos)
        long_video = folder / "long.mp4"
        run_ffmpeg("-stream_loop", str(_LONG_LOOPS), "-i", SAMPLES / "two_faces.mp4", "-c", "copy", long_video)
        with serving(folder, "--jobs", str(_JOBS), archive) as server:
            ids = wait_for_archive(server, videos)
            for _ in range(_JOBS):
                server.send(long_video)
            while server.get("/api/status")["running"] < _JOBS:
                time.sleep(0.1)
            times_s = browse(server, ids, clients, seconds, reading)
            running = server.get("/api/status")["running"]
    print(f"{clients} clients, each pausing for {reading:g} s; {videos} videos; {running} jobs running at the end\n")
    rows = [(path, len(times_s[path]), *percentiles_ms(times_s[path])) for path in sorted(times_s)]
    rows.append(
        (
            "all",
            sum(row[1] for row in rows),
            *percentiles_ms([time_s for path_times_s in times_s.values() for time_s in path_times_s]),
        )
    )
    print(
        tabulate(
            rows,
            ("page", "responses", *(f"{percentile}th percentile, ms" for percentile in _PERCENTILES)),
            tablefmt="github",
        )
    )


def make_archive(archive: Path, videos: int) -> Path:
    """Create and return an archive of copies of an annotated sample, in folders."""
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
    """Wait until the archive is scanned; return the ids of the videos on the first page."""
    while not (document := server.get("/api/archive?state=annotated"))["is_complete"]:
        time.sleep(0.2)
    assert document["total"] == videos
    return [video["id"] for video in document["videos"]]


def browse(server: Server, ids: Sequence[str], clients: int, seconds: float, reading_s: float) -> dict[str, list[float]]:
    """Run clients for ``seconds``; return response times in seconds by path."""
    times_s: dict[str, list[float]] = {}
    end_s = time.monotonic() + seconds

    def run_client(number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=_TIMEOUT_S) as client:
            time.sleep(rng.uniform(0, reading_s))
            while time.monotonic() < end_s:
                path = rng.choice((*_PAGES, *_SEARCHES, *_OF_A_VIDEO))
                start_s = time.monotonic()
                client.get(path.format(id=rng.choice(ids))).raise_for_status()
                times_s.setdefault(path, []).append(time.monotonic() - start_s)
                time.sleep(rng.expovariate(1 / reading_s))

    threads = [threading.Thread(target=run_client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times_s


def percentiles_ms(seconds: Sequence[float]) -> list[str]:
    """Return the percentiles in milliseconds as text."""
    return [f"{1000 * value:.0f}" for value in np.percentile(seconds, _PERCENTILES)]


if __name__ == "__main__":
    main()
