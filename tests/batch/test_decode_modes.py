"""Runs with ``--decode``: what is recorded and said, when videos are annotated again, and what other commands make of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate.analysis.parallel import analyze_chunk
from annotate.analysis.pipeline import Analysis
from annotate.analysis.tools import Tools
from annotate.archive.layout import OutputOptions
from annotate.archive.stored_report import read_report
from annotate.batch.annotate import AnalyzedChunks, ChunkPlan, annotate_or_split, annotate_video
from annotate.batch.job import Outcome, Status, WorkContext
from annotate.cli.main import main
from annotate.results.meta import read_meta
from annotate.settings import ALL_FRAMES, KEY, REFERENCE, Settings
from tests.clips import SAMPLES, encode_once, read_cues
from tests.media.test_skipping import B_FRAMES
from tests.runs import annotate, check, job_for


@pytest.fixture(scope="module")
def talking(media: Path) -> Path:
    """Three seconds of a moving face, with B-frames and a key frame every second."""
    return encode_once(media / "talking_3.mp4", "-i", SAMPLES / "portrait.mp4", "-t", "3", "-an", *B_FRAMES)


def run(folder: Path, decode: str) -> Outcome:
    (outcome,) = annotate([folder], Settings(decode=decode), options=OutputOptions(("csv", "srt")))
    return outcome


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.emotions.*")}


def test_a_change_of_the_option_is_a_change_of_settings(tmp_path: Path, talking: Path) -> None:
    shutil.copy(talking, tmp_path / "a.mp4")
    assert run(tmp_path, ALL_FRAMES).status is Status.ANNOTATED
    whole = outputs(tmp_path)
    assert b"decode" not in whole["a.emotions.meta.json"]
    for decode in (REFERENCE, KEY):
        outcomes = [run(tmp_path, decode), run(tmp_path, decode)]
        assert [outcome.status for outcome in outcomes] == [Status.ANNOTATED, Status.UP_TO_DATE]
        sidecar = json.loads((tmp_path / "a.emotions.meta.json").read_bytes())
        assert (sidecar["settings"]["decode"], sidecar["frames"], sidecar["duration_s"]) == (decode, 75, 3.0)
        assert "decoded_whole" not in sidecar
        assert not outcomes[0].decoded_whole
        assert outputs(tmp_path)["a.emotions.csv"].splitlines()[0] == whole["a.emotions.csv"].splitlines()[0]
    assert run(tmp_path, ALL_FRAMES).status is Status.ANNOTATED
    assert outputs(tmp_path) == whole


def test_a_video_that_is_decoded_whole_is_recorded_and_said(tmp_path: Path, face_clip: Path) -> None:
    """It has no B-frames: only the sidecar tells that some were to be left out."""
    shutil.copy(face_clip, tmp_path / "a.mp4")
    run(tmp_path, ALL_FRAMES)
    whole = outputs(tmp_path)
    result = CliRunner().invoke(main, [str(tmp_path), "--decode", "reference", "--format", "csv,srt"])
    assert result.exit_code == 0
    assert "decoded whole" in result.output
    meta = read_meta(tmp_path / "a.emotions.meta.json")
    assert meta is not None
    assert (meta.decoded_whole, meta.settings["decode"]) == ("nothing", REFERENCE)
    again = outputs(tmp_path)
    assert {name for name in whole if again[name] != whole[name]} == {"a.emotions.meta.json"}


def test_tables_do_not_depend_on_how_a_video_is_split(tmp_path: Path, talking: Path) -> None:
    """Chunks of reference frames are merged as by a cluster; key frames are not split."""
    context, tables = WorkContext(Tools()), []
    for name in ("one.mp4", "two.mp4"):
        job = job_for(Path(shutil.copy(talking, tmp_path / name)), settings=Settings(decode=REFERENCE, chunk_s=1))
        plan = annotate_or_split(job, context)
        assert isinstance(plan, ChunkPlan)
        analysis = Analysis.open(job.item.video, job.settings, tools=context.tools)
        items = [analyze_chunk(analysis, number, plan.count, lambda time_s: None) for number in range(plan.count)]
        annotate_video(job, context, AnalyzedChunks(plan, items) if tables else None)
        tables.append(job.outputs.csv.read_bytes())
    assert tables[0] == tables[1]
    assert read_report(tmp_path / "two.emotions.csv").meta.decoded_whole == ""
    outcome = annotate_or_split(job_for(talking, job.outputs, Settings(decode=KEY, chunk_s=1)), context)
    assert isinstance(outcome, Outcome)


def test_other_commands_work_with_tables_of_key_frames(tmp_path: Path, face_clip: Path) -> None:
    """The clip has one key frame, and is twice as long as what that stands for."""
    video = Path(shutil.copy(face_clip, tmp_path / "face.mp4"))
    assert run(tmp_path, KEY).status is Status.ANNOTATED
    table = read_report(tmp_path / "face.emotions.csv").table
    assert table[["start_frame", "end_frame", "start_time", "end_time", "frames"]].to_numpy().tolist() == [[0, 24, 0, 1, 1]]
    assert [(start_ms, end_ms) for start_ms, end_ms, _ in read_cues(tmp_path / "face.emotions.en.srt")] == [(0, 1000)]
    commands = (("convert", "--format", "vtt,ass,json,eaf,textgrid,audacity"), ("render",), ("summarize",))
    for command in commands:
        result = CliRunner().invoke(main, [command[0], str(video), *command[1:]])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "face.emotions.boxes.en.mp4").exists()
    assert [(start_ms, end_ms) for start_ms, end_ms, _ in read_cues(tmp_path / "face.emotions.en.vtt")] == [(0, 1000)]
    assert check([tmp_path]) == []
