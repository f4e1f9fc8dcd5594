from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.emotions.labels import EMOTIONS
from annotate.training.recipe import transfer as module
from annotate.training.recipe.landmarks import POINTS
from annotate.training.recipe.sources import is_held_back
from annotate.training.recipe.still_faces import CANVAS_PX, Stills, one_hot
from annotate.training.recipe.transfer import (
    SIDE_PX,
    TRUST,
    Expression,
    Photograph,
    load_expressions,
    transfer,
    transfer_expressions,
)
from tests.training.recipe.picture_files import encoded

PHOTOGRAPH_PX = 200
SCALE = SIDE_PX / PHOTOGRAPH_PX
NEUTRAL = EMOTIONS.index("neutral")
BROWS, MOUTH = slice(18, 34), slice(49, 63)


def ring(x: float, y: float, width: float, height: float, count: int) -> NDArray[np.float64]:
    angles = np.arange(count) / count * 2 * np.pi
    return np.column_stack([x - width * np.cos(angles), y - height * np.sin(angles)])


def points_at_rest() -> NDArray[np.float64]:
    """Return the 78 landmarks of a face that fills a photograph, with a closed mouth."""
    eyes = [np.concatenate([[(x, 80.0)], ring(x, 80, 14, 5, 8)]) for x in (65, 135)]
    brows = [ring(x, 60, 20, 3, 8) for x in (65, 135)]
    nose = np.concatenate([np.column_stack([np.full(4, 100.0), np.linspace(80, 110, 4)]), ring(100, 105, 15, 20, 11)])
    lips = np.concatenate([ring(100, 145, 28, 7, 8), ring(100, 145, 20, 0.2, 6)])
    angles = np.linspace(np.pi, 0, 15)
    jaw = np.column_stack([100 + 80 * np.cos(angles), 85 + 100 * np.sin(angles)])
    return np.concatenate([*eyes, *brows, nose, lips, jaw])


def drawn(points: NDArray[np.float64], side_px: int = PHOTOGRAPH_PX, skin: int = 150) -> NDArray[np.uint8]:
    """Return a picture of a face with dark brows and eyes."""
    picture = np.full((PHOTOGRAPH_PX, PHOTOGRAPH_PX), skin, np.uint8)
    for part in (points[18:26], points[26:34], points[1:9], points[10:18]):
        cv2.fillConvexPoly(picture, cv2.convexHull(np.rint(part).astype(np.int32)), 40)
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)


def expression(posed: NDArray[np.float64], picture: NDArray[np.uint8] | None = None) -> Expression:
    rest = points_at_rest()
    target = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("fear")]
    return Expression(Photograph(drawn(rest), rest), Photograph(drawn(posed) if picture is None else picture, posed), target)


def landmarks() -> NDArray[np.float64]:
    """Return where `annotate.faces.align` finds the landmarks of the face at rest, in a crop."""
    return points_at_rest()[list(POINTS)] * SCALE


def test_an_expression_like_the_face_at_rest_changes_nothing() -> None:
    face = drawn(points_at_rest(), SIDE_PX)
    made = transfer(face, landmarks(), expression(points_at_rest()))
    assert made is not None
    assert np.abs(made.astype(int) - face).mean() < 1


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_landmarks_move_as_far_as_in_the_person_who_posed(strength: float) -> None:
    posed = points_at_rest()
    posed[BROWS, 1] -= 15
    face = drawn(points_at_rest(), SIDE_PX, skin=220)
    made = transfer(face, landmarks(), expression(posed), strength)
    assert made is not None
    above_eyes = slice(0, round(72 * SCALE)), round(65 * SCALE)
    before, after = (float(np.average(np.arange(above_eyes[0].stop), weights=255 - one[above_eyes])) for one in (face, made))
    dark = [int(one[above_eyes].argmin()) for one in (face, made)]
    assert dark[0] - dark[1] == pytest.approx(15 * SCALE * strength, abs=1.5)
    assert after < before
    below = round(120 * SCALE)
    assert np.abs(made[below:].astype(int) - face[below:]).mean() < 2


def test_wrinkles_and_the_inside_of_the_mouth_come_from_the_photograph() -> None:
    posed = points_at_rest()
    posed[59:62, 1] += 25
    posed[54:57, 1] += 25
    picture = drawn(posed)
    picture[105:125, 125:150] = 90
    picture[148:165, 85:115] = 10
    face = drawn(points_at_rest(), SIDE_PX, skin=200)
    made = transfer(face, landmarks(), expression(posed, picture))
    assert made is not None
    wrinkle = made[round(115 * SCALE), round(137 * SCALE)]
    assert wrinkle == pytest.approx(200 * 90 / 150, abs=25)
    assert made[round(157 * SCALE), round(100 * SCALE)] < 60
    assert made[round(120 * SCALE), round(50 * SCALE)] == pytest.approx(200, abs=6)


def test_faces_turned_otherwise_are_left_out() -> None:
    found = landmarks()
    found[:, 0] = found[:, 0] * 0.3 + 28
    assert transfer(drawn(points_at_rest(), SIDE_PX), found, expression(points_at_rest())) is None


def test_faces_at_rest_get_expressions_of_all_emotions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_landmarks", lambda faces: {index: landmarks() for index in range(len(faces))})
    face = drawn(points_at_rest(), CANVAS_PX)
    labels = np.array([NEUTRAL, NEUTRAL, EMOTIONS.index("anger"), NEUTRAL])
    stills = one_hot(np.stack([face, face, np.zeros_like(face), np.zeros_like(face)]), labels)
    doubtful = np.where(np.arange(4)[:, None] == 3, np.float32(1 / 7), stills.targets)
    one = expression(points_at_rest())
    anger = Expression(one.rest, one.posed, np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("anger")])
    made = transfer_expressions(Stills(stills.pixels, doubtful), [one] * 9 + [anger], 60, np.random.default_rng(0))
    assert made.pixels.shape == (60, SIDE_PX, SIDE_PX)
    assert made.pixels.min() > 0
    counts = np.bincount(made.labels, minlength=len(EMOTIONS))
    assert counts[EMOTIONS.index("anger")] + counts[EMOTIONS.index("fear")] == 60
    assert 20 <= counts[EMOTIONS.index("anger")] <= 40
    assert made.targets.max(1) == pytest.approx(TRUST + (1 - TRUST) / len(EMOTIONS))


@pytest.mark.parametrize("labels", [[0, 0], [NEUTRAL, NEUTRAL]])
def test_no_face_at_rest_or_none_that_fits_is_an_error(labels: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MISFIT", 0.0)
    blank = one_hot(np.full((2, CANVAS_PX, CANVAS_PX), 120, np.uint8), np.array(labels))
    with pytest.raises(ValueError, match=r"."):
        transfer_expressions(blank, [expression(points_at_rest())], 4, np.random.default_rng(0))


def test_people_held_back_lend_no_expressions(tmp_path: Path) -> None:
    names = [f"subject{number}" for number in range(20)]
    held = next(name for name in names if is_held_back(name))
    kept, restless = [name for name in names if not is_held_back(name)][:2]
    classes = [NEUTRAL, 0, 2, NEUTRAL, 1, 3]
    pictures = [drawn(points_at_rest(), skin=100 + number) for number in range(6)]
    np.savez(
        tmp_path / "posed.npz",
        **encoded(pictures),
        points78=np.stack([points_at_rest() + number for number in range(6)]),
        target=np.eye(len(EMOTIONS))[classes],
        subject=np.array([kept, kept, kept, held, held, restless]),
    )
    loaded = load_expressions(tmp_path / "posed.npz")
    assert [int(one.target.argmax()) for one in loaded] == [0, 2]
    assert all((one.rest.points == points_at_rest()).all() for one in loaded)
    assert loaded[1].posed.picture[100, 100] == pytest.approx(102, abs=2)
    assert [int(one.target.argmax()) for one in load_expressions(tmp_path / "posed.npz", use_all=True)] == [0, 2, 1]
