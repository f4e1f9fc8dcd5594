"""Compare the values of --decode: ``python -m tests.benchmarks.decode_modes VIDEO...``.

Each video is analyzed by one thread and its decoder by another, mode by mode. Agreement with all frames is the share of the
face time that both have in which the emotion is the same; "covered" is how much of the face time of all frames that is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from tabulate import tabulate

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.analysis.tools import Tools
from annotate.faces.box import pairwise_iou
from annotate.settings import ALL_FRAMES, DECODE_MODES, ONE_CORE, Settings

MIN_IOU = 0.3
"""Minimum intersection over union of the boxes of one face in two runs."""


@dataclass(frozen=True)
class Agreement:
    """Face time of all frames, that which another run has too, and that with the same emotion, in milliseconds."""

    total_ms: int = 0
    common_ms: int = 0
    same_ms: int = 0

    @property
    def share(self) -> float:
        """Share of the common face time with the same emotion."""
        return self.same_ms / self.common_ms if self.common_ms else 0.0

    @property
    def covered(self) -> float:
        """Share of the face time that the other run has too."""
        return self.common_ms / self.total_ms if self.total_ms else 0.0


def compare(whole: Iterable[Annotation], others: Iterable[Annotation]) -> Agreement:
    """Compare the annotations of all frames with those of another run, whose face IDs may differ."""
    reference, compared = list(_clipped(whole)), list(_clipped(others))
    common_ms = same_ms = 0
    for start_ms, end_ms, annotation in reference:
        for other_start_ms, other_end_ms, other in compared:
            overlap_ms = min(end_ms, other_end_ms) - max(start_ms, other_start_ms)
            if overlap_ms > 0 and pairwise_iou([annotation.box], [other.box])[0, 0] >= MIN_IOU:
                common_ms += overlap_ms
                same_ms += overlap_ms if annotation.emotion == other.emotion else 0
    return Agreement(sum(end_ms - start_ms for start_ms, end_ms, _ in reference), common_ms, same_ms)


def _clipped(annotations: Iterable[Annotation]) -> Iterator[tuple[int, int, Annotation]]:
    """Yield annotations with their start and end, which is clipped where the next one of the face has begun before."""
    ends_ms: dict[int, int] = {}
    for annotation in annotations:
        start_ms = max(annotation.span.start_ms, ends_ms.get(annotation.face_id, 0))
        ends_ms[annotation.face_id] = annotation.span.end_ms
        yield start_ms, annotation.span.end_ms, annotation


@click.command(help=__doc__)
@click.argument("videos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--runs", default=3, show_default=True, help="Runs of each; the fastest counts.")
def main(videos: tuple[Path, ...], runs: int) -> None:
    """Print a table."""
    rows, tools, sums = [], Tools(), {mode: Agreement() for mode in DECODE_MODES}
    for video in videos:
        whole: list[Annotation] = []
        for mode in DECODE_MODES:
            seconds = []
            for _ in range(runs):
                analysis = Analysis.open(video, Settings(decode=mode), limits=ONE_CORE, tools=tools)
                begun_s = time.perf_counter()
                annotations = analyze(analysis)
                seconds.append(time.perf_counter() - begun_s)
            whole = annotations if mode == ALL_FRAMES else whole
            agreement, total = compare(whole, annotations), sums[mode]
            sums[mode] = Agreement(
                total.total_ms + agreement.total_ms, total.common_ms + agreement.common_ms, total.same_ms + agreement.same_ms
            )
            speed = analysis.decoding.end_s / min(seconds)
            rows.append((video.name, mode, f"{speed:.1f}", *_shares(agreement), analysis.decoded_whole))
    rows += [("all videos", mode, "", *_shares(agreement), "") for mode, agreement in sums.items()]
    print(tabulate(rows, ("video", "decode", "times real time", "agreement", "covered", "decoded whole")))


def _shares(agreement: Agreement) -> tuple[str, str]:
    return f"{agreement.share:.3f}", f"{agreement.covered:.3f}"


if __name__ == "__main__":
    main()
