"""A finished archive against its meta files; annotated by hand, since no decoding is needed to compare hashes."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from annotate.archive.discover import Selection
from annotate.archive.layout import Outputs
from annotate.batch.check import Fault, Finding, remove_stale
from annotate.results.meta import Meta, describe_source, hash_content, json_safe_name, result_settings
from annotate.settings import Settings
from annotate.storage.base import storage_for
from annotate.version import ANALYSIS_VERSION
from tests import runs


def annotate_by_hand(video: Path, folder: Path | None = None, **changes: object) -> Outputs:
    """Writes a video with a report, subtitles and the meta file that belongs to them."""
    video.parent.mkdir(parents=True, exist_ok=True)
    video.write_text(f"the pictures of {json_safe_name(video)}")
    outputs = Outputs((folder or video.parent) / video.stem)
    outputs.csv.parent.mkdir(parents=True, exist_ok=True)
    texts = {outputs.csv: f"report of {json_safe_name(video)}\n", outputs.track("srt", "en"): "1\n"}
    for path, text in texts.items():
        path.write_text(text)
    meta = Meta(
        analysis_version=ANALYSIS_VERSION,
        program="annotate",
        model_hash="0",
        settings=result_settings(Settings()),
        source=describe_source(video),
        frames=1,
        duration_s=1.0,
        missing_s=0.0,
        faces=1,
        dropped_tracks=0,
        warnings={},
        ffmpeg="9.0",
        outputs={json_safe_name(path): hash_content(text.encode()) for path, text in texts.items()},
    )
    outputs.meta.write_text(dataclasses.replace(meta, **changes).to_json())  # type: ignore[arg-type]
    return outputs


def check(*paths: Path, target: Path | None = None, **selection: object) -> list[Finding]:
    """What is wrong below the paths."""
    return runs.check(paths, target, Selection(**selection))  # type: ignore[arg-type]


def faults(findings: list[Finding]) -> dict[str, Fault]:
    """Faults by name of file."""
    assert len({finding.path for finding in findings}) == len(findings)
    return {finding.path.name: finding.fault for finding in findings}


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_archive_has_nothing_wrong_and_is_not_changed(tmp_path: Path) -> None:
    for name in ("a.mp4", "deep/b.mkv", "deep/deeper/a.mov"):
        annotate_by_hand(tmp_path / name)
    before = snapshot(tmp_path)
    assert check(tmp_path) == []
    assert snapshot(tmp_path) == before


def test_what_is_missing(tmp_path: Path) -> None:
    annotate_by_hand(tmp_path / "a.mp4").csv.unlink()
    (tmp_path / "b.mp4").write_text("new")
    assert faults(check(tmp_path)) == {"a.emotions.csv": Fault.MISSING, "b.mp4": Fault.MISSING}


def test_subtitles_that_were_never_written_are_not_missing(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / "a.mp4")
    outputs.track("srt", "en").unlink()
    content = json.loads(outputs.meta.read_text())
    content["outputs"]["a.emotions.en.srt"] = None
    outputs.meta.write_text(json.dumps(content))
    assert check(tmp_path) == []


def test_a_report_changed_by_one_byte_is_damaged(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / "a.mp4")
    content = bytearray(outputs.csv.read_bytes())
    content[3] ^= 1
    outputs.csv.write_bytes(content)
    (finding,) = check(tmp_path)
    assert (finding.path, finding.fault, finding.stale) == (outputs.csv, Fault.DAMAGED, ())


def test_an_output_that_became_a_link_is_damaged(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / "a.mp4")
    outputs.csv.rename(tmp_path / "elsewhere.txt")
    outputs.csv.symlink_to(tmp_path / "elsewhere.txt")
    assert faults(check(tmp_path)) == {"a.emotions.csv": Fault.DAMAGED}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"analysis_version": 1}', "\0"])
def test_a_meta_file_that_is_none_is_damaged_once(tmp_path: Path, content: str) -> None:
    outputs = annotate_by_hand(tmp_path / "a.mp4")
    outputs.meta.write_text(content)
    assert faults(check(tmp_path)) == {"a.emotions.meta.json": Fault.DAMAGED}


def test_a_video_that_was_changed_or_analysed_by_an_older_program_is_stale(tmp_path: Path) -> None:
    changed = annotate_by_hand(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_text("other pictures")
    old = annotate_by_hand(tmp_path / "b.mp4", analysis_version=ANALYSIS_VERSION - 1)
    findings = check(tmp_path)
    assert faults(findings) == {changed.meta.name: Fault.STALE, old.meta.name: Fault.STALE}
    assert [len(finding.stale) for finding in findings] == [3, 3]


def test_a_video_that_was_copied_elsewhere_with_its_outputs_is_whole(tmp_path: Path) -> None:
    annotate_by_hand(tmp_path / "a.mp4")
    os.utime(tmp_path / "a.mp4", ns=(1, 1))
    assert check(tmp_path) == []


def test_outputs_of_a_video_that_is_gone_are_stale(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").unlink()
    (finding,) = check(tmp_path)
    assert (finding.path, finding.fault) == (outputs.meta, Fault.STALE)
    assert finding.reason == "its video a.mp4 is gone"
    assert set(finding.stale) == {outputs.csv, outputs.track("srt", "en"), outputs.meta}


def test_outputs_under_names_that_the_video_no_longer_uses_are_stale(tmp_path: Path) -> None:
    annotate_by_hand(tmp_path / "a.mp4")
    for ending in ("csv", "en.srt"):
        os.link(tmp_path / f"a.emotions.{ending}", tmp_path / f"a.mp4.emotions.{ending}")
    text = (tmp_path / "a.emotions.meta.json").read_text().replace('"a.emotions', '"a.mp4.emotions')
    (tmp_path / "a.mp4.emotions.meta.json").write_text(text)
    (finding,) = check(tmp_path)
    assert (finding.path.name, finding.fault) == ("a.mp4.emotions.meta.json", Fault.STALE)


def test_outputs_of_a_video_that_is_not_looked_at_are_left_alone(tmp_path: Path) -> None:
    annotate_by_hand(tmp_path / "a.mp4")
    annotate_by_hand(tmp_path / "b.mp4")
    assert check(tmp_path, exclude=("b*",)) == []


def test_files_that_no_meta_file_knows_are_foreign_and_never_deleted(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / "a.mp4")
    notes = tmp_path / "notes.emotions.csv"
    notes.write_text("mine")
    later = tmp_path / "a.emotions.de.srt"
    later.write_text("mine too")
    (tmp_path / "a.mp4").unlink()
    findings = check(tmp_path)
    assert faults(findings) == {
        outputs.meta.name: Fault.STALE,
        notes.name: Fault.UNKNOWN,
        later.name: Fault.UNKNOWN,
    }
    for finding in findings:
        remove_stale(finding)
    assert sorted(os.listdir(tmp_path)) == [later.name, notes.name]


def test_what_was_changed_by_hand_is_not_deleted_with_the_rest(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / "a.mp4")
    outputs.csv.write_text("corrected by hand\n")
    (tmp_path / "a.mp4").unlink()
    (finding,) = check(tmp_path)
    assert set(remove_stale(finding)) == {outputs.track("srt", "en"), outputs.meta}
    assert os.listdir(tmp_path) == [outputs.csv.name]


def test_a_meta_file_with_names_of_other_files_deletes_none_of_them(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / "in" / "a.mp4")
    precious = tmp_path / "precious.emotions.csv"
    precious.write_text("precious")
    beside = tmp_path / "in" / "thesis.txt"
    beside.write_text("precious")
    content = json.loads(outputs.meta.read_text())
    content["source"]["name"] = "gone.mp4"
    for name in ("../precious.emotions.csv", str(precious), "thesis.txt"):
        content["outputs"][name] = hash_content(b"precious")
    (tmp_path / "in" / "x.emotions.meta.json").write_text(json.dumps(content))
    for finding in check(tmp_path / "in"):
        remove_stale(finding)
    assert (precious.read_text(), beside.read_text()) == ("precious", "precious")


def test_what_a_killed_run_left_is_found_and_removed_but_not_what_one_that_goes_on_needs(tmp_path: Path) -> None:
    left = tmp_path / ".annotate-0123456789abcdef.tmp"
    left.mkdir()
    (left / "half.csv").write_text("half")
    somebodys = tmp_path / ".annotate-notes.tmp"
    somebodys.touch()
    with storage_for(tmp_path).lock(tmp_path / "movie") as lock:
        assert lock is not None
        (finding,) = check(tmp_path)
        assert (finding.path, finding.fault) == (left, Fault.UNFINISHED)
        assert left.exists()
        assert remove_stale(finding) == [left]
        assert lock.scratch is not None
        assert lock.scratch.exists()
    assert os.listdir(tmp_path) == [somebodys.name]


def test_a_mirror_is_checked_against_its_archive(tmp_path: Path) -> None:
    archive, target = tmp_path / "in", tmp_path / "out"
    annotate_by_hand(archive / "deep" / "a.mp4", target / "deep")
    gone = annotate_by_hand(archive / "b.mp4", target)
    (archive / "b.mp4").unlink()
    assert faults(check(archive, target=target)) == {gone.meta.name: Fault.STALE}
    assert faults(check(archive)) == {"a.mp4": Fault.MISSING}


def test_two_roots_of_one_name_share_a_tree(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for number in "12":
        annotate_by_hand(tmp_path / number / "in" / f"{number}.mp4", target / "in")
    assert check(tmp_path / "1" / "in", tmp_path / "2" / "in", target=target) == []


def test_one_file_alone_is_checked_without_its_neighbours(tmp_path: Path) -> None:
    annotate_by_hand(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").touch()
    assert check(tmp_path / "a.mp4") == []
    (finding,) = check(tmp_path / "nowhere")
    assert (finding.fault, finding.reason) == (Fault.UNREADABLE, "no such file or directory; check the name")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    outputs = annotate_by_hand(tmp_path / os.fsdecode(b"caf\xe9\n.mp4"))
    assert check(tmp_path) == []
    outputs.csv.write_text("changed")
    assert faults(check(tmp_path)) == {outputs.csv.name: Fault.DAMAGED}
