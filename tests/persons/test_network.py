"""The network of dlib on onnxruntime."""

from __future__ import annotations

import hashlib

import dlib
import numpy as np
import pytest

from annotate.faces.box import Box
from annotate.faces.portraits import Portrait
from annotate.persons.descriptor import (
    DIMENSIONS,
    ENDING_SHA256,
    INPUT,
    METHOD,
    NETWORK,
    OUTPUT,
    WEIGHTS,
    Describer,
    both_sides,
    find_file,
    unit,
)
from annotate.persons.ending import pack, read_installed, unpack
from annotate.persons.network import (
    LAST_STEPS,
    MAP_CHANNELS,
    MAP_PX,
    MAPS,
    Convolution,
    Ending,
    Layers,
    load_network,
    read_layers,
)


@pytest.fixture(scope="module")
def layers() -> Layers:
    """What dlib's file holds."""
    return read_layers(find_file(NETWORK).read_bytes())


def widened(ending: Ending, factor: float) -> Ending:
    """Return an ending that says what another one does, and behind that the same times ``factor``."""
    return Ending(ending.steps, np.concatenate([ending.matrix, factor * ending.matrix], 1))


def changed(ending: Ending) -> Ending:
    """Return another ending, a little different."""
    random = np.random.default_rng(1)

    def change(part: Convolution) -> Convolution:
        kernel = part.kernel + random.normal(size=part.kernel.shape).astype(np.float32) * 1e-3
        return Convolution(kernel, part.bias + np.float32(0.01))

    return Ending(tuple((change(first), change(second)) for first, second in ending.steps), -ending.matrix)


def test_network_says_what_dlib_says(layers: Layers) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (15, 15), np.uint8).repeat(10, 0).repeat(10, 1)
    recognition = dlib.face_recognition_model_v1(str(find_file(NETWORK)))
    expected = recognition.compute_face_descriptor(np.stack([pixels] * 3, -1))
    described, maps = load_network(layers, has_maps=True).run([OUTPUT, MAPS], {INPUT: both_sides(pixels)})
    assert np.abs(described[0] - np.array(expected)).max() < 1e-5
    assert maps.shape == (2, MAP_CHANNELS, MAP_PX, MAP_PX)


def test_a_second_ending_adds_its_numbers(layers: Layers) -> None:
    face = np.random.default_rng(0).integers(0, 256, (150, 150), np.uint8)
    (plain,) = load_network(layers).run([OUTPUT], {INPUT: both_sides(face)})
    own = layers.ending
    assert len(own.steps) == LAST_STEPS
    for second, is_same in ((own, True), (changed(own), False)):
        (outputs,) = load_network(layers, widened(second, 2)).run([OUTPUT], {INPUT: both_sides(face)})
        assert outputs.shape == (2, DIMENSIONS)
        dlibs, first, last = np.split(outputs, 3, axis=1)
        assert np.abs(dlibs - plain).max() < 1e-5
        assert (np.abs(first - plain).max() < 1e-5) == is_same
        assert np.abs(last - 2 * first).max() < 1e-5


def test_an_ending_is_kept_in_bytes(layers: Layers) -> None:
    own = layers.ending
    ending = changed(own)
    packed = pack(ending, own)
    found = unpack(packed, own)
    for step, other in zip(ending.steps, found.steps, strict=True):
        for part, same in zip(step, other, strict=True):
            largest = np.abs(part.kernel - same.kernel).max((1, 2, 3))
            assert (largest <= 5e-3 / 127).all()  # half a step, of differences below five deviations
            assert part.bias == pytest.approx(same.bias, abs=1e-6)
    assert found.matrix == pytest.approx(ending.matrix, rel=1e-3, abs=1e-6)
    assert len(packed) < sum(part.kernel.size for step in own.steps for part in step) + 200_000


def test_descriptors_are_both_endings_of_the_face_and_its_mirror_image(layers: Layers) -> None:
    pixels = np.random.default_rng(0).integers(16, 235, (15, 15), np.uint8).repeat(18, 0).repeat(18, 1)
    portrait, describer = Portrait(pixels, Box(70, 70, 130, 130)), Describer()
    second = unpack(read_installed(), layers.ending)
    (outputs,) = load_network(layers, second).run([OUTPUT], {INPUT: both_sides(describer.crop(portrait))})
    parts = [unit(unit(part).mean(0)) for part in np.split(outputs, len(WEIGHTS), axis=1)]
    vectors = describer([portrait, Portrait(pixels[::-1], portrait.box), portrait])
    assert vectors.shape == (3, DIMENSIONS)
    for found, part, weight in zip(np.split(vectors[0], len(WEIGHTS)), parts, WEIGHTS, strict=True):
        assert np.abs(found - part * np.sqrt(weight / sum(WEIGHTS))).max() < 1e-5
    assert np.array_equal(vectors[0], vectors[2])
    assert describer([]).shape == (0, DIMENSIONS)


def test_the_installed_ending_is_the_one_that_descriptors_are_kept_for() -> None:
    assert hashlib.sha256(read_installed()).hexdigest() == ENDING_SHA256
    assert ENDING_SHA256 in METHOD
    assert METHOD.endswith("-".join(f"{weight:g}" for weight in WEIGHTS))


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="another network"):
        read_layers(b"\x05con_4\x01\x02" + b"\x01\x01" * 4 + bytes(4))
