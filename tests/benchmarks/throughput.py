"""Measure throughput relative to pure decoding: ``python -m tests.benchmarks.throughput``.

Measurements alternate within each run, so that noise affects all equally; medians, minima and maxima are printed. Clips
are made from the sample videos (see clips.py).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import click
from tabulate import tabulate

from annotate.media.ffmpeg import find_ffmpeg
from annotate.settings import YUNET
from tests.benchmarks.clips import CLIPS, RATE, Clip, make_clip
from tests.benchmarks.peers import PEERS, measure_peer
from tests.reliability.processes import resident_bytes, running

CORES = len(os.sched_getaffinity(0))
_SAMPLE_INTERVAL_S = 0.25
_TIMEOUT_S = 7200.0


@dataclass
class ClipMeasurements:
    """Measurements of one clip: seconds per run, memory, stages and peers."""

    clip: Clip
    duration_s: float
    videos: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: int = 0
    worker_bytes: int = 0
    stages: list[dict[str, float]] = field(default_factory=list)
    peers: dict[str, float] = field(default_factory=dict)

    def take(self, name: str, measurement: Callable[[], None]) -> None:
        """Time one measurement."""
        start_s = time.perf_counter()
        measurement()
        self.seconds.setdefault(name, []).append(time.perf_counter() - start_s)

    def median(self, name: str) -> float:
        """Return the median seconds of a measurement."""
        return statistics.median(self.seconds[name])

    def ratios(self, name: str, other: str) -> list[float]:
        """Return the ratio of two measurements, run by run."""
        return [first / second for first, second in zip(self.seconds[name], self.seconds[other], strict=True)]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", metavar="N", default=5, show_default=True, help="Number of runs.")
@click.option("--seconds", metavar="N", default=60, show_default=True, help="Length of the clips in seconds.")
@click.option("--videos", metavar="N", default=8, show_default=True, help="Videos per archive.")
@click.option("--only", metavar="TEXT", default="", help="Only clips whose name contains TEXT.")
@click.option(
    "--peer", "peers", type=click.Choice(sorted(PEERS)), multiple=True, help="Also measure this program, if installed."
)
@click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all results to this file.",
)
def main(runs: int, seconds: int, videos: int, only: str, peers: tuple[str, ...], json_path: Path | None) -> None:
    """Run the measurements and print tables."""
    measured = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip in CLIPS:
            if only in clip.name:
                clip_folder = folder / str(len(measured))
                clip_folder.mkdir()
                measured.append(_measure(clip, clip_folder, runs, seconds, videos, peers))
                click.echo(_speeds([measured[-1]]), err=True)
    click.echo(f"{platform.machine()}, {CORES} cores, ffmpeg {find_ffmpeg().version}, {runs} runs of {seconds} s clips\n")
    click.echo(_speeds(measured))
    click.echo()
    click.echo(_stages(measured))
    if peers:
        click.echo()
        click.echo(_peers(measured))
    if json_path is not None:
        json_path.write_text(json.dumps([vars(part) | {"clip": vars(part.clip)} for part in measured], indent=1) + "\n")


def _measure(clip: Clip, folder: Path, runs: int, duration_s: int, videos: int, peers: Sequence[str]) -> ClipMeasurements:
    archive = folder / "archive"
    archive.mkdir()
    path = make_clip(clip, archive, duration_s)
    paths = [path, *(archive / f"{number}{path.suffix}" for number in range(1, videos))]
    for other in paths[1:]:
        os.link(path, other)
    measured = ClipMeasurements(clip, duration_s, videos)
    for _ in range(runs):
        measured.take("decode archive", lambda: decode_videos(paths, 1, at_once=CORES))
        measured.take("annotate archive", lambda: _annotate(["--jobs", str(CORES), archive], folder, measured))
        measured.take("decode one", lambda: decode_videos([path], CORES))
        measured.take("annotate one", lambda: _annotate([path], folder, measured))
        measured.take("annotate one, one core", lambda: _annotate(["--jobs", "1", path], folder, measured, cores={0}))
        measured.take("annotate archive, one core", lambda: _annotate(["--jobs", "1", archive], folder, measured, cores={0}))
        measured.stages.append(measure_stages(path))
    measured.peers = {peer: measure_peer(peer, path) for peer in peers}
    return measured


def decode_videos(paths: Sequence[Path], threads: int, at_once: int = 1) -> None:
    """Decode videos with ffmpeg alone, each with a number of threads."""

    def decode(path: Path) -> None:
        command = [find_ffmpeg().path, "-nostdin", "-v", "error", "-threads", str(threads), "-i", str(path)]
        subprocess.run([*command, "-map", "0:v:0", "-f", "null", "-"], check=True, stdin=subprocess.DEVNULL)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(decode, paths))


def _annotate(
    arguments: Sequence[str | Path], folder: Path, measured: ClipMeasurements, cores: set[int] | None = None
) -> None:
    """Annotate, and record the peak memory; delete the outputs."""
    results = folder / "results"
    affinity = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    try:
        with running(["--quiet", "-o", results, *arguments], folder) as run:
            os.sched_setaffinity(0, affinity)
            ended = threading.Event()

            def watch() -> None:
                while not ended.wait(_SAMPLE_INTERVAL_S):
                    measured.peak_bytes = max(measured.peak_bytes, sum(map(resident_bytes, run.process_ids())))
                    measured.worker_bytes = max(measured.worker_bytes, *map(resident_bytes, run.workers()), 0)

            thread = threading.Thread(target=watch, daemon=True)
            thread.start()
            status = run.wait(_TIMEOUT_S)
            ended.set()
            thread.join()
            if status != 0:
                raise click.ClickException(f"the run ended with {status}: {run.errors}")
    finally:
        os.sched_setaffinity(0, affinity)
    shutil.rmtree(results)


def measure_stages(path: Path, detector: str = YUNET) -> dict[str, float]:
    """Return seconds per second of a video by stage, measured in a process of its own (see stages.py)."""
    command = [sys.executable, "-m", "tests.benchmarks.stages", str(path), str(time.time()), detector]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds: dict[str, float] = json.loads(result.stdout)
    return seconds


def _speeds(measured: Sequence[ClipMeasurements]) -> str:
    rows = []
    for part in measured:
        whole_s = part.duration_s * part.videos
        rows.append(
            (
                part.clip.name,
                _spread([whole_s / elapsed_s for elapsed_s in part.seconds["annotate archive"]], "x", 1),
                _spread(part.ratios("decode archive", "annotate archive"), "", 2),
                _spread([part.duration_s / elapsed_s for elapsed_s in part.seconds["annotate one"]], "x", 1),
                _spread(part.ratios("decode one", "annotate one"), "", 2),
                _spread(part.ratios("annotate one, one core", "annotate one"), "", 2),
                _spread(part.ratios("annotate archive, one core", "annotate archive"), "", 2),
                f"{part.worker_bytes / 1e6:.0f} MB",
                f"{part.peak_bytes / 1e6:.0f} MB",
            )
        )
    headers = (
        "clip",
        "archive: real time",
        "of decoding",
        "one video: real time",
        "of decoding",
        "over one core",
        "archive over one core",
        "worker",
        "all processes",
    )
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _stages(measured: Sequence[ClipMeasurements]) -> str:
    names = list(dict.fromkeys(name for part in measured for name in part.stages[0] if name != "first frame"))
    rows = []
    for part in measured:
        medians = {name: statistics.median(figures[name] for figures in part.stages) for name in part.stages[0]}
        first_s = medians.pop("first frame")
        rows.append((part.clip.name, *(f"{1000 * medians.get(name, 0.0) / RATE:.2f}" for name in names), f"{first_s:.2f} s"))
    headers = ("CPU ms per frame", *names, "to the first frame")
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _peers(measured: Sequence[ClipMeasurements]) -> str:
    rows = []
    for part in measured:
        ours = part.duration_s * RATE / part.median("annotate one")
        shown = (f"{rate:.1f} ({ours / rate:.0f} times)" for rate in part.peers.values())
        rows.append((part.clip.name, f"{ours:.0f}", *shown))
    headers = ("frames per second, one video", "annotate", *measured[0].peers)
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _spread(values: Sequence[float], unit: str, decimals: int) -> str:
    low, middle, high = (f"{value:.{decimals}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle}{unit} ({low} to {high})"


if __name__ == "__main__":
    main()
