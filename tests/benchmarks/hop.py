"""Measure what --hop costs: ``python -m tests.benchmarks.hop VIDEO...``, processor milliseconds per second of video.

Each video is annotated by a program of its own, with its decoder, for every hop; the least of several runs counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import click
from tabulate import tabulate

from annotate.media.probe import probe
from annotate.span import MS_PER_S
from tests.benchmarks.processor import processor_s

HOPS = (20, 8, 4, 2, 1)
_HEADERS = ("video", "hop", "ms per s of video", "of hop 20", "rows", "table, KB")


@click.command(help=__doc__)
@click.argument("videos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--runs", default=3, show_default=True)
def main(videos: tuple[Path, ...], runs: int) -> None:
    """Print one row per video and hop."""
    rows = []
    for video in videos:
        video_s = probe(video).duration_s or 0.0
        start_s = min(processor_s(lambda: _annotate("--version")) for _ in range(runs))
        least: dict[int, float] = {}
        for hop in HOPS:
            with tempfile.TemporaryDirectory() as folder:
                link = Path(folder) / video.name
                link.symlink_to(video.absolute())
                command = (str(link), "--hop", str(hop), "--jobs", "1", "--force", "-q", "--format", "csv")
                least[hop] = min(processor_s(partial(_annotate, *command)) for _ in range(runs)) - start_s
                table = link.with_suffix(".emotions.csv").read_bytes()
            cost_ms = least[hop] * MS_PER_S / video_s
            rows.append((video.name, hop, cost_ms, least[hop] / least[HOPS[0]], table.count(b"\n") - 1, len(table) / 1024))
    click.echo(tabulate(rows, _HEADERS, floatfmt=("", "", ".0f", ".2f", "", ".0f")))


def _annotate(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "annotate", *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
