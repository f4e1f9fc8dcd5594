"""Formats from existing reports: what is made, what is left alone, what is refused, and that nothing is decoded."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from annotate.analysis.pipeline import Analysis
from annotate.archive.discover import Selection
from annotate.archive.layout import OutputOptions
from annotate.archive.scan import scan
from annotate.batch.check import Fault, check_archive, remove_stale
from annotate.batch.convert import convert_archive, scan_reports
from annotate.batch.job import Outcome, Status
from annotate.errors import SettingsError
from annotate.results.formats.registry import FORMATS, TRACKS
from annotate.results.meta import hash_content, read_meta
from annotate.storage.values import SkippedPath
from tests.runs import annotate, check

ALL = tuple(TRACKS)
ENDINGS = ("TextGrid", "ass", "eaf", "json", "labels.txt", "otio", "srt", "vtt")


def convert(*paths: Path, formats: Iterable[str] = ALL, target: Path | None = None, **options: object) -> list[Outcome]:
    """What becomes of everything below the paths; opening a video fails the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Analysis, "open", lambda *arguments, **options: pytest.fail("a video was opened"))
        items = scan_reports(paths, Selection(**options), target)  # type: ignore[arg-type]
        return list(convert_archive(items, OutputOptions(tuple(formats))))


def statuses(outcomes: Iterable[Outcome]) -> dict[str, Status]:
    """Status by name."""
    return {outcome.path.name: outcome.status for outcome in outcomes}


def contents(folder: Path) -> dict[str, bytes]:
    """All outputs below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.emotions.*"))}


def test_every_format_is_made_and_known(done: Path) -> None:
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


def test_a_second_time_nothing_is_touched(done: Path) -> None:
    convert(done)
    before = {path.name: path.stat().st_mtime_ns for path in done.iterdir()}
    assert set(statuses(convert(done)).values()) == {Status.UP_TO_DATE}
    assert {path.name: path.stat().st_mtime_ns for path in done.iterdir()} == before


def test_annotating_with_all_formats_gives_the_same_bytes(done: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(done, tmp_path / "other"))
    convert(done)
    list(annotate([other], options=OutputOptions(FORMATS, force=True)))
    assert contents(other) == contents(done)


def test_only_what_is_missing_is_written(done: Path) -> None:
    convert(done, formats=("eaf", "srt"))
    corrected = done / "face.emotions.eaf"
    corrected.write_text("corrected by hand")
    (done / "face.emotions.en.srt").unlink()
    assert statuses(convert(done, formats=("eaf", "srt")))["face.mp4"] is Status.CONVERTED
    assert corrected.read_text() == "corrected by hand"
    assert (done / "face.emotions.en.srt").exists()


@pytest.mark.parametrize("name", ALL)
def test_somebody_elses_file_of_that_name_is_left_alone_and_nothing_else_is_written(done: Path, name: str) -> None:
    path = done / f"face.emotions{TRACKS[name].ending.format(language='en')}"
    path.write_text("mine")
    before = contents(done)
    (face,) = [outcome for outcome in convert(done) if outcome.path.name == "face.mp4"]
    assert face.status is Status.FAILED
    assert face.reason == f"{path}: not written, since a file is there that this program did not make; move it away"
    assert {name: content for name, content in contents(done).items() if name.startswith("face")} == {
        name: content for name, content in before.items() if name.startswith("face")
    }


def test_a_link_of_that_name_is_not_written_through_or_replaced(done: Path) -> None:
    (done / "thesis.txt").write_text("mine")
    (done / "face.emotions.eaf").symlink_to(done / "thesis.txt")
    assert statuses(convert(done, formats=("eaf",)))["face.mp4"] is Status.FAILED
    assert (done / "thesis.txt").read_text() == "mine"
    assert (done / "face.emotions.eaf").is_symlink()


def test_what_a_killed_run_wrote_and_did_not_note_is_taken_up(done: Path) -> None:
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
        (lambda folder: (folder / "face.emotions.csv").write_text("face_id\n1\n"), "its report has been changed"),
        (lambda folder: (folder / "face.emotions.csv").unlink(), "its report is gone"),
        (lambda folder: (folder / "face.emotions.boxes.csv").write_text("1\n"), "its file of boxes has been changed"),
        (lambda folder: (folder / "face.emotions.boxes.csv").unlink(), "its file of boxes is gone"),
        (lambda folder: (folder / "face.mp4").write_text("other pictures"), "the video has changed since"),
        (lambda folder: age(folder / "face.emotions.meta.json"), "made by another version of the analysis"),
    ],
)
@pytest.mark.parametrize("is_made", [False, True])
def test_a_report_that_no_longer_holds_is_refused_with_a_sentence(
    done: Path, damage: object, reason: str, is_made: bool
) -> None:
    if is_made:
        convert(done, formats=("vtt",))
    damage(done)  # type: ignore[operator]
    before = contents(done)
    (face,) = [outcome for outcome in convert(done, formats=("vtt",)) if outcome.path.name == "face.mp4"]
    assert face.status is Status.FAILED
    again = f"run `annotate --force {done / 'face.mp4'}` first"
    assert face.reason == f"{done / 'face.emotions.csv'}: {reason}; {again}"
    assert {name for name in contents(done) if name.startswith("face")} == {
        name for name in before if name.startswith("face")
    }


def age(path: Path) -> None:
    """Makes a meta file look as if an older program had written it."""
    meta = read_meta(path)
    assert meta is not None
    path.write_text(path.read_text().replace(f'"analysis_version": {meta.analysis_version}', '"analysis_version": 1'))


def test_a_video_without_report_and_one_with_a_damaged_meta_file_say_so(done: Path) -> None:
    shutil.copy(done / "empty.mp4", done / "new.mp4")
    (done / "face.emotions.meta.json").write_text("{")
    failed = {outcome.path: outcome for outcome in convert(done) if outcome.status is Status.FAILED}
    new, face = done / "new.mp4", done / "face.mp4"
    assert {path: (outcome.problem, outcome.about) for path, outcome in failed.items()} == {
        new: ("not annotated yet", None),
        face: ("its meta file is damaged", None),
    }
    assert all(f"`annotate {path}`" in outcome.remedy for path, outcome in failed.items())


def test_reports_whose_videos_are_gone_serve_as_well(done: Path) -> None:
    for name in ("face.mp4", "empty.mp4"):
        (done / name).unlink()
    assert statuses(convert(done, formats=("eaf",))) == {"empty.mp4": Status.CONVERTED, "face.mp4": Status.CONVERTED}
    assert "./face.mp4" in (done / "face.emotions.eaf").read_text()
    assert statuses(convert(done, formats=("vtt",), exclude=("face.*",))) == {"empty.mp4": Status.CONVERTED}


@pytest.mark.parametrize("ending", ["csv", "meta.json"])
def test_a_report_given_by_name_stands_for_itself(done: Path, ending: str) -> None:
    (done / "face.mp4").unlink()
    assert statuses(convert(done / f"face.emotions.{ending}", formats=("vtt",))) == {"face.mp4": Status.CONVERTED}
    assert (done / "face.emotions.en.vtt").exists()
    both = convert(done, done / f"face.emotions.{ending}", formats=("json",))
    assert statuses(both) == {"face.mp4": Status.CONVERTED, "empty.mp4": Status.CONVERTED}


def test_a_report_given_by_name_without_its_meta_file_is_a_sentence(done: Path) -> None:
    (done / "face.emotions.meta.json").unlink()
    (outcome,) = convert(done / "face.emotions.csv")
    assert outcome.status is Status.FAILED
    assert "there is no whole meta file beside it" in outcome.reason


@pytest.mark.parametrize("name", ["", "..", "../face.mp4", "a\0b", "/etc/passwd"])
def test_a_meta_file_that_names_no_video_beside_it_is_a_sentence_or_left_out(done: Path, name: str) -> None:
    (done / "face.mp4").unlink()
    path = done / "face.emotions.meta.json"
    content = json.loads(path.read_text())
    content["source"]["name"] = name
    path.write_text(json.dumps(content))
    outcomes = [*convert(done, formats=("json",)), *convert(done / "face.emotions.csv", formats=("eaf",))]
    assert all(
        outcome.status is not Status.FAILED or "an error of this program" not in outcome.reason for outcome in outcomes
    )


def test_paths_that_are_not_there_are_failures_in_their_place(done: Path) -> None:
    (entry,) = scan_reports([done / "gone"])
    assert isinstance(entry, SkippedPath)
    (outcome,) = convert_archive([entry], OutputOptions(("vtt",)))
    assert (outcome.path, outcome.problem) == (done / "gone", "no such file or directory")


def test_a_tree_of_its_own(done: Path, tmp_path: Path) -> None:
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


def test_a_missing_library_is_told_before_anything_is_done(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(SettingsError, match="the format otio needs opentimelineio"):
        next(convert_archive(scan_reports([done]), OutputOptions(("vtt", "otio"))))
    with pytest.raises(SettingsError, match="the format otio needs opentimelineio"):
        next(annotate([done], options=OutputOptions(("vtt", "otio"))))
    assert not (done / "face.emotions.en.vtt").exists()


def test_a_disk_that_is_full_leaves_what_was_there(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(done)

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        reasons = [outcome.reason for outcome in convert(done)]
    assert all("cannot be written (No space left on device)" in reason for reason in reasons)
    assert contents(done) == before
    assert not any(name.startswith(".annotate") for name in os.listdir(done))


def test_formats_of_an_earlier_report_go_when_the_video_is_annotated_anew(done: Path) -> None:
    convert(done)
    (done / "face.emotions.eaf").write_text("corrected by hand")
    shutil.copy(done / "empty.mp4", done / "face.mp4")
    (outcome,) = annotate([done / "face.mp4"], options=OutputOptions(("csv", "srt")))
    assert outcome.status is Status.NO_FACES
    left = [name for name in contents(done) if name.startswith("face")]
    assert left == [f"face.emotions.{ending}" for ending in ("csv", "eaf", "meta.json")]
    (finding,) = check_archive(scan([done / "face.mp4"]), {done: [done]})
    assert (finding.path, finding.fault) == (done / "face.emotions.eaf", Fault.UNKNOWN)


def test_somebody_elses_file_is_known_before_a_video_is_annotated_anew(done: Path) -> None:
    (done / "face.emotions.eaf").write_text("mine")
    wanted = OutputOptions(("csv", "eaf"), force=True)
    (outcome,) = annotate([done / "face.mp4"], options=wanted)
    assert outcome.status is Status.FAILED
    assert "this program did not make" in outcome.reason
    assert (done / "face.emotions.eaf").read_text() == "mine"


def test_all_formats_of_a_video_that_is_gone_are_stale(done: Path) -> None:
    convert(done)
    (done / "face.mp4").unlink()
    (finding,) = check([done], None)
    assert (finding.fault, len(finding.stale)) == (Fault.STALE, len(ENDINGS) + 3)
    remove_stale(finding)
    assert not [name for name in contents(done) if name.startswith("face")]
