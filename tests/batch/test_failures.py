"""Failures are recorded beside the video, and it is not tried again until something changes."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

from annotate.analysis.pipeline import Analysis
from annotate.archive.layout import OutputOptions, Outputs
from annotate.archive.scan import scan
from annotate.archive.status import State, statuses
from annotate.batch.job import Outcome, Status
from annotate.batch.plan import Action
from annotate.batch.run import Plan, plan_archive
from annotate.errors import DecodingError, FFmpegError, NotAVideoError, OutputError, UnreadableError
from annotate.media import probe
from annotate.media.ffmpeg import stalled_error
from annotate.results.failure import Failure, parse_failure, read_failure
from annotate.results.meta import describe_source
from annotate.settings import Limits, Settings
from annotate.version import VERSION
from tests.runs import annotate

TEXT = b"not a video\n" * 100


def run(folder: Path, settings: Settings | None = None, limits: Limits | None = None, **options: object) -> Outcome:
    """Annotate the one video of a folder."""
    (outcome,) = annotate([folder], settings, options=OutputOptions(**options), limits=limits or Limits())  # type: ignore[arg-type]
    return outcome


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that were opened to be annotated."""
    opened: list[Path] = []
    open_video = Analysis.open

    def record(path: Path, *arguments: object, **options: object) -> Analysis:
        opened.append(path)
        return open_video(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Analysis, "open", record)
    return opened


@pytest.fixture
def failed(tmp_path: Path, attempts: list[Path]) -> Path:
    """A folder with a text file called like a video, which failed."""
    (tmp_path / "a.mp4").write_bytes(TEXT)
    assert run(tmp_path).status is Status.FAILED
    assert attempts == [tmp_path / "a.mp4"]
    attempts.clear()
    return tmp_path


def record_of(folder: Path) -> Failure:
    """Return the record of the failure of ``a.mp4``."""
    failure = read_failure(Outputs(folder / "a").failure)
    assert failure is not None
    return failure


def test_a_record_says_why_when_and_by_which_version(failed: Path) -> None:
    failure = record_of(failed)
    assert (failure.error, failure.version) == ("NotAVideoError", VERSION)
    assert "not a video" in failure.problem
    assert failure.source == describe_source(failed / "a.mp4")
    assert failure.attempt.settings["min_face"] == Settings.min_face
    assert str(failed) not in failure.to_json()
    assert sorted(os.listdir(failed)) == ["a.emotions.failed.json", "a.mp4"]
    content = json.loads(failure.to_json())
    assert content["time"].endswith("+00:00")
    assert parse_failure(failure.to_json().encode()) == failure


def test_a_failure_is_not_tried_again_but_still_fails(failed: Path, attempts: list[Path]) -> None:
    outcome = run(failed)
    assert outcome.status is Status.FAILED
    assert record_of(failed).problem in outcome.problem
    assert "--retry-failed" in outcome.remedy
    assert attempts == []
    (planned,) = plan_archive(scan([failed]), Plan())
    assert planned.description.startswith(f"{Action.FAIL.value}: ")
    assert not planned.needs_annotation


@pytest.mark.parametrize("change", ["file", "settings", "limits", "version", "retry_failed", "force", "damaged record"])
def test_what_changes_lets_it_be_tried_again(failed: Path, attempts: list[Path], change: str) -> None:
    path = Outputs(failed / "a").failure
    if change == "file":
        (failed / "a.mp4").write_bytes(TEXT + b"more\n")
    elif change == "version":
        failure = record_of(failed)
        older = dataclasses.replace(failure, attempt=dataclasses.replace(failure.attempt, program="annotate 0.0.9"))
        path.write_text(older.to_json())
    elif change == "damaged record":
        path.write_text("{}")
    settings = Settings(min_face=0.2) if change == "settings" else None
    limits = Limits(max_pixels=1000) if change == "limits" else None
    options = {change: True} if change in ("retry_failed", "force") else {}
    assert run(failed, settings, limits, **options).status is Status.FAILED
    assert attempts == [failed / "a.mp4"]
    assert run(failed, settings, limits).status is Status.FAILED
    assert len(attempts) == 1


def test_a_copy_with_another_time_or_name_is_the_same_file(failed: Path, attempts: list[Path]) -> None:
    os.utime(failed / "a.mp4", (1, 1))
    assert run(failed).status is Status.FAILED
    for name in ("a.mp4", "a.emotions.failed.json"):
        (failed / name).rename(failed / name.replace("a.", "b.", 1))
    assert run(failed).status is Status.FAILED
    assert attempts == []


def test_a_record_goes_when_the_video_succeeds(failed: Path, empty_clip: Path) -> None:
    shutil.copy(empty_clip, failed / "a.mp4")
    assert run(failed).status is Status.NO_FACES
    assert sorted(os.listdir(failed)) == ["a.emotions.csv", "a.emotions.meta.json", "a.mp4"]


def test_results_of_before_stay_beside_a_failure(tmp_path: Path, empty_clip: Path) -> None:
    shutil.copy(empty_clip, tmp_path / "a.mp4")
    run(tmp_path)
    (tmp_path / "a.mp4").write_bytes(TEXT)
    assert run(tmp_path).status is Status.FAILED
    assert [one.state for one in statuses(scan([tmp_path]))] == [State.FAILED]
    shutil.copy(empty_clip, tmp_path / "a.mp4")
    assert run(tmp_path).status is Status.UP_TO_DATE
    assert [one.state for one in statuses(scan([tmp_path]))] == [State.NO_FACES]


def test_an_empty_file_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert run(tmp_path).status is Status.FAILED
    assert record_of(tmp_path).error == UnreadableError.__name__


@pytest.mark.parametrize(
    ("error", "is_recorded"),
    [
        (NotAVideoError("not a video"), True),
        (DecodingError("no frame could be decoded"), True),
        (UnreadableError("cannot be read"), False),
        (stalled_error("a.mp4", 60.0), False),
        (FFmpegError("no ffmpeg"), False),
        (OutputError("cannot be written"), False),
        (MemoryError(), False),
    ],
)
def test_only_what_is_the_fault_of_the_file_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, is_recorded: bool
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    (tmp_path / "a.mp4").write_bytes(TEXT)
    monkeypatch.setattr(Analysis, "open", fail)
    assert run(tmp_path).status is Status.FAILED
    assert Outputs(tmp_path / "a").failure.exists() == is_recorded


def test_a_failed_decoding_in_hardware_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise DecodingError("no frame could be decoded")

    (tmp_path / "a.mp4").write_bytes(TEXT)
    monkeypatch.setattr(Analysis, "open", fail)
    run(tmp_path, limits=Limits(hwaccel="vaapi"))
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_a_video_that_grows_meanwhile_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def grow(path: Path, *arguments: object, **options: object) -> None:
        path.write_bytes(TEXT * 2)
        raise NotAVideoError("not a video")

    (tmp_path / "a.mp4").write_bytes(TEXT)
    monkeypatch.setattr(Analysis, "open", grow)
    run(tmp_path)
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("script", ["kill -9 $$", "echo 'a.mp4: Input/output error' >&2; exit 1"])
def test_an_ffmpeg_that_is_killed_or_cannot_read_is_not_the_fault_of_the_file(tmp_path: Path, script: str) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    video = tmp_path / "a.mp4"
    video.write_bytes(b"\0" * 100)
    with pytest.raises(NotAVideoError) as caught:
        probe.probe(video, ffmpeg=dataclasses.replace(probe.find_ffmpeg(), path=str(program)))
    assert not caught.value.is_lasting
    with pytest.raises(NotAVideoError) as caught:
        probe.probe(video)
    assert caught.value.is_lasting
