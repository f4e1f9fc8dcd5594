"""Blurred videos of an archive: no face is left but those to keep; which are made, skipped and refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.moments import MomentQuery, search_moments
from annotate.archive.discover import walk
from annotate.archive.layout import OutputOptions
from annotate.archive.stored_report import read_report
from annotate.batch.check import FindingKind
from annotate.batch.clip_job import BOXES
from annotate.batch.job import Outcome, Status
from annotate.batch.render import BLURRED, RenderOptions, render_archive, scan_renders
from annotate.errors import SettingsError
from annotate.faces.yunet import YuNetDetector
from annotate.media.blur import Kept
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.results.meta import read_meta
from annotate.settings import Settings
from tests.batch.test_clips import make
from tests.clips import H264, SAMPLES, encode_once
from tests.media.test_encode import draws, starts_ms
from tests.runs import annotate, check

NAME = "two.emotions.blurred.mp4"


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with half a second of two faces, annotated and rendered with one of them; read-only."""
    folder = tmp_path_factory.mktemp("two_faces")
    encode_once(folder / "two.mp4", "-ss", "3", "-t", "0.48", "-i", SAMPLES / "two_faces.mp4", *H264)
    list(annotate([folder], options=OutputOptions(("csv",))))
    assert blur(folder, keep=(1,)).status is Status.RENDERED
    return folder


@pytest.fixture
def kept(two_faces: Path, tmp_path: Path) -> Path:
    """A writable copy of the folder."""
    return Path(shutil.copytree(two_faces, tmp_path / "kept"))


def blur(path: Path, **options: object) -> Outcome:
    (outcome,) = render_archive(scan_renders([path], RenderOptions(BLURRED, **options)))  # type: ignore[arg-type]
    return outcome


@draws
def test_a_kept_face_is_as_in_the_source_and_the_other_is_not(kept: Path) -> None:
    boxes = read_report(kept / "two.emotions.csv").boxes
    for time_ms in (0, 440):
        image, source = (read_still(kept / name, time_ms).astype(int) for name in (NAME, "two.mp4"))
        parts = []
        for face_id in (1, 2):
            box = boxes.at(face_id, time_ms)
            assert box is not None
            inner = slice(int(box.y), int(box.y + box.height)), slice(int(box.x), int(box.x + box.width))
            parts.append((image[inner], source[inner]))
        (shown, shown_source), (other, other_source) = parts
        assert abs(shown - shown_source).mean() < 4
        assert np.abs(np.diff(other, axis=0)).mean() < np.abs(np.diff(other_source, axis=0)).mean() / 4


@draws
def test_without_a_face_to_keep_none_is_left_in_any_frame(kept: Path) -> None:
    """The earlier video, which shows a face, does not count as finished."""
    assert blur(kept, keep=(1,)).status is Status.UP_TO_DATE
    outcome = blur(kept)
    assert (outcome.status, outcome.reason) == (Status.RENDERED, NAME)
    detector, path = YuNetDetector(Settings.min_face), kept / NAME
    source, rendered = (list(decode(probe(one), (640, 360))) for one in (kept / "two.mp4", path))
    assert [len(detector.search(frame)) for frame in source[::6]] == [2, 2]
    assert [detector.search(frame) for frame in rendered] == [()] * len(source)
    assert starts_ms(path) == starts_ms(kept / "two.mp4")


def test_blurred_videos_are_listed_checked_and_not_input(kept: Path) -> None:
    meta, path = read_meta(kept / "two.emotions.meta.json"), kept / NAME
    assert meta is not None
    assert [(one.kind, one.language, one.options) for one in meta.renders.values()] == [("blurred", "", "--keep 1")]
    assert [one.name for one in walk([kept]) if isinstance(one, Path)] == ["two.mp4"]
    assert check([kept], None) == []
    path.write_bytes(path.read_bytes() + b"0")
    (finding,) = check([kept], None)
    assert (finding.path, finding.kind) == (path, FindingKind.DAMAGED)
    assert blur(kept, keep=(1,), force=True).status is Status.FAILED
    assert RenderOptions(BLURRED, kept=Kept(sound=False, metadata=False)).render("").options == "--no-sound --no-metadata"


@draws
def test_a_face_to_keep_must_be_in_the_table(kept: Path, empty_clip: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        scan_renders([kept], RenderOptions(BLURRED, keep=(1, 7)))
    assert (raised.value.path, raised.value.exit_status) == (kept / "two.mp4", 2)
    shutil.copy(empty_clip, kept / "empty.mp4")
    list(annotate([kept], options=OutputOptions(("csv",))))
    (kept / "two.mp4").rename(kept / "three.mp4")
    jobs = scan_renders([kept], RenderOptions(BLURRED, container="mkv", keep=(7,)))
    outcomes = {outcome.path.name: outcome for outcome in render_archive(jobs[:1])}
    assert "no face 7" in outcomes["empty.mp4"].reason
    assert (kept / "empty.emotions.blurred.mkv").is_file()


@draws
def test_clips_have_boxes_or_blurred_faces_where_the_table_has_faces(kept: Path, tmp_path: Path) -> None:
    boxes, images = read_report(kept / "two.emotions.csv").boxes, {}
    (moment, *_), _ = search_moments(kept, MomentQuery(), FaceFilter())
    for drawing in (BOXES, BLURRED):
        keep = (1,) if drawing == BLURRED else ()
        make(kept / "two.mp4", to=tmp_path / drawing, emotions=[moment.emotion], drawing=drawing, keep=keep)
        (clip, *_) = (tmp_path / drawing).glob(f"*_face{moment.face_id}.mp4")
        images[drawing] = read_still(clip, 200).astype(int)
    source = read_still(kept / "two.mp4", 200 + moment.span.start_ms).astype(int)
    for face_id in (1, 2):
        box = boxes.at(face_id, 200 + moment.span.start_ms)
        assert box is not None
        left, top, right, bottom = (round(side) for side in (box.x, box.y, box.x + box.width, box.y + box.height))
        difference = abs(images[BLURRED] - source)[top:bottom, left:right].mean()
        assert difference < 4 if face_id == 1 else difference > 8
        drawn = (abs(images[BOXES] - source).max(axis=2) > 40)[top + 8 : bottom - 8]
        assert drawn[:, left - 2 : left + 3].any(axis=1).mean() > 0.9
        assert drawn[:, left + 8 : right - 8].mean() < 0.05
