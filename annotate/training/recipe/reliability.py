"""Measure which faces can be recognized: ``python -m annotate.training.recipe.reliability --posed FILE``.

The photographs of `annotate.training.recipe.landmarks` with their ``target`` are turned in depth, shrunk, blurred, and shown
in other light; then they are framed and classified as in a video. The table shows the balanced accuracy for each, and the
last lines the share of right answers for faces that `annotate.faces.quality.Appearance` calls reliable, and for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate
from tqdm import tqdm

from annotate.emotions.classifier import Classifier, load_classifier
from annotate.emotions.confusion import balanced_accuracy, confusion_matrix
from annotate.faces.align import Aligner, frame_face
from annotate.faces.box import Box
from annotate.faces.crop import crop
from annotate.faces.quality import Appearance, measure_crops
from annotate.media.decode import BLACK, FULL_RANGE, WHITE
from annotate.training.head_render import render_head
from annotate.training.recipe.landmarks import Photograph, load_photographs

Change = Callable[[Photograph], tuple[NDArray[np.uint8], NDArray[np.float64]]]
"""Returns the changed picture of a photograph, in full range, and its landmarks."""

_GROUND = 110
_BATCH = 8
_SIZE_JITTER, _SHIFT_JITTER = 0.06, 0.04
"""Standard deviations of the detector's boxes that are imitated, in sides of the box."""

_ONE_HOT = 0.99


@dataclass(frozen=True)
class Case:
    """A change of all photographs: which answers were right, and which faces are called reliable."""

    name: str
    balanced_accuracy: float
    yaw_deg: float
    pitch_deg: float
    quality: float
    right: NDArray[np.bool_]
    reliable: NDArray[np.bool_]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--posed", required=True, type=click.Path(exists=True, path_type=Path), help="Photographs with points and target."
)
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="ONNX file, by default the installed model.")
@click.option("--every", default=2, show_default=True, help="Use one photograph in this many.")
def main(posed: Path, model: Path | None, every: int) -> None:
    """Print a table of the effect of each change."""
    targets = np.load(posed)["target"]
    basic = np.flatnonzero(targets.max(1) > _ONE_HOT)[::every]
    photographs = load_photographs(posed)
    chosen, labels = [photographs[number] for number in basic], targets[basic].argmax(1)
    classifier, aligner = load_classifier(model), Aligner()
    cases = [
        measure(name, change, chosen, labels, classifier, aligner) for name, change in tqdm(list(changes()), disable=None)
    ]
    rows = [
        (case.name, case.balanced_accuracy, case.yaw_deg, case.pitch_deg, case.quality, case.reliable.mean())
        for case in cases
    ]
    headers = ("change", "balanced accuracy", "mean yaw", "mean pitch", "mean quality", "reliable")
    click.echo(tabulate(rows, headers, "github", floatfmt=("", ".3f", ".1f", ".1f", ".2f", ".2f")))
    right, reliable = (np.concatenate([getattr(case, name) for case in cases]) for name in ("right", "reliable"))
    click.echo(f"right among reliable faces: {right[reliable].mean():.3f} of {reliable.sum()}")
    click.echo(f"right among the others: {right[~reliable].mean():.3f} of {(~reliable).sum()}")


def changes() -> Iterator[tuple[str, Change]]:
    """Yield names and functions of the changes."""
    yield "none", lambda photograph: (photograph.image, photograph.landmarks)
    for angle_deg in (15, 30, 40, 50, 60):
        yield f"yaw {angle_deg}", _turned(angle_deg, 0)
    for angle_deg in (-30, -20, 20, 30):
        yield f"pitch {angle_deg}", _turned(0, angle_deg)
    for side_px in (12, 16, 20, 24, 32, 48):
        yield f"face of {side_px} px", _small(side_px)
    for part in (0.02, 0.03, 0.04, 0.05, 0.06):
        yield f"blurred over {part:.0%} of the face", _blurred(part)
    for gain, offset in ((0.4, 0), (0.2, 0), (0.1, 0), (0.05, 0), (0.3, 180), (2.5, 0)):
        yield f"light x {gain} + {offset}", _lit(gain, offset)


def measure(
    name: str,
    change: Change,
    photographs: Sequence[Photograph],
    labels: NDArray[np.intp],
    classifier: Classifier,
    aligner: Aligner,
) -> Case:
    """Frame and classify changed photographs."""
    rng = np.random.default_rng(0)
    crops, appearances, contract = [], [], classifier.contract
    for photograph in photographs:
        image, landmarks = change(photograph)
        luma = np.rint(BLACK + image * ((WHITE - BLACK) / FULL_RANGE)).astype(np.uint8)
        face = aligner(luma, _jittered(rng, frame_face(landmarks).box), 0)
        crops.append(crop(luma, face.box, contract.crop_margin, contract.crop_size_px, face.pose.roll_deg))
        appearances.append(Appearance(face.pose, *measure_crops(crops[-1][None]), face.box.height))
    blocks = np.repeat(np.array(crops)[:, None], contract.block_frames, 1)
    starts = range(0, len(blocks), _BATCH)
    answers = np.concatenate([classifier(blocks[start : start + _BATCH]) for start in starts]).argmax(1)
    return Case(
        name,
        float(balanced_accuracy(confusion_matrix(answers, labels, len(contract.class_names)))),
        float(np.mean([appearance.pose.yaw_deg for appearance in appearances])),
        float(np.mean([appearance.pose.pitch_deg for appearance in appearances])),
        float(np.mean([appearance.quality for appearance in appearances])),
        answers == labels,
        np.array([appearance.is_reliable for appearance in appearances]),
    )


def _jittered(rng: np.random.Generator, box: Box) -> Box:
    side = box.width * float(np.exp(rng.normal(0, _SIZE_JITTER)))
    x, y = np.array([box.x, box.y]) + (box.width - side) / 2 + rng.normal(0, _SHIFT_JITTER, 2) * side
    return Box(float(x), float(y), side, side)


def _turned(yaw_deg: float, pitch_deg: float) -> Change:
    def change(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        anatomy = photograph.anatomy
        image, head, landmarks = render_head(photograph.image, photograph.landmarks, anatomy, yaw_deg, pitch_deg)
        return np.where(head, image, _GROUND).astype(np.uint8), landmarks

    return change


def _small(side_px: int) -> Change:
    def change(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        factor = side_px / frame_face(photograph.landmarks).box.width
        image = cv2.resize(photograph.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return np.asarray(image, np.uint8), photograph.landmarks * factor

    return change


def _blurred(part: float) -> Change:
    def change(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        sigma_px = part * frame_face(photograph.landmarks).box.width
        return np.asarray(cv2.GaussianBlur(photograph.image, (0, 0), sigma_px), np.uint8), photograph.landmarks

    return change


def _lit(gain: float, offset: float) -> Change:
    def change(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        lit = np.rint(photograph.image * gain + offset).clip(0, FULL_RANGE).astype(np.uint8)
        return lit, photograph.landmarks

    return change


if __name__ == "__main__":
    main()
