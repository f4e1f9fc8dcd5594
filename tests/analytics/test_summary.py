"""Summaries, against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import annotate
from annotate.analytics import read
from annotate.analytics.read import Batch, read_reports
from annotate.analytics.summary import FIGURES, PLACES, Summary, Tally, ordered
from annotate.emotions.labels import EMOTIONS
from tests.analytics.samples import CLIP, MOVIE, block, report

OTHERS = ("calm", "faces")
NO_SHARES = [None] * 7


def summary(paths: Sequence[Path], by: str = "video") -> Summary:
    """Of reports that are all whole."""
    tally = Tally(by)
    for batch in read_reports(paths):
        assert isinstance(batch, Batch)
        tally.add(batch)
    return tally.summary()


def cells(table: pd.DataFrame) -> list[list[object]]:
    """The rows of a table, None for empty cells."""
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


def shares(**values: float) -> list[float]:
    """Of all emotions, those not named 0."""
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


def test_a_row_a_video(tmp_path: Path, archive: list[Path]) -> None:
    """Anger has 1.6 of 2.8 s of faces, happiness 1.2; the one change happens in 2.8 / 60 minutes of faces."""
    found = summary(archive)
    assert list(found.rows.columns) == ["video", *FIGURES, *EMOTIONS]
    assert cells(found.rows) == [
        [str(tmp_path / "a.mov"), 10.0, 2.3, 2.8, 2, "anger", 0.7143, 21.43, *shares(anger=0.5714, happiness=0.4286)],
        [str(tmp_path / "more/b.mp4"), 5.0, 3.0, 3.0, 1, "sadness", 1.0, 0.0, *shares(sadness=1.0)],
        [str(tmp_path / "more/c.mp4"), 10.0, 0.0, 0.0, 0, "", None, None, *NO_SHARES],
    ]


@pytest.mark.parametrize("by", PLACES)
def test_the_whole_is_weighted_by_time_whatever_the_rows_are(archive: list[Path], by: str) -> None:
    """Of 5.8 s of faces: 1.6 of anger, 1.2 of happiness, 3 of sadness; confidence (2 + 3) / 5.8."""
    whole = summary(archive, by).whole
    assert cells(whole) == [
        [3, 25.0, 5.3, 5.8, 3, "sadness", 0.8621, 10.34, *shares(anger=0.2759, happiness=0.2069, sadness=0.5172)]
    ]


def test_a_row_a_folder(tmp_path: Path, archive: list[Path]) -> None:
    found = summary(archive, "folder")
    assert list(found.rows.columns) == ["folder", "videos", *FIGURES, *EMOTIONS]
    assert cells(found.rows) == [
        [str(tmp_path), 1, 10.0, 2.3, 2.8, 2, "anger", 0.7143, 21.43, *shares(anger=0.5714, happiness=0.4286)],
        [str(tmp_path / "more"), 2, 15.0, 3.0, 3.0, 1, "sadness", 1.0, 0.0, *shares(sadness=1.0)],
    ]


def test_a_row_a_face(tmp_path: Path, archive: list[Path]) -> None:
    """Face 1 of the first: confidence (0.4 + 0.6 + 0.2) / 2, a change in 2 s."""
    found = summary(archive, "face")
    assert list(found.rows.columns) == ["video", "face_id", "start_time", "end_time", *FIGURES, *EMOTIONS]
    first, second = str(tmp_path / "a.mov"), str(tmp_path / "more/b.mp4")
    assert cells(found.rows) == [
        [first, 1, 0.0, 2.0, 2.0, 2.0, 2.0, 1, "happiness", 0.6, 30.0, *shares(anger=0.4, happiness=0.6)],
        [first, 2, 1.5, 2.3, 0.8, 0.8, 0.8, 1, "anger", 1.0, 0.0, *shares(anger=1.0)],
        [second, 1, 1.0, 4.0, 3.0, 3.0, 3.0, 1, "sadness", 1.0, 0.0, *shares(sadness=1.0)],
    ]


def test_a_row_a_minute(tmp_path: Path) -> None:
    """A block over the end of the first minute is cut there; its change is in the first, the other in the third."""
    blocks = [
        block(1, 0, 58_000, 59_000, "fear"),
        block(1, 1, 59_000, 61_000, "neutral", confidence=0.5),
        block(2, 0, 60_500, 61_500, "fear"),
        block(3, 0, 119_000, 120_000, "fear"),
        block(3, 1, 120_000, 121_000, "anger"),
    ]
    found = summary([report(tmp_path, "a.mp4", blocks, duration_s=185.0)], "minute")
    assert list(found.rows.columns) == ["video", "minute", *FIGURES, *EMOTIONS]
    video = str(tmp_path / "a.mp4")
    assert cells(found.rows) == [
        [video, 0, 60.0, 2.0, 2.0, 1, "fear", 0.75, 30.0, *shares(fear=0.5, neutral=0.5)],
        [video, 1, 60.0, 2.5, 3.0, 3, "fear", 0.8333, 0.0, *shares(fear=0.6667, neutral=0.3333)],
        [video, 2, 60.0, 1.0, 1.0, 1, "anger", 1.0, 60.0, *shares(anger=1.0)],
        [video, 3, 5.0, 0.0, 0.0, 0, "", None, None, *NO_SHARES],
    ]


def test_a_face_may_be_seen_longer_than_the_video_lasts(tmp_path: Path) -> None:
    """By rounding, say; its time counts, in a minute without length."""
    path = report(tmp_path, "a.mp4", [block(1, 0, 59_500, 60_001, "fear")], duration_s=60.0)
    found = summary([path], "minute").rows
    assert cells(found[["minute", "duration_s", "face_s"]]) == [[0, 60.0, 0.5], [1, 0.0, 0.001]]


def test_shares_are_of_the_time_of_faces(tmp_path: Path) -> None:
    """Three faces for a second each, one for three: half of the time of faces, though but a second of the video's four."""
    blocks = [block(face, 0, 0, 1000, "fear") for face in (1, 2, 3)] + [block(4, 0, 1000, 4000, "neutral")]
    found = summary([report(tmp_path, "a.mp4", blocks)]).rows
    assert cells(found[["face_s", "face_time_s", "fear", "neutral"]]) == [[4.0, 6.0, 0.5, 0.5]]


def test_a_change_is_one_of_a_face(tmp_path: Path) -> None:
    """Not one from face to face, nor what is hidden in the part of a tail that the block before covers."""
    blocks = [
        block(1, 0, 0, 1000, "fear"),
        block(2, 0, 0, 1000, "anger"),
        block(2, 1, 1000, 2000, "fear"),
        block(2, 2, 1500, 2000, "anger", overlap=20),
    ]
    found = summary([report(tmp_path, "a.mp4", blocks)]).rows
    assert found["changes_per_minute"].tolist() == [20.0]


def test_classes_of_another_model_come_after_the_usual_ones(tmp_path: Path) -> None:
    """One that is called like a column is told apart; what a model does not know has no time."""
    other = [block(1, 0, 0, 3000, "faces", classes=OTHERS), block(2, 0, 0, 1000, "calm", classes=OTHERS)]
    found = summary([report(tmp_path, "a.mp4", other, classes=OTHERS), report(tmp_path, "b.mp4", CLIP)])
    assert list(found.rows.columns[8:]) == [*EMOTIONS, "calm", "faces_share"]
    names = ["faces", "dominant", "sadness", "calm", "faces_share"]
    assert cells(found.rows[names]) == [[2, "faces", 0.0, 0.25, 0.75], [1, "sadness", 1.0, 0.0, 0.0]]
    assert cells(found.whole[names]) == [[3, "sadness", 0.4286, 0.1429, 0.4286]]


def test_classes_that_no_report_knows_have_no_column(tmp_path: Path) -> None:
    other = [block(1, 0, 0, 3000, "calm", classes=("calm", "happiness"))]
    found = summary([report(tmp_path, "a.mp4", other, classes=("calm", "happiness"))])
    assert list(found.rows.columns[8:]) == ["happiness", "calm"]


def test_batches_make_no_difference(archive: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    together = {by: summary(archive, by) for by in PLACES}
    monkeypatch.setattr(read, "_BATCH_BYTES", 1)
    for by, found in together.items():
        assert_frame_equal(summary(archive, by).rows, found.rows)
        assert_frame_equal(summary(archive, by).whole, found.whole)


def test_rows_are_in_the_order_of_the_reports_whatever_their_classes(tmp_path: Path) -> None:
    other = [block(1, 0, 0, 500, "calm", classes=OTHERS)]
    paths = [
        report(tmp_path, "c.mp4", CLIP),
        report(tmp_path, "a.mp4", other, classes=OTHERS),
        report(tmp_path, "b.mp4", CLIP),
    ]
    assert [Path(video).name for video in summary(paths).rows["video"]] == ["c.mp4", "a.mp4", "b.mp4"]


@pytest.mark.parametrize("by", PLACES)
def test_without_reports_there_is_no_row(by: str) -> None:
    found = summary([], by).rows
    assert list(found.columns) == [*PLACES[by], *FIGURES, *EMOTIONS]
    assert len(found) == 0


@pytest.mark.parametrize("by", ["face", "minute"])
def test_videos_without_faces(tmp_path: Path, by: str) -> None:
    """They have minutes, but no face."""
    found = summary([report(tmp_path, "a.mp4", (), duration_s=61.0)], by)
    assert found.rows["duration_s"].tolist() == {"face": [], "minute": [60.0, 1.0]}[by]
    assert found.whole["duration_s"].tolist() == [61.0]


def test_sorted_by_a_column(archive: list[Path]) -> None:
    rows = summary(archive).rows
    order = {column: [Path(video).stem for video in ordered(rows, column, None)["video"]] for column in rows.columns}
    assert order["face_s"] == ["b", "a", "c"]
    assert order["duration_s"] == ["a", "c", "b"]
    assert order["confidence"] == ["b", "a", "c"]
    assert order["dominant"] == ["c", "a", "b"]
    assert order["video"] == ["a", "b", "c"]
    assert [Path(video).stem for video in ordered(rows, "face_s", 2)["video"]] == ["b", "a"]
    with pytest.raises(annotate.SettingsError, match="no column 'length' to sort by; choose from video, duration_s, "):
        ordered(rows, "length", None)


def test_as_a_function(tmp_path: Path, archive: list[Path]) -> None:
    assert_frame_equal(annotate.summarize(tmp_path), summary(archive).rows)
    assert_frame_equal(annotate.summarize([str(archive[1])], by="face"), summary(archive[1:2], "face").rows)
    with pytest.raises(annotate.SettingsError, match="by='year' is none of video, folder, face, minute"):
        annotate.summarize(tmp_path, by="year")


def test_as_a_function_it_warns_of_what_is_left_out(tmp_path: Path, archive: list[Path]) -> None:
    archive[1].write_text("")
    with pytest.warns(UserWarning, match=r"left out: .*b\.emotions\.csv: damaged") as warnings:
        found = annotate.summarize(tmp_path)
    assert [Path(video).name for video in found["video"]] == ["a.mov", "c.mp4"]
    assert [Path(warning.filename) for warning in warnings] == [Path(__file__)]
