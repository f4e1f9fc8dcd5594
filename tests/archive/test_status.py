"""The states of videos, from outputs written by hand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import annotate
from annotate.archive.scan import scan
from annotate.archive.status import State, statuses
from annotate.batch.check import FindingKind, delete_stale_files
from annotate.errors import NotAVideoError
from annotate.results.failure import Attempt, Failure
from annotate.results.meta import describe_source
from annotate.settings import Limits, Settings
from annotate.version import ANALYSIS_VERSION
from tests.batch.test_check import check, kinds, write_annotated


def write_failure(video: Path, base: str = "") -> Path:
    """Write a file that is no video, with the record that it failed."""
    video.write_text("no video")
    error = NotAVideoError("not a video (a text file)", "skip it", path=video)
    path = video.with_name(f"{base or video.stem}.emotions.failed.json")
    attempt = Attempt.of(Settings(), "0", Limits())
    path.write_text(Failure.of(error, video, describe_source(video), attempt).to_json())
    return path


def test_every_state(tmp_path: Path) -> None:
    write_annotated(tmp_path / "annotated.mp4")
    write_annotated(tmp_path / "damaged.mp4", missing_s=2.0)
    write_annotated(tmp_path / "no_faces.mp4", faces=0)
    write_annotated(tmp_path / "older.mp4", analysis_version=ANALYSIS_VERSION - 1)
    write_annotated(tmp_path / "later.mp4", analysis_version=ANALYSIS_VERSION + 1)
    write_annotated(tmp_path / "changed.mp4")
    (tmp_path / "changed.mp4").write_text("other frames")
    write_annotated(tmp_path / "deleted.mp4").csv.unlink()
    write_annotated(tmp_path / "broken.mp4").meta.write_text("{")
    (tmp_path / "missing.mp4").write_text("new")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nowhere.mp4")
    write_failure(tmp_path / "failed.mp4")
    write_annotated(tmp_path / "failed_later.mp4")
    write_failure(tmp_path / "failed_later.mp4")
    found = {one.path.name.removesuffix(".mp4"): one for one in statuses(scan([tmp_path]))}
    assert {name: one.state for name, one in found.items()} == {
        "annotated": State.ANNOTATED,
        "broken": State.STALE,
        "changed": State.STALE,
        "damaged": State.ANNOTATED,
        "deleted": State.STALE,
        "failed": State.FAILED,
        "failed_later": State.FAILED,
        "later": State.STALE,
        "link": State.FAILED,
        "missing": State.MISSING,
        "no_faces": State.NO_FACES,
        "older": State.OLDER,
    }
    silent = [name for name, one in found.items() if not one.reason]
    assert silent == ["annotated", "no_faces"]
    assert found["failed"].reason.startswith("not a video (a text file)")
    assert found["missing"].to_json() == {
        "path": str(tmp_path / "missing.mp4"),
        "state": "missing",
        "reason": found["missing"].reason,
        "version": None,
        "time": None,
    }


def test_times_are_those_of_the_sidecar(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "a.mp4", program="annotate 1.2.3")
    os.utime(outputs.meta, (0, 0))
    (status,) = statuses(scan([tmp_path]))
    assert (status.version, status.time) == ("1.2.3", "1970-01-01T00:00:00+00:00")


def test_a_record_does_not_outlive_its_file(tmp_path: Path) -> None:
    write_failure(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_text("other")
    assert [one.state for one in statuses(scan([tmp_path]))] == [State.MISSING]


def test_check_knows_records(tmp_path: Path) -> None:
    write_failure(tmp_path / "failed.mp4")
    write_failure(tmp_path / "changed.mp4")
    (tmp_path / "changed.mp4").write_text("other")
    gone = write_failure(tmp_path / "gone.mp4")
    (tmp_path / "gone.mp4").unlink()
    edited = write_failure(tmp_path / "edited.mp4")
    (tmp_path / "edited.mp4").unlink()
    edited.write_text(edited.read_text() + "\n")
    write_annotated(tmp_path / "later.mp4")
    write_failure(tmp_path / "later.mp4")
    findings = check(tmp_path)
    assert kinds(findings) == {
        "failed.mp4": FindingKind.FAILED,
        "changed.mp4": FindingKind.MISSING,
        "gone.emotions.failed.json": FindingKind.STALE,
        "edited.emotions.failed.json": FindingKind.UNKNOWN,
        "later.emotions.meta.json": FindingKind.STALE,
        "later.mp4": FindingKind.FAILED,
    }
    deleted = [path for finding in findings for path in delete_stale_files(finding)]
    assert gone in deleted
    assert edited.exists()


def test_the_python_function(tmp_path: Path) -> None:
    write_annotated(tmp_path / "in/a.mp4", tmp_path / "out")
    table = annotate.status(tmp_path / "in", output_dir=tmp_path / "out")
    assert list(table.columns) == ["path", "state", "reason", "version", "time"]
    assert table["state"].tolist() == ["annotated"]
    assert annotate.status([str(tmp_path / "in")])["state"].tolist() == ["missing"]


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems have no such names")
def test_names_that_are_no_utf_8_stay_as_they_are(tmp_path: Path) -> None:
    video = tmp_path / "caf\udce9.mp4"
    video.write_text("new")
    assert annotate.status(video)["path"].tolist() == [str(video)]
