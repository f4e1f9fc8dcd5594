"""How much of pure decoding speed the whole job keeps: ``python -m tests.benchmarks.throughput``.

Every measurement is taken in turn within each run, so that a noisy machine hits all alike; medians, least and most are
printed. Clips are made from the sample videos (see clips.py).
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
from tests.benchmarks.clips import CLIPS, RATE, Clip, make_clip
from tests.benchmarks.peers import PEERS, measure_peer
from tests.reliability.processes import resident_bytes, running

CORES = len(os.sched_getaffinity(0))
_SAMPLE_INTERVAL_S = 0.25
_TIMEOUT_S = 7200.0


@dataclass
class Measured:
    """Seconds of each run of each measurement, and what else was seen."""

    clip: Clip
    duration_s: float
    videos: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: int = 0
    worker_bytes: int = 0
    stages: list[dict[str, float]] = field(default_factory=list)
    peers: dict[str, float] = field(default_factory=dict)

    def take(self, what: str, measurement: Callable[[], None]) -> None:
        """Times one measurement."""
        begun_s = time.perf_counter()
        measurement()
        self.seconds.setdefault(what, []).append(time.perf_counter() - begun_s)

    def median(self, what: str) -> float:
        """Of the runs."""
        return statistics.median(self.seconds[what])

    def ratios(self, what: str, to: str) -> list[float]:
        """Of two measurements, run by run."""
        return [first / second for first, second in zip(self.seconds[what], self.seconds[to], strict=True)]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", metavar="N", default=5, show_default=True, help="Runs.")
@click.option("--seconds", metavar="N", default=60, show_default=True, help="Length of the clips.")
@click.option("--videos", metavar="N", default=8, show_default=True, help="Videos of an archive.")
@click.option("--only", metavar="TEXT", default="", help="Only clips whose name has it.")
@click.option(
    "--peer", "peers", type=click.Choice(sorted(PEERS)), multiple=True, help="Compare with it, if it is installed."
)
@click.option(
    "--json", "json_path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Keep all figures."
)
def main(runs: int, seconds: int, videos: int, only: str, peers: tuple[str, ...], json_path: Path | None) -> None:
    """Measure and print tables."""
    measured = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip in CLIPS:
            if only in clip.name:
                place = folder / str(len(measured))
                place.mkdir()
                measured.append(_measure(clip, place, runs, seconds, videos, peers))
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


def _measure(clip: Clip, folder: Path, runs: int, duration_s: int, videos: int, peers: Sequence[str]) -> Measured:
    archive = folder / "archive"
    archive.mkdir()
    path = make_clip(clip, archive, duration_s)
    paths = [path, *(archive / f"{number}{path.suffix}" for number in range(1, videos))]
    for other in paths[1:]:
        os.link(path, other)
    measured = Measured(clip, duration_s, videos)
    for _ in range(runs):
        measured.take("decode archive", lambda: _decode(paths, 1, at_once=CORES))
        measured.take("annotate archive", lambda: _annotate(["--jobs", str(CORES), archive], folder, measured))
        measured.take("decode one", lambda: _decode([path], CORES))
        measured.take("annotate one", lambda: _annotate([path], folder, measured))
        measured.take("annotate one, one core", lambda: _annotate(["--jobs", "1", path], folder, measured, cores={0}))
        measured.take("annotate archive, one core", lambda: _annotate(["--jobs", "1", archive], folder, measured, cores={0}))
        measured.stages.append(_stages_of(path))
    measured.peers = {peer: measure_peer(peer, path) for peer in peers}
    return measured


def _decode(paths: Sequence[Path], threads: int, at_once: int = 1) -> None:
    def decode(path: Path) -> None:
        command = [find_ffmpeg().path, "-nostdin", "-v", "error", "-threads", str(threads), "-i", str(path)]
        subprocess.run([*command, "-map", "0:v:0", "-f", "null", "-"], check=True, stdin=subprocess.DEVNULL)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(decode, paths))


def _annotate(arguments: Sequence[str | Path], folder: Path, measured: Measured, cores: set[int] | None = None) -> None:
    """Runs the program, with outputs elsewhere, and takes down the most memory it needed."""
    results = folder / "results"
    usual = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    try:
        with running(["--quiet", "-o", results, *arguments], folder) as run:
            os.sched_setaffinity(0, usual)
            over = threading.Event()

            def watch() -> None:
                while not over.wait(_SAMPLE_INTERVAL_S):
                    measured.peak_bytes = max(measured.peak_bytes, sum(map(resident_bytes, run.family())))
                    measured.worker_bytes = max(measured.worker_bytes, *map(resident_bytes, run.workers()), 0)

            thread = threading.Thread(target=watch, daemon=True)
            thread.start()
            status = run.wait(_TIMEOUT_S)
            over.set()
            thread.join()
            if status != 0:
                raise click.ClickException(f"the run ended with {status}: {run.errors}")
    finally:
        os.sched_setaffinity(0, usual)
    shutil.rmtree(results)


def _stages_of(path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.stages", str(path), str(time.time())]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


def _speeds(measured: Sequence[Measured]) -> str:
    rows = []
    for part in measured:
        whole_s = part.duration_s * part.videos
        rows.append(
            (
                part.clip.name,
                _spread([whole_s / took_s for took_s in part.seconds["annotate archive"]], "x", 1),
                _spread(part.ratios("decode archive", "annotate archive"), "", 2),
                _spread([part.duration_s / took_s for took_s in part.seconds["annotate one"]], "x", 1),
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


def _stages(measured: Sequence[Measured]) -> str:
    names = [name for name in measured[0].stages[0] if name != "first frame"]
    rows = []
    for part in measured:
        medians = {name: statistics.median(figures[name] for figures in part.stages) for name in part.stages[0]}
        first_s = medians.pop("first frame")
        rows.append((part.clip.name, *(f"{1000 * medians[name] / RATE:.2f}" for name in names), f"{first_s:.2f} s"))
    headers = ("processor ms a frame", *names, "to the first frame")
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _peers(measured: Sequence[Measured]) -> str:
    rows = []
    for part in measured:
        ours = part.duration_s * RATE / part.median("annotate one")
        shown = (f"{rate:.1f} ({ours / rate:.0f} times)" for rate in part.peers.values())
        rows.append((part.clip.name, f"{ours:.0f}", *shown))
    headers = ("frames a second, one video", "annotate", *measured[0].peers)
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _spread(values: Sequence[float], unit: str, decimals: int) -> str:
    low, middle, high = (f"{value:.{decimals}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle}{unit} ({low} to {high})"


if __name__ == "__main__":
    main()
