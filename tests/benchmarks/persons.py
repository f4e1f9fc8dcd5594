"""Measure how well persons are told apart: ``python -m tests.benchmarks.persons --posed FILE.npz``.

``--posed`` holds photographs of faces: ``jpeg`` (all files end to end), ``offset`` (where each begins) and ``subject``.
Figures are those of the half of the subjects that nothing is chosen by; the installed descriptor was trained on all of them,
so ``--ending`` names one that was not (`annotate.training.recipe.ending` without ``--all``). Then the clusters of
10,000 made-up tracks are timed, and the cost of telling the persons of clips apart is compared with that of annotating
them. Only that is done without ``--posed``.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate.analysis.tools import Tools
from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import read_report
from annotate.batch import annotate
from annotate.batch.annotate import annotate_video
from annotate.batch.job import AnnotateJob, Status, WorkContext
from annotate.faces import blocks
from annotate.media.ffmpeg import find_ffmpeg
from annotate.persons.clusters import cluster
from annotate.persons.descriptor import DIMENSIONS, Describer, Vectors, unit
from annotate.persons.tracks import describe_tracks
from annotate.settings import Settings
from annotate.training.recipe.known_faces import find_portraits
from annotate.training.recipe.verification import FALSE_ACCEPT_RATE, b_cubed, training_half, true_accept_rate
from tests.benchmarks.clips import CLIPS, make_clip

TRACK_SIZES = (1, 2, 3, 5)
MANY_TRACKS, TRACKS_PER_PERSON = 10_000, (20, 5_000)
RUNS = 3
"""Runs of which the one of least CPU time counts."""


def describe_photographs(path: Path, describer: Describer) -> tuple[Vectors, NDArray[np.str_]]:
    """Return the vectors of the photographs in which a face is found, and their subjects."""
    portraits, subjects = zip(*find_portraits(path), strict=True)
    return describer(portraits), np.array(subjects)


Tracks = tuple[Vectors, NDArray[np.str_], NDArray[np.int64]]
"""Mean vectors of crops, the subjects they are of, and the numbers of crops."""


def join_photographs(vectors: Vectors, subjects: NDArray[np.str_], size: int) -> Tracks:
    """Return tracks of ``size`` photographs of a subject each; those that are left over are left out."""
    joined, owners = [], []
    for subject in np.unique(subjects):
        own = vectors[subjects == subject]
        for start in range(0, len(own) - size + 1, size):
            joined.append(own[start : start + size].mean(0))
            owners.append(subject)
    return np.array(joined, np.float32), np.array(owners), np.full(len(owners), size)


def measure(posed: Path, ending: Path | None = None) -> list[tuple[str, str]]:
    """Return figures on photographs, with what they are."""
    vectors, subjects = describe_photographs(posed, Describer(None if ending is None else ending.read_bytes()))
    is_measured = ~np.isin(subjects, training_half(subjects))
    lines = [("photographs with a face found", str(len(vectors)))]
    for size in TRACK_SIZES:
        tracks = join_photographs(vectors[is_measured], subjects[is_measured], size)
        what = f"{len(tracks[1])} tracks of {size}, other half"
        lines.append((f"{what}: true accept rate at {FALSE_ACCEPT_RATE}", f"{true_accept_rate(*tracks[:2]):.3f}"))
        found = cluster(tracks[0], tracks[2])
        figures = ", ".join(f"{figure:.3f}" for figure in b_cubed(found, tracks[1]))
        persons = f"{len(set(found.tolist()))} persons of {len(set(tracks[1].tolist()))}"
        lines.append((f"{what}: B-cubed precision, recall, F", f"{figures}; {persons}"))
    return lines


def time_clusters(tracks_per_person: int) -> float:
    """Return the seconds to cluster many made-up tracks, some of them on screen together."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(MANY_TRACKS // tracks_per_person, DIMENSIONS))
    tracks = np.repeat(centers, tracks_per_person, axis=0) + random.normal(size=(MANY_TRACKS, DIMENSIONS)) * 0.3
    apart = zip(*(random.integers(0, MANY_TRACKS, MANY_TRACKS).tolist() for _ in range(2)), strict=True)
    vectors = unit(tracks)
    started = time.perf_counter()
    cluster(vectors, apart=[(first, second) for first, second in apart if first != second])
    return time.perf_counter() - started


def measure_cost(seconds: int) -> list[tuple[str, str]]:
    """Return the CPU seconds of annotating clips, of telling persons apart meanwhile, and of doing that afterwards."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        for clip in CLIPS[:3]:
            path, describer = make_clip(clip, Path(name), seconds), Describer()
            runs = [
                (time_annotating(path, Settings()), time_persons(path), time_tracks(path, describer)) for _ in range(RUNS)
            ]
            plain_s, persons_s, tracks_s = map(min, zip(*runs, strict=True))
            what = f"{clip.name}, {seconds} s: CPU time"
            lines.append((f"{what} of annotating", f"{plain_s:.2f} s"))
            for command, spent_s in (("--persons", persons_s), ("annotate persons", tracks_s)):
                lines.append((f"{what} of {command}", f"{spent_s:.2f} s, {spent_s / plain_s:.1%}"))
    return lines


def time_persons(path: Path) -> float:
    """Return the CPU seconds that telling persons apart adds to annotating a clip.

    They are taken within one run, by portraits, descriptors and clusters: two runs differ by more.
    """
    spent_s = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal spent_s
            started = time.thread_time()
            result = function(*arguments)
            spent_s += time.thread_time() - started
            return result

        return call

    with contextlib.ExitStack() as stack:
        for owner, name in ((blocks, "cut_portrait"), (Describer, "__call__"), (annotate, "number_persons")):
            stack.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name))))
        time_annotating(path, Settings(persons=True))
    return spent_s


def time_tracks(path: Path, describer: Describer) -> float:
    """Return the CPU seconds of describing the face tracks of an annotated clip."""
    report, ffmpeg = read_report(path.with_suffix(".emotions.csv")), find_ffmpeg()
    started = cpu_s()
    describe_tracks(path, report, describer, ffmpeg=ffmpeg)
    return cpu_s() - started


def time_annotating(path: Path, settings: Settings) -> float:
    """Return the CPU seconds of annotating a clip anew, without finding ffmpeg and loading networks, which is done once."""
    tools = Tools()
    assert tools.ffmpeg
    tools.classifier()
    if settings.persons:
        tools.keep(Describer)
    (item,) = [item for item in scan([path]) if isinstance(item, ArchiveItem)]
    job = AnnotateJob(item, settings, OutputOptions(), model_hash="another, so that it is annotated anew")
    started = cpu_s()
    outcome = annotate_video(job, WorkContext(tools))
    assert outcome.status == Status.ANNOTATED
    return cpu_s() - started


def cpu_s() -> float:
    """Return the CPU seconds of this process and its children so far."""
    return sum(os.times()[:4])


@click.command(help=__doc__)
@click.option("--posed", type=click.Path(exists=True, path_type=Path), help="Photographs with subjects.")
@click.option("--ending", type=click.Path(exists=True, path_type=Path), help="Another ending of the descriptor.")
@click.option("--seconds", default=60, show_default=True, help="Length of the clips.")
def main(posed: Path | None, ending: Path | None, seconds: int) -> None:
    """Print the figures."""
    lines = measure(posed, ending) if posed is not None else []
    for count in TRACKS_PER_PERSON:
        lines.append((f"seconds to cluster {MANY_TRACKS} tracks, {count} of each person", f"{time_clusters(count):.1f}"))
    lines += measure_cost(seconds)
    print(tabulate(lines, headers=("measurement", "result"), tablefmt="github"))


if __name__ == "__main__":
    main()
