"""Measure the accuracy of sparse detection: ``python -m tests.benchmarks.faithfulness VIDEO...``.

Compare face tracks with few detection passes and interpolated boxes to detection on every frame: the share of face time
found, and the overlap of boxes. Without arguments, use the sample videos.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from tabulate import tabulate
from tqdm import tqdm

from annotate.analysis.pipeline import analyzed_size_px
from annotate.archive.discover import walk
from annotate.errors import AnnotateError
from annotate.faces.box import Box, pairwise_iou
from annotate.faces.detection import Detector
from annotate.faces.detectors import load_detector
from annotate.faces.search import Observation, detect_faces
from annotate.faces.shots import limit_frame_rate, mark_shots
from annotate.faces.track import TrackedFace, link_detections
from annotate.media.decode import Frame, decode
from annotate.media.probe import probe
from annotate.settings import Settings
from annotate.span import MS_PER_S
from tests.clips import SAMPLES

MIN_OVERLAP = 0.3
_MAX_FRAMES = 3000


@dataclass(frozen=True)
class TrackingComparison:
    """Face time by detection on every frame, of it found, and found in addition; overlaps of matched boxes."""

    name: str
    true_ms: int
    found_ms: int
    extra_ms: int
    overlaps: tuple[float, ...]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(paths: tuple[Path, ...]) -> None:
    """Print a table of comparisons: one row per video with faces, then a total."""
    videos = [found for found in walk(paths or (SAMPLES,)) if isinstance(found, Path)]
    comparisons = []
    for path in tqdm(videos, disable=None):
        try:
            comparisons.append(compare(path))
        except AnnotateError as error:
            click.echo(f"skipped: {error}", err=True)
    total = TrackingComparison(
        "all",
        sum(part.true_ms for part in comparisons),
        sum(part.found_ms for part in comparisons),
        sum(part.extra_ms for part in comparisons),
        tuple(overlap for part in comparisons for overlap in part.overlaps),
    )
    rows = [_row(part) for part in (*comparisons, total) if part.true_ms or part.extra_ms]
    headers = ("video", "face-seconds", "found", "found in addition", "median overlap", "10th percentile")
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


def compare(path: Path, settings: Settings | None = None) -> TrackingComparison:
    """Compare the tracks of a video's first frames with those of detection on every frame."""
    settings = Settings() if settings is None else settings
    video = probe(path)
    stream = limit_frame_rate(
        decode(video, analyzed_size_px(video, settings.min_face)), video.frame_rate, settings.max_frame_rate
    )
    frames = [frame for _, frame in zip(range(_MAX_FRAMES), stream, strict=False)]
    detector = load_detector(settings.detector, settings.min_face)
    truth = _boxes(_detect_on_every_frame(frames, detector, settings), settings)
    tracked = _boxes(detect_faces(frames, detector, settings), settings)
    true_ms = found_ms = extra_ms = 0
    shares: list[float] = []
    for frame in frames:
        expected, found = truth.get(frame.index, []), tracked.get(frame.index, [])
        matched = [share for share in _matches(expected, found) if share >= MIN_OVERLAP]
        true_ms += len(expected) * frame.span.duration_ms
        found_ms += len(matched) * frame.span.duration_ms
        extra_ms += max(0, len(found) - len(matched)) * frame.span.duration_ms
        shares += matched
    return TrackingComparison(path.name, true_ms, found_ms, extra_ms, tuple(shares))


def _detect_on_every_frame(frames: Iterable[Frame], detector: Detector, settings: Settings) -> Iterator[Observation]:
    for frame, begins_shot in mark_shots(frames, settings.gap_ms):
        yield Observation(frame, begins_shot, detector.search(frame))


def _boxes(observations: Iterable[Observation], settings: Settings) -> dict[int, list[Box]]:
    """Return boxes by frame index, of tracks long enough to be kept."""
    tracks: dict[int, list[TrackedFace]] = {}
    for event in link_detections(observations, settings):
        if isinstance(event, TrackedFace):
            tracks.setdefault(event.track, []).append(event)
    boxes: dict[int, list[Box]] = {}
    for faces in tracks.values():
        if len(faces) >= settings.min_track_frames:
            for face in faces:
                boxes.setdefault(face.frame.index, []).append(face.box)
    return boxes


def _matches(expected: Sequence[Box], found: Sequence[Box]) -> Sequence[float]:
    """Return, for each expected box, its largest overlap with a found box."""
    if not expected or not found:
        return []
    largest: list[float] = pairwise_iou(list(expected), list(found)).max(1).tolist()
    return largest


def _row(part: TrackingComparison) -> tuple[str, ...]:
    shares = part.overlaps or (float("nan"),)
    return (
        part.name,
        f"{part.true_ms / MS_PER_S:.1f}",
        f"{part.found_ms / part.true_ms:.1%}" if part.true_ms else "",
        f"{part.extra_ms / MS_PER_S:.1f}",
        f"{np.median(shares):.3f}",
        f"{np.percentile(shares, 10):.3f}",
    )


if __name__ == "__main__":
    main()
