"""Reading stored reports: intact, or refused with the reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from annotate.archive.layout import outputs_of_report
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import ANNOTATE_AGAIN, read_current_report, read_report
from annotate.archive.validity import UPDATE
from annotate.emotions.labels import EMOTIONS
from annotate.errors import ReportError
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.results.boxes import BoxTrajectories, format_boxes
from annotate.results.meta import describe_source, hash_content, read_meta
from annotate.results.report import Report
from annotate.results.table import parse_table, to_table
from tests.analytics.samples import CLIP, MOVIE, change_meta, meta_of, replace_content, report, write_known
from tests.results import test_boxes, test_table

BOXES = format_boxes(BoxTrajectories([(1, TimedBox(0, Box(1, 2, 3, 4)))]))


def refused(read: Callable[[], Report]) -> ReportError:
    """Return the error of reading a report."""
    with pytest.raises(ReportError) as caught:
        read()
    return caught.value


def with_boxes(path: Path, text: str) -> Path:
    """Write a boxes file beside a table and record its hash in the sidecar; return its path."""
    boxes = outputs_of_report(path).boxes
    assert isinstance(boxes, Path)
    boxes.write_text(text)
    change_meta(path, outputs={path.name: hash_content(path.read_bytes()), boxes.name: hash_content(text.encode())})
    return boxes


@pytest.fixture
def item(tmp_path: Path) -> ArchiveItem:
    """An existing video with its report."""
    video = tmp_path / "a.mp4"
    video.write_bytes(b"video")
    path = report(tmp_path, video.name, MOVIE)
    with_boxes(path, BOXES)
    meta = read_meta(meta_of(path))
    assert meta is not None
    meta_of(path).write_text(replace(meta, source=describe_source(video)).to_json())
    return ArchiveItem.read(video, outputs_of_report(path))


def test_a_report_is_read_as_written(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    stored = read_report(path)
    assert stored.table.equals(parse_table(path.read_bytes()))
    assert (stored.video, stored.meta.source.name, bool(stored.boxes)) == ("a.mp4", "a.mp4", False)
    assert [(block.face_id, block.span.start_ms) for block in stored.blocks] == [(1, 0), (1, 800), (1, 1600), (2, 1500)]


def test_windows_line_endings_are_read(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, (test_table.HEADER + test_table.ROW).replace("\n", "\r\n"))
    assert_frame_equal(read_report(path).table, to_table([test_table.ANNOTATION], EMOTIONS))


@pytest.mark.parametrize("length", test_table.CUT_LENGTHS)
def test_a_table_cut_off_within_a_line_is_refused(tmp_path: Path, length: int) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, (test_table.HEADER + test_table.ROW)[:length])
    error = refused(lambda: read_report(path))
    assert (error.path, error.remedy) == (path, ANNOTATE_AGAIN)
    assert "its last line is cut off" in error.problem


@pytest.mark.parametrize(("text", "reason"), test_table.DAMAGED)
def test_an_invalid_table_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """The hash matches, so that the table is parsed."""
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, text)
    error = refused(lambda: read_report(path))
    assert (error.path, error.remedy) == (path, ANNOTATE_AGAIN)
    assert reason in error.problem


def test_invalid_utf_8_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    write_known(path, test_table.INVALID_UTF8)
    error = refused(lambda: read_report(path))
    assert error.path == path
    assert "codec can't decode" in error.problem


@pytest.mark.parametrize(
    ("old", "new", "key_word"),
    [
        (",sadness,1.0000", ",boredom,1.0000", "an emotion"),
        (",1.0000,0.0000,0.0,", ",1.5000,0.0000,0.0,", "a probability"),
        ("4.000", "1e300", "a time"),
        ("face_id", "face", "the column face_id is missing"),
    ],
)
def test_a_table_with_one_invalid_value_is_refused(tmp_path: Path, old: str, new: str, key_word: str) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    replace_content(path, old, new)
    error = refused(lambda: read_report(path))
    assert error.path == path
    assert key_word in error.problem


def test_a_changed_table_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    whole = path.read_bytes()
    for content in (whole[:-40], whole[: whole.rindex(b"\n", 0, -1) + 1], whole.replace(b"0.800", b"0.900"), b""):
        path.write_bytes(content)
        error = refused(lambda: read_report(path))
        assert error.path == path
        assert "annotate correct" in error.remedy
        assert "damaged" in error.problem


def test_a_table_of_a_later_analysis_version_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP, version=99)
    error = refused(lambda: read_report(path))
    assert (error.path, error.remedy) == (path, UPDATE)
    assert "version" in error.problem


def test_a_table_without_a_valid_sidecar_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    meta_of(path).write_text('{"duration_s": 1e9')
    assert refused(lambda: read_report(path)).problem.endswith("damaged")
    meta_of(path).unlink()
    assert refused(lambda: read_report(path)).problem.endswith("missing")


def test_the_error_names_a_missing_table(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    path.unlink()
    error = refused(lambda: read_report(path))
    assert error.path == path
    assert "No such file or directory" in error.problem


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_refused_without_blocking(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    path.unlink()
    os.mkfifo(path)
    error = refused(lambda: read_report(path))
    assert error.path == path
    assert "not a file" in error.problem


def test_boxes_are_read_as_written_or_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    boxes = with_boxes(path, BOXES)
    assert read_report(path).boxes.at(1, 0) == Box(1, 2, 3, 4)
    boxes.write_text(BOXES.replace("4", "5"))
    error = refused(lambda: read_report(path))
    assert error.path == boxes
    assert "hash" in error.problem
    assert not read_report(path, with_boxes=False).boxes
    boxes.unlink()
    error = refused(lambda: read_report(path))
    assert error.path == boxes
    assert "No such file or directory" in error.problem


@pytest.mark.parametrize(("text", "reason"), test_boxes.DAMAGED)
def test_an_invalid_boxes_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    boxes = with_boxes(path, text)
    error = refused(lambda: read_report(path))
    assert (error.path, error.remedy) == (boxes, ANNOTATE_AGAIN)
    assert f"({reason}" in error.problem


def test_the_error_names_a_missing_boxes_file(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    boxes = with_boxes(path, BOXES)
    boxes.unlink()
    error = refused(lambda: read_report(path))
    assert error.path == boxes
    assert "No such file or directory" in error.problem


def test_a_current_report_is_read_with_its_boxes(item: ArchiveItem) -> None:
    stored = read_current_report(item)
    assert (stored.video, stored.boxes.at(1, 0), stored.meta) == ("a.mp4", Box(1, 2, 3, 4), item.meta)


def test_a_current_report_is_read_without_its_video(item: ArchiveItem) -> None:
    assert isinstance(item.video, Path)
    item.video.unlink()
    assert read_current_report(item.reread()).video == "a.mp4"


def test_the_video_is_named_by_the_relative_path_from_the_outputs(item: ArchiveItem, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    video = (tmp_path / "a.mp4").rename(tmp_path / "films/a.mp4")
    assert read_current_report(ArchiveItem.read(video, item.outputs)).video == "films/a.mp4"


@pytest.mark.parametrize(
    ("name", "content", "key_words"),
    [
        ("a.emotions.csv", None, ("table", "deleted")),
        ("a.emotions.csv", "face_id\n", ("table", "changed")),
        ("a.emotions.boxes.csv", None, ("boxes", "deleted")),
        ("a.emotions.boxes.csv", "face_id\n", ("boxes", "changed")),
        ("a.mp4", "another video", ("video", "changed")),
    ],
)
def test_an_outdated_report_is_refused(
    item: ArchiveItem, tmp_path: Path, name: str, content: str | None, key_words: tuple[str, str]
) -> None:
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    error = refused(lambda: read_current_report(item.reread()))
    assert error.path == item.outputs.csv
    assert all(word in error.problem for word in key_words)
    command = "correct" if content == "face_id\n" and name == "a.emotions.csv" else "--force"
    assert f"annotate {command} {item.video}" in error.remedy


def test_a_report_of_a_later_analysis_version_is_refused(item: ArchiveItem) -> None:
    assert item.meta is not None
    old = replace(item, meta=replace(item.meta, analysis_version=99))
    error = refused(lambda: read_current_report(old))
    assert error.path == item.outputs.csv
    assert "version" in error.problem


def test_a_video_without_a_valid_sidecar_is_refused(item: ArchiveItem) -> None:
    assert isinstance(item.outputs.meta, Path)
    item.outputs.meta.write_text("{")
    error = refused(lambda: read_current_report(item.reread()))
    assert error.path == item.video
    assert "damaged" in error.problem
    item.outputs.meta.unlink()
    error = refused(lambda: read_current_report(item.reread()))
    assert error.path == item.video
    assert "not annotated" in error.problem
    assert f"annotate {item.video}" in error.remedy
