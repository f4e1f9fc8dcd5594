"""`check_archive` on outputs written by hand, since comparing hashes needs no decoding."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from annotate.archive.discover import Selection
from annotate.archive.layout import Outputs
from annotate.batch.check import Finding, FindingKind, delete_stale_files
from annotate.results.meta import Meta, describe_source, hash_content, json_safe_name, result_settings
from annotate.settings import Settings
from annotate.storage.base import storage_for
from annotate.version import ANALYSIS_VERSION
from tests import runs


def write_annotated(video: Path, folder: Path | None = None, **changes: object) -> Outputs:
    """Write a video with a table, subtitles and a matching sidecar with ``changes``."""
    video.parent.mkdir(parents=True, exist_ok=True)
    video.write_text(f"the frames of {json_safe_name(video)}")
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
    """Return all findings below the paths."""
    return runs.check(paths, target, Selection(**selection))  # type: ignore[arg-type]


def kinds(findings: list[Finding]) -> dict[str, FindingKind]:
    """Return the kind of each finding by file name."""
    assert len({finding.path for finding in findings}) == len(findings)
    return {finding.path.name: finding.kind for finding in findings}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, including hidden ones."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_intact_archive_has_no_findings_and_is_not_changed(tmp_path: Path) -> None:
    for name in ("a.mp4", "deep/b.mkv", "deep/deeper/a.mov"):
        write_annotated(tmp_path / name)
    before = snapshot(tmp_path)
    assert check(tmp_path) == []
    assert snapshot(tmp_path) == before


def test_deleted_outputs_and_new_videos_are_missing(tmp_path: Path) -> None:
    write_annotated(tmp_path / "a.mp4").csv.unlink()
    (tmp_path / "b.mp4").write_text("new")
    assert kinds(check(tmp_path)) == {"a.emotions.csv": FindingKind.MISSING, "b.mp4": FindingKind.MISSING}


def test_subtitles_that_were_never_written_are_not_missing(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "a.mp4")
    outputs.track("srt", "en").unlink()
    content = json.loads(outputs.meta.read_text())
    content["outputs"]["a.emotions.en.srt"] = None
    outputs.meta.write_text(json.dumps(content))
    assert check(tmp_path) == []


def test_a_table_with_one_changed_byte_is_damaged(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "a.mp4")
    content = bytearray(outputs.csv.read_bytes())
    content[3] ^= 1
    outputs.csv.write_bytes(content)
    (finding,) = check(tmp_path)
    assert (finding.path, finding.kind, finding.stale) == (outputs.csv, FindingKind.DAMAGED, ())


def test_an_output_replaced_by_a_link_is_damaged(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "a.mp4")
    outputs.csv.rename(tmp_path / "elsewhere.txt")
    outputs.csv.symlink_to(tmp_path / "elsewhere.txt")
    assert kinds(check(tmp_path)) == {"a.emotions.csv": FindingKind.DAMAGED}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"analysis_version": 1}', "\0"])
def test_an_invalid_sidecar_is_one_finding(tmp_path: Path, content: str) -> None:
    outputs = write_annotated(tmp_path / "a.mp4")
    outputs.meta.write_text(content)
    assert kinds(check(tmp_path)) == {"a.emotions.meta.json": FindingKind.DAMAGED}


def test_outputs_of_a_changed_video_or_an_older_analysis_are_stale(tmp_path: Path) -> None:
    changed = write_annotated(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_text("other frames")
    old = write_annotated(tmp_path / "b.mp4", analysis_version=ANALYSIS_VERSION - 1)
    findings = check(tmp_path)
    assert kinds(findings) == {changed.meta.name: FindingKind.STALE, old.meta.name: FindingKind.STALE}
    assert [len(finding.stale) for finding in findings] == [3, 3]


def test_a_copied_video_with_another_modification_time_has_no_findings(tmp_path: Path) -> None:
    write_annotated(tmp_path / "a.mp4")
    os.utime(tmp_path / "a.mp4", ns=(1, 1))
    assert check(tmp_path) == []


def test_outputs_of_a_deleted_video_are_stale(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").unlink()
    (finding,) = check(tmp_path)
    assert (finding.path, finding.kind) == (outputs.meta, FindingKind.STALE)
    assert "a.mp4" in finding.reason
    assert set(finding.stale) == {outputs.csv, outputs.track("srt", "en"), outputs.meta}


def test_outputs_with_names_that_the_video_no_longer_uses_are_stale(tmp_path: Path) -> None:
    write_annotated(tmp_path / "a.mp4")
    for ending in ("csv", "en.srt"):
        os.link(tmp_path / f"a.emotions.{ending}", tmp_path / f"a.mp4.emotions.{ending}")
    text = (tmp_path / "a.emotions.meta.json").read_text().replace('"a.emotions', '"a.mp4.emotions')
    (tmp_path / "a.mp4.emotions.meta.json").write_text(text)
    (finding,) = check(tmp_path)
    assert (finding.path.name, finding.kind) == ("a.mp4.emotions.meta.json", FindingKind.STALE)


def test_outputs_of_an_excluded_video_are_ignored(tmp_path: Path) -> None:
    write_annotated(tmp_path / "a.mp4")
    write_annotated(tmp_path / "b.mp4")
    assert check(tmp_path, exclude=("b*",)) == []


def test_unlisted_files_are_unknown_and_never_deleted(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "a.mp4")
    notes = tmp_path / "notes.emotions.csv"
    notes.write_text("mine")
    later = tmp_path / "a.emotions.de.srt"
    later.write_text("mine too")
    (tmp_path / "a.mp4").unlink()
    findings = check(tmp_path)
    assert kinds(findings) == {
        outputs.meta.name: FindingKind.STALE,
        notes.name: FindingKind.UNKNOWN,
        later.name: FindingKind.UNKNOWN,
    }
    for finding in findings:
        delete_stale_files(finding)
    assert sorted(os.listdir(tmp_path)) == [later.name, notes.name]


def test_an_edited_output_is_not_deleted_with_the_others(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "a.mp4")
    outputs.csv.write_text("corrected by hand\n")
    (tmp_path / "a.mp4").unlink()
    (finding,) = check(tmp_path)
    assert set(delete_stale_files(finding)) == {outputs.track("srt", "en"), outputs.meta}
    assert os.listdir(tmp_path) == [outputs.csv.name]


def test_a_malicious_sidecar_cannot_have_other_files_deleted(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / "in" / "a.mp4")
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
        delete_stale_files(finding)
    assert (precious.read_text(), beside.read_text()) == ("precious", "precious")


def test_leftovers_of_killed_runs_are_deleted_but_not_the_scratch_of_a_running_one(tmp_path: Path) -> None:
    left = tmp_path / ".annotate-0123456789abcdef.tmp"
    left.mkdir()
    (left / "half.csv").write_text("half")
    unknown = tmp_path / ".annotate-notes.tmp"
    unknown.touch()
    with storage_for(tmp_path).lock(tmp_path / "movie") as lock:
        assert lock is not None
        (finding,) = check(tmp_path)
        assert (finding.path, finding.kind) == (left, FindingKind.UNFINISHED)
        assert left.exists()
        assert delete_stale_files(finding) == [left]
        assert lock.scratch is not None
        assert lock.scratch.exists()
    assert os.listdir(tmp_path) == [unknown.name]


def test_an_output_folder_is_checked_against_its_archive(tmp_path: Path) -> None:
    archive, target = tmp_path / "in", tmp_path / "out"
    write_annotated(archive / "deep" / "a.mp4", target / "deep")
    gone = write_annotated(archive / "b.mp4", target)
    (archive / "b.mp4").unlink()
    assert kinds(check(archive, target=target)) == {gone.meta.name: FindingKind.STALE}
    assert kinds(check(archive)) == {"a.mp4": FindingKind.MISSING}


def test_two_archives_with_the_same_name_share_an_output_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for number in "12":
        write_annotated(tmp_path / number / "in" / f"{number}.mp4", target / "in")
    assert check(tmp_path / "1" / "in", tmp_path / "2" / "in", target=target) == []


def test_a_single_file_is_checked_without_its_neighbors(tmp_path: Path) -> None:
    write_annotated(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").touch()
    assert check(tmp_path / "a.mp4") == []
    (finding,) = check(tmp_path / "nowhere")
    assert (finding.path, finding.kind) == (tmp_path / "nowhere", FindingKind.UNREADABLE)
    assert finding.reason.startswith("no such file")


def test_names_with_invalid_utf_8(tmp_path: Path) -> None:
    outputs = write_annotated(tmp_path / os.fsdecode(b"caf\xe9\n.mp4"))
    assert check(tmp_path) == []
    outputs.csv.write_text("changed")
    assert kinds(check(tmp_path)) == {outputs.csv.name: FindingKind.DAMAGED}
