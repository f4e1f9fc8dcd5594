"""Videos that fail in a run: what is damaged, changes, or cannot be written leaves no files, and stops no other video."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.batch.job import Status
from annotate.errors import ModelError
from annotate.results.meta import read_meta
from annotate.settings import Settings
from tests.batch.test_run import run
from tests.clips import H264, make_pattern
from tests.runs import annotate


def test_the_missing_part_of_a_truncated_video_is_reported(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "cut.mp4", duration_s=4, options=(*H264, "-g", "5", "-movflags", "+faststart"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    (outcome,) = run(tmp_path)
    meta = read_meta(tmp_path / "cut.emotions.meta.json")
    assert meta is not None
    assert 1 < meta.missing_s < 3
    assert meta.missing_s == pytest.approx(4 - meta.duration_s, abs=0.0005)
    assert outcome.status is Status.NO_FACES
    assert outcome.reason == meta.damage.statement()
    assert f"{meta.missing_s:.1f} s" in outcome.reason
    (again,) = run(tmp_path)
    assert (again.status, again.reason) == (Status.UP_TO_DATE, outcome.reason)


def test_a_read_only_folder_is_reported_before_decoding(
    tmp_path: Path, empty_clip: Path, monkeypatch: pytest.MonkeyPatch, no_decoding: None
) -> None:
    def deny(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    shutil.copy(empty_clip, tmp_path / "a.mp4")
    monkeypatch.setattr(tempfile, "TemporaryFile", deny)
    (outcome,) = run(tmp_path)
    assert outcome.status is Status.FAILED
    assert outcome.about == tmp_path
    assert "(Permission denied)" in outcome.problem
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_a_full_disk_leaves_no_files(tmp_path: Path, empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    shutil.copy(empty_clip, tmp_path / "a.mp4")
    monkeypatch.setattr(os, "replace", refuse)
    (outcome,) = run(tmp_path)
    report = tmp_path / "a.emotions.csv"
    assert outcome.status is Status.FAILED
    assert outcome.about == report
    assert "(No space left on device)" in outcome.problem
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_a_video_that_grows_while_it_is_read_fails_and_the_next_run_annotates_it(
    tmp_path: Path, empty_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copy(empty_clip, tmp_path / "a.mp4")

    def analyze_and_grow(analysis: Analysis, cores: object) -> list[Annotation]:
        annotations = analyze(analysis)
        with path.open("ab") as file:
            file.write(b"\0")
        return annotations

    with monkeypatch.context() as patch:
        patch.setattr("annotate.batch.annotate.analyze", analyze_and_grow)
        (outcome,) = run(tmp_path)
    assert outcome.status is Status.FAILED
    assert (outcome.path, outcome.about) == (path, None)
    assert "changed" in outcome.problem
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert run(tmp_path)[0].status is Status.NO_FACES


def test_a_video_deleted_while_it_is_read_fails_and_leaves_no_files(
    tmp_path: Path, empty_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.copy(empty_clip, tmp_path / "a.mp4")

    def analyze_and_delete(analysis: Analysis, cores: object) -> list[Annotation]:
        annotations = analyze(analysis)
        path.unlink()
        return annotations

    monkeypatch.setattr("annotate.batch.annotate.analyze", analyze_and_delete)
    (outcome,) = run(tmp_path)
    assert (outcome.path, outcome.status) == (path, Status.FAILED)
    assert "(No such file or directory)" in outcome.problem
    assert "permissions" not in outcome.remedy
    assert os.listdir(tmp_path) == []


def test_an_invalid_model_is_reported_before_any_work(tmp_path: Path, empty_clip: Path) -> None:
    shutil.copy(empty_clip, tmp_path / "a.mp4")
    model = tmp_path / "model.onnx"
    model.write_bytes(b"no model")
    with pytest.raises(ModelError, match="ONNX"):
        list(annotate([tmp_path], Settings(model=model)))
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "model.onnx"]


def test_an_internal_error_fails_one_video(tmp_path: Path, empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("a bug")

    for name in "ab":
        shutil.copy(empty_clip, tmp_path / f"{name}.mp4")
    monkeypatch.setattr("annotate.batch.annotate.analyze", fail)
    outcomes = list(run(tmp_path))
    assert [outcome.status for outcome in outcomes] == [Status.FAILED] * 2
    assert "(RuntimeError: a bug)" in outcomes[0].problem
    assert "in fail" in outcomes[0].trace
