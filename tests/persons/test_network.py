"""The network of dlib on onnxruntime."""

from __future__ import annotations

import dlib
import numpy as np
import pytest

from annotate.faces.box import Box
from annotate.faces.portraits import Portrait
from annotate.persons.descriptor import DIMENSIONS, NETWORK, Describer, find_file, unit
from annotate.persons.network import load_network


def test_descriptors_are_those_of_dlib_for_the_face_and_its_mirror_image() -> None:
    pixels = np.random.default_rng(0).integers(16, 235, (15, 15), np.uint8).repeat(18, 0).repeat(18, 1)
    portrait, describer = Portrait(pixels, Box(70, 70, 130, 130)), Describer()
    reference = dlib.face_recognition_model_v1(str(find_file(NETWORK)))
    crop = describer.crop(portrait)
    described = [reference.compute_face_descriptor(face) for face in (crop, np.ascontiguousarray(crop[:, ::-1]))]
    expected = unit(unit(np.array(described)).mean(0))
    vectors = describer([portrait, Portrait(pixels[::-1], portrait.box), portrait])
    assert vectors.shape == (3, DIMENSIONS)
    assert np.abs(vectors[0] - expected).max() < 1e-5
    assert np.array_equal(vectors[0], vectors[2])
    assert describer([]).shape == (0, DIMENSIONS)


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="another network"):
        load_network(b"\x05con_4\x01\x02" + b"\x01\x01" * 4 + bytes(4))
