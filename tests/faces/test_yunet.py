from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.faces.align import Aligner
from annotate.faces.box import Box
from annotate.faces.detection import Detection
from annotate.faces.pose import Pose, difference_deg
from annotate.faces.searched_frame import MIN_KNOWN_SCORE, SURE_SCORE
from annotate.faces.yunet import MIN_SCORES, YuNetDetector, searched_short_side_px
from annotate.faces.yunet_network import YuNet
from annotate.media.decode import Frame, decode
from annotate.media.probe import probe
from tests.clips import encode_once
from tests.faces.frames import SIDE_PX, gray_frame, sample_frames, turned

FACE, FACE_PX = (314.0, 194.0), 157.0
"""Center and side of the face's box in the first frame of portrait.mp4, whose head leans by 3 degrees."""


def center(detection: Detection) -> tuple[float, float]:
    box = detection.box
    return box.x + box.width / 2, box.y + box.height / 2


@pytest.mark.parametrize("roll_deg", range(0, 360, 15))
def test_a_face_is_found_at_every_angle(yunet: YuNetDetector, portrait: Frame, roll_deg: int) -> None:
    (found,) = yunet.search(turned(portrait, FACE, roll_deg))
    assert center(found) == pytest.approx((SIDE_PX / 2, SIDE_PX / 2), abs=0.1 * FACE_PX)
    assert found.box.width == pytest.approx(FACE_PX, rel=0.1)
    assert difference_deg(found.pose.roll_deg, roll_deg + 3) == pytest.approx(0, abs=8)


def shown_at(step: int, roll_deg: float) -> tuple[float, float]:
    """Return where the face is in a frame that is turned about a point 12 pixels per step to the right of it."""
    roll = math.radians(roll_deg)
    return SIDE_PX / 2 - 12 * step * math.cos(roll), SIDE_PX / 2 - 12 * step * math.sin(roll)


@pytest.mark.parametrize("roll_deg", [0, 40, 180])
def test_a_face_that_turns_is_followed_without_a_search(yunet: YuNetDetector, portrait: Frame, roll_deg: int) -> None:
    """In steps of 15 degrees and 12 pixels."""
    (known,) = yunet.search(turned(portrait, FACE, roll_deg))
    for step in range(1, 7):
        frame = turned(portrait, (FACE[0] + 12 * step, FACE[1]), roll_deg + 15 * step)
        (looked,), (near,) = yunet.look(frame, [known]), yunet.look_near(frame, [known])
        for found in (looked, near):
            assert difference_deg(found.pose.roll_deg, roll_deg + 15 * step + 3) == pytest.approx(0, abs=10)
            assert center(found) == pytest.approx(shown_at(step, roll_deg + 15 * step), abs=0.15 * FACE_PX)
        known = looked


@pytest.mark.parametrize("min_face", [0.06, 0.12, 0.3])
def test_faces_smaller_than_the_smallest_to_find_are_left_out(portrait: Frame, min_face: float) -> None:
    """Sizes are estimates: faces of two thirds of the smallest may be found or not."""
    detector = YuNetDetector(min_face)
    sizes = [0.6 * min_face * SIDE_PX, 1.05 * min_face * SIDE_PX]
    small, large = (detector.search(turned(portrait, FACE, 0, size / FACE_PX)) for size in sizes)
    assert small == ()
    assert [found.box.width for found in large] == [pytest.approx(sizes[1], rel=0.12)]


@pytest.mark.parametrize("part", [0.7, 0.9, 1.1, 1.25])
def test_a_close_up_is_framed_beyond_the_edges_of_the_picture(yunet: YuNetDetector, portrait: Frame, part: float) -> None:
    """The picture shows all of a face only if its box is less than about three quarters of its side."""
    frame = turned(portrait, FACE, 0, part * SIDE_PX / FACE_PX)
    (found,), (looked,) = yunet.search(frame), yunet.look(frame, [])
    (followed,), (near,) = yunet.look(frame, [found]), yunet.look_near(frame, [found])
    for face in (found, looked, followed, near):
        assert center(face) == pytest.approx((SIDE_PX / 2, SIDE_PX / 2), abs=0.06 * part * SIDE_PX)
        assert face.box.width == pytest.approx(part * SIDE_PX, rel=0.06)


def noisy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 36, image.shape)
    return np.rint(np.clip(image + noise, 16, 235)).astype(np.uint8)


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 9), np.uint8)


@pytest.mark.parametrize("change", [noisy, blurred])
def test_noisy_and_blurred_faces_are_found_at_a_glance(
    yunet: YuNetDetector, portrait: Frame, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    """Their landmarks may not be found; the box is then about that of the network, which lies higher."""
    frame = replace(portrait, image=change(portrait.image))
    (found,) = yunet.search(frame)
    (looked,), (near,) = yunet.look(frame, [found]), yunet.look_near(frame, [found])
    assert yunet.look(frame, []) == (found,)
    for face in (found, looked, near):
        assert center(face) == pytest.approx(FACE, abs=0.2 * FACE_PX)
        assert face.box.width == pytest.approx(FACE_PX, rel=0.3)


@pytest.mark.parametrize(("gain", "offset"), [(0.06, 18), (0.1, 60), (0.15, 130), (0.1, 200)])
def test_faces_in_dark_and_faded_pictures_are_found(
    yunet: YuNetDetector, portrait: Frame, gain: float, offset: float
) -> None:
    image = np.rint(offset + gain * (portrait.image - 16.0)).astype(np.uint8)
    chroma = np.rint(128 + gain * (portrait.chroma - 128.0)).astype(np.uint8)
    frame = replace(portrait, image=image, chroma=chroma)
    for (found,) in (yunet.search(frame), yunet.look(frame, [])):
        assert center(found) == pytest.approx(FACE, abs=0.05 * FACE_PX)
        assert found.box.width == pytest.approx(FACE_PX, rel=0.1)


def test_the_searched_picture_grows_as_faces_to_find_get_smaller() -> None:
    sizes = [searched_short_side_px(min_face) for min_face in (0.9, 0.12, 0.08, 0.02)]
    assert sizes == [288, 352, 544, 704]


def test_positions_and_sizes_are_in_pixels_of_the_frame(yunet: YuNetDetector, portrait: Frame) -> None:
    (expected,) = yunet.search(portrait)
    for factor in (0.5, 2):
        planes = [cv2.resize(plane, None, fx=factor, fy=factor) for plane in (portrait.image, *portrait.chroma)]
        (found,) = yunet.search(replace(portrait, image=planes[0], chroma=np.stack(planes[1:])))
        assert center(found) == pytest.approx(tuple(factor * each for each in center(expected)), abs=5 * factor)
        assert found.box.width == pytest.approx(expected.box.width * factor, rel=0.1)


class Dimmed(YuNet):
    """A network whose scores are lower by ``loss``."""

    loss = 0.0

    def __call__(self, picture: np.ndarray, min_score: float) -> np.ndarray:
        rows = super().__call__(picture, min(1.0, min_score + self.loss))
        rows[:, 4] -= self.loss
        return rows


def test_a_known_face_continues_at_a_lower_score(portrait: Frame) -> None:
    network, align = Dimmed(), Aligner()
    (known,) = YuNetDetector(0.12, network, align).search(portrait)
    for network.loss in (known.score - min(MIN_SCORES) + 0.05, known.score - MIN_KNOWN_SCORE - 0.05):
        detector, frame = YuNetDetector(0.12, network, align), replace(portrait)
        assert detector.search(frame) == ()
        assert detector.look(frame, []) == ()
        (looked,), (near,) = detector.look(frame, [known]), detector.look_near(frame, [known])
        assert looked.score < min(MIN_SCORES)
        assert center(looked) == pytest.approx(center(known), abs=5)
        assert center(near) == pytest.approx(center(known), abs=5)
        elsewhere = known.shifted(2 * FACE_PX, 0)
        assert detector.look(frame, [elsewhere]) == detector.look_near(frame, [elsewhere]) == ()
    network.loss = known.score - MIN_KNOWN_SCORE + 0.1
    assert YuNetDetector(0.12, network, align).look(portrait, [known]) == ()


def test_a_look_finds_new_upright_faces_and_no_face_twice(yunet: YuNetDetector, portrait: Frame) -> None:
    (searched,) = yunet.search(portrait)
    for known in ((), (searched,), (searched, searched.shifted(10, 0)), (replace(searched, pose=Pose(roll_deg=40)),)):
        (found,) = yunet.look(portrait, known)
        assert center(found) == pytest.approx(center(searched), abs=8)


def test_faces_come_from_left_to_right(yunet: YuNetDetector) -> None:
    (*_, frame) = sample_frames("two_faces.mp4", every=120, count=2)
    found = yunet.search(frame)
    assert [found[0].box.x < 200, found[1].box.x > 350, len(found)] == [True, True, 2]
    assert [round(center(face)[0], -2) for face in yunet.look(frame, found[::-1])] == [200, 500]
    assert yunet.look_near(frame, found[1:])[0].box.x > 350


def test_frames_without_chroma(yunet: YuNetDetector, portrait: Frame) -> None:
    (expected,) = yunet.search(portrait)
    (found,) = yunet.search(gray_frame(portrait.image))
    assert center(found) == pytest.approx(center(expected), abs=5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (40, 900), (8192, 45), (45, 16_384)])
def test_tiny_and_narrow_frames_have_no_faces(yunet: YuNetDetector, shape: tuple[int, int]) -> None:
    frame = gray_frame(np.full(shape, 90, np.uint8))
    known = Detection(Box(0, 0, 20, 20), 1.0)
    assert yunet.search(frame) == yunet.look(frame, [known]) == yunet.look_near(frame, [known]) == ()


PATTERNS = {
    "noise": "color=gray:s=640x360:d=0.08,noise=alls=100:allf=t",
    "bars": "smptehdbars=s=640x360:d=0.08",
    "test picture": "testsrc2=s=640x360:d=0.08",
    "texture": "nullsrc=s=640x360:d=0.08,geq=128+60*sin(X/23)+60*cos(Y/17):128+50*sin(Y/31):128+50*cos(X/29)",
    "waves": "nullsrc=s=640x360:d=0.08,geq=128+60*sin(X/23+3.3)+60*cos(Y/17-3.3):128+50*sin(Y/31):128+50*cos(X/29)",
    "discs": "nullsrc=s=640x360:d=0.08,geq=if(lt(hypot(mod(X\\,80)-40\\,mod(Y\\,90)-45)\\,30)\\,190\\,60):110:150",
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("min_face", [0.05, 0.12, 0.15])
def test_patterns_have_no_faces(tmp_path: Path, pattern: str, min_face: float) -> None:
    path = encode_once(
        tmp_path / "pattern.mkv", "-f", "lavfi", "-i", PATTERNS[pattern], "-c:v", "ffv1", "-pix_fmt", "yuv420p"
    )
    (first, *_) = decode(probe(path), (640, 360))
    detector = YuNetDetector(min_face)
    assert detector.search(first) == detector.look(first, []) == ()


def test_no_face_in_a_cup(yunet: YuNetDetector) -> None:
    assert [yunet.search(frame) for frame in sample_frames("no_face.mp4", every=30)] == [()] * 4


def test_two_detectors_agree(yunet: YuNetDetector, portrait: Frame) -> None:
    """Chunks of a video are searched by several threads and machines."""
    other = YuNetDetector(0.12)
    (known,) = yunet.search(portrait)
    assert other.search(replace(portrait)) == (known,)
    assert other.look(replace(portrait), [known]) == yunet.look(portrait, [known])


class Counting(YuNet):
    """YuNet that records the sizes of the pictures given to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes_px: list[tuple[int, ...]] = []

    @property
    def pictures(self) -> int:
        return len(self.sizes_px)

    def __call__(self, picture: NDArray[np.uint8], min_score: float) -> NDArray[np.float64]:
        self.sizes_px.append(picture.shape[:2])
        return super().__call__(picture, min_score)


def test_where_no_face_is_known_a_look_is_a_glance_unless_there_may_be_one(portrait: Frame) -> None:
    network = Counting()
    detector = YuNetDetector(0.15, network)
    (empty,) = sample_frames("no_face.mp4", count=1)
    assert detector.look(empty, ()) == ()
    assert network.sizes_px == [(144, 256)]
    (found,) = detector.look(portrait, ())
    assert center(found) == pytest.approx(FACE, abs=0.1 * FACE_PX)
    assert (288, 512) in network.sizes_px[1:]


def test_turned_pictures_without_faces_are_only_glanced_at(portrait: Frame) -> None:
    network = Counting()
    detector = YuNetDetector(0.15, network)
    (empty,) = sample_frames("no_face.mp4", count=1)
    assert detector.search(empty) == ()
    assert network.sizes_px == [(288, 512), (256, 144), (144, 256), (256, 144), (144, 256)]
    upside_down = replace(portrait, image=portrait.image[::-1, ::-1], chroma=portrait.chroma[:, ::-1, ::-1])
    (found,) = detector.search(upside_down)
    assert difference_deg(found.pose.roll_deg, 183) == pytest.approx(0, abs=8)


def test_known_faces_are_searched_at_no_other_angles(portrait: Frame) -> None:
    blurred = replace(portrait, image=cv2.GaussianBlur(portrait.image, (0, 0), 6))
    network = Counting()
    detector = YuNetDetector(0.15, network)
    (found,) = detector.search(blurred)
    assert found.score < SURE_SCORE
    views = network.sizes_px.count((160, 160))
    network.sizes_px.clear()
    (again,) = YuNetDetector(0.15, network).search(blurred, [found])
    assert views == 7
    assert network.sizes_px == [(288, 512), (256, 144), (144, 256), (256, 144), (144, 256)]
    assert center(again) == pytest.approx(center(found), abs=5)


def test_a_turned_face_beside_a_known_one_is_found(yunet: YuNetDetector, portrait: Frame) -> None:
    upside_down = [portrait.image[::-1, ::-1], portrait.chroma[:, ::-1, ::-1]]
    image, chroma = (np.concatenate(pair, -1) for pair in zip((portrait.image, portrait.chroma), upside_down, strict=True))
    both = replace(portrait, image=image, chroma=chroma)
    upright, turned_face = yunet.search(both)
    assert difference_deg(turned_face.pose.roll_deg, 183) == pytest.approx(0, abs=8)
    another = replace(both, image=image + np.uint8(1))
    assert len(yunet.search(another, [upright])) == 2


def test_a_picture_is_searched_once_however_many_frames_show_it(portrait: Frame) -> None:
    network = Counting()
    detector = YuNetDetector(0.15, network)
    found = detector.search(portrait)
    searched = network.pictures
    again = replace(portrait, index=7, image=portrait.image.copy(), chroma=portrait.chroma.copy())
    assert detector.search(again) == detector.look(again, ()) == found
    assert network.pictures == searched


@pytest.mark.parametrize("plane", ["image", "chroma"])
def test_a_picture_that_differs_in_a_pixel_is_searched_anew(portrait: Frame, plane: str) -> None:
    network = Counting()
    detector = YuNetDetector(0.15, network)
    detector.search(portrait)
    searched = network.pictures
    pixels = getattr(portrait, plane).copy()
    pixels[..., 5, 5] += 1
    detector.search(replace(portrait, **{plane: pixels}))
    assert network.pictures == 2 * searched
