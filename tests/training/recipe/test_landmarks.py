from __future__ import annotations

import io
from pathlib import Path

import dlib
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate.faces.align import LANDMARK_NAMES, VIEW_PX, Aligner, frame_face
from annotate.faces.box import Box
from annotate.training.recipe import landmarks as recipe
from annotate.training.recipe.landmarks import (
    MIRRORED,
    POINTS,
    LandmarkSettings,
    Photograph,
    draw_sample,
    face_rectangle,
    load_photographs,
    main,
    train_predictor,
)
from tests.faces.frames import sample_frames

SMALL = LandmarkSettings(views=4, tree_depth=2, cascades=4, trees=20, shrinkage=0.3, tested_splits=20)
WIDE, FINE = recipe.SETTINGS["level"], recipe.SETTINGS["fine"]
LEFT, TOP = 194, 90


@pytest.fixture(scope="module")
def posed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of photographs of five people: frames of one, with the landmarks that the shipped predictor finds."""
    align, files, points = Aligner(), [], []
    for frame in sample_frames("portrait.mp4", every=60, count=5):
        image = np.ascontiguousarray(frame.image[TOP : TOP + 250, LEFT : LEFT + 240])
        found = align(image, Box(231 - LEFT, 111 - TOP, 167, 167), 0).landmarks
        assert found is not None
        points.append(points78(found))
        content = io.BytesIO()
        Image.fromarray(image).save(content, "JPEG", quality=95)
        files.append(content.getvalue())
    path = tmp_path_factory.mktemp("posed") / "posed.npz"
    offset = np.cumsum([0, *map(len, files)])
    jpeg = np.frombuffer(b"".join(files), np.uint8)
    np.savez(path, jpeg=jpeg, offset=offset, points78=np.array(points), subject=np.arange(5))
    return path


def points78(found: np.ndarray) -> np.ndarray:
    """Return 78 points of which those that matter are landmarks, or lie in the middle of an eye or on the nose."""
    points = np.zeros((78, 2))
    named = dict(zip(LANDMARK_NAMES, found, strict=True))
    for first, side in ((1, "right"), (10, "left")):
        points[first : first + 8] = (named[f"{side}_eye_outer"] + named[f"{side}_eye_inner"]) / 2
    points[[35, 36]] = named["nose_root"]
    points[list(POINTS)] = found
    return points


@pytest.fixture(scope="module")
def photographs(posed: Path) -> list[Photograph]:
    return load_photographs(posed)


def test_photographs_have_landmarks_and_anatomy(photographs: list[Photograph]) -> None:
    first = photographs[0]
    assert (len(photographs), first.image.shape, first.landmarks.shape) == (5, (250, 240), (len(LANDMARK_NAMES), 2))
    named = dict(zip(LANDMARK_NAMES, first.landmarks, strict=True))
    eyes = [(named[f"{side}_eye_outer"] + named[f"{side}_eye_inner"]) / 2 for side in ("right", "left")]
    assert first.anatomy.eyes_y == pytest.approx((eyes[0][1] + eyes[1][1]) / 2)
    assert first.anatomy.px_per_mm * 63 == pytest.approx(float(np.linalg.norm(eyes[1] - eyes[0])))
    assert named["nose_tip"][1] == pytest.approx(first.anatomy.nose_y)
    assert first.anatomy.eyes_y < first.anatomy.center[1] < named["chin"][1]


def test_mirrored_landmarks_are_those_of_the_other_side() -> None:
    names = [LANDMARK_NAMES[number] for number in MIRRORED]
    assert [name.replace("left", "?").replace("right", "left").replace("?", "right") for name in names] == [*LANDMARK_NAMES]


def test_samples_are_reproducible_views_of_the_face(photographs: list[Photograph]) -> None:
    first, second = ([draw_sample(np.random.default_rng(3), photographs[0], FINE) for _ in range(2)] for _ in range(2))
    assert np.array_equal(first[0].view, second[0].view)
    rng = np.random.default_rng(0)
    samples = [draw_sample(rng, photograph, FINE) for photograph in photographs * 6]
    for sample in samples:
        framed = frame_face(sample.landmarks)
        assert (sample.view.shape, sample.view.dtype) == ((VIEW_PX, VIEW_PX), np.uint8)
        assert framed.pose.roll_deg == pytest.approx(sample.roll_deg, abs=0.01)
        rectangle = face_rectangle()
        middle = framed.box.x + framed.box.width / 2, framed.box.y + framed.box.height / 2
        assert middle == pytest.approx((rectangle.center().x, rectangle.center().y), abs=0.4 * rectangle.width())
        assert 0.6 < framed.box.width / rectangle.width() < 1.7
    assert sum(sample.yaw_deg == 0 for sample in samples) in range(3, 20)
    assert len({round(sample.yaw_deg) for sample in samples}) > 8


def test_a_predictor_trains_alike_each_time_and_learns(photographs: list[Photograph], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = [draw_sample(rng, photograph, WIDE) for photograph in photographs for _ in range(SMALL.views)]
    first, second = tmp_path / "first.dat", tmp_path / "second.dat"
    for path in (first, second):
        train_predictor(samples, SMALL).save(str(path))
    assert first.read_bytes() == second.read_bytes()
    predictor = dlib.shape_predictor(str(first))
    mean = np.mean([sample.landmarks for sample in samples], 0)
    errors = []
    for sample in samples:
        parts = predictor(sample.view, face_rectangle()).parts()
        found = np.array([(part.x, part.y) for part in parts])
        errors.append([np.linalg.norm(each - sample.landmarks, axis=1).mean() for each in (found, mean)])
    learned, unlearned = np.mean(errors, 0).tolist()
    assert learned < 0.4 * unlearned


def test_the_command_writes_the_predictor_and_prints_errors(
    posed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recipe.SETTINGS, "fine", SMALL)
    output = tmp_path / "landmarks.dat"
    result = CliRunner().invoke(main, ["--posed", str(posed), "--stage", "fine", "-o", str(output), "--left-out", "0.4"])
    assert result.exit_code == 0, result.output
    assert len(dlib.shape_predictor(str(output))(np.zeros((112, 112), np.uint8), face_rectangle()).parts()) == 19
    lines = [line for line in result.stdout.splitlines() if line.startswith(("yaw", "roll"))]
    views = [int(line.rsplit(", ", 1)[1].split()[0]) for line in lines if line.startswith("yaw")]
    assert sum(views) == 6
