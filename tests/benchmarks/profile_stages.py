"""Profile the analysis of videos on one core by stage: ``python -m tests.benchmarks.profile_stages VIDEO...``.

Without videos, clips of 20 s are made (see clips.py). The table has processor milliseconds per frame, the least of several
runs, which other work on the machine changes little: pure decoding, decoding as in an analysis (with scaling and the pipe),
and the stages of stages.py. The share of pure decoding is its time over that of everything.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click
from tabulate import tabulate

from annotate.analysis.pipeline import Analysis
from annotate.settings import ONE_CORE
from tests.benchmarks.clips import CLIPS, make_clip
from tests.benchmarks.processor import processor_s
from tests.benchmarks.throughput import decode_videos, measure_stages

SECONDS = 20
_NO_STAGES = ("waiting", "first frame")
_MS = 1000


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("videos", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--runs", metavar="N", default=3, show_default=True, help="Number of runs.")
@click.option("--only", metavar="TEXT", default="", help="Only clips whose name contains TEXT.")
def main(videos: Sequence[Path], runs: int, only: str) -> None:
    """Print a table of stages."""
    with tempfile.TemporaryDirectory() as name:
        named = {video.name: video for video in videos}
        if not videos:
            named = {clip.name: make_clip(clip, Path(name), SECONDS) for clip in CLIPS if only in clip.name}
        rows = {name: profile(path, runs) for name, path in named.items()}
    stages = list(dict.fromkeys(stage for row in rows.values() for stage in row))
    table = [
        (name, *(f"{row.get(stage, 0.0):.2f}" for stage in stages), f"{row['pure decoding'] / _whole(row):.2f}")
        for name, row in rows.items()
    ]
    click.echo(tabulate(table, ("CPU ms per frame", *stages, "share"), tablefmt="github", disable_numparse=True))


def profile(path: Path, runs: int) -> dict[str, float]:
    """Return processor milliseconds per frame by stage, the least of the runs."""
    analysis = Analysis.open(path, limits=ONE_CORE)
    for _ in analysis:
        pass
    ms_per_s = _MS * analysis.decoding.end_s / analysis.decoding.frames
    least: dict[str, float] = defaultdict(lambda: float("inf"))
    for _ in range(runs):
        decode_s = processor_s(lambda: decode_videos([path], 1)) / analysis.decoding.end_s
        for stage, seconds in {"pure decoding": decode_s, **measure_stages(path)}.items():
            least[stage] = min(least[stage], seconds * ms_per_s)
    return {stage: ms for stage, ms in least.items() if stage not in _NO_STAGES}


def _whole(row: dict[str, float]) -> float:
    """Return the time of an analysis: all stages but pure decoding."""
    return sum(ms for stage, ms in row.items() if stage != "pure decoding")


if __name__ == "__main__":
    main()
