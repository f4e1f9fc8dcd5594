"""Summaries, compared with numbers computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import annotate
from annotate.analytics import read
from annotate.analytics.read import ReportBatch, read_reports
from annotate.analytics.summary import KEY_COLUMNS, STAT_COLUMNS, Summary, Tally, sort_rows
from annotate.emotions.labels import EMOTIONS
from annotate.version import ANALYSIS_VERSION
from tests.analytics.samples import CLIP, MOVIE, block, change_meta, report

OTHERS = ("calm", "faces")
NO_SHARES = [None] * 7


def summary(paths: Sequence[Path], by: str = "video") -> Summary:
    """Summarize reports, all of which must be intact."""
    tally = Tally(by)
    for batch in read_reports(paths):
        assert isinstance(batch, ReportBatch)
        tally.add(batch)
    return tally.summary()


def cells(table: pd.DataFrame) -> list[list[object]]:
    """Return the rows of a table, with None for empty cells."""
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


def shares(**values: float) -> list[float]:
    """Return the shares of all emotions, 0 for those not given."""
    assert set(values) <= set(EMOTIONS)
    return [values.get(name, 0.0) for name in EMOTIONS]


@pytest.fixture
def archive(tmp_path: Path) -> list[Path]:
    """Three videos in two folders: one as in `MOVIE`, one as in `CLIP`, one without faces."""
    return [
        report(tmp_path, "a.mov", MOVIE),
        report(tmp_path / "more", "b.mp4", CLIP, duration_s=5.0),
        report(tmp_path / "more", "c.mp4", ()),
    ]


def test_rows_by_video(tmp_path: Path, archive: list[Path]) -> None:
    """Anger has 1.6 of 2.8 s of face time, happiness 1.2 s; there is one change in 2.8 / 60 minutes of face time."""
    found = summary(archive)
    assert list(found.rows.columns) == ["video", "older", *STAT_COLUMNS, *EMOTIONS]
    assert cells(found.rows) == [
        [str(tmp_path / "a.mov"), False, 10.0, 2.3, 2.8, 2, "anger", 0.7143, 21.43, *shares(anger=0.5714, happiness=0.4286)],
        [str(tmp_path / "more/b.mp4"), False, 5.0, 3.0, 3.0, 1, "sadness", 1.0, 0.0, *shares(sadness=1.0)],
        [str(tmp_path / "more/c.mp4"), False, 10.0, 0.0, 0.0, 0, "", None, None, *NO_SHARES],
    ]


@pytest.mark.parametrize("by", KEY_COLUMNS)
def test_totals_are_weighted_by_face_time_in_every_grouping(archive: list[Path], by: str) -> None:
    """5.8 s of face time: 1.6 s of anger, 1.2 s of happiness, 3 s of sadness; confidence (2 + 3) / 5.8."""
    totals = summary(archive, by).totals
    assert cells(totals) == [
        [3, 25.0, 5.3, 5.8, 3, "sadness", 0.8621, 10.34, *shares(anger=0.2759, happiness=0.2069, sadness=0.5172)]
    ]


def test_rows_by_folder(tmp_path: Path, archive: list[Path]) -> None:
    found = summary(archive, "folder")
    assert list(found.rows.columns) == ["folder", "videos", "older", *STAT_COLUMNS, *EMOTIONS]
    assert cells(found.rows) == [
        [str(tmp_path), 1, False, 10.0, 2.3, 2.8, 2, "anger", 0.7143, 21.43, *shares(anger=0.5714, happiness=0.4286)],
        [str(tmp_path / "more"), 2, False, 15.0, 3.0, 3.0, 1, "sadness", 1.0, 0.0, *shares(sadness=1.0)],
    ]


@pytest.mark.parametrize(
    ("by", "expected"), [("video", [0, 1, 0]), ("folder", [0, 1]), ("face", [0, 0, 1]), ("minute", [0, 1, 0])]
)
def test_rows_of_an_older_analysis_version_are_marked(
    archive: list[Path], tmp_path: Path, by: str, expected: list[int]
) -> None:
    change_meta(archive[1], analysis_version=ANALYSIS_VERSION - 1)
    older = annotate.summarize(tmp_path, by)["older"]
    assert older.dtype == bool
    assert older.tolist() == expected
    assert "older" not in summary(archive, by).totals


def test_rows_by_face_track(tmp_path: Path, archive: list[Path]) -> None:
    """Face 1 of the first video: confidence (0.4 + 0.6 + 0.2) / 2, one change in 2 s."""
    found = summary(archive, "face")
    assert list(found.rows.columns) == ["video", "face_id", "start_time", "end_time", "older", *STAT_COLUMNS, *EMOTIONS]
    first, second = str(tmp_path / "a.mov"), str(tmp_path / "more/b.mp4")
    assert cells(found.rows) == [
        [first, 1, 0.0, 2.0, False, 2.0, 2.0, 2.0, 1, "happiness", 0.6, 30.0, *shares(anger=0.4, happiness=0.6)],
        [first, 2, 1.5, 2.3, False, 0.8, 0.8, 0.8, 1, "anger", 1.0, 0.0, *shares(anger=1.0)],
        [second, 1, 1.0, 4.0, False, 3.0, 3.0, 3.0, 1, "sadness", 1.0, 0.0, *shares(sadness=1.0)],
    ]


def test_rows_by_minute(tmp_path: Path) -> None:
    """A block across the end of the first minute is split there; one change is in the first minute, one in the third."""
    blocks = [
        block(1, 0, 58_000, 59_000, "fear"),
        block(1, 1, 59_000, 61_000, "neutral", confidence=0.5),
        block(2, 0, 60_500, 61_500, "fear"),
        block(3, 0, 119_000, 120_000, "fear"),
        block(3, 1, 120_000, 121_000, "anger"),
    ]
    found = summary([report(tmp_path, "a.mp4", blocks, duration_s=185.0)], "minute")
    assert list(found.rows.columns) == ["video", "minute", "older", *STAT_COLUMNS, *EMOTIONS]
    video = str(tmp_path / "a.mp4")
    assert cells(found.rows) == [
        [video, 0, False, 60.0, 2.0, 2.0, 1, "fear", 0.75, 30.0, *shares(fear=0.5, neutral=0.5)],
        [video, 1, False, 60.0, 2.5, 3.0, 3, "fear", 0.8333, 0.0, *shares(fear=0.6667, neutral=0.3333)],
        [video, 2, False, 60.0, 1.0, 1.0, 1, "anger", 1.0, 60.0, *shares(anger=1.0)],
        [video, 3, False, 5.0, 0.0, 0.0, 0, "", None, None, *NO_SHARES],
    ]


def test_face_time_after_the_end_of_the_video_counts(tmp_path: Path) -> None:
    """Rounding can cause it; the time is in a minute of zero length."""
    path = report(tmp_path, "a.mp4", [block(1, 0, 59_500, 60_001, "fear")], duration_s=60.0)
    found = summary([path], "minute").rows
    assert cells(found[["minute", "duration_s", "face_s"]]) == [[0, 60.0, 0.5], [1, 0.0, 0.001]]


def test_shares_are_of_face_time(tmp_path: Path) -> None:
    """Three faces for 1 s and one for 3 s: half of the face time each, although 1 s and 3 s of the video."""
    blocks = [block(face, 0, 0, 1000, "fear") for face in (1, 2, 3)] + [block(4, 0, 1000, 4000, "neutral")]
    found = summary([report(tmp_path, "a.mp4", blocks)]).rows
    assert cells(found[["face_s", "face_time_s", "fear", "neutral"]]) == [[4.0, 6.0, 0.5, 0.5]]


def test_changes_are_counted_within_a_face(tmp_path: Path) -> None:
    """Not from one face to another, and not to a block that the previous one covers completely."""
    blocks = [
        block(1, 0, 0, 1000, "fear"),
        block(2, 0, 0, 1000, "anger"),
        block(2, 1, 1000, 2000, "fear"),
        block(2, 2, 1500, 2000, "anger", overlap=20),
    ]
    found = summary([report(tmp_path, "a.mp4", blocks)]).rows
    assert found["changes_per_minute"].tolist() == [20.0]


def test_classes_of_another_model_come_last(tmp_path: Path) -> None:
    """A class called like a column gets the suffix ``_share``; classes that a model does not have get 0."""
    other = [block(1, 0, 0, 3000, "faces", classes=OTHERS), block(2, 0, 0, 1000, "calm", classes=OTHERS)]
    found = summary([report(tmp_path, "a.mp4", other, classes=OTHERS), report(tmp_path, "b.mp4", CLIP)])
    assert list(found.rows.columns[9:]) == [*EMOTIONS, "calm", "faces_share"]
    names = ["faces", "dominant", "sadness", "calm", "faces_share"]
    assert cells(found.rows[names]) == [[2, "faces", 0.0, 0.25, 0.75], [1, "sadness", 1.0, 0.0, 0.0]]
    assert cells(found.totals[names]) == [[3, "sadness", 0.4286, 0.1429, 0.4286]]


def test_classes_of_no_model_have_no_column(tmp_path: Path) -> None:
    other = [block(1, 0, 0, 3000, "calm", classes=("calm", "happiness"))]
    found = summary([report(tmp_path, "a.mp4", other, classes=("calm", "happiness"))])
    assert list(found.rows.columns[9:]) == ["happiness", "calm"]


def test_batch_size_does_not_change_the_summary(archive: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    one_batch = {by: summary(archive, by) for by in KEY_COLUMNS}
    monkeypatch.setattr(read, "_BATCH_BYTES", 1)
    for by, found in one_batch.items():
        assert_frame_equal(summary(archive, by).rows, found.rows)
        assert_frame_equal(summary(archive, by).totals, found.totals)


def test_rows_keep_the_order_of_reports_with_different_classes(tmp_path: Path) -> None:
    other = [block(1, 0, 0, 500, "calm", classes=OTHERS)]
    paths = [
        report(tmp_path, "c.mp4", CLIP),
        report(tmp_path, "a.mp4", other, classes=OTHERS),
        report(tmp_path, "b.mp4", CLIP),
    ]
    assert [Path(video).name for video in summary(paths).rows["video"]] == ["c.mp4", "a.mp4", "b.mp4"]


@pytest.mark.parametrize("by", KEY_COLUMNS)
def test_no_reports_give_no_rows(by: str) -> None:
    found = summary([], by).rows
    assert list(found.columns) == [*KEY_COLUMNS[by], *STAT_COLUMNS, *EMOTIONS]
    assert len(found) == 0


@pytest.mark.parametrize("by", ["face", "minute"])
def test_videos_without_faces(tmp_path: Path, by: str) -> None:
    """They have rows by minute, but none by face track."""
    found = summary([report(tmp_path, "a.mp4", (), duration_s=61.0)], by)
    assert found.rows["duration_s"].tolist() == {"face": [], "minute": [60.0, 1.0]}[by]
    assert found.totals["duration_s"].tolist() == [61.0]


def test_rows_sorted_by_a_column(archive: list[Path]) -> None:
    rows = summary(archive).rows
    order = {column: [Path(video).stem for video in sort_rows(rows, column, None)["video"]] for column in rows.columns}
    assert order["face_s"] == ["b", "a", "c"]
    assert order["duration_s"] == ["a", "c", "b"]
    assert order["confidence"] == ["b", "a", "c"]
    assert order["dominant"] == ["c", "a", "b"]
    assert order["video"] == ["a", "b", "c"]
    assert [Path(video).stem for video in sort_rows(rows, "face_s", 2)["video"]] == ["b", "a"]
    with pytest.raises(annotate.SettingsError) as raised:
        sort_rows(rows, "length", None)
    assert "length" in raised.value.problem
    assert "video, older, duration_s, " in raised.value.remedy


def test_summarize(tmp_path: Path, archive: list[Path]) -> None:
    assert_frame_equal(annotate.summarize(tmp_path), summary(archive).rows)
    assert_frame_equal(annotate.summarize([str(archive[1])], by="face"), summary(archive[1:2], "face").rows)
    with pytest.raises(annotate.SettingsError) as raised:
        annotate.summarize(tmp_path, by="year")
    assert "year" in raised.value.problem
    assert "video, folder, face, minute" in raised.value.remedy


def test_summarize_warns_about_skipped_reports(tmp_path: Path, archive: list[Path]) -> None:
    archive[1].write_text("")
    with pytest.warns(UserWarning, match=r"b\.emotions\.csv: ") as warnings:
        found = annotate.summarize(tmp_path)
    assert [Path(video).name for video in found["video"]] == ["a.mov", "c.mp4"]
    assert [Path(warning.filename) for warning in warnings] == [Path(__file__)]
