"""A thorough search finds what an analysis leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.analysis.thorough_search import search_thoroughly
from annotate.faces.coverage import cover_faces
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.settings import Settings
from tests.clips import make_face_image, make_from_images


def test_a_small_face_in_two_frames_is_found_and_covered_until_it_comes_back(tmp_path: Path) -> None:
    """Smaller than an analysis looks for, and shown for too few frames for a block."""
    image = make_face_image(tmp_path / "face.png", filters="scale=80:45,pad=640:360:300:200:gray")
    empty = make_face_image(tmp_path / "empty.png", filters="drawbox=color=gray:thickness=fill")
    images = [(empty, 0.2), (image, 0.08), (empty, 0.48), (image, 0.08)]
    clip = probe(make_from_images(tmp_path / "clip.mp4", images, size=(640, 360)))
    usual = YuNetDetector(Settings.min_face)
    assert not any(usual.search(frame) for frame in decode(clip, (640, 360)))
    progress: list[float] = []
    found = search_thoroughly(clip, progress=progress.append)
    assert {detection.time_ms for track in found.tracks for detection in track} >= {200, 240, 760, 800}
    for box in (detection.box for track in found.tracks for detection in track):
        assert (box.x + box.width / 2) * 640 == pytest.approx(300 + 40, abs=15)
        assert 0.03 < box.height < 0.12
    assert found.times_ms == frozenset(range(0, 840, 40))
    assert (found.shots[0].start_ms, found.shots[-1].end_ms) == (0, 840)
    assert progress[-1] == 0.84
    coverage, point = cover_faces(found), (340 / 640, 222 / 360)
    for time_ms in range(200, 840, 40):
        regions = coverage.at(time_ms) or []
        assert any(box.x < point[0] < box.x + box.width and box.y < point[1] < box.y + box.height for box in regions)
