"""Reading reports back: whole and as they were written, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from annotate.archive.layout import outputs_of_report
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import AGAIN, read_current_report, read_report
from annotate.emotions.labels import EMOTIONS
from annotate.errors import ReportError
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.results.boxes import BoxPaths, format_boxes
from annotate.results.meta import describe_source, hash_content, read_meta
from annotate.results.report import Report
from annotate.results.table import parse_table, to_table
from tests.analytics.samples import CLIP, MOVIE, change_meta, meta_of, replace_content, report, write_known
from tests.results import test_boxes, test_table

BOXES = format_boxes(BoxPaths([(1, TimedBox(0, Box(1, 2, 3, 4)))]))


def refused(read: Callable[[], Report]) -> ReportError:
    """The error by which a report is refused."""
    with pytest.raises(ReportError) as caught:
        read()
    return caught.value


def with_boxes(path: Path, text: str) -> Path:
    """A file of boxes beside a report, whose meta file says that this was written."""
    boxes = outputs_of_report(path).boxes
    assert isinstance(boxes, Path)
    boxes.write_text(text)
    change_meta(path, outputs={path.name: hash_content(path.read_bytes()), boxes.name: hash_content(text.encode())})
    return boxes


@pytest.fixture
def item(tmp_path: Path) -> ArchiveItem:
    """A video that is there, with its report."""
    video = tmp_path / "a.mp4"
    video.write_bytes(b"video")
    path = report(tmp_path, video.name, MOVIE)
    with_boxes(path, BOXES)
    meta = read_meta(meta_of(path))
    assert meta is not None
    meta_of(path).write_text(replace(meta, source=describe_source(video)).to_json())
    return ArchiveItem.read(video, outputs_of_report(path))


def test_the_whole_of_a_report_is_what_was_written(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    whole = read_report(path)
    assert whole.table.equals(parse_table(path.read_bytes()))
    assert (whole.video, whole.meta.source.name, bool(whole.boxes)) == ("a.mp4", "a.mp4", False)
    assert [(piece.face_id, piece.span.start_ms) for piece in whole.pieces] == [(1, 0), (1, 800), (1, 1600), (2, 1500)]


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, (test_table.HEADER + test_table.ROW).replace("\n", "\r\n"))
    assert_frame_equal(read_report(path).table, to_table([test_table.ANNOTATION], EMOTIONS))


@pytest.mark.parametrize("length", test_table.CUT_LENGTHS)
def test_a_report_cut_off_within_a_line_is_refused(tmp_path: Path, length: int) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, (test_table.HEADER + test_table.ROW)[:length])
    error = refused(lambda: read_report(path))
    assert (error.path, error.remedy) == (path, AGAIN)
    assert error.problem == "not a report of this program (its last line is cut off)"


@pytest.mark.parametrize(("text", "reason"), test_table.DAMAGED)
def test_a_damaged_or_foreign_table_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """Its hash is right, so that it is parsed."""
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, text)
    error = refused(lambda: read_report(path))
    assert (error.path, error.remedy) == (path, AGAIN)
    assert error.problem.startswith("not a report of this program (")
    assert reason in error.problem


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, test_table.NO_TEXT)
    error = refused(lambda: read_report(path))
    assert error.path == path
    assert error.problem.startswith("not a report of this program (")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (",sadness,1.0000", ",boredom,1.0000", "an emotion has no column"),
        (",1.0000,0.0000\n", ",1.5000,0.0000\n", "a probability cannot be"),
        ("4.000", "1e300", "cannot be"),
        ("face_id", "face", "the column face_id is missing"),
    ],
)
def test_what_is_no_report_is_refused_as_a_whole(tmp_path: Path, old: str, new: str, why: str) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    replace_content(path, old, new)
    error = refused(lambda: read_report(path))
    assert error.path == path
    assert why in error.problem


def test_a_report_that_is_not_as_it_was_written_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    whole = path.read_bytes()
    for content in (whole[:-40], whole[: whole.rindex(b"\n", 0, -1) + 1], whole.replace(b"0.800", b"0.900"), b""):
        path.write_bytes(content)
        error = refused(lambda: read_report(path))
        assert (error.path, error.remedy) == (path, AGAIN)
        assert error.problem == "damaged or cut off, not as its meta file says it was written"


def test_a_report_of_another_version_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP, version=1)
    error = refused(lambda: read_report(path))
    assert (error.path, error.problem, error.remedy) == (path, "made by another version of the analysis", AGAIN)


def test_a_report_without_meta_file_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    meta_of(path).write_text('{"duration_s": 1e9')
    assert refused(lambda: read_report(path)).problem.startswith("its meta file is damaged, ")
    meta_of(path).unlink()
    assert refused(lambda: read_report(path)).problem.startswith("its meta file is missing, ")


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    path.unlink()
    error = refused(lambda: read_report(path))
    assert (error.path, error.problem) == (path, "the report cannot be read (No such file or directory)")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_in_a_reports_place_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    path.unlink()
    os.mkfifo(path)
    error = refused(lambda: read_report(path))
    assert (error.path, error.problem) == (path, "the report cannot be read (not a file)")


def test_boxes_are_read_as_they_were_written_or_not_at_all(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    boxes = with_boxes(path, BOXES)
    assert read_report(path).boxes.at(1, 0) == Box(1, 2, 3, 4)
    boxes.write_text(BOXES.replace("4", "5"))
    error = refused(lambda: read_report(path))
    assert error.path == boxes
    assert "not as its meta file says it was written" in error.problem
    assert not read_report(path, with_boxes=False).boxes
    boxes.unlink()
    assert "the boxes cannot be read" in refused(lambda: read_report(path)).problem


@pytest.mark.parametrize(("text", "reason"), test_boxes.DAMAGED)
def test_what_is_no_file_of_boxes_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    boxes = with_boxes(path, text)
    error = refused(lambda: read_report(path))
    assert (error.path, error.remedy) == (boxes, AGAIN)
    assert error.problem.startswith(f"not a whole file of boxes ({reason}")


def test_a_file_of_boxes_that_is_gone_is_named(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    boxes = with_boxes(path, BOXES)
    boxes.unlink()
    error = refused(lambda: read_report(path))
    assert (error.path, error.problem) == (boxes, "the boxes cannot be read (No such file or directory)")


def test_a_current_report_is_read_with_its_boxes(item: ArchiveItem) -> None:
    whole = read_current_report(item)
    assert (whole.video, whole.boxes.at(1, 0), whole.meta) == ("a.mp4", Box(1, 2, 3, 4), item.meta)


def test_a_current_report_is_read_without_its_video(item: ArchiveItem) -> None:
    assert isinstance(item.video, Path)
    item.video.unlink()
    assert read_current_report(item.again()).video == "a.mp4"


def test_the_video_is_named_by_the_relative_path_from_the_outputs(item: ArchiveItem, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    video = (tmp_path / "a.mp4").rename(tmp_path / "films/a.mp4")
    assert read_current_report(ArchiveItem.read(video, item.outputs)).video == "films/a.mp4"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.emotions.csv", None, "its report is gone"),
        ("a.emotions.csv", "face_id\n", "its report has been changed"),
        ("a.emotions.boxes.csv", None, "its file of boxes is gone"),
        ("a.emotions.boxes.csv", "face_id\n", "its file of boxes has been changed"),
        ("a.mp4", "another video", "the video has changed since"),
    ],
)
def test_a_report_that_no_longer_holds_is_refused(
    item: ArchiveItem, tmp_path: Path, name: str, content: str | None, problem: str
) -> None:
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    error = refused(lambda: read_current_report(item.again()))
    assert (error.path, error.problem) == (item.outputs.csv, problem)
    assert error.remedy == f"run `annotate --force {item.video}` first"


def test_a_current_report_of_another_version_is_refused(item: ArchiveItem) -> None:
    assert item.meta is not None
    old = replace(item, meta=replace(item.meta, analysis_version=1))
    error = refused(lambda: read_current_report(old))
    assert (error.path, error.problem) == (item.outputs.csv, "made by another version of the analysis")


def test_without_a_whole_meta_file_nothing_is_read(item: ArchiveItem) -> None:
    assert isinstance(item.outputs.meta, Path)
    item.outputs.meta.write_text("{")
    error = refused(lambda: read_current_report(item.again()))
    assert (error.path, error.problem) == (item.video, "its meta file is damaged")
    item.outputs.meta.unlink()
    error = refused(lambda: read_current_report(item.again()))
    assert (error.path, error.problem) == (item.video, "not annotated yet")
    assert error.remedy == f"run `annotate {item.video}` first"
