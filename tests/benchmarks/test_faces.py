"""Figures of the benchmark of faces, compared with what made-up pictures show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from annotate import Box, Settings
from tests.benchmarks.faces import LABEL_UNIT, PICTURE_PX, ClipFigures, _with_forehead, crowd_video, find_crowd, follow
from tests.clips import SAMPLES
from tests.faces.frames import sample_frames

FACE, ELSEWHERE = (226, 70, 404, 278), (20, 20, 160, 200)
"""Left, top, right and bottom of the face in portrait.mp4 with its forehead, and of a place without one."""


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face labeled rightly, one labeled wrongly, and a picture without any face or label."""
    (frame,) = sample_frames("portrait.mp4", count=1)
    face = cv2.copyMakeBorder(frame.image, 0, 280, 0, 0, cv2.BORDER_REPLICATE)
    pictures = [face, np.ascontiguousarray(face[:, ::-1]), np.full_like(face, 80)]
    files = [cv2.imencode(".jpg", picture)[1].ravel() for picture in pictures]
    path = tmp_path_factory.mktemp("labeled") / "boxes.npz"
    boxes = np.array([FACE, ELSEWHERE]) * (LABEL_UNIT / PICTURE_PX)
    offset = np.cumsum([0, *map(len, files)])
    np.savez(path, jpeg=np.concatenate(files), offset=offset, box_xyxy=boxes, box_image=np.array([0, 1]))
    return path


def test_labeled_faces_are_counted(labeled: Path, tmp_path: Path) -> None:
    video, labels = crowd_video(labeled, tmp_path)
    assert [len(each) for each in labels] == [1, 1, 0]
    assert labels[0][0] == pytest.approx(FACE)
    figures = find_crowd(video, labels, Settings())
    assert (figures.found, figures.boxes, figures.false_boxes) == ({0.06: (1, 2), 0.15: (1, 2)}, 2, 1)


def test_a_box_with_its_forehead_keeps_its_middle() -> None:
    box = _with_forehead(Box(100, 100, 100, 100))
    assert box.x + box.width / 2 == pytest.approx(150)
    assert (box.width, box.height) == pytest.approx((93, 123.5))
    assert box.y + box.height == pytest.approx(193)


def test_tracks_of_a_clip_with_two_people() -> None:
    """The second face enters at 2.2 s, the first leaves at 6.8 s, of 8 s."""
    figures = follow(SAMPLES / "two_faces.mp4", Settings())
    assert (figures.ids, figures.may_split, figures.sees_two) == (2, False, True)
    assert figures.two_share == pytest.approx((6.8 - 2.2) / 8, abs=0.09)


def test_figures_of_a_clip_are_one_cell() -> None:
    assert ClipFigures(1, False, False, 0.0).text == "1"
    assert ClipFigures(3, True, True, 0.25).text.startswith("3, ")
