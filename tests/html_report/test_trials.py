"""Trials, conditions and participants in the HTML report."""

from __future__ import annotations

from pathlib import Path

from annotate.emotions.labels import EMOTIONS
from tests.analytics.samples import CLIP, MOVIE, report
from tests.html_report.test_build import Page, run


def test_tables_of_trials(tmp_path: Path) -> None:
    """Figures by condition, participant and trial; what is missing is on the page and ends with status 1."""
    report(tmp_path / "in", "a.mp4", MOVIE)
    report(tmp_path / "in", "b.mp4", CLIP, duration_s=5.0)
    rows = ("a.mp4,0,1.6,film,<P1>", "b.mp4,0,2,rest,<P1>", "none.mp4,0,1,film,P2")
    trials = tmp_path / "trials.csv"
    trials.write_text("\n".join(["video,start,end,condition,participant", *rows]))
    status, _, errors = run(tmp_path / "in", "--trials", trials, "-o", tmp_path / "page.html", "--no-thumbnails")
    assert status == 1
    assert "1 trial of videos without a table" in errors
    assert "1 trial of videos without a table" in (tmp_path / "page.html").read_text()
    page = Page(tmp_path / "page.html")
    tables = {rows[0][0]: rows for rows in page.tables if "Length" in rows[0]}
    maps = {rows[0][0]: rows[1:] for rows in page.tables if len(rows[0]) == 1 + len(EMOTIONS)}
    assert [(row[0], row[1]) for row in maps["Condition"]] == [("film", "53%"), ("rest", "0%")]
    assert [row[0] for row in maps["Participant"]] == ["<P1>"]
    assert [row[:5] for row in tables["Condition"]] == [
        ["Condition", "Trials", "Length", "With face", "Main emotion"],
        ["film", "1", "0:02", "0:02", "anger"],
        ["rest", "1", "0:02", "0:01", "sadness"],
    ]
    assert [row[:2] for row in tables["Participant"][1:]] == [["<P1>", "2"]]
    assert [row[:4] for row in tables["Trial"][1:]] == [["1", "film", "<P1>", "a.mp4"], ["2", "rest", "<P1>", "b.mp4"]]
    assert run(tmp_path / "in", "--trials", tmp_path / "none.csv", "-o", tmp_path / "other.html")[0] == 1
