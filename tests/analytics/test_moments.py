"""Moments, compared with times computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

import annotate
from annotate.analysis.annotation import Annotation
from annotate.analytics.moments import Moment, MomentQuery, moments_in, to_table
from annotate.analytics.read import ReportBatch, read_reports
from tests.analytics.samples import CLIP, MOVIE, block, report

FEARS = (
    block(1, 0, 0, 800, "fear", confidence=0.6),
    block(1, 1, 800, 1600, "fear", confidence=0.9),
    block(2, 0, 1000, 1800, "fear", confidence=0.9),
    block(1, 2, 1600, 2400, "anger", confidence=0.9),
    block(1, 3, 2400, 3200, "fear", confidence=0.5),
    block(1, 4, 3200, 4000, "fear", confidence=0.9),
    block(1, 5, 3600, 4400, "fear", confidence=0.7, overlap=10),
)
"""Fear: face 1 from 0 to 1.6 s and from 2.4 to 4.4 s, with low confidence until 3.2 s; face 2 from 1 to 1.8 s."""


def moments(query: MomentQuery, *paths: Path) -> list[Moment]:
    """Return the moments in reports, all of which must be intact."""
    found = []
    for batch in read_reports(paths):
        assert isinstance(batch, ReportBatch)
        found += moments_in(batch, query)
    return found


def found(tmp_path: Path, blocks: Sequence[Annotation], query: MomentQuery) -> list[tuple[int, int, int, str, float]]:
    """Return face, start, end, emotion and confidence of the moments in one video."""
    return [
        (moment.face_id, moment.span.start_ms, moment.span.end_ms, moment.emotion, moment.confidence)
        for moment in moments(query, report(tmp_path, "a.mp4", blocks))
    ]


def test_adjacent_blocks_of_a_face_are_one_moment(tmp_path: Path) -> None:
    """Confidence is the mean weighted by duration: (0.8 x 0.5 + 0.8 x 0.9 + 0.4 x 0.7) / 2 in the last."""
    assert found(tmp_path, FEARS, MomentQuery(["fear"])) == [
        (1, 0, 1600, "fear", 0.75),
        (2, 1000, 1800, "fear", 0.9),
        (1, 2400, 4400, "fear", 0.7),
    ]


def test_a_block_below_the_minimum_confidence_ends_a_moment(tmp_path: Path) -> None:
    """The minimum itself is enough."""
    assert found(tmp_path, FEARS, MomentQuery(["fear"], min_confidence=0.6)) == [
        (1, 0, 1600, "fear", 0.75),
        (2, 1000, 1800, "fear", 0.9),
        (1, 3200, 4400, "fear", 0.8333),
    ]


@pytest.mark.parametrize(("min_s", "starts_ms"), [(1.6, [0, 2400]), (1.601, [2400]), (2.0, [2400]), (2.001, [])])
def test_minimum_length_applies_to_the_whole_moment(tmp_path: Path, min_s: float, starts_ms: list[int]) -> None:
    assert [moment[1] for moment in found(tmp_path, FEARS, MomentQuery(["fear"], min_s=min_s))] == starts_ms


def test_exactly_the_minimum_length_is_enough(tmp_path: Path) -> None:
    """In floating point, 2.007 s is slightly more than 2007 ms."""
    assert 2.007 * 1000 > 2007
    assert len(found(tmp_path, [block(1, 0, 0, 2007, "fear")], MomentQuery(min_s=2.007))) == 1


def test_moments_of_any_emotion(tmp_path: Path) -> None:
    """An emotion change ends a moment and starts the next."""
    assert [moment[:4] for moment in found(tmp_path, FEARS, MomentQuery())] == [
        (1, 0, 1600, "fear"),
        (2, 1000, 1800, "fear"),
        (1, 1600, 2400, "anger"),
        (1, 2400, 4400, "fear"),
    ]
    assert [moment[3] for moment in found(tmp_path, FEARS, MomentQuery(["anger", "fear"], min_s=1))] == ["fear", "fear"]


def test_overlap_of_two_blocks_belongs_to_the_first(tmp_path: Path) -> None:
    blocks = [block(1, 0, 0, 800, "anger"), block(1, 1, 300, 1100, "fear", overlap=12)]
    assert [moment[1:4] for moment in found(tmp_path, blocks, MomentQuery(["fear"]))] == [(800, 1100, "fear")]


def test_moments_do_not_span_faces_or_videos(tmp_path: Path) -> None:
    """Not even where one face ends when another starts, or from the last face of a report to the first of the next."""
    blocks = [block(1, 0, 0, 800, "fear"), block(2, 0, 800, 1600, "fear")]
    paths = [report(tmp_path, f"{name}.mp4", blocks) for name in "ba"]
    assert [
        (Path(moment.report.video).name, moment.face_id, moment.span.start_ms) for moment in moments(MomentQuery(), *paths)
    ] == [("b.mp4", 1, 0), ("b.mp4", 2, 800), ("a.mp4", 1, 0), ("a.mp4", 2, 800)]


def test_table_of_moments(tmp_path: Path) -> None:
    table = to_table(moments(MomentQuery(["anger"]), report(tmp_path, "a.mp4", MOVIE)))
    assert list(table.columns) == [
        "video",
        "face_id",
        "start_time",
        "end_time",
        "duration_s",
        "emotion",
        "confidence",
        "older",
    ]
    video = str(tmp_path / "a.mp4")
    assert table.to_numpy().tolist() == [
        [video, 1, 0.0, 0.8, 0.8, "anger", 0.5, False],
        [video, 2, 1.5, 2.3, 0.8, "anger", 1.0, False],
    ]
    assert_frame_equal(to_table([]), table.iloc[:0], check_index_type=False)


def test_find_moments(tmp_path: Path) -> None:
    report(tmp_path, "a.mp4", MOVIE)
    report(tmp_path, "b.mp4", CLIP)
    assert annotate.find_moments(tmp_path, "sadness")["start_time"].tolist() == [1.0]
    assert annotate.find_moments([tmp_path], ["sadness", "anger"], min_s=1)["emotion"].tolist() == ["sadness"]
    assert len(annotate.find_moments(tmp_path, "disgust")) == 0
    assert annotate.find_moments(tmp_path, ["Sad", " ANGRY "], min_s=1)["emotion"].tolist() == ["sadness"]
    assert annotate.find_moments(tmp_path, "happy")["start_time"].tolist() == [0.8]
    with pytest.raises(annotate.SettingsError) as raised:
        annotate.find_moments(tmp_path, "feer")
    assert "'fear'" in raised.value.problem
    assert "anger, disgust, fear" in raised.value.remedy
    with pytest.raises(annotate.SettingsError):  # the address of no bucket, not a folder of that name
        annotate.find_moments("s3://")


def test_synonyms_match_the_classes_of_each_model(tmp_path: Path) -> None:
    """The synonym "happy" finds happiness, and also the class "happy" of another model."""
    classes = ("happy", "bored")
    report(tmp_path, "a.mp4", [block(1, 0, 0, 800, "happiness"), block(1, 1, 800, 1600, "anger")])
    report(tmp_path, "b.mp4", [block(1, 0, 0, 800, "happy", classes=classes)], classes=classes)
    assert annotate.find_moments(tmp_path, "happy")["emotion"].tolist() == ["happiness", "happy"]
    assert annotate.find_moments(tmp_path, "bored")["emotion"].tolist() == []
