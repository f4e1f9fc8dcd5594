"""Whole runs over small archives: outputs, skipped videos and failures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np
import pysubs2
import pytest

from annotate.archive.layout import OutputOptions
from annotate.archive.stored_report import read_report
from annotate.batch.job import Outcome, Status
from annotate.emotions.classifier import Classifier, load_classifier
from annotate.emotions.labels import EMOTIONS
from annotate.emotions.model_file import DEFAULT_MODEL
from annotate.results.intervals import clip_overlaps, dominant_emotion
from annotate.results.meta import describe_source, hash_content, read_meta, result_settings
from annotate.settings import Settings
from annotate.version import ANALYSIS_VERSION
from tests.runs import annotate

NAMES = ["0.mp4", "empty.mp4", "face.mp4", "text.mp4"]


def run(folder: Path, **options: object) -> list[Outcome]:
    """Annotate all videos below a folder."""
    return list(annotate([folder], options=OutputOptions(**options)))  # type: ignore[arg-type]


def statuses(outcomes: Iterable[Outcome]) -> dict[str, Status]:
    """Return the status of each video by file name."""
    return {outcome.path.name: outcome.status for outcome in outcomes}


def file_states(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and modification time of every file, which change when it is rewritten."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, face_clip: Path, empty_clip: Path) -> tuple[Path, list[Outcome]]:
    """Videos with and without a face, a text file and an empty file, annotated once; read-only."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copy(face_clip, folder / "face.mp4")
    shutil.copy(empty_clip, folder / "empty.mp4")
    (folder / "text.mp4").write_text("not a video\n" * 100)
    (folder / "0.mp4").touch()
    return folder, run(folder)


@pytest.fixture
def done(archive: tuple[Path, list[Outcome]], tmp_path: Path) -> Path:
    """A writable copy of the two valid videos of the annotated archive."""
    for path in archive[0].glob("*"):
        if not path.name.startswith(("0.", "text.")):
            shutil.copy2(path, tmp_path)
    return tmp_path


def test_a_run_starts_without_slow_libraries() -> None:
    code = (
        "import sys\nfrom annotate.batch.run import Plan\nlist(Plan().jobs([]))\n"
        "slow = {'pandas', 'numpy', 'dlib', 'onnxruntime', 'cv2'}\nprint(sorted(slow & set(sys.modules)))\n"
        "import annotate.batch.annotate\nprint('pandas' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout == "[]\nFalse\n"


def test_a_failure_does_not_stop_the_run(archive: tuple[Path, list[Outcome]]) -> None:
    _, outcomes = archive
    expected = [Status.FAILED, Status.NO_FACES, Status.ANNOTATED, Status.FAILED]
    assert [(outcome.path.name, outcome.status) for outcome in outcomes] == list(zip(NAMES, expected, strict=True))


def test_failures_name_the_file(archive: tuple[Path, list[Outcome]]) -> None:
    folder, (empty_file, _, _, text) = archive
    assert (empty_file.path, empty_file.about) == (folder / "0.mp4", None)
    assert "empty" in empty_file.problem
    assert (text.path, text.about) == (folder / "text.mp4", None)
    assert text.message.startswith(f"{folder / 'text.mp4'}: {text.problem}")
    assert "video (" in text.problem
    assert "\n" not in text.message


def test_names_of_written_files(archive: tuple[Path, list[Outcome]]) -> None:
    no_faces = ["empty.emotions.csv", "empty.emotions.meta.json"]
    face = [f"face.emotions.{ending}" for ending in ("boxes.csv", "csv", "en.srt", "meta.json")]
    failed = ["0.emotions.failed.json", "text.emotions.failed.json"]
    assert sorted(os.listdir(archive[0])) == sorted([*NAMES, *no_faces, *face, *failed])


def test_a_face_is_tracked_from_the_first_frame_to_the_last(archive: tuple[Path, list[Outcome]]) -> None:
    table = read_report(archive[0] / "face.emotions.csv").table
    columns = ["face_id", "block", "start_frame", "end_frame", "start_time", "end_time", "frames", "overlap"]
    assert table[columns].to_numpy().tolist() == [
        [1, 0, 0, 19, 0.0, 0.8, 20, 0],
        [1, 1, 20, 39, 0.8, 1.6, 20, 0],
        [1, 2, 30, 49, 1.2, 2.0, 20, 10],
    ]
    np.testing.assert_allclose(table[list(EMOTIONS)].sum(axis=1), 1, atol=0.001)
    assert (table["confidence"] == table[list(EMOTIONS)].max(axis=1)).all()


def test_outcomes_hold_length_face_tracks_and_emotion(archive: tuple[Path, list[Outcome]]) -> None:
    folder, outcomes = archive
    emotion = dominant_emotion(clip_overlaps(read_report(folder / "face.emotions.csv").table))
    assert outcomes[1] == Outcome(folder / "empty.mp4", Status.NO_FACES, 1.0, 0, "", "")
    assert outcomes[2] == Outcome(folder / "face.mp4", Status.ANNOTATED, 2.0, 1, emotion, "")


def test_subtitles_cover_the_whole_track(archive: tuple[Path, list[Outcome]]) -> None:
    events = list(pysubs2.load(str(archive[0] / "face.emotions.en.srt")))
    assert (events[0].start, events[-1].end) == (0, 2000)
    assert sum(event.duration for event in events) == 2000
    assert {event.text for event in events} <= set(EMOTIONS)


def test_a_table_without_faces_is_its_header(archive: tuple[Path, list[Outcome]]) -> None:
    text = (archive[0] / "empty.emotions.csv").read_text()
    assert (text.count("\n"), text[:14], text[-13:]) == (1, "face_id,block,", "own_end_time\n")


def test_the_sidecar_records_provenance(archive: tuple[Path, list[Outcome]]) -> None:
    folder, _ = archive
    meta = read_meta(folder / "face.emotions.meta.json")
    assert meta is not None
    assert meta.analysis_version == ANALYSIS_VERSION
    assert meta.model_hash == load_classifier().model_hash
    assert meta.settings == result_settings(Settings())
    assert meta.source == describe_source(folder / "face.mp4")
    assert (meta.frames, meta.duration_s, meta.missing_s, meta.faces, meta.warnings) == (50, 2.0, 0.0, 1, {})
    assert (meta.width_px, meta.height_px) == (320, 240)
    outputs = ("face.emotions.csv", "face.emotions.boxes.csv", "face.emotions.en.srt")
    assert meta.outputs == {name: hash_content((folder / name).read_bytes()) for name in outputs}


def test_the_sidecar_of_a_video_without_faces_lists_no_subtitle_file(archive: tuple[Path, list[Outcome]]) -> None:
    meta = read_meta(archive[0] / "empty.emotions.meta.json")
    assert meta is not None
    assert (meta.frames, meta.duration_s, meta.faces) == (25, 1.0, 0)
    assert meta.outputs["empty.emotions.en.srt"] is None


@pytest.mark.usefixtures("no_decoding")
def test_a_second_run_skips_and_changes_nothing(done: Path) -> None:
    before = file_states(done)
    outcomes = run(done)
    assert [(outcome.status, outcome.duration_s, outcome.faces) for outcome in outcomes] == [
        (Status.UP_TO_DATE, 1.0, 0),
        (Status.UP_TO_DATE, 2.0, 1),
    ]
    assert file_states(done) == before


@pytest.mark.usefixtures("no_decoding")
def test_missing_subtitles_are_converted_from_the_report(done: Path) -> None:
    subtitles = done / "face.emotions.en.srt"
    text, before = subtitles.read_bytes(), file_states(done)
    subtitles.unlink()
    assert statuses(run(done)) == {"empty.mp4": Status.UP_TO_DATE, "face.mp4": Status.CONVERTED}
    assert subtitles.read_bytes() == text
    changed = {name for name, state in file_states(done).items() if state != before[name]}
    assert changed == {"face.emotions.en.srt", "face.emotions.meta.json"}


@pytest.mark.usefixtures("no_decoding")
def test_another_language_is_added(done: Path) -> None:
    assert set(statuses(run(done, language="ru")).values()) == {Status.CONVERTED, Status.NO_FACES}
    meta = read_meta(done / "face.emotions.meta.json")
    assert meta is not None
    assert set(meta.outputs) == {f"face.emotions.{ending}" for ending in ("csv", "boxes.csv", "en.srt", "ru.srt")}
    assert all(hash_content((done / name).read_bytes()) == hash_ for name, hash_ in meta.outputs.items())
    assert not (done / "empty.emotions.ru.srt").exists()
    assert set(statuses([*run(done), *run(done, language="ru")]).values()) == {Status.UP_TO_DATE}


def test_force_writes_the_same_bytes(done: Path) -> None:
    before = {path.name: path.read_bytes() for path in done.iterdir()}
    states = file_states(done)
    assert statuses(run(done, force=True)) == {"empty.mp4": Status.NO_FACES, "face.mp4": Status.ANNOTATED}
    assert {path.name: path.read_bytes() for path in done.iterdir()} == before
    assert all(states[name] != state for name, state in file_states(done).items() if ".emotions." in name)


def test_outdated_subtitles_are_deleted(done: Path) -> None:
    shutil.copy(done / "empty.mp4", done / "face.mp4")
    assert statuses(run(done))["face.mp4"] is Status.NO_FACES
    assert not (done / "face.emotions.en.srt").exists()


def test_only_requested_formats_are_written(tmp_path: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, tmp_path / "face.mp4")
    run(tmp_path, formats=("csv",))
    always = [f"face.emotions.{ending}" for ending in ("boxes.csv", "csv", "meta.json")]
    assert sorted(os.listdir(tmp_path)) == [*always, "face.mp4"]


def test_leftovers_of_killed_runs_are_deleted_even_if_all_videos_are_finished(done: Path) -> None:
    left = done / ".annotate-0123456789abcdef.tmp"
    left.mkdir()
    assert set(statuses(run(done)).values()) == {Status.UP_TO_DATE}
    assert not left.exists()


def test_a_disk_that_fills_up_while_a_table_is_written_fails_one_video(
    done: Path, empty_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old table is kept, but not its sidecar, so that the next run annotates the video; the run continues."""
    fsync, calls = os.fsync, []

    def fail_once(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    before = (done / "empty.emotions.csv").read_bytes()
    monkeypatch.setattr(os, "fsync", fail_once)
    first, second = run(done, force=True)
    assert first.about == done / "empty.emotions.csv"
    assert "(No space left on device)" in first.problem
    assert "permissions" not in first.remedy
    assert second.status is Status.ANNOTATED
    assert (done / "empty.emotions.csv").read_bytes() == before
    assert not any(name.startswith(".annotate") for name in os.listdir(done))
    assert statuses(run(done)) == {"empty.mp4": Status.NO_FACES, "face.mp4": Status.UP_TO_DATE}


def test_after_an_interruption_between_table_and_sidecar_the_next_run_annotates_again(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("annotate.batch.write.format_track", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(done, force=True)
    assert statuses(run(done)) == {"empty.mp4": Status.NO_FACES, "face.mp4": Status.UP_TO_DATE}


def test_skipped_paths_are_failed_outcomes_in_order(done: Path) -> None:
    outcomes = list(annotate([done / "empty.mp4", done / "gone", done / "face.mp4"]))
    assert [outcome.status for outcome in outcomes] == [Status.UP_TO_DATE, Status.FAILED, Status.UP_TO_DATE]
    assert outcomes[1].path == done / "gone"
    assert "no such file" in outcomes[1].problem


def test_a_video_deleted_during_the_run_fails_alone(done: Path) -> None:
    outcomes = annotate([done / "empty.mp4", done / "face.mp4"], options=OutputOptions(force=True))
    assert next(outcomes).status is Status.NO_FACES
    (done / "face.mp4").unlink()
    outcome = next(outcomes)
    assert (outcome.path, outcome.status) == (done / "face.mp4", Status.FAILED)
    assert "no such file" in outcome.problem


@pytest.mark.skipif(sys.platform == "darwin", reason="names are Unicode there")
def test_a_video_with_invalid_utf_8_in_its_name_is_annotated(tmp_path: Path, empty_clip: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    shutil.copy(empty_clip, path)
    assert [run(tmp_path)[0].status, run(tmp_path)[0].status] == [Status.NO_FACES, Status.UP_TO_DATE]
    assert (tmp_path / os.fsdecode(b"caf\xe9.emotions.csv")).exists()


def test_a_video_whose_name_is_too_long_for_outputs_has_shortened_ones(tmp_path: Path, empty_clip: Path) -> None:
    long_path = tmp_path / f"{'x' * 245}.mp4"
    shutil.copy(empty_clip, long_path)
    shutil.copy(empty_clip, tmp_path / "y.mp4")
    first, second = run(tmp_path)
    assert (first.status, second.status) == (Status.NO_FACES, Status.NO_FACES)
    tables = sorted(path.name for path in tmp_path.glob("*.emotions.csv"))
    assert [name[0] for name in tables] == ["x", "y"]
    assert len(tables[0]) < 255


def test_another_model_annotates_again(done: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    onnx = pytest.importorskip("onnx")
    content = onnx.load_from_string((resources.files("annotate.emotions") / DEFAULT_MODEL).read_bytes())
    content.doc_string = "another"
    path = tmp_path_factory.mktemp("model") / "another.onnx"
    onnx.save(content, str(path))
    outcomes = list(annotate([done / "empty.mp4"], Settings(model=path)))
    meta = read_meta(done / "empty.emotions.meta.json")
    assert meta is not None
    assert [outcome.status for outcome in outcomes] == [Status.NO_FACES]
    assert meta.model_hash == Classifier(path).model_hash != load_classifier().model_hash
