from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.faces.crop import crop
from annotate.faces.pose import Pose
from annotate.faces.quality import Appearance, measure_crops
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame

GOOD = Appearance(Pose(), 0.01, 0.5, 24)


@pytest.fixture(scope="module")
def face(yunet: YuNetDetector, portrait: Frame) -> np.ndarray:
    (found,) = yunet.search(portrait)
    return crop(portrait.image, found.box, 0.1, 80, found.pose.roll_deg)


@pytest.mark.parametrize(
    ("changes", "quality"),
    [
        ({}, 1),
        ({"sharpness": 0.3, "face_px": 500}, 1),
        ({"sharpness": 0.005}, 0.5),
        ({"face_px": 6}, 0.25),
        ({"brightness": 0.05}, 0.5),
        ({"brightness": 0.976}, 0.2),
        ({"brightness": 1.0}, 0),
        ({"sharpness": 0.005, "brightness": 0.02, "face_px": 18}, 0.5 * 0.2 * 0.75),
    ],
)
def test_quality_is_the_product_of_sharpness_light_and_size(changes: dict[str, float], quality: float) -> None:
    assert replace(GOOD, **changes).quality == pytest.approx(quality)  # type: ignore[arg-type]


UNITS = st.floats(0, 1)


@given(UNITS, UNITS, UNITS, UNITS)
def test_more_sharpness_or_size_is_never_worse(sharpness: float, brightness: float, size: float, more: float) -> None:
    appearance = Appearance(Pose(), sharpness, brightness, 100 * size)
    assert 0 <= appearance.quality <= 1
    assert replace(appearance, sharpness=sharpness + more).quality >= appearance.quality
    assert replace(appearance, face_px=100 * (size + more)).quality >= appearance.quality
    lit = brightness + (0.5 - brightness) * more
    assert replace(appearance, brightness=lit).quality >= appearance.quality


@pytest.mark.parametrize(
    ("changes", "is_reliable"),
    [
        ({}, True),
        ({"pose": Pose(34, -24, 170)}, True),
        ({"pose": Pose(-36, 0, 0)}, False),
        ({"pose": Pose(0, 26, 0)}, False),
        ({"sharpness": 0.0041}, True),
        ({"sharpness": 0.0039}, False),
    ],
)
def test_faces_are_reliable_unless_turned_far_or_badly_seen(changes: dict[str, object], is_reliable: bool) -> None:
    assert replace(GOOD, **changes).is_reliable is is_reliable  # type: ignore[arg-type]


def test_a_blurred_face_is_less_sharp(face: np.ndarray) -> None:
    blurred = [face, *(np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8) for sigma in (1, 2, 4))]
    sharpness = [measure_crops(each[None])[0] for each in blurred]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[-1] < sharpness[0] / 5


def test_brightness_is_that_of_the_inner_part(face: np.ndarray) -> None:
    framed = np.full((80, 80), 255, np.uint8)
    framed[10:70, 10:70] = 51
    assert measure_crops(framed[None]) == pytest.approx((0, 0.2), abs=1e-6)
    bright, dark = (measure_crops((face * factor).astype(np.uint8)[None])[1] for factor in (1, 0.2))
    assert dark == pytest.approx(bright / 5, abs=0.01)


def test_crops_are_averaged() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 80, 80)).astype(np.uint8)
    each = np.array([measure_crops(crop[None]) for crop in noise])
    assert measure_crops(noise) == pytest.approx(each.mean(0).tolist())
    assert each[:, 0].min() > 0.5
