"""Reports of older analysis versions, as kept in ``tests/fixtures``, stay readable by every command and the server."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import annotate
import annotate.version
from annotate.archive.stored_report import read_report
from annotate.results.meta import describe_source, read_meta
from annotate.results.table import APPEARANCE_COLUMNS, BLOCK_COLUMNS, class_names_of
from tests.cli.answers import run
from tests.cli.conftest import _without_processes as _without_processes
from tests.server.conftest import Opener, opener
from tests.server.helpers import by_name

__all__ = ["opener"]

FIXTURES = Path(__file__).parents[1] / "fixtures/analysis_5"
KEPT_VERSION = 5
OPTIONS = {
    "summarize": ["summarize", "."],
    "find": ["find", ".", "--emotion", "happiness"],
    "report": ["report", ".", "-o", "page.html"],
    "plot": ["plot", ".", "-o", "."],
    "convert": ["convert", ".", "--format", "vtt,json"],
    "render": ["render", ".", "--soft"],
}


@pytest.fixture
def archive(tmp_path: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: two videos with the kept reports; the table of ``short.mp4`` lacks two more columns."""
    folder = tmp_path / "archive"
    shutil.copytree(FIXTURES, folder)
    for name in ("clip", "short"):
        video, sidecar = folder / f"{name}.mp4", folder / f"{name}.emotions.meta.json"
        shutil.copy(face_clip, video)
        meta = read_meta(sidecar)
        assert meta is not None
        sidecar.write_text(replace(meta, source=describe_source(video)).to_json())
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def _program_is_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotate.version, "ANALYSIS_VERSION", KEPT_VERSION + 1)


@pytest.fixture
def _program_is_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotate.version, "ANALYSIS_VERSION", KEPT_VERSION - 1)


def _version(folder: Path, name: str) -> int:
    meta = read_meta(folder / f"{name}.emotions.meta.json")
    assert meta is not None
    return meta.analysis_version


@pytest.mark.usefixtures("_program_is_later")
@pytest.mark.parametrize("command", OPTIONS)
def test_commands_use_and_count_older_reports(archive: Path, command: str) -> None:
    answer = run(*OPTIONS[command])
    assert (answer.status, answer.skipped, answer.failed) == (0, [], [])
    assert [line.split(" (")[0] for line in answer.errors.splitlines() if line.startswith("2 ")] == [
        "2 tables of an older analysis version"
    ]
    assert [_version(archive, name) for name in ("clip", "short")] == [KEPT_VERSION] * 2
    if command in ("summarize", "find", "plot", "convert", "render"):
        assert answer.output.count("older") == 2, answer.output
    if command == "report":
        page = (archive / "page.html").read_text()
        assert (page.count('"states":["older"]'), page.count('id="older"'), "problem" in answer.output) == (2, 1, False)


@pytest.mark.usefixtures("_program_is_later")
@pytest.mark.parametrize("command", ["summarize", "find", "report"])
def test_a_filter_of_faces_leaves_out_older_reports(archive: Path, command: str) -> None:
    answer = run(*OPTIONS[command], "--min-quality", "0")
    assert answer.status == 0
    assert answer.errors.count("2 tables lack") == 1
    if command == "report":
        page = (archive / "page.html").read_text()
        assert ("quality at least 0" in page, "2 tables lack" in page, '"lanes":[]' in page) == (True, True, True)
    elif command == "find":
        assert answer.output.startswith("0 moments")
    assert "tables lack" not in run(*OPTIONS[command]).errors


@pytest.mark.usefixtures("_program_is_later")
def test_written_moments_are_marked(archive: Path) -> None:
    sidecar = archive / "clip.emotions.meta.json"
    meta = read_meta(sidecar)
    assert meta is not None
    sidecar.write_text(replace(meta, analysis_version=KEPT_VERSION + 1).to_json())
    table = annotate.find_moments(".")
    assert set(table["video"][table["older"]]) == {"short.mp4"}
    marks = {"json": '"older":true', "m3u": ", older\n", "otio": '"older": true', "edl": ", older\n"}
    for ending, mark in marks.items():
        assert run("find", ".", "-q", "-o", f"out.{ending}").status == 0
        assert (archive / f"out.{ending}").read_text().count(mark) == table["older"].sum()


@pytest.mark.usefixtures("_program_is_earlier")
@pytest.mark.parametrize("command", OPTIONS)
def test_commands_refuse_reports_of_a_later_version(archive: Path, command: str) -> None:
    answer = run(*OPTIONS[command])
    assert answer.status == 1
    assert len(answer.skipped + answer.failed) == 2
    assert answer.errors.count("later analysis version") == 2
    assert "an older analysis" not in answer.errors


@pytest.mark.usefixtures("_program_is_later")
def test_columns_that_an_older_table_lacks_are_empty(archive: Path) -> None:
    full, short = (read_report(archive / f"{name}.emotions.csv") for name in ("clip", "short"))
    assert list(short.table.columns) == list(full.table.columns)
    assert tuple(short.table.columns[: len(BLOCK_COLUMNS)]) == BLOCK_COLUMNS
    assert class_names_of(short.table) == class_names_of(full.table)
    empty = [[name for name in report.table.columns if report.table[name].isna().all()] for report in (full, short)]
    assert empty == [[*APPEARANCE_COLUMNS], ["face_score", "overlap", *APPEARANCE_COLUMNS]]
    assert short.blocks == full.blocks
    assert short.blocks


@pytest.mark.usefixtures("_program_is_later")
def test_formats_come_from_the_data_that_is_there(archive: Path) -> None:
    run("convert", ".", "--format", "vtt,json")
    full, short = (json.loads((archive / f"{name}.emotions.json").read_text()) for name in ("clip", "short"))
    assert short["provenance"]["analysis_version"] == KEPT_VERSION
    empty = {"face_score": None, "overlap": None}
    assert all(annotation[name] is None for annotation in full["annotations"] for name in APPEARANCE_COLUMNS)
    assert short["annotations"] == [annotation | empty for annotation in full["annotations"]]
    assert (archive / "short.emotions.en.vtt").read_text() == (archive / "clip.emotions.en.vtt").read_text()


@pytest.mark.usefixtures("_program_is_later")
def test_check_calls_older_reports_stale_and_annotate_renews_them(archive: Path) -> None:
    answer = run("check", ".")
    assert answer.status == 1
    assert (answer.output + answer.errors).count("stale") >= 2
    preview = run("--dry-run", ".")
    assert preview.output.count("an older analysis version") == 2


@pytest.mark.usefixtures("_program_is_later")
def test_the_server_marks_and_counts_older_reports(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    for name in ("clip", "short"):
        video = by_name(client, name)
        assert (video["state"], video["older"], video["faces"]) == ("stale", True, 1)
        detail = client.get(f"/api/videos/{video['id']}").json()
        assert "csv" in detail["formats"]
        assert client.get(f"/api/videos/{video['id']}/results/vtt").status_code == 200
        assert client.get(f"/api/videos/{video['id']}/player").json()["lanes"]
    assert client.get("/api/archive").json()["older"] == 2


@pytest.mark.usefixtures("_program_is_earlier")
def test_the_server_refuses_reports_of_a_later_version(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    video = by_name(client, "clip")
    assert (video["state"], video["older"], video["faces"]) == ("stale", False, None)
    assert "later" in video["reason"]
