"""Measure how well persons are told apart: ``python -m tests.benchmarks.persons --posed FILE.npz``.

``--posed`` holds photographs of faces: ``jpeg`` (all files end to end), ``offset`` (where each begins) and ``subject``. The
threshold of clustering is chosen on half of the subjects, by the best B-cubed F, and figures are those of the other half.
Then the clusters of 10,000 made-up tracks are timed, and the cost of telling the persons of clips apart is compared with
that of annotating them. Only that is done without ``--posed``.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate.analysis.tools import Tools
from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import read_report
from annotate.batch.annotate import annotate_video
from annotate.batch.job import AnnotateJob, Status, WorkContext
from annotate.faces.crop import to_limited_range
from annotate.faces.portraits import cut_portrait
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame
from annotate.media.ffmpeg import find_ffmpeg
from annotate.persons.clusters import MIN_COSINE, cluster
from annotate.persons.descriptor import DIMENSIONS, Describer, Vectors, unit
from annotate.persons.tracks import describe_tracks
from annotate.settings import Settings
from annotate.span import Span
from tests.benchmarks.clips import CLIPS, make_clip

FALSE_ACCEPT_RATE = 1e-3
TRACK_SIZES = (1, 2, 3, 5)
MANY_TRACKS, TRACKS_PER_PERSON = 10_000, (20, 5_000)
_BORDER_PX = 60
"""The photographs are close crops; the detector needs some surroundings."""

RUNS = 2
"""Runs of which the one of least CPU time counts."""

THRESHOLDS = np.arange(0.80, 0.97, 0.005)


def describe_photographs(path: Path) -> tuple[Vectors, NDArray[np.int64], int]:
    """Return the vectors of the photographs in which a face is found, their subjects, and the number of photographs."""
    arrays, detector, describer = np.load(path), YuNetDetector(0.15), Describer()
    jpeg, offset = arrays["jpeg"], arrays["offset"]
    portraits, subjects = [], []
    for number, subject in enumerate(arrays["subject"].tolist()):
        gray = cv2.imdecode(jpeg[offset[number] : offset[number + 1]], cv2.IMREAD_GRAYSCALE)
        image = cv2.copyMakeBorder(gray, *[_BORDER_PX] * 4, cv2.BORDER_REPLICATE)
        luma = to_limited_range(image)
        if faces := detector.search(Frame(0, 0, Span(0, 40), luma)):
            box = max((face.box for face in faces), key=lambda box: box.width)
            portraits.append(cut_portrait(luma, box))
            subjects.append(subject)
    return describer(portraits), np.array(subjects), len(arrays["subject"])


def true_accept_rate(vectors: Vectors, subjects: NDArray[np.int64]) -> float:
    """Return the share of pairs of one subject that are closer than all but one in a thousand of two subjects."""
    first, second = np.triu_indices(len(vectors), 1)
    vectors = unit(vectors)
    cosines, is_same = (vectors @ vectors.T)[first, second], subjects[first] == subjects[second]
    return float((cosines[is_same] >= np.quantile(cosines[~is_same], 1 - FALSE_ACCEPT_RATE)).mean())


def b_cubed(clusters: NDArray[np.int64], subjects: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return B-cubed precision, recall and F (Bagga & Baldwin, 1998)."""
    in_cluster, of_subject = clusters[:, None] == clusters, subjects[:, None] == subjects
    both = (in_cluster & of_subject).sum(1)
    precision, recall = (both / in_cluster.sum(1)).mean(), (both / of_subject.sum(1)).mean()
    return float(precision), float(recall), float(2 * precision * recall / (precision + recall))


Tracks = tuple[Vectors, NDArray[np.int64], NDArray[np.int64]]
"""Mean vectors of crops, the subjects they are of, and the numbers of crops."""


def join_photographs(vectors: Vectors, subjects: NDArray[np.int64], size: int) -> Tracks:
    """Return tracks of ``size`` photographs of a subject each; those that are left over are left out."""
    joined, owners = [], []
    for subject in np.unique(subjects):
        own = vectors[subjects == subject]
        for start in range(0, len(own) - size + 1, size):
            joined.append(own[start : start + size].mean(0))
            owners.append(subject)
    return np.array(joined, np.float32), np.array(owners), np.full(len(owners), size)


def find_clusters(tracks: Tracks, min_cosine: float) -> NDArray[np.int64]:
    """Return the clusters of tracks."""
    return cluster(tracks[0], tracks[2], min_cosine=min_cosine)


def measure(posed: Path) -> list[tuple[str, str]]:
    """Return figures on photographs, with what they are."""
    vectors, subjects, count = describe_photographs(posed)
    people = np.unique(subjects)
    is_tuned = np.isin(subjects, people[::2])
    lines = [("photographs with a face found", f"{len(vectors)} of {count}")]
    singles = join_photographs(vectors[is_tuned], subjects[is_tuned], 1)
    scores = [b_cubed(find_clusters(singles, value), singles[1])[2] for value in THRESHOLDS]
    best = round(float(THRESHOLDS[int(np.argmax(scores))]), 3)
    lines.append(("threshold chosen on half of the subjects, its B-cubed F there", f"{best:.3f}, {max(scores):.3f}"))
    for size in TRACK_SIZES:
        tracks = join_photographs(vectors[~is_tuned], subjects[~is_tuned], size)
        what = f"{len(tracks[1])} tracks of {size}, other half"
        lines.append((f"{what}: true accept rate at {FALSE_ACCEPT_RATE}", f"{true_accept_rate(*tracks[:2]):.3f}"))
        for value in dict.fromkeys((best, MIN_COSINE)):
            found = find_clusters(tracks, value)
            figures = ", ".join(f"{figure:.3f}" for figure in b_cubed(found, tracks[1]))
            persons = f"{len(set(found.tolist()))} persons of {len(set(tracks[1].tolist()))}"
            lines.append((f"{what}: B-cubed precision, recall, F at {value:.3f}", f"{figures}; {persons}"))
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
    """Return the CPU seconds of annotating clips with and without telling persons apart, and of doing that afterwards."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        for clip in CLIPS[:3]:
            path = make_clip(clip, Path(name), seconds)
            plain_s, persons_s = (
                min(time_annotating(path, Settings(persons=persons)) for _ in range(RUNS)) for persons in (False, True)
            )
            report, describer, ffmpeg = read_report(path.with_suffix(".emotions.csv")), Describer(), find_ffmpeg()
            started = cpu_s()
            tracks = describe_tracks(path, report, describer, ffmpeg=ffmpeg)
            described_s = cpu_s() - started
            what = f"{clip.name}, {seconds} s, {len(tracks.face_ids)} face tracks: CPU time"
            lines.append((f"{what} of annotating", f"{plain_s:.2f} s"))
            lines.append((f"{what} of --persons", f"{persons_s - plain_s:.2f} s, {persons_s / plain_s - 1:.1%}"))
            figures = f"{described_s:.2f} s, {described_s / plain_s:.1%}, {int(tracks.crops.sum())} portraits"
            lines.append((f"{what} of annotate persons", figures))
    return lines


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
@click.option("--seconds", default=60, show_default=True, help="Length of the clips.")
def main(posed: Path | None, seconds: int) -> None:
    """Print the figures."""
    lines = measure(posed) if posed is not None else []
    for count in TRACKS_PER_PERSON:
        lines.append((f"seconds to cluster {MANY_TRACKS} tracks, {count} of each person", f"{time_clusters(count):.1f}"))
    lines += measure_cost(seconds)
    print(tabulate(lines, headers=("measurement", "result"), tablefmt="github"))


if __name__ == "__main__":
    main()
