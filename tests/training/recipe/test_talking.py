from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.emotions.labels import EMOTIONS
from annotate.faces.align import LANDMARK_NAMES
from annotate.training.recipe import framing
from annotate.training.recipe.still_faces import CANVAS_PX, one_hot
from annotate.training.recipe.talking import JAW_SHARE, Mouth, make_talking, talk

RIGHT, LEFT, MOUTH_Y, CHIN_Y = 36, 60, 66, 84
HALF_PX = (LEFT - RIGHT) / 2


def landmarks() -> NDArray[np.float64]:
    """Return landmarks of which those of the mouth and the chin lie on straight lines."""
    points = np.zeros((len(LANDMARK_NAMES), 2))
    middle = (RIGHT + LEFT) / 2
    for name, point in {
        "mouth_right": (RIGHT, MOUTH_Y),
        "mouth_left": (LEFT, MOUTH_Y),
        "lip_top": (middle, MOUTH_Y - 2),
        "lip_bottom": (middle, MOUTH_Y + 2),
        "chin": (middle, CHIN_Y),
    }.items():
        points[LANDMARK_NAMES.index(name)] = point
    return points


@pytest.fixture
def ramp() -> NDArray[np.uint8]:
    """A face whose brightness tells the row: 2 for each."""
    return np.repeat(2 * np.arange(CANVAS_PX, dtype=np.uint8)[:, None], CANVAS_PX, 1)


def test_a_mouth_that_stays_closed_changes_nothing(ramp: NDArray[np.uint8]) -> None:
    assert (talk(ramp, landmarks(), Mouth(opening=0.0)) == ramp).all()


def test_an_open_mouth_is_dark_inside_and_moves_the_jaw_down(ramp: NDArray[np.uint8]) -> None:
    opened = talk(ramp, landmarks(), Mouth(opening=0.5, darkness=0.1))
    middle = (RIGHT + LEFT) // 2
    assert opened[MOUTH_Y + 2, middle] < 0.2 * ramp[MOUTH_Y, middle]
    assert opened[MOUTH_Y + 2, RIGHT - 6] == pytest.approx(ramp[MOUTH_Y + 2, RIGHT - 6], abs=10)
    assert (opened[: MOUTH_Y - round(1.5 * HALF_PX)] == ramp[: MOUTH_Y - round(1.5 * HALF_PX)]).all()
    moved_px = (int(ramp[CHIN_Y + 5, middle]) - int(opened[CHIN_Y + 5, middle])) / 2
    assert moved_px == pytest.approx(JAW_SHARE * 0.5 * HALF_PX, abs=1)


def test_teeth_show_below_the_upper_lip(ramp: NDArray[np.uint8]) -> None:
    with_teeth, without = (talk(ramp, landmarks(), Mouth(0.8, teeth=teeth)) for teeth in (0.9, 0.0))
    changed = np.flatnonzero((with_teeth != without)[:, (RIGHT + LEFT) // 2])
    assert 2 <= len(changed) <= 5
    assert changed[0] == pytest.approx(MOUTH_Y - 1, abs=1)


def test_a_narrow_mouth_ends_nearer_to_its_middle() -> None:
    corners = np.full((CANVAS_PX, CANVAS_PX), 200, np.uint8)
    corners[MOUTH_Y, RIGHT : LEFT + 1] = 0
    narrow = talk(corners, landmarks(), Mouth(0.0, width=0.7))[MOUTH_Y] < 100
    assert narrow.sum() == pytest.approx(0.7 * (LEFT - RIGHT), abs=3)


def test_only_faces_whose_mouths_are_mostly_closed_talk(monkeypatch: pytest.MonkeyPatch, ramp: NDArray[np.uint8]) -> None:
    class AlwaysFound:
        def __call__(self, image: NDArray[np.uint8], *_: object) -> object:
            return type("Framed", (), {"landmarks": None if image[0, 0] == 1 else landmarks()})

    monkeypatch.setattr(framing, "Aligner", AlwaysFound)
    faces = np.stack([ramp] * 8)
    faces[7] = 1
    stills = one_hot(faces, np.array([*range(len(EMOTIONS)), EMOTIONS.index("neutral")]))
    made = make_talking(stills, 200, np.random.default_rng(0))
    counts = dict(zip(EMOTIONS, np.bincount(made.labels, minlength=len(EMOTIONS)).tolist(), strict=True))
    assert counts["disgust"] == counts["fear"] == counts["happiness"] == counts["surprise"] == 0
    assert counts["neutral"] > counts["anger"] > 0
    assert len(made) == len(made.pixels) < 200
    assert (made.targets.max(1) == 1).all()
