"""Measure how stable a model's predictions are: ``python -m annotate.training.recipe.stability VIDEO...``.

A crop shifted by two pixels, or a block that starts ten frames later, shows the same expression; if the top emotion changes,
the model's output flickers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate.analysis.pipeline import BATCH_BLOCKS, analyzed_frames, analyzed_sizing, track_faces
from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import Contract
from annotate.faces.box import Box
from annotate.faces.crop import crop
from annotate.faces.track import TrackedFace
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.settings import Settings

SHIFT_PX = 2
DELAY_FRAMES = 10
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Stability:
    """Number of block pairs compared, and of those whose top emotion changed, for shifts and delays."""

    shifted: int = 0
    changed_by_shift: int = 0
    delayed: int = 0
    changed_by_delay: int = 0

    def __add__(self, other: Stability) -> Stability:
        return Stability(
            self.shifted + other.shifted,
            self.changed_by_shift + other.changed_by_shift,
            self.delayed + other.delayed,
            self.changed_by_delay + other.changed_by_delay,
        )

    @property
    def shift_share(self) -> float:
        """Share of blocks whose top emotion changes when their crops are shifted; 0 without blocks."""
        return self.changed_by_shift / max(1, self.shifted)

    @property
    def delay_share(self) -> float:
        """Share of blocks whose top emotion changes when they start later; 0 without blocks."""
        return self.changed_by_delay / max(1, self.delayed)


def measure_video(path: Path, classifier: Classifier, settings: Settings | None = None) -> Stability:
    """Return the stability over all full blocks of one video, each shifted in four directions and delayed.

    All crops of the video are in memory, so use short videos. Raise the errors of `Analysis.open`.
    """
    contract = classifier.contract
    tracks: dict[int, list[NDArray[np.uint8]]] = {}
    for face in _tracked_faces(path, settings or Settings(), contract):
        views = [face.box, *(_shifted(face.box, contract.crop_margin, contract.crop_size_px))]
        roll_deg = face.pose.roll_deg
        crops = [crop(face.frame.image, box, contract.crop_margin, contract.crop_size_px, roll_deg) for box in views]
        tracks.setdefault(face.track, []).append(np.stack(crops))
    total = Stability()
    for crops in tracks.values():
        total += measure_track(np.stack(crops), classifier)
    return total


def measure_track(crops: NDArray[np.uint8], classifier: Classifier) -> Stability:
    """Return the stability of one track: crops (frames, 1 + directions, size, size), the unshifted one first."""
    size = classifier.contract.block_frames
    starts = range(0, len(crops) - size + 1, size)
    delayed_starts = [start + DELAY_FRAMES for start in starts if start + DELAY_FRAMES + size <= len(crops)]
    unshifted = _emotions([crops[start : start + size, 0] for start in starts], classifier)
    delayed = _emotions([crops[start : start + size, 0] for start in delayed_starts], classifier)
    changed_by_shift = 0
    for view in range(1, crops.shape[1]):
        shifted = _emotions([crops[start : start + size, view] for start in starts], classifier)
        changed_by_shift += int((shifted != unshifted).sum())
    changed_by_delay = int((delayed != unshifted[: len(delayed)]).sum())
    return Stability(len(unshifted) * (crops.shape[1] - 1), changed_by_shift, len(delayed), changed_by_delay)


def _tracked_faces(path: Path, settings: Settings, contract: Contract) -> Iterator[TrackedFace]:
    video = probe(path)
    frames = decode(video, analyzed_sizing(settings.min_face))
    try:
        for event in track_faces(analyzed_frames(frames, video, contract, settings), settings):
            if isinstance(event, TrackedFace):
                yield event
    finally:
        frames.close()


def _shifted(box: Box, margin: float, size_px: int) -> Iterator[Box]:
    step = SHIFT_PX * max(box.width, box.height) * (1 + 2 * margin) / size_px
    for right, down in DIRECTIONS:
        yield replace(box, x=box.x + right * step, y=box.y + down * step)


def _emotions(blocks: Sequence[NDArray[np.uint8]], classifier: Classifier) -> NDArray[np.int64]:
    rows = [
        classifier(np.stack(blocks[start : start + BATCH_BLOCKS])).argmax(1) for start in range(0, len(blocks), BATCH_BLOCKS)
    ]
    return np.concatenate(rows).astype(np.int64) if rows else np.zeros(0, np.int64)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("videos", type=_FILE, nargs=-1, required=True)
@click.option("--model", type=_FILE, help="Model to measure.  [default: the installed one]")
def main(videos: tuple[Path, ...], model: Path | None) -> None:
    """Print the share of blocks of VIDEOS whose top emotion changes with a shift by two pixels or ten frames."""
    classifier = Classifier(model)
    rows, total = [], Stability()
    for path in videos:
        stability = measure_video(path, classifier)
        total += stability
        rows.append((path.name, stability.shifted, stability.shift_share, stability.delayed, stability.delay_share))
    rows.append(("all", total.shifted, total.shift_share, total.delayed, total.delay_share))
    headers = ("video", "shifted", f"changed by {SHIFT_PX} pixels", "delayed", f"changed by {DELAY_FRAMES} frames")
    click.echo(tabulate(rows, headers, floatfmt=".3f"))


if __name__ == "__main__":
    main()
