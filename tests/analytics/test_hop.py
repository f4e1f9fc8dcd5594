"""Tables with a hop in summaries, exports and trials: blocks count in their own times."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest

import annotate
from annotate.analysis.annotation import Annotation
from annotate.analytics.read import ReportBatch, read_reports
from annotate.analytics.reviews import choose_candidates
from annotate.archive.layout import outputs_of_report
from annotate.archive.stored_report import read_report
from annotate.results.intervals import clip_overlaps
from tests.analytics.samples import MOVIE, block, report

HOP = 5
LABELS = ("neutral", "neutral", "fear", "fear", "anger")


def blocks(labels: Sequence[str] = LABELS, confidence: float = 0.9) -> list[Annotation]:
    """Return blocks of 0.8 s of one face, one every 0.2 s."""
    return [
        block(1, number, 200 * number, 200 * number + 800, name, overlap=15 if number else 0, confidence=confidence)
        for number, name in enumerate(labels)
    ]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two videos with hops, of which one has persons and corrections, and one without."""
    report(tmp_path, "a.mp4", blocks(), hop=HOP)
    report(tmp_path, "b.mp4", MOVIE)
    corrected = report(tmp_path, "c.mp4", blocks(), hop=HOP)
    lines = "face_id,start_time,end_time,emotion\n1,0.6,0.95,surprise\n1,1.0,1.05,exclude\n"
    corrected.with_name("c.emotions.corrections.csv").write_text(lines)
    assert outputs_of_report(corrected).corrections.name == "c.emotions.corrections.csv"
    return tmp_path


def test_blocks_are_those_of_other_outputs(archive: Path) -> None:
    paths = sorted(archive.glob("*.emotions.csv"))
    (batch,) = read_reports(paths)
    assert isinstance(batch, ReportBatch)
    for number, path in enumerate(paths):
        own = batch.blocks[batch.blocks["report"] == number]
        expected = clip_overlaps(read_report(path).table)
        assert own[["face_id", "start_ms", "end_ms", "emotion"]].to_numpy().tolist() == [
            [each.face_id, each.span.start_ms, each.span.end_ms, each.emotion] for each in expected
        ]


def test_no_time_counts_twice(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    summary = annotate.summarize(archive).set_index("video")
    assert summary["face_time_s"].tolist() == [1.6, 2.8, 1.55]
    assert summary.loc[str(archive / "a.mp4"), ["neutral", "fear", "anger"]].tolist() == pytest.approx(
        [0.7 / 1.6, 0.25, 0.5 / 1.6]
    )
    output = tmp_path_factory.mktemp("table") / "archive.csv"
    annotate.export(archive, output)
    table = pd.read_csv(output)
    seconds = (table["own_end_time"] - table["own_start_time"]).groupby(table["video"]).sum()
    assert seconds.round(3).tolist() == [1.6, 2.8, 1.55]
    found = annotate.find_moments(archive / "a.emotions.csv", "fear")
    assert found[["start_time", "end_time"]].to_numpy().tolist() == [[0.7, 1.1]]


def test_a_baseline_trial_needs_as_much_time_as_without_a_hop(tmp_path: Path) -> None:
    """Three blocks that do not overlap take 2.4 s; blocks that overlap count as the quarter that they are apart."""
    trials = tmp_path / "trials.csv"
    trials.write_text("video,start,end,condition\na.mp4,0,3,rest\na.mp4,3,9,task\n")
    for count, is_enough in ((8, False), (40, True)):
        report(tmp_path, "a.mp4", blocks(["neutral"] * count), hop=HOP)
        with nullcontext() if is_enough else pytest.warns(UserWarning, match="fewer than 3"):
            summary = annotate.summarize(tmp_path, by="trial", trials=trials, baseline_trial="rest")
        assert (summary["face_time_s"].sum() > 0) == is_enough


def test_segments_to_review_are_as_long_as_blocks(tmp_path: Path) -> None:
    """Four own times each: 0 to 1.1 s, the rest of the track; what was reviewed in part is left out."""
    path = report(tmp_path, "a.mp4", blocks(["fear"] * 4 + ["anger"] * 3, confidence=0.6), hop=HOP)
    report(tmp_path, "b.mp4", MOVIE)
    for lines, starts_ms in (("", [0, 1100]), ("1,1.8,2,fear", [0])):
        path.with_name("a.emotions.corrections.csv").write_text(f"face_id,start_time,end_time,emotion\n{lines}\n")
        read = read_reports([path, path.with_name("b.emotions.csv")], probabilities=True)
        chosen = choose_candidates((batch for batch in read if isinstance(batch, ReportBatch)), 99)
        own = sorted((each.moment for each in chosen if each.moment.report.path == path), key=lambda moment: moment.span)
        assert [moment.span.start_ms for moment in own] == starts_ms
        assert own[0].span.end_ms == 1100
        assert own[0].confidence == pytest.approx(0.6)
        assert [moment.emotion for moment in own] == ["fear", "anger"][: len(own)]
