"""Rendering of an archive: which videos are rendered, skipped, refused or stale; no file is lost or incomplete."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate.archive.discover import walk
from annotate.archive.layout import OutputOptions, is_output
from annotate.archive.stored_report import read_report
from annotate.batch import rendering
from annotate.batch.check import FindingKind, delete_stale_files
from annotate.batch.executor import InlineExecutor
from annotate.batch.job import Outcome, Status
from annotate.batch.render import SOFT, RenderJob, RenderOptions, is_same_file, render_archive, scan_renders
from annotate.cli.main import main
from annotate.errors import FFmpegError, SettingsError
from annotate.faces.box import Box
from annotate.media.ffmpeg import FFmpeg, Renderer
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.results.meta import Render, hash_content, read_meta
from annotate.storage.values import SkippedPath
from tests.batch.test_processes import all_arguments, descendants
from tests.clips import make_from_images
from tests.media.test_encode import description, draws, starts_ms
from tests.runs import annotate, check

RENDERED_NAME = "face.emotions.boxes.en.mp4"


def render(*paths: Path, target: Path | None = None, **options: object) -> list[Outcome]:
    """Render all videos below the paths."""
    return list(render_archive(scan_renders(paths, RenderOptions(**options), target=target)))  # type: ignore[arg-type]


def statuses(outcomes: Iterable[Outcome]) -> dict[str, Status]:
    return {outcome.path.name: outcome.status for outcome in outcomes}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def rendered(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive with rendered videos; read-only."""
    folder = Path(shutil.copytree(archive, tmp_path_factory.mktemp("rendered") / "archive"))
    render(folder)
    return folder


@draws
def test_a_rendered_video_is_listed_in_the_sidecar_and_is_not_input(rendered: Path) -> None:
    meta = read_meta(rendered / "face.emotions.meta.json")
    assert meta is not None
    (known,) = meta.renders.values()
    assert (known.kind, known.language, known.report) == ("boxes", "en", meta.outputs["face.emotions.csv"])
    assert list(meta.renders) == [RENDERED_NAME]
    assert known.hash == hash_content((rendered / RENDERED_NAME).read_bytes())
    assert [path.name for path in walk([rendered]) if isinstance(path, Path)] == ["empty.mp4", "face.mp4"]
    assert (check([rendered], None)) == []
    assert (rendered / RENDERED_NAME).stat().st_mode == (rendered / "face.emotions.csv").stat().st_mode
    assert starts_ms(rendered / RENDERED_NAME) == starts_ms(rendered / "face.mp4")


@draws
def test_boxes_are_drawn_at_the_positions_of_the_table(rendered: Path) -> None:
    report = read_report(rendered / "face.emotions.csv")
    table, boxes = report.table, report.boxes
    for row in table.to_dict("records"):
        time_ms = round(500 * (row["start_time"] + row["end_time"]))
        image, plain = (read_still(rendered / name, time_ms).astype(int) for name in (RENDERED_NAME, "face.mp4"))
        drawn = abs(image - plain).max(axis=2) > 30
        columns = np.flatnonzero(drawn.sum(axis=0) > 0.8 * row["height"])
        rows = np.flatnonzero(drawn.sum(axis=1) > 0.8 * row["width"])
        inner = drawn[round(row["y"]) + 8 : round(row["y"] + row["height"]) - 8, round(row["x"]) + 8 : columns[-1] - 8]
        box = boxes.at(row["face_id"], time_ms)
        assert box is not None
        mean, jitter_px = Box(row["x"], row["y"], row["width"], row["height"]), row["width"] / 12
        for expected, tolerance_px in ((box, 4), (mean, 4 + jitter_px)):
            assert (columns[0], columns[-1]) == pytest.approx((expected.x, expected.x + expected.width), abs=tolerance_px)
            bottom = expected.y + expected.height
            assert rows[rows > bottom - expected.height / 2][0] == pytest.approx(bottom, abs=tolerance_px)
        assert inner.mean() < 0.01


@draws
def test_a_video_without_faces_is_copied_with_a_remark(done: Path) -> None:
    outcomes = {outcome.path.name: outcome for outcome in render(done)}
    assert outcomes["empty.mp4"].reason.startswith("empty.emotions.boxes.en.mp4; no faces")
    assert (done / "empty.emotions.boxes.en.mp4").read_bytes() == (done / "empty.mp4").read_bytes()
    assert outcomes["face.mp4"].reason == RENDERED_NAME
    (other,) = render(done / "empty.mp4", kind=SOFT, container="mkv")
    assert other.reason.startswith("empty.emotions.soft.en.mkv; no faces")
    assert starts_ms(done / "empty.emotions.soft.en.mkv") == starts_ms(done / "empty.mp4")
    (drawn,) = render(done / "empty.mp4", target=done / "other.mkv")
    assert drawn.reason.startswith("other.mkv; no faces")
    assert np.array_equal(read_still(done / "other.mkv", 500), read_still(done / "empty.mp4", 500))


def test_captions_are_another_soft_video(done: Path) -> None:
    plain, captions = (RenderOptions(SOFT, container="mkv", has_captions=has_captions) for has_captions in (False, True))
    for options in (plain, captions):
        (outcome,) = render_archive(scan_renders([done / "face.mp4"], options))
        assert outcome.status is Status.RENDERED
    content = (done / "face.emotions.soft.en.mkv").read_bytes()
    assert b"Captions" in content
    assert b"]" in content.split(b"{\\an8}[")[1]
    (outcome,) = render_archive(scan_renders([done / "face.mp4"], captions))
    assert outcome.status is Status.UP_TO_DATE


def test_rendered_videos_are_skipped_and_not_changed(rendered: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(rendered, tmp_path / "again"))
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(statuses(render(folder)).values()) == {Status.UP_TO_DATE}
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    (folder / RENDERED_NAME).unlink()
    assert statuses(render(folder)) == {"empty.mp4": Status.UP_TO_DATE, "face.mp4": Status.RENDERED}
    assert contents(folder) == contents(rendered)
    assert statuses(render(folder / "face.mp4", force=True)) == {"face.mp4": Status.RENDERED}
    assert contents(folder) == contents(rendered)
    assert statuses(render(folder / "face.mp4", language="ru")) == {"face.mp4": Status.RENDERED}
    assert (folder / "face.emotions.boxes.ru.mp4").exists()


def test_a_video_rendered_from_an_earlier_report_is_stale_and_rendered_again(done: Path, empty_clip: Path) -> None:
    render(done / "face.mp4", kind=SOFT)
    target = done / "face.emotions.soft.en.mp4"
    first = target.read_bytes()
    shutil.copy(empty_clip, done / "face.mp4")
    list(annotate([done / "face.mp4"], options=OutputOptions(("csv",))))
    (finding,) = check([done], None)
    assert (finding.path, finding.kind) == (target, FindingKind.STALE)
    assert statuses(render(done / "face.mp4", kind=SOFT)) == {"face.mp4": Status.RENDERED}
    assert target.read_bytes() == empty_clip.read_bytes() != first
    assert (check([done], None)) == []


def test_deleted_stale_rendered_videos_are_not_reported_as_missing(done: Path, empty_clip: Path) -> None:
    render(done / "face.mp4", kind=SOFT)
    shutil.copy(empty_clip, done / "face.mp4")
    list(annotate([done / "face.mp4"], options=OutputOptions(("csv",))))
    (finding,) = check([done], None)
    assert delete_stale_files(finding) == [done / "face.emotions.soft.en.mp4"]
    assert (check([done], None)) == []
    (done / "face.mp4").unlink()
    (gone,) = check([done], None)
    assert {path.name for path in gone.stale} == {"face.emotions.csv", "face.emotions.meta.json"}


def test_a_malicious_sidecar_cannot_have_files_of_other_folders_deleted(done: Path, tmp_path: Path) -> None:
    """Not even a file that is named like an output and has the hash in the sidecar."""
    other = tmp_path / "other" / "face.emotions.boxes.en.mp4"
    other.parent.mkdir()
    other.write_text("known")
    path = done / "face.emotions.meta.json"
    meta = read_meta(path)
    assert meta is not None
    planted = {f"../other/{other.name}": Render("boxes", "en", "another report", hash_content(b"known"))}
    path.write_text(replace(meta, renders=planted).to_json())
    (done / "face.mp4").unlink()
    for finding in check([done], None):
        delete_stale_files(finding)
    assert other.read_text() == "known"
    assert not path.exists()


def test_check_finds_deleted_and_changed_rendered_videos(done: Path) -> None:
    render(done / "face.mp4", kind=SOFT)
    target = done / "face.emotions.soft.en.mp4"
    target.write_bytes(target.read_bytes() + b"0")
    (finding,) = check([done], None)
    assert (finding.path, finding.kind) == (target, FindingKind.DAMAGED)
    target.unlink()
    (finding,) = check([done], None)
    assert (finding.path, finding.kind) == (target, FindingKind.MISSING)


@pytest.mark.parametrize("force", [False, True])
def test_an_unknown_file_is_not_overwritten(done: Path, force: bool) -> None:
    path = done / "face.emotions.soft.en.mp4"
    path.write_text("mine")
    (outcome,) = render(done / "face.mp4", kind=SOFT, force=force)
    assert outcome.status is Status.FAILED
    assert outcome.about == path
    assert "not written" in outcome.problem
    assert path.read_text() == "mine"
    path.unlink()
    path.symlink_to(done / "face.mp4")
    (outcome,) = render(done / "face.mp4", kind=SOFT, force=force)
    assert outcome.status is Status.FAILED
    assert path.is_symlink()


def test_an_edited_rendered_video_is_not_overwritten(done: Path) -> None:
    render(done / "face.mp4", kind=SOFT)
    target = done / "face.emotions.soft.en.mp4"
    target.write_bytes(target.read_bytes() + b"0")
    before = target.read_bytes()
    (outcome,) = render(done / "face.mp4", kind=SOFT, force=True)
    assert (outcome.status, outcome.about) == (Status.FAILED, target)
    assert target.read_bytes() == before


def test_a_video_without_a_current_report_fails_with_the_command_to_run(done: Path) -> None:
    new, face = done / "new.mp4", done / "face.mp4"
    shutil.copy(done / "empty.mp4", new)
    (done / "face.emotions.csv").write_text("changed\n")
    failed = {outcome.path: outcome for outcome in render(done, kind=SOFT) if outcome.status is Status.FAILED}
    assert set(failed) == {new, face}
    assert "not annotated" in failed[new].problem
    assert f"`annotate {new}`" in failed[new].remedy
    assert "changed" in failed[face].problem
    assert f"`annotate correct {face}`" in failed[face].remedy
    assert not list(done.glob("face.emotions.soft*"))


def test_the_source_video_is_never_the_target(done: Path) -> None:
    video, before = done / "face.mp4", (done / "face.mp4").read_bytes()
    (done / "link.mp4").symlink_to(video)
    os.link(video, done / "hard.mp4")
    (done / "linked").symlink_to(done, target_is_directory=True)
    for name in ("face.mp4", "FACE.MP4", "link.mp4", "hard.mp4", "linked/face.mp4", "linked/../done/Face.mp4"):
        with pytest.raises(SettingsError, match="the source video"):
            scan_renders([video], target=done / name)
    shutil.copy(video, done / "old.avi")
    with pytest.raises(SettingsError, match=r"old\.avi: the source video"):
        scan_renders([done / "old.avi"], target=done / "old.avi")
    with pytest.raises(SettingsError, match=r"-o copy\.avi: .*\.mp4 and \.mkv"):
        scan_renders([video], target=Path("copy.avi"))
    assert not is_same_file(done / "copy.mp4", video)
    assert video.read_bytes() == before


def test_one_video_is_rendered_to_a_given_file(done: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "my copy.MKV"
    (outcome,) = render(done / "face.mp4", kind=SOFT, target=target)
    assert (outcome.status, outcome.reason) == (Status.RENDERED, "my copy.MKV")
    assert os.listdir(target.parent) == ["my copy.MKV"]
    assert probe(target).container == "matroska,webm"
    assert "Emotions, with boxes" in description(target)
    assert statuses(render(done / "face.mp4", kind=SOFT, target=target)) == {"face.mp4": Status.UP_TO_DATE}
    assert (check([done], None)) == []
    for paths in ([done], [done / "face.mp4", done / "empty.mp4"]):
        with pytest.raises(SettingsError, match=r"my copy\.MKV: .* several videos"):
            scan_renders(paths, target=target)


def test_an_output_folder_with_reports_there_or_beside_the_videos(done: Path, tmp_path: Path) -> None:
    videos, target = tmp_path / "videos", tmp_path / "results"
    (videos / "deep").mkdir(parents=True)
    shutil.copy2(done / "face.mp4", videos / "deep")
    list(annotate([videos], options=OutputOptions(("csv",)), output_dir=target))
    assert statuses(render(videos, kind=SOFT, target=target)) == {"face.mp4": Status.RENDERED}
    assert (target / "deep/face.emotions.soft.en.mp4").exists()
    assert os.listdir(videos / "deep") == ["face.mp4"]
    assert (check([videos], target)) == []
    other = tmp_path / "copies"
    assert statuses(render(done, kind=SOFT, target=other)) == dict.fromkeys(("empty.mp4", "face.mp4"), Status.RENDERED)
    assert sorted(os.listdir(other)) == ["empty.emotions.soft.en.mp4", "face.emotions.soft.en.mp4"]
    assert set(statuses(render(done, kind=SOFT, target=other)).values()) == {Status.UP_TO_DATE}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_no_incomplete_files_are_left(done: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    before = contents(done)

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(rendering.os, "replace", fail)
    if isinstance(error, OSError):
        (outcome,) = render(done / "face.mp4", kind=SOFT)
        assert outcome.problem == "cannot be written (No space left on device)"
        assert "permissions" not in outcome.remedy
    else:
        with pytest.raises(KeyboardInterrupt):
            render(done / "face.mp4", kind=SOFT)
    monkeypatch.undo()
    assert not [name for name in os.listdir(done) if name.startswith(".annotate") or "soft" in name]
    assert {name: content for name, content in contents(done).items() if "meta" not in name} == {
        name: content for name, content in before.items() if "meta" not in name
    }
    assert statuses(render(done / "face.mp4", kind=SOFT)) == {"face.mp4": Status.RENDERED}
    assert (check([done], None)) == []


def test_a_video_that_grows_while_it_is_rendered_fails(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mux = rendering.mux

    def mux_and_grow(*arguments: object, **options: object) -> object:
        result = mux(*arguments, **options)  # type: ignore[arg-type]
        with (done / "face.mp4").open("ab") as file:
            file.write(b"more")
        return result

    monkeypatch.setattr(rendering, "mux", mux_and_grow)
    (outcome,) = render(done / "face.mp4", kind=SOFT)
    assert (outcome.path, outcome.status) == (done / "face.mp4", Status.FAILED)
    assert "changed" in outcome.problem
    assert not list(done.glob("*soft*"))


def test_missing_paths_are_skipped_and_outputs_are_not_input(rendered: Path) -> None:
    (entry,) = scan_renders([rendered / "gone"])
    assert isinstance(entry, SkippedPath)
    assert scan_renders([rendered / RENDERED_NAME]) == []
    assert is_output("face.emotions.soft.ru.mkv")


@draws
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a process table")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_signal_ends_all_processes_and_the_next_run_continues(
    done: Path, face_image: Path, number: signal.Signals, status: int
) -> None:
    video = make_from_images(done / "long.mp4", [(face_image, 5)], size=(1280, 720))
    list(annotate([video], options=OutputOptions(("csv",))))
    before = contents(done)
    command = [sys.executable, "-m", "annotate", "render", "--jobs", "1", str(video)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline_s = time.monotonic() + 60
    while not list(done.glob(".annotate-*.tmp/copy/copy.mp4")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    family = descendants(process.pid)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in errors
    while set(family) & set(all_arguments()):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert not list(done.glob("long.emotions.boxes.en*"))
    if number is not signal.SIGKILL:
        assert contents(done) == before
    assert statuses(render(video, kind=SOFT)) == {"long.mp4": Status.RENDERED}
    assert not [name for name in os.listdir(done) if name.startswith(".annotate")]


@pytest.fixture
def _without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "annotate.batch.processes.ProcessExecutor", lambda slots, on_progress, **options: InlineExecutor(on_progress)
    )


@pytest.mark.usefixtures("_without_processes")
def test_the_command_prints_a_table(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)
    answer = CliRunner().invoke(main, ["render", "--soft", "--lang", "ru", "."])
    assert answer.exit_code == 0
    row = next(line.split() for line in answer.stdout.splitlines() if line.startswith("face.mp4"))
    assert row == ["face.mp4", "0:02", "1", "happiness", "rendered"]
    assert "face.mp4: face.emotions.soft.ru.mp4\n" in answer.stdout
    assert answer.stdout.endswith("2 videos: 2 rendered.\n")
    assert CliRunner().invoke(main, ["render", "--soft", "--lang", "ru", "."]).stdout == "2 videos: 2 up to date.\n"
    answer = CliRunner().invoke(main, ["render", "face.mp4", "-o", "FACE.mp4"])
    assert answer.exit_code == 2
    assert "the source video" in answer.stderr
    answer = CliRunner().invoke(main, ["render", "gone.mp4"])
    assert answer.exit_code == 2
    assert "gone.mp4" in answer.stderr


@pytest.mark.usefixtures("_without_processes")
def test_an_ffmpeg_without_libass_is_reported(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(usual: FFmpeg) -> Renderer:
        raise FFmpegError("/usr/bin/ffmpeg lacks libass: install another")

    monkeypatch.setattr("annotate.media.ffmpeg.find_renderer", find)
    answer = CliRunner().invoke(main, ["render", str(done)])
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "Error: /usr/bin/ffmpeg lacks libass: install another\n"
    monkeypatch.setattr("annotate.media.ffmpeg.find_renderer", lambda usual: Renderer("ffmpeg", "using another"))
    answer = CliRunner().invoke(main, ["render", "--soft", str(done)])
    assert (answer.exit_code, answer.stderr.count("using another")) == (0, 0)


def test_jobs_have_separate_outputs(done: Path) -> None:
    jobs = [entry for entry in scan_renders([done]) if isinstance(entry, RenderJob)]
    assert [job.target_stem.name for job in jobs] == ["empty.emotions.boxes.en", "face.emotions.boxes.en"]
    assert len({job.outputs.meta for job in jobs}) == 2
