"""Blurred videos of an archive: no face is left but those to keep; which are made, skipped and refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from annotate.archive.discover import walk
from annotate.archive.layout import OutputOptions
from annotate.archive.stored_report import read_report
from annotate.batch.check import FindingKind
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
from tests.clips import H264, SAMPLES, encode_once
from tests.media.test_encode import draws, starts_ms
from tests.runs import annotate, check

NAME = "two.emotions.blurred.mp4"


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a second of two faces, annotated; read-only."""
    folder = tmp_path_factory.mktemp("two_faces")
    sample = ("-ss", "3", "-t", "1", "-i", SAMPLES / "two_faces.mp4")
    encode_once(folder / "two.mp4", *sample, *H264)
    list(annotate([folder], options=OutputOptions(("csv",))))
    return folder


@pytest.fixture
def done(two_faces: Path, tmp_path: Path) -> Path:
    """A writable copy of the folder."""
    return Path(shutil.copytree(two_faces, tmp_path / "done"))


def blur(path: Path, **options: object) -> Outcome:
    (outcome,) = render_archive(scan_renders([path], RenderOptions(BLURRED, **options)))  # type: ignore[arg-type]
    return outcome


@draws
def test_no_face_is_left_in_any_frame(done: Path) -> None:
    outcome = blur(done)
    assert (outcome.status, outcome.reason) == (Status.RENDERED, NAME)
    detector, path = YuNetDetector(Settings.min_face), done / NAME
    source, rendered = (list(decode(probe(one), (640, 360))) for one in (done / "two.mp4", path))
    assert [len(detector.search(frame)) for frame in source[::8]] == [2, 2, 2, 2]
    assert [detector.search(frame) for frame in rendered] == [()] * len(source)
    assert starts_ms(path) == starts_ms(done / "two.mp4")
    assert [one.name for one in walk([done]) if isinstance(one, Path)] == ["two.mp4"]
    assert check([done], None) == []
    before = path.stat().st_mtime_ns
    assert blur(done).status is Status.UP_TO_DATE
    assert path.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes() + b"0")
    (finding,) = check([done], None)
    assert (finding.path, finding.kind) == (path, FindingKind.DAMAGED)
    assert blur(done, force=True).status is Status.FAILED


@draws
def test_kept_faces_are_as_in_the_source_and_others_are_not(done: Path) -> None:
    """Without the option the video is rendered again, since the earlier one shows a face."""
    assert blur(done, keep=(1,)).status is Status.RENDERED
    boxes = read_report(done / "two.emotions.csv").boxes
    for time_ms in (0, 480, 960):
        image, source = (read_still(done / name, time_ms).astype(int) for name in (NAME, "two.mp4"))
        parts = []
        for face_id in (1, 2):
            box = boxes.at(face_id, time_ms)
            assert box is not None
            inner = slice(int(box.y), int(box.y + box.height)), slice(int(box.x), int(box.x + box.width))
            parts.append((image[inner], source[inner]))
        (kept, kept_source), (other, other_source) = parts
        assert abs(kept - kept_source).mean() < 4
        assert np.abs(np.diff(other, axis=0)).mean() < np.abs(np.diff(other_source, axis=0)).mean() / 4
    assert blur(done, keep=(1,)).status is Status.UP_TO_DATE
    meta = read_meta(done / "two.emotions.meta.json")
    assert meta is not None
    assert [render.options for render in meta.renders.values()] == ["--keep 1"]
    assert blur(done).status is Status.RENDERED
    assert not YuNetDetector(Settings.min_face).search(next(decode(probe(done / NAME), (640, 360))))
    assert blur(done, kept=Kept(metadata=False)).status is Status.RENDERED


@draws
def test_a_face_to_keep_must_be_in_the_table(done: Path, empty_clip: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        scan_renders([done], RenderOptions(BLURRED, keep=(1, 7)))
    assert (raised.value.path, raised.value.exit_status) == (done / "two.mp4", 2)
    shutil.copy(empty_clip, done / "empty.mp4")
    list(annotate([done], options=OutputOptions(("csv",))))
    (done / "two.mp4").rename(done / "three.mp4")
    jobs = scan_renders([done], RenderOptions(BLURRED, container="mkv", keep=(7,)))
    outcomes = {outcome.path.name: outcome for outcome in render_archive(jobs[:1])}
    assert "no face 7" in outcomes["empty.mp4"].reason
    assert (done / "empty.emotions.blurred.mkv").is_file()
