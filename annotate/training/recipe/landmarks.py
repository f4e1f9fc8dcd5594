"""Train the predictor of landmarks: ``python -m annotate.training.recipe.landmarks --posed FILE -o landmarks.dat``.

The file holds frontal photographs (``jpeg``, ``offset``), their ``points78`` and ``subject``. Each is seen several times:
turned in depth (`annotate.training.head_render`) or as it is, turned in the image plane, shifted, and in bad light, blurred,
small or partly covered. Errors are those of people that were left out of training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import dlib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from annotate.faces.align import FACE_PX, VIEW_PX, frame_face
from annotate.faces.box import Box
from annotate.faces.picture import View
from annotate.training.head_render import EYE_DISTANCE_MM, Anatomy, render_head
from annotate.training.recipe.pictures import decode_pictures

POINTS = (18, 20, 22, 26, 28, 30, 1, 5, 10, 14, 34, 37, 41, 45, 49, 51, 53, 55, 70)
"""Of the 78 points, those of `annotate.faces.align.LANDMARK_NAMES`."""

MIRRORED = (5, 4, 3, 2, 1, 0, 9, 8, 7, 6, 10, 11, 13, 12, 16, 15, 14, 17, 18)
"""The landmark that each becomes in a mirrored picture."""

_RIGHT_EYE, _LEFT_EYE, _NOSE, _RIDGE, _CHIN = range(1, 9), range(10, 18), 37, (34, 35, 36), 70


@dataclass(frozen=True)
class LandmarkSettings:
    """Settings of a training run; the defaults are those of the shipped predictor."""

    views: int = 12
    """Number of views of each photograph."""
    turned_share: float = 0.6
    """Share of views of heads turned in depth."""
    max_turn_deg: float = 12
    """``wide_share`` of the views lean evenly by up to this much, the others by a sixth of it, as a standard deviation."""
    wide_share: float = 0.5
    jitter: float = 0.05
    """Standard deviation of the face's position in a view, in sides of its box; that of its size is half as much again."""
    tree_depth: int = 4
    cascades: int = 10
    trees: int = 120
    shrinkage: float = 0.1
    """How much of each tree's correction is applied."""
    tested_splits: int = 40
    seed: int = 0


SETTINGS = {
    "level": LandmarkSettings(views=16, turned_share=0.1, max_turn_deg=45, wide_share=0.6, jitter=0.07, tested_splits=60),
    "fine": LandmarkSettings(),
}
"""The predictor that turns a face level, and the one that then finds its landmarks."""


@dataclass(frozen=True)
class Photograph:
    """A frontal face: gray picture, landmarks (19, 2) and anatomy."""

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    anatomy: Anatomy
    subject: int


@dataclass(frozen=True)
class Sample:
    """A view with its landmarks, in pixels of the view, and how the head is turned."""

    view: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    """Roll that is left in the view, and that the predictor must find."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--posed", required=True, type=click.Path(exists=True, path_type=Path), help="Photographs with points.")
@click.option("--stage", type=click.Choice(list(SETTINGS)), required=True, help="Which of the two predictors to train.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Predictor to write.")
@click.option(
    "--left-out", default=0.2, show_default=True, help="Share of people left out to measure errors; 0 trains on all."
)
def main(posed: Path, stage: str, output: Path, left_out: float) -> None:
    """Train a predictor and print its errors."""
    photographs, settings = load_photographs(posed), SETTINGS[stage]
    people = np.unique([photograph.subject for photograph in photographs])
    chosen = np.random.default_rng(settings.seed).permutation(people)[: round(left_out * len(people))]
    rng = np.random.default_rng(settings.seed)
    trained = [photograph for photograph in photographs if photograph.subject not in chosen]
    samples = [draw_sample(rng, each, settings) for each in tqdm(trained, disable=None) for _ in range(settings.views)]
    train_predictor(samples, settings).save(str(output))
    tested = [photograph for photograph in photographs if photograph.subject in chosen] or trained
    tests = [draw_sample(rng, each, settings, degraded_share=0.0) for each in tested * 3]
    for line in describe_errors(dlib.shape_predictor(str(output)), tests):
        click.echo(line)


def load_photographs(path: Path) -> list[Photograph]:
    """Load frontal faces from arrays ``jpeg``, ``offset``, ``points78`` (n, 78, 2) in pixels, and ``subject``."""
    data = np.load(path)
    photographs = []
    pictures = decode_pictures(data["jpeg"].tobytes(), data["offset"])
    for picture, points, subject in zip(pictures, data["points78"].astype(np.float64), data["subject"], strict=True):
        right, left = points[list(_RIGHT_EYE)].mean(0), points[list(_LEFT_EYE)].mean(0)
        eyes_y = float((right[1] + left[1]) / 2)
        center = float(points[list(_RIDGE), 0].mean()), float((eyes_y + points[_CHIN, 1]) / 2)
        px_per_mm = float(np.linalg.norm(left - right)) / EYE_DISTANCE_MM
        anatomy = Anatomy(center, eyes_y, float(points[_NOSE, 1]), px_per_mm)
        photographs.append(Photograph(picture, points[list(POINTS)], anatomy, int(subject)))
    return photographs


def draw_sample(
    rng: np.random.Generator, photograph: Photograph, settings: LandmarkSettings, degraded_share: float = 0.6
) -> Sample:
    """Return a random view of a photograph."""
    image, landmarks, yaw_deg, pitch_deg = photograph.image, photograph.landmarks, 0.0, 0.0
    if rng.random() < settings.turned_share:
        yaw_deg = float(rng.uniform(-50, 50)) if rng.random() < 0.6 else float(rng.normal(0, 12))
        pitch_deg = float(rng.normal(0, 12))
        image, head, landmarks = render_head(image, landmarks, photograph.anatomy, yaw_deg, pitch_deg)
        image = _on_ground(rng, image, head)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        landmarks = np.column_stack([image.shape[1] - 1 - landmarks[:, 0], landmarks[:, 1]])[list(MIRRORED)]
        yaw_deg = -yaw_deg
    framed = frame_face(landmarks)
    widest_deg, jitter = settings.max_turn_deg, settings.jitter
    turn_deg = float(
        rng.uniform(-widest_deg, widest_deg) if rng.random() < settings.wide_share else rng.normal(0, widest_deg / 6)
    )
    side = framed.box.width * math.exp(rng.normal(0, 1.5 * jitter))
    x, y = np.array([framed.box.x, framed.box.y]) + framed.box.width / 2 + rng.normal(0, jitter, 2) * side
    box = Box(x - side / 2, y - side / 2, side, side)
    view = View.around(box, framed.pose.roll_deg + turn_deg, VIEW_PX / FACE_PX, VIEW_PX)
    if rng.random() < degraded_share / 2:
        part = rng.uniform(0.2, 0.8) * VIEW_PX / view.side_px
        image = _small(image, min(1.0, part))
    pixels = view.of(image)
    if rng.random() < degraded_share:
        pixels = _degraded(rng, pixels)
    return Sample(pixels, view.from_image(landmarks), yaw_deg, pitch_deg, -turn_deg)


def train_predictor(samples: Sequence[Sample], settings: LandmarkSettings) -> dlib.shape_predictor:
    """Train a predictor on views."""
    options = dlib.shape_predictor_training_options()
    options.tree_depth, options.cascade_depth = settings.tree_depth, settings.cascades
    options.num_trees_per_cascade_level, options.nu = settings.trees, settings.shrinkage
    options.num_test_splits, options.feature_pool_size = settings.tested_splits, 400
    options.oversampling_amount, options.num_threads = 1, 1
    options.random_seed = str(settings.seed)
    faces = [[dlib.full_object_detection(face_rectangle(), _parts(sample.landmarks))] for sample in samples]
    return dlib.train_shape_predictor([sample.view for sample in samples], faces, options)


def describe_errors(predictor: dlib.shape_predictor, samples: Sequence[Sample]) -> Iterator[str]:
    """Yield lines with the errors of landmarks, in distances of the eyes, and of roll, by how far it is turned."""
    errors, roll_errors = [], []
    for sample in samples:
        parts = predictor(sample.view, face_rectangle()).parts()
        found = np.array([(part.x, part.y) for part in parts], np.float64)
        size = frame_face(sample.landmarks).box.width
        errors.append(float(np.linalg.norm(found - sample.landmarks, axis=1).mean()) / size)
        roll_errors.append(abs(frame_face(found).pose.roll_deg - frame_face(sample.landmarks).pose.roll_deg))
    yaws = np.abs([sample.yaw_deg for sample in samples])
    rolls = np.abs([sample.roll_deg for sample in samples])
    for name, angles in (("yaw", yaws), ("roll", rolls)):
        for low, high in ((0, 15), (15, 30), (30, 50)):
            chosen = (angles >= low) & (angles < high)
            if chosen.any():
                error, roll = np.array(errors)[chosen], np.array(roll_errors)[chosen]
                yield (
                    f"{name} {low} to {high} degrees: landmarks {error.mean():.3f} of the face's side, "
                    f"roll {roll.mean():.1f} degrees (95 %: {np.percentile(roll, 95):.1f}), {chosen.sum()} views"
                )


def face_rectangle() -> dlib.rectangle:
    """Return where the face is in a view."""
    start, end = (VIEW_PX - FACE_PX) // 2, (VIEW_PX + FACE_PX) // 2 - 1
    return dlib.rectangle(start, start, end, end)


def _parts(landmarks: NDArray[np.float64]) -> list[dlib.point]:
    return [dlib.point(round(x), round(y)) for x, y in landmarks.tolist()]


def _on_ground(rng: np.random.Generator, image: NDArray[np.uint8], head: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a rendered head with soft random shapes behind it."""
    shapes = rng.integers(0, 256, (int(rng.integers(2, 12)),) * 2).astype(np.uint8)
    ground = cv2.resize(shapes, image.shape[::-1], interpolation=cv2.INTER_CUBIC)
    inner = cv2.erode(head.astype(np.uint8), np.ones((3, 3), np.uint8))
    weight = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), 1.5)
    return np.rint(image * weight + ground * (1 - weight)).clip(0, 255).astype(np.uint8)


def _small(image: NDArray[np.uint8], part: float) -> NDArray[np.uint8]:
    """Return an image as it looks when it was recorded in ``part`` of its size."""
    small = cv2.resize(image, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[::-1]), np.uint8)


def _degraded(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a view in other light, and sometimes blurred or partly covered."""
    lit = (pixels * rng.uniform(0.35, 1.5) + rng.uniform(-30, 40)).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.7, 2)), np.uint8)
    if rng.random() < 0.25:
        width, height = rng.integers(10, 35, 2)
        x, y = rng.integers(VIEW_PX // 5, VIEW_PX * 3 // 4, 2)
        lit[y : y + height, x : x + width] = rng.integers(0, 256)
    return lit


if __name__ == "__main__":
    main()
