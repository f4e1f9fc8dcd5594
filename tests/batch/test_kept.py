"""Files that people edited or put beside a video are never lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from annotate.archive.layout import OutputOptions
from annotate.batch.job import Status
from annotate.settings import Settings
from tests.runs import annotate, check

OTHER = Settings(min_face=0.2)


@pytest.mark.parametrize("name", ["face.emotions.csv", "face.emotions.boxes.csv", "face.emotions.en.srt"])
def test_edited_outputs_are_kept_under_another_name(done: Path, name: str) -> None:
    list(annotate([done / "face.mp4"]))
    path = done / name
    for number, settings in enumerate((OTHER, Settings()), 1):
        path.write_text(f"edited {number}")
        (outcome,) = annotate([done / "face.mp4"], settings)
        assert outcome.status is Status.ANNOTATED
        assert f"{name}.bak-{number}" in outcome.problem
        assert (done / f"{name}.bak-{number}").read_text() == f"edited {number}"
        assert not path.read_text().startswith("edited")
    assert not check([done])


def test_outputs_that_nobody_edited_are_replaced_without_a_remark(done: Path) -> None:
    (outcome,) = annotate([done / "face.mp4"], OTHER)
    assert (outcome.status, outcome.problem) == (Status.ANNOTATED, "")
    assert not list(done.glob("*.bak-*"))


def test_files_without_a_sidecar_are_kept_at_the_first_run(tmp_path: Path, face_clip: Path) -> None:
    video = shutil.copy(face_clip, tmp_path / "m.mp4")
    (tmp_path / "m.emotions.en.srt").write_text("mine")
    (tmp_path / "thesis.txt").write_text("mine too")
    (tmp_path / "m.emotions.csv").symlink_to(tmp_path / "thesis.txt")
    (outcome,) = annotate([Path(video)])
    assert outcome.status is Status.ANNOTATED
    assert (tmp_path / "m.emotions.en.srt.bak-1").read_text() == "mine"
    assert (tmp_path / "m.emotions.csv.bak-1").is_symlink()
    assert (tmp_path / "thesis.txt").read_text() == "mine too"
    assert "m.emotions.en.srt.bak-1" in outcome.problem
    assert "m.emotions.csv.bak-1" in outcome.problem
    assert not check([tmp_path])


def test_outputs_left_by_a_run_that_was_killed_are_not_kept_twice(done: Path) -> None:
    (done / "face.emotions.meta.json").unlink()
    (outcome,) = annotate([done / "face.mp4"])
    assert outcome.problem == ""
    assert not list(done.glob("*.bak-*"))


def test_edited_outputs_of_formats_no_longer_wanted_are_left_and_named(done: Path) -> None:
    list(annotate([done / "face.mp4"], options=OutputOptions(("csv", "eaf", "vtt"))))
    (done / "face.emotions.eaf").write_text("a tier of mine")
    (outcome,) = annotate([done / "face.mp4"], OTHER, options=OutputOptions(("csv",)))
    assert (done / "face.emotions.eaf").read_text() == "a tier of mine"
    assert not (done / "face.emotions.en.vtt").exists()
    assert "face.emotions.eaf" in outcome.problem
