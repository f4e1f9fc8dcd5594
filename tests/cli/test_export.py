"""`annotate export` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.analytics.samples import CLIP, MOVIE, report
from tests.cli.test_summarize import run


def test_a_table_and_its_codebook(tmp_path: Path) -> None:
    report(tmp_path / "in", "a.mp4", MOVIE)
    report(tmp_path / "in", "b.mp4", CLIP)
    status, output, errors = run("export", tmp_path / "in", "-o", tmp_path / "new/out.csv", "--max-yaw", "90")
    assert (status, errors) == (0, "")
    assert "5 rows of 2 videos" in output
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out.codebook.csv", "out.csv"]
    (tmp_path / "in/b.emotions.csv").write_text("damaged")
    assert run("export", tmp_path / "in", "-q", "-o", tmp_path / "out.csv")[:2] == (1, "")
    assert len(pd.read_csv(tmp_path / "out.csv")) == 4


def test_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert run("export", tmp_path / "in")[0] == 2
    assert run("export", tmp_path / "in", "-o", "x.doc")[0] == 2
    status, _, errors = run("export", tmp_path / "in", "-o", tmp_path / "x.csv")
    assert (status, (tmp_path / "x.csv").exists()) == (1, False)
    assert "no videos" in errors
