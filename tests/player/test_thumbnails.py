"""Thumbnails show the face, at the moment when it was surest."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.archive.stored_report import read_report
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.player import thumbnails
from annotate.player.thumbnails import SIZE_PX, face_thumbnails, surest_moments
from annotate.results.boxes import BoxPaths
from tests.analytics.samples import block
from tests.clips import make_pattern
from tests.html_report.archives import BLOCKS, annotated


def colour_of(url: str) -> tuple[int, int, int]:
    """The colour in the middle of a picture of the right kind and size."""
    head, _, body = url.partition(",")
    assert head == "data:image/jpeg;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(body)))
    assert (picture.format, picture.size) == ("JPEG", (SIZE_PX, SIZE_PX))
    red, green, blue = np.asarray(picture.convert("RGB"))[SIZE_PX // 2, SIZE_PX // 2]
    return int(red), int(green), int(blue)


def test_a_picture_is_of_the_face_s_place_and_time(tmp_path: Path) -> None:
    """Red on the left and blue on the right until one second, then the other way round."""
    fill = "drawbox=x=0:y=0:w=160:h=180:c={}:t=fill:enable='{}',drawbox=x=160:y=0:w=160:h=180:c={}:t=fill:enable='{}'"
    filters = ",".join(
        fill.format(*parts) for parts in (("red", "lt(t,1)", "blue", "lt(t,1)"), ("blue", "gte(t,1)", "red", "gte(t,1)"))
    )
    video = make_pattern(tmp_path / "sides.mp4", duration_s=2, size="320x180", filters=filters)
    left, right = Box(40, 50, 80, 80), Box(200, 50, 80, 80)
    boxes = BoxPaths([(1, TimedBox(0, left)), (2, TimedBox(0, left)), (3, TimedBox(0, right))])
    blocks = (block(1, 0, 0, 800, "fear"), block(2, 0, 1000, 1800, "fear"), block(3, 0, 0, 800, "fear"))
    pictures = face_thumbnails(video, read_report(annotated(video, blocks, duration_s=2, boxes=boxes)))
    (red, *_), (_, _, later), (_, _, beside) = (colour_of(pictures[face_id]) for face_id in (1, 2, 3))
    assert min(red, later, beside) > 200


def test_the_surest_block_is_chosen_and_its_mean_box_where_no_other_is_known(tmp_path: Path) -> None:
    video = make_pattern(tmp_path / "a.mp4")
    blocks = (replace(BLOCKS[0], face_score=0.5), replace(BLOCKS[1], face_score=2.0), replace(BLOCKS[2], face_score=2.0))
    report = read_report(annotated(video, blocks))
    assert surest_moments(report) == {1: (1200, Box(0, 0, 80, 80))}


def test_so_many_faces_have_pictures_as_are_seen_for_longest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MAX_FACES", 2)
    video = make_pattern(tmp_path / "a.mp4")
    blocks = [block(face, 0, 0, length_ms, "fear") for face, length_ms in ((1, 500), (2, 900), (3, 500), (4, 700))]
    assert list(surest_moments(read_report(annotated(video, blocks)))) == [2, 4]


def test_what_cannot_be_opened_has_none(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"no video")
    assert face_thumbnails(video, read_report(annotated(video))) == {}


def test_none_is_begun_when_it_is_over(colours_clip: Path, tmp_path: Path) -> None:
    video = tmp_path / "a.webm"
    video.write_bytes(colours_clip.read_bytes())
    assert face_thumbnails(video, read_report(annotated(video)), is_over=lambda: True) == {}


def test_a_face_as_large_as_the_picture_and_one_that_leaves_it(colours_clip: Path, tmp_path: Path) -> None:
    video = tmp_path / "a.webm"
    video.write_bytes(colours_clip.read_bytes())
    boxes = BoxPaths([(1, TimedBox(0, Box(-200, -100, 900, 900))), (2, TimedBox(0, Box(310, 170, 60, 60)))])
    pictures = face_thumbnails(video, read_report(annotated(video, boxes=boxes)))
    first, second = colour_of(pictures[1]), colour_of(pictures[2])
    assert first[0] > 200 > 60 > first[1]
    assert second[2] > 200 > 60 > second[0]
