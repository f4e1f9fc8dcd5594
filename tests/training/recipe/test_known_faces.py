from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from annotate.persons.descriptor import CROP_PX, PACKAGE, PART, WEIGHTS, Describer, Vectors, unit
from annotate.training.recipe.known_faces import KnownFaces, close_portraits, degrade, describe, find_portraits
from tests.training.recipe.picture_files import encoded, flat


@pytest.fixture
def photographs(tmp_path: Path, face_image: Path) -> Path:
    """A file of a photograph of Ann, one of nobody, and a small one of Ben."""
    face = np.asarray(cv2.imread(str(face_image), cv2.IMREAD_GRAYSCALE), np.uint8)
    small = np.asarray(
        cv2.resize(face, None, fx=120 / len(face), fy=120 / len(face), interpolation=cv2.INTER_AREA), np.uint8
    )
    path = tmp_path / "photographs.npz"
    np.savez(path, **encoded([face, flat(1, 100)[0], small]), subject=np.array(["Ann", "nobody", "Ben"]))
    return path


def test_faces_are_found_in_large_and_small_photographs(photographs: Path) -> None:
    found = list(find_portraits(photographs))
    assert [person for _, person in found] == ["Ann", "Ben"]
    for portrait, _ in found:
        x, y = portrait.box.center
        assert (x, y) == pytest.approx((portrait.pixels.shape[1] / 2, portrait.pixels.shape[0] / 2), abs=12)


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_faces_are_those_that_the_program_describes(photographs: Path) -> None:
    found, crops = list(find_portraits(photographs)), list[np.ndarray]()

    def teacher(crop: np.ndarray) -> Vectors:
        crops.append(crop)
        return np.full(PART, len(crops), np.float32)

    known = describe(found, teacher, np.random.default_rng(0))
    assert known.persons.tolist() == ["Ann", "Ben", "Ann", "Ben"]
    assert known.taught[:, 0].tolist() == [1, 2, 1, 2]
    describer = Describer()
    assert all(np.array_equal(crop, describer.crop(portrait)) for crop, (portrait, _) in zip(crops, found, strict=True))
    described = known.descriptors(lambda maps: np.tile(maps[:, :, 0, 0], 4).astype(np.float32))
    dlibs, *seconds = np.split(described, len(WEIGHTS), axis=1)
    expected, *_ = np.split(describer([portrait for portrait, _ in found]), len(WEIGHTS), axis=1)
    assert np.abs(dlibs[:2] - expected).max() < 1e-5
    assert [part.shape for part in seconds] == [(4, PART)] * 2
    assert (unit(dlibs) @ unit(dlibs[0]))[1:].min() > 0.3  # it is one face
    assert known.take(known.persons == "Ben").maps.shape == (2, *known.maps.shape[1:])


def test_a_person_is_taught_the_mean_of_what_is_said_of_it() -> None:
    taught, maps = np.array([[3.0, 0], [0, 1], [0, 2], [0, -1]], np.float32), np.zeros((4, 2, 1, 1, 1), np.float16)
    faces = KnownFaces(maps, np.zeros((4, 2, 1), np.float32), taught, np.array(["a", "a", "b", "c"]))
    half = 0.5**0.5
    assert faces.taught_by_person().taught == pytest.approx(np.array([[half, half], [half, half], [0, 1], [0, -1]]))
    assert faces.taught[0].tolist() == [3, 0]


def test_degraded_faces_differ_but_little() -> None:
    random = np.random.default_rng(1)
    small = random.integers(40, 200, (6, 6)).astype(np.uint8)
    crop = np.asarray(cv2.resize(small, (CROP_PX, CROP_PX), interpolation=cv2.INTER_CUBIC), np.uint8)
    copies = [degrade(crop, random) for _ in range(20)]
    likeness = [np.corrcoef(copy.ravel(), crop.ravel())[0, 1] for copy in copies]
    assert {(copy.shape, copy.dtype) for copy in copies} == {(crop.shape, crop.dtype)}
    assert 0.3 < min(likeness) < max(likeness) < 0.999
    assert np.array_equal(degrade(crop, np.random.default_rng(2)), degrade(crop, np.random.default_rng(2)))


def test_close_portraits_have_their_face_where_crops_have_it() -> None:
    (portrait,) = close_portraits(np.full((1, 48, 48), 128, np.uint8))
    assert portrait.pixels.shape == (160, 160)
    assert portrait.box.center == pytest.approx((80, 80))
    assert portrait.box.width == pytest.approx(80 / 1.2)
