"""Summaries and moments of emotions relative to the baselines of faces."""

from __future__ import annotations

from pathlib import Path

import pytest

import annotate
from annotate.analytics.read import read_reports
from annotate.settings import MEDIAN
from annotate.storage.values import SkippedPath
from tests.analytics.samples import block, replace_content, report
from tests.cli.answers import run

BLOCKS = (
    *(block(1, number, 1000 * number, 1000 * number + 1000, "sadness", confidence=0.5) for number in range(3)),
    block(1, 3, 3000, 4000, "happiness", confidence=0.9),
    block(2, 0, 0, 1000, "fear"),
)
"""Face 1 is sad at rest, then happy; face 2 has too few blocks for a baseline."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """One table with baselines, another without."""
    report(tmp_path, "plain.mp4", BLOCKS)
    report(tmp_path, "relative.mp4", BLOCKS, baseline=MEDIAN)
    return tmp_path


def test_tables_with_and_without_baselines_are_summarized_alike(archive: Path) -> None:
    rows = annotate.summarize(archive)
    assert rows[["dominant", "faces", "sadness"]].to_numpy().tolist() == [["sadness", 2, 0.6]] * 2


def test_relative_emotions(archive: Path) -> None:
    with pytest.warns(UserWarning, match="baseline") as warned:
        rows = annotate.summarize(archive, relative=True)
    assert (len(warned), rows["video"].tolist()) == (1, [str(archive / "relative.mp4")])
    found = rows[["faces", "face_time_s", "neutral", "happiness", "fear"]].to_numpy().tolist()
    assert found == [[1, 4.0, 0.75, 0.25, 0.0]]
    moments = annotate.find_moments(archive / "relative.mp4", relative=True)
    columns = ["start_time", "end_time", "emotion"]
    assert moments[columns].to_numpy().tolist() == [[0.0, 3.0, "neutral"], [3.0, 4.0, "happiness"]]
    assert moments["confidence"][0] == 0.7


@pytest.mark.parametrize("command", ["summarize", "find"])
def test_tables_without_baselines_are_named(archive: Path, command: str) -> None:
    answer = run(command, archive, "--relative")
    assert (answer.status, answer.skipped) == (1, [str(archive / "plain.emotions.csv")])
    assert "--baseline" in answer.errors
    assert {row["video"] for row in answer.rows} >= {str(archive / "relative.mp4")}


def test_a_damaged_table_does_not_spoil_others(archive: Path) -> None:
    damaged = report(archive, "damaged.mp4", BLOCKS, baseline=MEDIAN)
    replace_content(damaged, "sadness,0.5000", "sadness,half")
    paths = [damaged, archive / "relative.emotions.csv"]
    skipped, batch = read_reports(paths, relative=True)
    assert isinstance(skipped, SkippedPath)
    assert skipped.path == damaged
    assert not isinstance(batch, SkippedPath)
    assert batch.blocks["emotion"].tolist() == ["neutral"] * 3 + ["happiness"]
