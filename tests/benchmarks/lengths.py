"""Measure very short and very long videos: ``python -m tests.benchmarks.lengths``.

One clip of 3 s from a cold start, thousands of them in one run, and an hour of film in chunks, each with the share of pure
decoding and in turn with it. Clips are made from the sample videos (see clips.py).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from tabulate import tabulate

from tests.benchmarks.clips import Clip, make_clip
from tests.benchmarks.processor import processor_s
from tests.benchmarks.throughput import CORES, decode_videos
from tests.clips import file_url, run_ffmpeg

SHORT = Clip("360p, one face", ("portrait.mp4",), 640, 360, 2)
FILM = Clip("720p, one face", ("portrait.mp4",), 1280, 720, 5)
SHORT_S = 3
_LOOP_S = 60
_S_PER_MINUTE = 60


@dataclass
class Measured:
    """Seconds and processor seconds of annotating and of pure decoding, run by run."""

    name: str
    videos: int
    video_s: float
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def take(self, name: str, measurement: Callable[[], None]) -> None:
        """Time one measurement."""
        start_s = time.perf_counter()
        busy_s = processor_s(measurement)
        self.seconds.setdefault(name, []).append(time.perf_counter() - start_s)
        self.seconds.setdefault(f"{name}, processor", []).append(busy_s)

    def row(self) -> tuple[str, ...]:
        """Return the row of the table, of medians."""
        medians = {name: statistics.median(seconds) for name, seconds in self.seconds.items()}
        wall_s, busy_s = medians["annotate"], medians["annotate, processor"]
        return (
            self.name,
            f"{wall_s / self.videos:.3f} s ({min(self.seconds['annotate']) / self.videos:.3f} at least)",
            f"{busy_s / self.videos:.3f} s",
            f"{self.videos * self.video_s / wall_s:.1f}x",
            f"{medians['decode'] / wall_s:.2f}",
            f"{medians['decode, processor'] / busy_s:.2f}",
            f"{1 - busy_s / wall_s / CORES:.2f}",
        )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", metavar="N", default=5, show_default=True, help="Number of runs.")
@click.option("--clips", metavar="N", default=2000, show_default=True, help="Number of clips of 3 s; 0 for none.")
@click.option("--minutes", metavar="N", default=60, show_default=True, help="Length of the film in minutes; 0 for none.")
def main(runs: int, clips: int, minutes: int) -> None:
    """Run the measurements and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = make_clip(SHORT, folder, SHORT_S)
        measured = [_measure(f"one clip of {SHORT_S} s", [short], SHORT_S, folder, runs)]
        if clips:
            archive = folder / "archive"
            archive.mkdir()
            paths = [archive / f"{number}.mp4" for number in range(clips)]
            for path in paths:
                os.link(short, path)
            measured.append(_measure(f"{clips} clips of {SHORT_S} s", paths, SHORT_S, folder, runs))
        if minutes:
            film = folder / "film.mp4"
            length_s = minutes * _S_PER_MINUTE
            loop = make_clip(FILM, folder, _LOOP_S)
            run_ffmpeg("-stream_loop", "-1", "-i", loop, "-t", str(length_s), "-c", "copy", file_url(film), timeout_s=600)
            measured.append(_measure(f"{minutes} min of {FILM.name}", [film], length_s, folder, runs))
    headers = ("", "a video", "processor time", "real time", "of decoding", "of its processor time", "cores idle")
    click.echo(f"{CORES} cores, {runs} runs\n")
    click.echo(tabulate([part.row() for part in measured], headers, tablefmt="github", disable_numparse=True))


def _measure(name: str, paths: Sequence[Path], video_s: float, folder: Path, runs: int) -> Measured:
    measured = Measured(name, len(paths), video_s)
    threads, at_once = (CORES, 1) if len(paths) == 1 else (1, CORES)
    for _ in range(runs):
        measured.take("decode", lambda: decode_videos(paths, threads, at_once))
        measured.take("annotate", lambda: _annotate(paths[0] if len(paths) == 1 else paths[0].parent, folder / "results"))
        shutil.rmtree(folder / "results")
    return measured


def _annotate(path: Path, results: Path) -> None:
    subprocess.run([sys.executable, "-m", "annotate", "--quiet", "-o", str(results), str(path)], check=True)


if __name__ == "__main__":
    main()
