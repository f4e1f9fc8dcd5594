"""Measure cost by resolution, faces and length, and estimate that of an archive: ``python -m tests.benchmarks.cost``.

Each clip is annotated on one core, including the decoder, as in a job of an archive; the clips alternate within each
run. The result is wall-clock seconds on that core, since core time is what is paid for.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from tabulate import tabulate

from tests.benchmarks.clips import Clip, make_clip
from tests.clips import file_url, run_ffmpeg

PORTRAIT, EMPTY = "portrait.mp4", "no_face.mp4"
RESOLUTIONS = (
    Clip("640x360, one face", (PORTRAIT,), 640, 360, 2),
    Clip("960x540, one face", (PORTRAIT,), 960, 540, 3),
    Clip("1280x720, one face", (PORTRAIT,), 1280, 720, 5),
    Clip("1920x1080, one face", (PORTRAIT,), 1920, 1080, 8),
    Clip("3840x2160, one face", (PORTRAIT,), 3840, 2160, 25),
)
FACES = (
    Clip("1920x1080, no face", (EMPTY,), 1920, 1080, 8),
    *(Clip(f"1920x1080, {name} faces", (PORTRAIT,) * number, 1920, 1080, 8) for number, name in ((2, "two"), (3, "three"))),
)
LENGTHS_S = (10, 60, 600)
"""Lengths to which the 1280x720 clip is repeated and cut."""

ARCHIVE_HOURS = 1_000_000
_CORE = 0
_HOURS_PER_DAY = 24


@dataclass
class ClipTiming:
    """A clip and its processing time on one core, run by run."""

    name: str
    path: Path
    duration_s: float
    seconds: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """Median of the runs."""
        return statistics.median(self.seconds)

    @property
    def share(self) -> float:
        """Core seconds per second of video."""
        return self.median_s / self.duration_s


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", metavar="N", default=3, show_default=True, help="Number of runs.")
@click.option(
    "--seconds", metavar="N", default=30, show_default=True, help="Length of the clips of resolutions and faces in seconds."
)
@click.option("--cores", metavar="N", default=100, show_default=True, help="Number of cores for the archive.")
def main(runs: int, seconds: int, cores: int) -> None:
    """Run the measurements and print tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = [ClipTiming(clip.name, make_clip(clip, folder, seconds), seconds) for clip in (*RESOLUTIONS, *FACES)]
        lengths = [
            ClipTiming(f"1280x720, {length_s} s", _extend_clip(clips[2].path, length_s), length_s) for length_s in LENGTHS_S
        ]
        for _ in range(runs):
            for part in (*clips, *lengths):
                part.seconds.append(_annotate(part.path, folder / "results"))
    click.echo(f"{runs} runs, clips of {seconds} s, one core\n")
    click.echo(_table(clips))
    click.echo()
    click.echo(_table(lengths))
    share, start_s = np.polyfit(
        [part.duration_s for part in lengths],
        [part.median_s for part in lengths],
        1,
        w=[1 / part.median_s for part in lengths],  # minimizes relative errors
    )
    click.echo(f"\na video costs {start_s:.1f} s plus {share:.3f} s per second of video (1280x720, one face)\n")
    click.echo(_costs(clips, start_s, cores))


def _extend_clip(path: Path, length_s: int) -> Path:
    """Write a clip repeated and cut to ``length_s``; return its path."""
    longer = path.with_name(f"{length_s}_s{path.suffix}")
    run_ffmpeg("-stream_loop", "-1", "-i", path, "-t", str(length_s), "-c", "copy", file_url(longer), timeout_s=600)
    return longer


def _annotate(path: Path, results: Path) -> float:
    """Return the seconds that annotating takes on one core."""
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_CORE})
    try:
        start_s = time.perf_counter()
        command = [sys.executable, "-m", "annotate", "--quiet", "--jobs", "1", "-o", str(results), str(path)]
        subprocess.run(command, check=True)
        duration_s = time.perf_counter() - start_s
    finally:
        os.sched_setaffinity(0, affinity)
    shutil.rmtree(results)
    return duration_s


def _table(measured: Iterable[ClipTiming]) -> str:
    rows = [
        (
            part.name,
            f"{1 / part.share:.1f}x",
            f"{part.duration_s / max(part.seconds):.1f} to {part.duration_s / min(part.seconds):.1f}",
        )
        for part in measured
    ]
    return tabulate(rows, ("clip", "real time, one core", "runs"), tablefmt="github", disable_numparse=True)


def _costs(clips: Iterable[ClipTiming], start_s: float, cores: int) -> str:
    """Return a table of the cost of a million hours, of films (start time negligible) and of one-minute videos."""
    rows = []
    for part in clips:
        share = (part.median_s - start_s) / part.duration_s
        hours = [ARCHIVE_HOURS * each for each in (share, share + start_s / 60)]
        days = hours[0] / cores / _HOURS_PER_DAY
        rows.append((part.name, *(f"{number:,.0f}" for number in (*hours, days))))
    headers = (
        "a million hours of",
        "as films, core-hours",
        "in one-minute videos, core-hours",
        f"days on {cores} cores (films)",
    )
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    main()
