"""The network of dlib on onnxruntime."""

from __future__ import annotations

import hashlib
from importlib import resources

import dlib
import numpy as np
import pytest

from annotate.faces.box import Box
from annotate.faces.portraits import Portrait
from annotate.persons.descriptor import (
    DIMENSIONS,
    DLIB_DIMENSIONS,
    DLIB_WEIGHT,
    INPUT,
    METHOD,
    NETWORK,
    OUTPUT,
    PROJECTION_FILE,
    PROJECTION_SHA256,
    Describer,
    find_file,
    read_projection,
    unit,
)
from annotate.persons.network import FEATURES, load_network


def test_network_says_what_dlib_says() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (15, 15), np.uint8).repeat(10, 0).repeat(10, 1)
    face = np.stack([pixels, pixels // 2, 255 - pixels], -1)
    expected = dlib.face_recognition_model_v1(str(find_file(NETWORK))).compute_face_descriptor(face)
    planes = face.transpose(2, 0, 1).astype(np.float32)[None]
    (described,) = load_network(find_file(NETWORK).read_bytes()).run([OUTPUT], {INPUT: planes})
    assert np.abs(described[0] - np.array(expected)).max() < 1e-5


def test_descriptors_are_both_layers_of_the_face_and_its_mirror_image() -> None:
    pixels = np.random.default_rng(0).integers(16, 235, (15, 15), np.uint8).repeat(18, 0).repeat(18, 1)
    portrait, describer = Portrait(pixels, Box(70, 70, 130, 130)), Describer()
    crop = describer.crop(portrait).transpose(2, 0, 1).astype(np.float32)
    extract = load_network(find_file(NETWORK).read_bytes(), np.eye(FEATURES, dtype=np.float32))
    (outputs,) = extract.run([OUTPUT], {INPUT: np.stack([crop, crop[..., ::-1]])})
    dlibs, features = np.split(outputs, [DLIB_DIMENSIONS], axis=1)
    parts = [unit(unit(part).mean(0)) for part in (dlibs, features @ read_projection())]
    vectors = describer([portrait, Portrait(pixels[::-1], portrait.box), portrait])
    assert vectors.shape == (3, DIMENSIONS)
    for found, part, weight in zip(np.split(vectors[0], 2), parts, (DLIB_WEIGHT, 1), strict=True):
        assert np.abs(found - part * np.sqrt(weight / (DLIB_WEIGHT + 1))).max() < 1e-5
    assert np.array_equal(vectors[0], vectors[2])
    assert describer([]).shape == (0, DIMENSIONS)


def test_the_installed_projection_is_the_one_that_descriptors_are_kept_for() -> None:
    content = (resources.files("annotate.persons") / PROJECTION_FILE).read_bytes()
    assert hashlib.sha256(content).hexdigest() == PROJECTION_SHA256
    assert PROJECTION_SHA256 in METHOD


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="another network"):
        load_network(b"\x05con_4\x01\x02" + b"\x01\x01" * 4 + bytes(4))
