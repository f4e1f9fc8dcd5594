"""Measure summaries of a large archive: ``python -m tests.benchmarks.summaries``.

Create tables with sidecars in a temporary folder, run ``annotate summarize``, ``find`` and ``export`` on them as separate
processes, and print wall-clock time, CPU time (more reliable on a busy machine) and peak memory of all processes
together.
"""

from __future__ import annotations

import os
import random
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from tabulate import tabulate

from annotate.analysis.annotation import Annotation
from annotate.emotions.labels import EMOTIONS
from annotate.faces.box import Box
from annotate.results.meta import Meta, Source, hash_content
from annotate.results.table import format_table, to_table
from annotate.span import MS_PER_S, Span
from annotate.version import ANALYSIS_VERSION
from tests.reliability.processes import Run, resident_bytes, running

BLOCK_MS = 800
RATE = 25
_CONTENTS = 100
_FOLDERS = 100
_BLOCKS_PER_FACE = 12
_SAMPLE_INTERVAL_S = 0.1
_TIMEOUT_S = 600.0
_ARCHIVE_FORMATS = (".parquet", ".csv", ".sqlite", ".duckdb")
_FORMATS = (".csv", ".json", ".xlsx", ".parquet")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--reports", metavar="N", default=10_000, show_default=True, help="Number of tables.")
@click.option("--rows", metavar="N", default=100, show_default=True, help="Rows per table.")
def main(reports: int, rows: int) -> None:
    """Run the measurements and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = folder / "archive"
        make_reports(archive, reports, rows)
        runs: list[Sequence[str | Path]] = [("summarize", archive)]
        runs += [("summarize", archive, "--by", by) for by in ("folder", "face", "minute")]
        runs += [("summarize", archive, "-o", folder / f"summary{ending}") for ending in _FORMATS]
        runs.append(("find", archive, "--emotion", "fear", "--min-seconds", "2", "-o", folder / "moments.edl"))
        runs += [("export", archive, "-o", folder / f"archive{ending}") for ending in _ARCHIVE_FORMATS]
        measured = [measure(arguments, folder) for arguments in runs]
    print(f"{reports} tables with {reports * rows} rows, {len(os.sched_getaffinity(0))} cores\n")
    headers = ("command", "time", "CPU time", "peak memory")
    print(tabulate(measured, headers, tablefmt="github", disable_numparse=True))


def make_reports(archive: Path, count: int, rows: int) -> None:
    """Write ``count`` tables with sidecars, with up to a hundred different contents, into a hundred folders."""
    texts = [_make_text(random.Random(seed), rows) for seed in range(min(count, _CONTENTS))]
    duration_s = 2 * rows * BLOCK_MS / MS_PER_S
    meta = Meta(ANALYSIS_VERSION, "annotate", "", {}, Source("", 1, 1, ""), 0, duration_s, 0.0, 0, 0, {}, "", {})
    for number in range(count):
        parent = archive / f"{number % _FOLDERS:02d}"
        parent.mkdir(parents=True, exist_ok=True)
        text = texts[number % len(texts)]
        report = parent / f"{number}.emotions.csv"
        report.write_bytes(text)
        source = replace(meta.source, name=f"{number}.mp4")
        sidecar = replace(meta, source=source, frames=round(duration_s * RATE), outputs={report.name: hash_content(text)})
        (parent / f"{number}.emotions.meta.json").write_text(sidecar.to_json())


def measure(arguments: Sequence[str | Path], folder: Path) -> tuple[str, str, str, str]:
    """Run a command; return a row with the command, its time, CPU time and peak memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start_s = time.perf_counter()
    peaks: list[int] = [0]
    with running(arguments, folder) as run:
        watcher = threading.Thread(target=_watch, args=(run, peaks), daemon=True)
        watcher.start()
        status = run.wait(_TIMEOUT_S)
        duration_s = time.perf_counter() - start_s
        watcher.join()
        if status != 0:
            raise click.ClickException(f"the run ended with {status}: {run.errors}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    shown = " ".join(str(part).replace(f"{folder}{os.sep}", "") for part in arguments)
    return (
        f"`{shown}`",
        f"{duration_s:.1f} s",
        f"{user_s:.1f} s, {system_s:.1f} s in the system",
        f"{max(peaks) / 1e6:.0f} MB",
    )


def _watch(run: Run, peaks: list[int]) -> None:
    while not run.is_over:
        peaks.append(sum(map(resident_bytes, run.process_ids())))
        time.sleep(_SAMPLE_INTERVAL_S)


def _make_text(rng: random.Random, rows: int) -> bytes:
    annotations = []
    for row in range(rows):
        face, block = divmod(row, _BLOCKS_PER_FACE)
        start_ms = (face * _BLOCKS_PER_FACE + block) * BLOCK_MS
        weights = [rng.random() ** 2 for _ in EMOTIONS]
        probabilities = tuple(weight / sum(weights) for weight in weights)
        box = Box(100 + rng.random(), 100, 120, 120)
        span = Span(start_ms, start_ms + BLOCK_MS)
        frames = (row * 20, row * 20 + 19)
        annotations.append(Annotation(face + 1, block, *frames, span, box, 1.0, 20, 4, 0, EMOTIONS, probabilities))
    return format_table(to_table(annotations, EMOTIONS)).encode()


if __name__ == "__main__":
    main()
