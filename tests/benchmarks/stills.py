"""Measure what is recognized in videos of stills: ``python -m tests.benchmarks.stills --data DIR [--model FILE]``.

The folder is that of `annotate.training.recipe`. Each photograph of a person held back is shown for a second, and the video
is annotated as any other: a still without a face counts as a mistake. The posed ones are also shown as close-ups, of which
the picture shows less and less. The installed model was trained on these people; ``--model`` takes one that was not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tabulate import tabulate

from annotate import Annotation, Settings, iterate_annotations
from annotate.emotions.labels import EMOTIONS
from annotate.faces.align import frame_face
from annotate.span import MS_PER_S
from annotate.training.recipe.landmarks import load_photographs
from annotate.training.recipe.pictures import decode_pictures
from annotate.training.recipe.sources import FILES, NEWS, POSED, SCANS, SMALL, WEB, is_held_back, small_subjects
from annotate.training.recipe.still_faces import validates
from tests.clips import file_url, run_ffmpeg

SIDES_PX = {POSED: 200, NEWS: 288, SMALL: 320, WEB: 300, SCANS: 384}
"""Side of the square pictures of each source in the video."""

CLOSE_UP_PARTS = (1.2, 1.0, 0.9, 0.8, 0.7, 0.6)
"""Heights of the pictures of close-ups, in sides of the face's box."""

CLOSE_UP_PX = (640, 360)
MIN_TARGET = 0.9
RATE = 25


@dataclass(frozen=True)
class LabeledStills:
    """Pictures of one size (height, width) uint8, the class of each, and the side of its box in pixels, if that is known."""

    name: str
    pictures: list[NDArray[np.uint8]]
    labels: NDArray[np.intp]
    sides_px: NDArray[np.float64] | None = None


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="ONNX file, by default the installed model.")
@click.option("--only", multiple=True, type=click.Choice([*SIDES_PX, "close-ups"]), help="Default: all.")
def main(data: Path, model: Path | None, only: tuple[str, ...]) -> None:
    """Print a table with a row for each source and size of close-ups."""
    rows = []
    names = only or (*SIDES_PX, "close-ups")
    for name in names:
        for stills in close_ups(data) if name == "close-ups" else [held_back(name, data)]:
            with tempfile.TemporaryDirectory() as folder:
                annotations = iterate_annotations(show(stills, Path(folder)), Settings(model=model))
                rows.append((stills.name, len(stills.labels), *measure(stills, annotations)))
                click.echo(rows[-1], err=True)
    headers = ("stills", "number", "found", "accuracy", "balanced accuracy", "side of the box, of the true one")
    print(tabulate(rows, headers, "github", floatfmt=".3f"))


def held_back(name: str, data: Path) -> LabeledStills:
    """Return the stills of a source whose persons are held back."""
    path = data / FILES[name]
    with np.load(path) as archive:
        is_raw = "pixels" in archive
        pictures = list(archive["pixels"] if is_raw else decode_pictures(archive["jpeg"].tobytes(), archive["offset"]))
        targets = archive["target"] if name == POSED else np.eye(len(EMOTIONS))[archive["label"]]
        subjects = small_subjects(archive) if name == SMALL else archive.get("subject", ())
    if name == WEB:
        chosen = np.array([validates(Image.fromarray(picture)) for picture in pictures])
    else:
        chosen = np.array([is_held_back(str(subject)) for subject in subjects])
    numbers = np.flatnonzero(chosen & (targets.max(1) > MIN_TARGET))
    size = SIDES_PX[name], SIDES_PX[name]
    shown = [np.asarray(cv2.resize(pictures[number], size, interpolation=cv2.INTER_CUBIC), np.uint8) for number in numbers]
    return LabeledStills(name, shown, targets[numbers].argmax(1))


def close_ups(data: Path) -> Iterator[LabeledStills]:
    """Yield the posed photographs of persons held back in each size of `CLOSE_UP_PARTS`, their faces in the middle."""
    path = data / FILES[POSED]
    with np.load(path) as archive:
        targets = archive["target"]
        held = np.array([is_held_back(str(subject)) for subject in archive["subject"]])
    photographs = load_photographs(path)
    numbers = np.flatnonzero(held & (targets.max(1) > MIN_TARGET))
    for part in CLOSE_UP_PARTS:
        side_px = CLOSE_UP_PX[1] / part
        shown = []
        for number in numbers:
            box = frame_face(photographs[number].landmarks).box
            factor = side_px / box.width
            shift = np.array(CLOSE_UP_PX) / 2 - np.array(box.center) * factor
            matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])
            image = photographs[number].image
            enlarged = cv2.warpAffine(image, matrix, CLOSE_UP_PX, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            shown.append(np.asarray(enlarged, np.uint8))
        sides_px = np.full(len(numbers), side_px)
        yield LabeledStills(f"close-ups, {part:g} boxes high", shown, targets[numbers].argmax(1), sides_px)


def show(stills: LabeledStills, folder: Path) -> Path:
    """Make a video in which each still is shown for a second."""
    for number, picture in enumerate(stills.pictures):
        cv2.imwrite(str(folder / f"{number:05}.png"), picture)
    video = folder / "stills.mp4"
    source = ("-framerate", "1", "-i", file_url(folder / "%05d.png"), "-frames:v", str(RATE * len(stills.labels)))
    encoding = ("-vf", f"fps={RATE},format=yuv420p", "-c:v", "libx264", "-crf", "18")
    run_ffmpeg("-y", *source, *encoding, file_url(video), timeout_s=600)
    return video


def measure(stills: LabeledStills, annotations: Iterator[Annotation]) -> tuple[float, float, float, float | None]:
    """Return the share of stills with a face, accuracy, balanced accuracy, and the median side of boxes.

    The latter is in sides of the true boxes, None if these are not known.
    """
    best: dict[int, tuple[int, Annotation]] = {}
    for annotation in annotations:
        for second in range(annotation.span.start_ms // MS_PER_S, -(-annotation.span.end_ms // MS_PER_S)):
            start_ms = second * MS_PER_S
            shown_ms = min(annotation.span.end_ms, start_ms + MS_PER_S) - max(annotation.span.start_ms, start_ms)
            if shown_ms > best.get(second, (0,))[0]:
                best[second] = shown_ms, annotation
    answers = np.full(len(stills.labels), -1)
    for number, (_, annotation) in best.items():
        answers[number] = EMOTIONS.index(annotation.emotion)
    right = answers == stills.labels
    recall = [right[stills.labels == label].mean() for label in np.unique(stills.labels)]
    sides = None
    if stills.sides_px is not None:
        sides = float(np.median([face.box.width / stills.sides_px[number] for number, (_, face) in best.items()]))
    return float((answers >= 0).mean()), float(right.mean()), float(np.mean(recall)), sides


if __name__ == "__main__":
    main()
