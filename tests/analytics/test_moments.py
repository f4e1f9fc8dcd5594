"""Moments, against times worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

import annotate
from annotate.analysis.annotation import Annotation
from annotate.analytics.moments import Moment, MomentQuery, moments_in, to_table
from annotate.analytics.read import Batch, read_reports
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
"""Face 1 is afraid from 0 to 1.6 s and from 2.4 to 4.4 s, less sure until 3.2 s; face 2 from 1 to 1.8 s."""


def moments(wanted: MomentQuery, *paths: Path) -> list[Moment]:
    """Of reports that are all whole."""
    found = []
    for batch in read_reports(paths):
        assert isinstance(batch, Batch)
        found += moments_in(batch, wanted)
    return found


def found(tmp_path: Path, blocks: Sequence[Annotation], wanted: MomentQuery) -> list[tuple[int, int, int, str, float]]:
    """Face, start, end, emotion and confidence of the moments in one video."""
    return [
        (moment.face_id, moment.span.start_ms, moment.span.end_ms, moment.emotion, moment.confidence)
        for moment in moments(wanted, report(tmp_path, "a.mp4", blocks))
    ]


def test_neighbouring_blocks_of_a_face_are_one_moment(tmp_path: Path) -> None:
    """Their confidence is the mean by time: (0.8 x 0.5 + 0.8 x 0.9 + 0.4 x 0.7) / 2 in the last."""
    assert found(tmp_path, FEARS, MomentQuery(["fear"])) == [
        (1, 0, 1600, "fear", 0.75),
        (2, 1000, 1800, "fear", 0.9),
        (1, 2400, 4400, "fear", 0.7),
    ]


def test_a_block_that_is_less_sure_ends_a_moment(tmp_path: Path) -> None:
    """As sure as wanted is enough."""
    assert found(tmp_path, FEARS, MomentQuery(["fear"], min_confidence=0.6)) == [
        (1, 0, 1600, "fear", 0.75),
        (2, 1000, 1800, "fear", 0.9),
        (1, 3200, 4400, "fear", 0.8333),
    ]


@pytest.mark.parametrize(("min_s", "starts_ms"), [(1.6, [0, 2400]), (1.601, [2400]), (2.0, [2400]), (2.001, [])])
def test_the_length_is_that_of_the_whole_moment(tmp_path: Path, min_s: float, starts_ms: list[int]) -> None:
    assert [moment[1] for moment in found(tmp_path, FEARS, MomentQuery(["fear"], min_s=min_s))] == starts_ms


def test_as_long_as_wanted_is_enough(tmp_path: Path) -> None:
    """2.007 s are a little more than 2007 ms in floating point."""
    assert 2.007 * 1000 > 2007
    assert len(found(tmp_path, [block(1, 0, 0, 2007, "fear")], MomentQuery(min_s=2.007))) == 1


def test_moments_of_any_emotion(tmp_path: Path) -> None:
    """Where the emotion changes, a moment ends and another begins."""
    assert [moment[:4] for moment in found(tmp_path, FEARS, MomentQuery())] == [
        (1, 0, 1600, "fear"),
        (2, 1000, 1800, "fear"),
        (1, 1600, 2400, "anger"),
        (1, 2400, 4400, "fear"),
    ]
    assert [moment[3] for moment in found(tmp_path, FEARS, MomentQuery(["anger", "fear"], min_s=1))] == ["fear", "fear"]


def test_what_a_tail_shares_with_the_block_before_is_that_blocks(tmp_path: Path) -> None:
    blocks = [block(1, 0, 0, 800, "anger"), block(1, 1, 300, 1100, "fear", overlap=12)]
    assert [moment[1:4] for moment in found(tmp_path, blocks, MomentQuery(["fear"]))] == [(800, 1100, "fear")]


def test_faces_and_videos_are_kept_apart(tmp_path: Path) -> None:
    """One that ends where another begins, and the last face of a report and the first of the next, are no neighbours."""
    blocks = [block(1, 0, 0, 800, "fear"), block(2, 0, 800, 1600, "fear")]
    paths = [report(tmp_path, f"{name}.mp4", blocks) for name in "ba"]
    assert [
        (Path(moment.report.video).name, moment.face_id, moment.span.start_ms) for moment in moments(MomentQuery(), *paths)
    ] == [("b.mp4", 1, 0), ("b.mp4", 2, 800), ("a.mp4", 1, 0), ("a.mp4", 2, 800)]


def test_as_a_table(tmp_path: Path) -> None:
    table = to_table(moments(MomentQuery(["anger"]), report(tmp_path, "a.mp4", MOVIE)))
    assert list(table.columns) == ["video", "face_id", "start_time", "end_time", "duration_s", "emotion", "confidence"]
    video = str(tmp_path / "a.mp4")
    assert table.to_numpy().tolist() == [[video, 1, 0.0, 0.8, 0.8, "anger", 0.5], [video, 2, 1.5, 2.3, 0.8, "anger", 1.0]]
    assert_frame_equal(to_table([]), table.iloc[:0], check_index_type=False)


def test_as_a_function(tmp_path: Path) -> None:
    report(tmp_path, "a.mp4", MOVIE)
    report(tmp_path, "b.mp4", CLIP)
    assert annotate.find_moments(tmp_path, "sadness")["start_time"].tolist() == [1.0]
    assert annotate.find_moments([tmp_path], ["sadness", "anger"], min_s=1)["emotion"].tolist() == ["sadness"]
    assert len(annotate.find_moments(tmp_path, "disgust")) == 0
    with pytest.raises(annotate.SettingsError, match="no report knows the emotion 'feer'; they know anger, disgust, fear"):
        annotate.find_moments(tmp_path, "feer")
