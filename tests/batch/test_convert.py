"""Conversion of existing reports: what is written, kept or refused; nothing is decoded."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from annotate.analysis.pipeline import Analysis
from annotate.archive.discover import Selection
from annotate.archive.layout import OutputOptions
from annotate.archive.scan import scan
from annotate.batch.check import FindingKind, check_archive, delete_stale_files
from annotate.batch.convert import convert_archive, scan_reports
from annotate.batch.job import Outcome, Status
from annotate.errors import SettingsError
from annotate.results.formats.registry import FORMATS, TRACK_FORMATS
from annotate.results.meta import hash_content, read_meta
from annotate.storage.values import SkippedPath
from tests.runs import annotate, check

ALL = tuple(TRACK_FORMATS)
SERIES = ("points.TextGrid", "premiere.csv", "resolve.csv", "timeseries.csv", "timeseries_tsconf.xml")
ENDINGS = ("TextGrid", "ass", "eaf", "json", "labels.txt", "otio", "srt", "vtt", *SERIES)


def convert(*paths: Path, formats: Iterable[str] = ALL, target: Path | None = None, **options: object) -> list[Outcome]:
    """Convert all reports below the paths; opening a video fails the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Analysis, "open", lambda *arguments, **options: pytest.fail("a video was opened"))
        items = scan_reports(paths, Selection(**options), target)  # type: ignore[arg-type]
        return list(convert_archive(items, OutputOptions(tuple(formats))))


def statuses(outcomes: Iterable[Outcome]) -> dict[str, Status]:
    """Return the status of each video by file name."""
    return {outcome.path.name: outcome.status for outcome in outcomes}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of all outputs below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.emotions.*"))}


def test_every_format_is_written_and_listed_in_the_sidecar(done: Path) -> None:
    assert statuses(convert(done)) == {"empty.mp4": Status.CONVERTED, "face.mp4": Status.CONVERTED}
    made = {name.removeprefix("face.emotions.").removeprefix("en.") for name in contents(done) if name.startswith("face")}
    assert made == {*ENDINGS, "csv", "boxes.csv", "meta.json"}
    assert [name for name in contents(done) if name.startswith("empty")] == [
        f"empty.emotions.{ending}" for ending in ("csv", "json", "meta.json")
    ]
    meta = read_meta(done / "face.emotions.meta.json")
    assert meta is not None
    assert meta.outputs == {
        name: hash_content(content)
        for name, content in contents(done).items()
        if name.startswith("face") and name[-9:] != "meta.json"
    }
    assert (check([done], None)) == []


def test_a_second_run_changes_nothing(done: Path) -> None:
    convert(done)
    before = {path.name: path.stat().st_mtime_ns for path in done.iterdir()}
    assert set(statuses(convert(done)).values()) == {Status.UP_TO_DATE}
    assert {path.name: path.stat().st_mtime_ns for path in done.iterdir()} == before


def test_conversion_writes_the_same_bytes_as_annotation(done: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(done, tmp_path / "other"))
    convert(done)
    list(annotate([other], options=OutputOptions(FORMATS, force=True)))
    assert contents(other) == contents(done)


def test_only_missing_formats_are_written(done: Path) -> None:
    convert(done, formats=("eaf", "srt"))
    corrected = done / "face.emotions.eaf"
    corrected.write_text("corrected by hand")
    (done / "face.emotions.en.srt").unlink()
    assert statuses(convert(done, formats=("eaf", "srt")))["face.mp4"] is Status.CONVERTED
    assert corrected.read_text() == "corrected by hand"
    assert (done / "face.emotions.en.srt").exists()


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_file_is_kept_and_no_other_format_is_written(done: Path, name: str) -> None:
    path = done / f"face.emotions{TRACK_FORMATS[name].ending.format(language='en')}"
    path.write_text("mine")
    before = contents(done)
    (face,) = [outcome for outcome in convert(done) if outcome.path.name == "face.mp4"]
    assert face.status is Status.FAILED
    assert face.about == path
    assert "not written" in face.problem
    assert {name: content for name, content in contents(done).items() if name.startswith("face")} == {
        name: content for name, content in before.items() if name.startswith("face")
    }


def test_a_link_with_the_name_of_an_output_is_neither_followed_nor_replaced(done: Path) -> None:
    (done / "thesis.txt").write_text("mine")
    (done / "face.emotions.eaf").symlink_to(done / "thesis.txt")
    assert statuses(convert(done, formats=("eaf",)))["face.mp4"] is Status.FAILED
    assert (done / "thesis.txt").read_text() == "mine"
    assert (done / "face.emotions.eaf").is_symlink()


def test_files_of_a_run_that_was_killed_before_the_sidecar_are_accepted(done: Path) -> None:
    meta_path = done / "face.emotions.meta.json"
    meta = meta_path.read_bytes()
    convert(done)
    expected = contents(done)
    meta_path.write_bytes(meta)
    assert statuses(convert(done))["face.mp4"] is Status.CONVERTED
    assert contents(done) == expected


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "face.emotions.csv").write_text("face_id\n1\n"), r"table .*changed"),
        (lambda folder: (folder / "face.emotions.csv").unlink(), r"table .*deleted"),
        (lambda folder: (folder / "face.emotions.boxes.csv").write_text("1\n"), r"boxes .*changed"),
        (lambda folder: (folder / "face.emotions.boxes.csv").unlink(), r"boxes .*deleted"),
        (lambda folder: (folder / "face.mp4").write_text("other frames"), r"video .*changed"),
        (lambda folder: make_later(folder / "face.emotions.meta.json"), "version"),
    ],
)
@pytest.mark.parametrize("is_converted", [False, True])
def test_a_damaged_or_outdated_report_is_refused(done: Path, damage: object, reason: str, is_converted: bool) -> None:
    if is_converted:
        convert(done, formats=("vtt",))
    damage(done)  # type: ignore[operator]
    before = contents(done)
    (face,) = [outcome for outcome in convert(done, formats=("vtt",)) if outcome.path.name == "face.mp4"]
    assert face.status is Status.FAILED
    assert face.about == done / "face.emotions.csv"
    assert re.search(reason, face.problem)
    command = "correct" if reason == r"table .*changed" else "--force"
    assert ("update" if reason == "version" else f"`annotate {command} {done / 'face.mp4'}`") in face.remedy
    assert {name for name in contents(done) if name.startswith("face")} == {
        name for name in before if name.startswith("face")
    }


def make_later(path: Path) -> None:
    """Make a sidecar look as if a later version had written it."""
    meta = read_meta(path)
    assert meta is not None
    path.write_text(path.read_text().replace(f'"analysis_version": {meta.analysis_version}', '"analysis_version": 99'))


def test_a_video_without_a_report_or_with_a_damaged_sidecar_fails(done: Path) -> None:
    shutil.copy(done / "empty.mp4", done / "new.mp4")
    (done / "face.emotions.meta.json").write_text("{")
    failed = {outcome.path: outcome for outcome in convert(done) if outcome.status is Status.FAILED}
    new, face = done / "new.mp4", done / "face.mp4"
    assert {path: outcome.about for path, outcome in failed.items()} == {new: None, face: None}
    assert "not annotated" in failed[new].problem
    assert "damaged" in failed[face].problem
    assert all(f"`annotate {path}`" in outcome.remedy for path, outcome in failed.items())


def test_reports_of_deleted_videos_are_converted(done: Path) -> None:
    for name in ("face.mp4", "empty.mp4"):
        (done / name).unlink()
    assert statuses(convert(done, formats=("eaf",))) == {"empty.mp4": Status.NO_FACES, "face.mp4": Status.CONVERTED}
    assert "./face.mp4" in (done / "face.emotions.eaf").read_text()
    assert statuses(convert(done, formats=("vtt",), exclude=("face.*",))) == {"empty.mp4": Status.NO_FACES}


@pytest.mark.parametrize("ending", ["csv", "meta.json"])
def test_a_table_or_sidecar_can_be_given_as_path(done: Path, ending: str) -> None:
    (done / "face.mp4").unlink()
    assert statuses(convert(done / f"face.emotions.{ending}", formats=("vtt",))) == {"face.mp4": Status.CONVERTED}
    assert (done / "face.emotions.en.vtt").exists()
    both = convert(done, done / f"face.emotions.{ending}", formats=("json",))
    assert statuses(both) == {"face.mp4": Status.CONVERTED, "empty.mp4": Status.CONVERTED}


def test_a_table_without_a_sidecar_fails(done: Path) -> None:
    (done / "face.emotions.meta.json").unlink()
    (outcome,) = convert(done / "face.emotions.csv")
    assert (outcome.path, outcome.status) == (done / "face.emotions.csv", Status.FAILED)
    assert "sidecar" in outcome.problem


@pytest.mark.parametrize("name", ["", "..", "../face.mp4", "a\0b", "/etc/passwd"])
def test_a_sidecar_with_an_invalid_video_name_fails_or_is_skipped(done: Path, name: str) -> None:
    (done / "face.mp4").unlink()
    path = done / "face.emotions.meta.json"
    content = json.loads(path.read_text())
    content["source"]["name"] = name
    path.write_text(json.dumps(content))
    outcomes = [*convert(done, formats=("json",)), *convert(done / "face.emotions.csv", formats=("eaf",))]
    assert not any("internal error" in outcome.reason for outcome in outcomes)


def test_a_missing_path_is_a_failed_outcome(done: Path) -> None:
    (entry,) = scan_reports([done / "gone"])
    assert isinstance(entry, SkippedPath)
    (outcome,) = convert_archive([entry], OutputOptions(("vtt",)))
    assert (outcome.path, outcome.status) == (done / "gone", Status.FAILED)
    assert "no such file" in outcome.problem


def test_reports_in_an_output_folder_are_converted_there(done: Path, tmp_path: Path) -> None:
    videos, target = tmp_path / "videos", tmp_path / "results"
    (videos / "deep").mkdir(parents=True)
    shutil.copy2(done / "face.mp4", videos / "deep")
    list(annotate([videos], options=OutputOptions(("csv",)), output_dir=target))
    assert statuses(convert(videos, formats=("eaf",))) == {"face.mp4": Status.FAILED}
    assert statuses(convert(videos, formats=("eaf",), target=target)) == {"face.mp4": Status.CONVERTED}
    text = (target / "deep/face.emotions.eaf").read_text()
    assert 'RELATIVE_MEDIA_URL="./../../videos/deep/face.mp4"' in text
    (videos / "deep/face.mp4").unlink()
    assert statuses(convert(videos, formats=("vtt",), target=target)) == {"face.mp4": Status.CONVERTED}
    assert os.listdir(videos / "deep") == []


def test_a_missing_library_is_reported_before_any_work(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(SettingsError, match=r"otio.* opentimelineio"):
        next(convert_archive(scan_reports([done]), OutputOptions(("vtt", "otio"))))
    with pytest.raises(SettingsError, match=r"otio.* opentimelineio"):
        next(annotate([done], options=OutputOptions(("vtt", "otio"))))
    assert not (done / "face.emotions.en.vtt").exists()


def test_a_full_disk_leaves_existing_files_unchanged(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(done)

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        outcomes = convert(done)
    assert [outcome.status for outcome in outcomes] == [Status.FAILED] * 2
    assert all("(No space left on device)" in outcome.problem for outcome in outcomes)
    assert contents(done) == before
    assert not any(name.startswith(".annotate") for name in os.listdir(done))


def test_formats_of_an_earlier_report_are_deleted_when_the_video_is_annotated_again(done: Path) -> None:
    convert(done)
    (done / "face.emotions.eaf").write_text("corrected by hand")
    shutil.copy(done / "empty.mp4", done / "face.mp4")
    (outcome,) = annotate([done / "face.mp4"], options=OutputOptions(("csv", "srt")))
    assert outcome.status is Status.NO_FACES
    left = [name for name in contents(done) if name.startswith("face")]
    assert left == [f"face.emotions.{ending}" for ending in ("csv", "eaf", "meta.json")]
    (finding,) = check_archive(scan([done / "face.mp4"]), {done: [done]})
    assert (finding.path, finding.kind) == (done / "face.emotions.eaf", FindingKind.UNKNOWN)


def test_an_unknown_file_is_found_before_a_video_is_annotated_again(done: Path) -> None:
    (done / "face.emotions.eaf").write_text("mine")
    wanted = OutputOptions(("csv", "eaf"), force=True)
    (outcome,) = annotate([done / "face.mp4"], options=wanted)
    assert outcome.status is Status.FAILED
    assert outcome.about == done / "face.emotions.eaf"
    assert "not written" in outcome.problem
    assert (done / "face.emotions.eaf").read_text() == "mine"


def test_all_formats_of_a_deleted_video_are_stale(done: Path) -> None:
    convert(done)
    (done / "face.mp4").unlink()
    (finding,) = check([done], None)
    assert (finding.kind, len(finding.stale)) == (FindingKind.STALE, len(ENDINGS) + 3)
    delete_stale_files(finding)
    assert not [name for name in contents(done) if name.startswith("face")]
