"""Runs with ``--baseline``: what is added, what stays, and when videos are annotated again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from annotate.analysis.parallel import analyze_chunk
from annotate.analysis.pipeline import Analysis
from annotate.analysis.tools import Tools
from annotate.archive.layout import OutputOptions
from annotate.archive.stored_report import read_report
from annotate.batch.annotate import AnalyzedChunks, ChunkPlan, annotate_or_split, annotate_video
from annotate.batch.job import Status, WorkContext
from annotate.emotions.contract import Contract
from annotate.errors import SettingsError
from annotate.results.meta import read_meta
from annotate.settings import MEDIAN, Settings
from tests.emotions.models import write_model
from tests.runs import annotate, job_for


def run(folder: Path, settings: Settings) -> Status:
    """Annotate the video in a folder, and return the status."""
    (outcome,) = annotate([folder], settings, options=OutputOptions(("csv", "srt", "vtt")))
    return outcome.status


def contents(folder: Path) -> Mapping[str, bytes]:
    """Return the bytes of all outputs."""
    return {path.name: path.read_bytes() for path in folder.glob("*.emotions.*")}


def test_a_baseline_adds_columns_and_without_it_all_is_as_before(tmp_path: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, tmp_path / "face.mp4")
    assert run(tmp_path, Settings()) is Status.ANNOTATED
    plain = contents(tmp_path)
    assert b"baseline" not in plain["face.emotions.meta.json"]
    assert run(tmp_path, Settings(baseline=MEDIAN)) is Status.ANNOTATED
    relative = contents(tmp_path)
    changed = {name for name, content in plain.items() if relative[name] != content}
    assert changed == {"face.emotions.csv", "face.emotions.meta.json"}
    lines = zip(plain["face.emotions.csv"].splitlines(), relative["face.emotions.csv"].splitlines(), strict=True)
    assert all(longer.startswith(line + b",") for line, longer in lines)
    meta = read_meta(tmp_path / "face.emotions.meta.json")
    assert meta is not None
    assert meta.settings["baseline"] == MEDIAN
    assert run(tmp_path, Settings(baseline=MEDIAN)) is Status.UP_TO_DATE
    assert run(tmp_path, Settings()) is Status.ANNOTATED
    assert contents(tmp_path) == plain


def test_the_baseline_of_a_face_is_that_of_all_chunks(tmp_path: Path, face_clip: Path) -> None:
    """A chunk alone has two blocks of the face, too few for a baseline."""
    settings, context = Settings(chunk_s=1, baseline=MEDIAN), WorkContext(Tools())
    one, two = (shutil.copy(face_clip, tmp_path / name) for name in ("one.mp4", "two.mp4"))
    annotate_video(job_for(one, settings=settings), context)
    job = job_for(two, settings=settings)
    plan = annotate_or_split(job, context)
    assert isinstance(plan, ChunkPlan)
    analysis = Analysis.open(two, settings, tools=context.tools)
    items = [analyze_chunk(analysis, number, plan.count, lambda time_s: None) for number in range(plan.count)]
    annotate_video(job, context, AnalyzedChunks(plan, items))
    table = read_report(tmp_path / "one.emotions.csv").table
    assert table["relative_emotion"].tolist() == ["neutral"] * 4
    assert (tmp_path / "two.emotions.csv").read_bytes() == (tmp_path / "one.emotions.csv").read_bytes()


def test_a_model_without_neutral_is_refused_before_any_work(tmp_path: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, tmp_path / "face.mp4")
    model = write_model(tmp_path / "other.onnx", contract=Contract(("joy", "fear")))
    with pytest.raises(SettingsError):
        run(tmp_path, Settings(model=model, baseline=MEDIAN))
    assert contents(tmp_path) == {}
