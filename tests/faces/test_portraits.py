"""Portraits of face tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from annotate.faces.box import Box
from annotate.faces.portraits import (
    MAX_FACE_PX,
    MAX_PORTRAITS,
    Described,
    Portrait,
    Portraits,
    add_described,
    cut_portrait,
    portrait_worth,
)
from annotate.faces.pose import Pose
from annotate.faces.quality import Appearance

IMAGE = np.tile(np.arange(200, dtype=np.uint8), (100, 1))


def test_a_portrait_shows_the_face_and_what_is_around_it() -> None:
    portrait = cut_portrait(IMAGE, Box(100, 40, 20, 20), 80)
    assert portrait.pixels.shape == (44, 44)
    assert portrait.box == Box(12, 12, 20, 20)
    assert np.array_equal(portrait.pixels, IMAGE[28:72, 88:132])
    assert portrait.time_ms == 80


def test_it_ends_with_the_image() -> None:
    portrait = cut_portrait(IMAGE, Box(-5, 90, 20, 20))
    assert portrait.pixels.shape == (22, 27)
    assert portrait.box == Box(-5, 12, 20, 20)
    assert cut_portrait(IMAGE, Box(500, 500, 20, 20)).pixels.size
    assert cut_portrait(IMAGE[:1, :1], Box(-10, -10, 9, 9)).pixels.size


def test_large_faces_are_scaled_down() -> None:
    image = np.full((1000, 1000), 90, np.uint8)
    portrait = cut_portrait(image, Box(300, 300, 4 * MAX_FACE_PX, 2 * MAX_FACE_PX))
    assert portrait.box.width == pytest.approx(MAX_FACE_PX, rel=0.02)
    assert portrait.box.height == pytest.approx(MAX_FACE_PX / 2, rel=0.02)
    assert (portrait.pixels == 90).all()


@pytest.mark.parametrize("times", [1.3, 2.5, 5])
def test_fine_patterns_of_large_faces_become_gray(times: float) -> None:
    image = np.indices((1400, 1400)).sum(0).astype(np.uint8) % 2 * 200
    portrait = cut_portrait(image, Box(350, 350, times * MAX_FACE_PX, times * MAX_FACE_PX))
    assert portrait.pixels.mean() == pytest.approx(100, abs=1)
    assert portrait.pixels.std() < (40 if times < 2 else 5)


def test_the_best_are_kept_in_whatever_order_they_come() -> None:
    worths = [0.2, 0.9, 0.4, 0.9, 0.1, 0.6]
    portraits = [Portrait(IMAGE, Box(0, 0, 1, 1), number, worth) for number, worth in enumerate(worths)]
    for order in (portraits, portraits[::-1]):
        kept = Portraits()
        for portrait in order:
            kept.add(7, portrait)
        assert [portrait.time_ms for portrait in kept.best[7]] == [1, 3, 5][:MAX_PORTRAITS]


def test_a_third_portrait_counts_only_if_two_disagree() -> None:
    portraits = Portraits()
    for face_id, angles_deg in ((7, (0, 15, 90)), (8, (0, 45, 90))):
        for number, angle_deg in enumerate(angles_deg):
            portraits.add(face_id, Portrait(IMAGE, Box(0, 0, 1, 1), angle_deg, 1 - number / 10))

    def describe(found: Sequence[Portrait]) -> np.ndarray:
        angles = np.radians([portrait.time_ms for portrait in found])
        return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    described = portraits.describe(describe)
    assert {face_id: track.count for face_id, track in described.items()} == {7: 2, 8: 3}
    assert described[8].total == pytest.approx([1 + 0.7071, 1 + 0.7071], abs=1e-3)
    add_described(described, {7: Described(np.ones(2), 2), 9: Described(np.ones(2), 1)})
    assert {face_id: track.count for face_id, track in described.items()} == {7: 4, 8: 3, 9: 1}


def test_sharp_frontal_and_large_faces_are_worth_most() -> None:
    best = Appearance(Pose(), sharpness=0.1, brightness=0.5, face_px=100)
    assert portrait_worth(best) == 1
    assert portrait_worth(Appearance(Pose(60), 0.1, 0.5, 100)) == pytest.approx(0.5)
    assert portrait_worth(Appearance(Pose(), 0.04, 0.5, 100)) == pytest.approx(0.5)
    assert portrait_worth(Appearance(Pose(), 0.1, 0.5, 40)) == pytest.approx(0.5)
    assert portrait_worth(Appearance(Pose(120), 0.1, 0.5, 100)) == 0
