"""Thumbnails of faces."""

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
from annotate.player.thumbnails import SIZE_PX, thumbnail_positions, thumbnail_urls
from annotate.results.boxes import BoxTrajectories
from tests.analytics.samples import block
from tests.clips import make_pattern
from tests.html_report.archives import BLOCKS, annotated


def color_of(url: str) -> tuple[int, int, int]:
    """Check format and size of a thumbnail, and return the color of its center."""
    head, _, body = url.partition(",")
    assert head == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(body)))
    assert (image.format, image.size) == ("JPEG", (SIZE_PX, SIZE_PX))
    red, green, blue = np.asarray(image.convert("RGB"))[SIZE_PX // 2, SIZE_PX // 2]
    return int(red), int(green), int(blue)


def test_a_thumbnail_shows_the_face_at_its_position_and_time(tmp_path: Path) -> None:
    """The video is red on the left and blue on the right for one second, then vice versa."""
    fill = "drawbox=x=0:y=0:w=160:h=180:c={}:t=fill:enable='{}',drawbox=x=160:y=0:w=160:h=180:c={}:t=fill:enable='{}'"
    filters = ",".join(
        fill.format(*parts) for parts in (("red", "lt(t,1)", "blue", "lt(t,1)"), ("blue", "gte(t,1)", "red", "gte(t,1)"))
    )
    video = make_pattern(tmp_path / "sides.mp4", duration_s=2, size="320x180", filters=filters)
    left, right = Box(40, 50, 80, 80), Box(200, 50, 80, 80)
    boxes = BoxTrajectories([(1, TimedBox(0, left)), (2, TimedBox(0, left)), (3, TimedBox(0, right))])
    blocks = (block(1, 0, 0, 800, "fear"), block(2, 0, 1000, 1800, "fear"), block(3, 0, 0, 800, "fear"))
    images = thumbnail_urls(video, read_report(annotated(video, blocks, duration_s=2, boxes=boxes)))
    (red, *_), (_, _, later), (_, _, right_side) = (color_of(images[face_id]) for face_id in (1, 2, 3))
    assert min(red, later, right_side) > 200


def test_the_block_with_the_best_face_score_is_chosen_with_its_mean_box(tmp_path: Path) -> None:
    video = make_pattern(tmp_path / "a.mp4")
    blocks = (replace(BLOCKS[0], face_score=0.5), replace(BLOCKS[1], face_score=2.0), replace(BLOCKS[2], face_score=2.0))
    report = read_report(annotated(video, blocks))
    assert thumbnail_positions(report) == {1: (1200, Box(0, 0, 80, 80))}


def test_only_the_longest_face_tracks_have_thumbnails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MAX_FACES", 2)
    video = make_pattern(tmp_path / "a.mp4")
    blocks = [block(face, 0, 0, length_ms, "fear") for face, length_ms in ((1, 500), (2, 900), (3, 500), (4, 700))]
    assert list(thumbnail_positions(read_report(annotated(video, blocks)))) == [2, 4]


def test_a_file_that_cannot_be_opened_has_no_thumbnails(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"no video")
    assert thumbnail_urls(video, read_report(annotated(video))) == {}


def test_extraction_stops_on_request(color_clip: Path, tmp_path: Path) -> None:
    video = tmp_path / "a.webm"
    video.write_bytes(color_clip.read_bytes())
    assert thumbnail_urls(video, read_report(annotated(video)), should_stop=lambda: True) == {}


def test_boxes_beyond_the_frame_are_shifted_into_it(color_clip: Path, tmp_path: Path) -> None:
    video = tmp_path / "a.webm"
    video.write_bytes(color_clip.read_bytes())
    boxes = BoxTrajectories([(1, TimedBox(0, Box(-200, -100, 900, 900))), (2, TimedBox(0, Box(310, 170, 60, 60)))])
    images = thumbnail_urls(video, read_report(annotated(video, boxes=boxes)))
    first, second = color_of(images[1]), color_of(images[2])
    assert first[0] > 200 > 60 > first[1]
    assert second[2] > 200 > 60 > second[0]
