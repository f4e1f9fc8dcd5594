"""Measure the overhead of an archive run: ``python -m tests.benchmarks.archive``.

Print the time of ``--help`` and of skipping finished videos (medians of five), the memory of a worker and its decoder
over an hour of 1080p, and the descriptors and processes over many videos.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from tabulate import tabulate

from annotate.results.meta import hash_content, read_meta
from tests.clips import H264, SAMPLES, file_url, make_face_image, make_from_images, run_ffmpeg
from tests.reliability.processes import Sample, running, sampling
from tests.runs import annotate

REPEATS = 5
LONG_S, LONG_RATE = 3600, 5
_MAX_LINKS = 10_000
"""Number of names of one file: file systems allow some ten thousand."""

_MEGABYTE = 1e6
_TIMEOUT_S = 7200.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--finished", metavar="N", default=10_000, show_default=True, help="Number of finished videos to skip.")
@click.option("--short", metavar="N", default=500, show_default=True, help="Number of short videos to annotate.")
@click.option(
    "--minutes", metavar="N", default=LONG_S // 60, show_default=True, help="Length of the 1080p video in minutes."
)
def main(finished: int, short: int, minutes: int) -> None:
    """Run the measurements and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [measure_help(), measure_skipping(folder, finished)]
        rows += measure_memory(folder, minutes * 60)
        rows += measure_leaks(folder, short)
    print(tabulate(rows, ("measurement", "result", "required"), tablefmt="github", disable_numparse=True))


def measure_help() -> tuple[str, str, str]:
    """Return a row with the time of ``annotate --help``."""
    return "`annotate --help`", _timed("--help"), "0.3 s"


def measure_skipping(folder: Path, count: int) -> tuple[str, str, str]:
    """Return a row with the time to skip ``count`` finished videos in a hundred folders."""
    archive = folder / "finished"
    archive.mkdir()
    video = shutil.copy(SAMPLES / "no_face.mp4", archive / "0.mp4")
    list(annotate([video]))
    meta_path, report = archive / "0.emotions.meta.json", (archive / "0.emotions.csv").read_bytes()
    meta = read_meta(meta_path)
    assert meta is not None
    for number in range(1, count):
        parent = archive / f"{number % 100:02d}"
        parent.mkdir(exist_ok=True)
        if number % _MAX_LINKS == 0:
            video = shutil.copy2(video, archive / f"{number}.copy")
        os.link(video, parent / f"{number}.mp4")
        (parent / f"{number}.emotions.csv").write_bytes(report)
        outputs = {f"{number}.emotions.csv": hash_content(report), f"{number}.emotions.en.srt": None}
        copied = replace(meta, source=replace(meta.source, name=f"{number}.mp4"), outputs=outputs)
        (parent / f"{number}.emotions.meta.json").write_text(copied.to_json())
    return (
        f"{count} finished videos skipped",
        _timed(archive, expected=f"{count} videos: {count} up to date."),
        "10 s (goal 3 s)",
    )


def measure_memory(folder: Path, length_s: int) -> list[tuple[str, str, str]]:
    """Return rows with the resident memory of a worker and its decoder on 1080p, in the second and last quarter."""
    loop, video = folder / "loop.mp4", folder / "long.mp4"
    scaled = f"scale=1920:1080:force_original_aspect_ratio=increase,crop=1920:1080,fps={LONG_RATE}"
    run_ffmpeg("-i", SAMPLES / "portrait.mp4", "-vf", scaled, "-an", *H264, file_url(loop))
    run_ffmpeg("-stream_loop", "-1", "-i", loop, "-c", "copy", "-t", str(length_s), file_url(video))
    _, samples = _run(["--jobs", "1", video], folder)
    quarter = max(1, len(samples) // 4)
    rows = []
    for process, required, values in (
        ("a worker", "250 MB, flat", [sample.worker_bytes for sample in samples]),
        ("its decoder", "flat", [sample.decoder_bytes for sample in samples]),
    ):
        second, last = max(values[quarter : 2 * quarter], default=0), max(values[-quarter:], default=0)
        second_mb, last_mb = second / _MEGABYTE, last / _MEGABYTE
        result = f"{max(values) / _MEGABYTE:.0f} MB; {second_mb:.0f} in the second, {last_mb:.0f} in the last quarter"
        rows.append((f"peak memory of {process}, 1080p, {length_s / 60:g} min", result, required))
    return rows


def measure_leaks(folder: Path, count: int) -> list[tuple[str, str, str]]:
    """Return rows with descriptors and processes while annotating ``count`` videos, in the second and last quarter."""
    archive = folder / "short"
    archive.mkdir()
    face = make_face_image(folder / "face.png", filters="crop=ih:ih")
    clip = make_from_images(folder / "short.mp4", [(face, 0.32)], size=(180, 180))
    for number in range(count):
        os.link(clip, archive / f"{number}.mp4")
    elapsed_s, samples = _run(["--jobs", "2", archive], folder)
    quarter = max(1, len(samples) // 4)
    rows = [(f"{count} short videos", f"{elapsed_s:.0f} s", "")]
    for resource, values in (
        ("descriptors of the main process", [sample.main_descriptors for sample in samples]),
        ("descriptors of a worker", [sample.worker_descriptors for sample in samples]),
        ("processes", [sample.processes for sample in samples]),
    ):
        second, last = max(values[quarter : 2 * quarter], default=0), max(values[-quarter:], default=0)
        rows.append((f"{resource}, second and last quarter", f"{second} and {last}", "equal"))
    return rows


def _timed(*arguments: str | Path, expected: str = "") -> str:
    """Return median, minimum and maximum seconds of a command, including process start."""
    times_s = []
    for _ in range(REPEATS):
        start_s = time.perf_counter()
        result = subprocess.run(
            [sys.executable, "-m", "annotate", *map(str, arguments)], capture_output=True, text=True, check=True
        )
        times_s.append(time.perf_counter() - start_s)
        if expected not in result.stdout:
            raise click.ClickException(f"unexpected output: {result.stdout}{result.stderr}")
    return f"{statistics.median(times_s):.2f} s ({min(times_s):.2f} to {max(times_s):.2f})"


def _run(arguments: Sequence[str | Path], folder: Path) -> tuple[float, Sequence[Sample]]:
    """Run annotate; return the seconds it took, and samples of its resources."""
    start_s = time.monotonic()
    with running(arguments, folder) as run, sampling(run) as samples:
        status = run.wait(_TIMEOUT_S)
        if status != 0:
            raise click.ClickException(f"the run ended with {status}: {run.errors}")
    return time.monotonic() - start_s, samples


if __name__ == "__main__":
    main()
