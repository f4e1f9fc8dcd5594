"""One table of an archive in every format, with its codebook."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from pandas.testing import assert_frame_equal

import annotate
from annotate.analytics import read
from annotate.analytics.table_writers import WRITERS
from annotate.emotions.labels import EMOTIONS
from annotate.errors import OutputError, SettingsError
from annotate.results.baseline import MEDIAN
from annotate.results.table import APPEARANCE_COLUMNS, BLOCK_COLUMNS, OWN_COLUMNS, relative_columns
from tests.analytics.agreement.samples import write
from tests.analytics.samples import CLIP, MOVIE, block, report
from tests.archive.test_older import FIXTURES

CLASSES = ("joy", "neutral")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """`MOVIE`, `CLIP` by another name of a formula, another model's table, one with a baseline, one without faces."""
    report(tmp_path / "in", "a.mp4", MOVIE)
    report(tmp_path / "in", "b.mp4", [block(1, 0, 0, 800, "joy", classes=CLASSES)], classes=CLASSES)
    report(tmp_path / "in", "c.mp4", [block(1, n, n * 800, n * 800 + 800, "fear") for n in range(3)], baseline=MEDIAN)
    report(tmp_path / "in", "d.mp4", ())
    return tmp_path / "in"


def read_back(path: Path, name: str = "blocks") -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pd.read_csv(path)
    if path.suffix == ".xlsx":
        return pd.read_excel(path, sheet_name=name)
    if path.suffix == ".sqlite":
        with sqlite3.connect(path) as connection:
            return pd.read_sql(f"SELECT * FROM {name}", connection).astype({"older": bool})
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        table: pd.DataFrame = connection.sql(f"SELECT * FROM {name}").df()
        return table


@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_has_the_same_rows_in_parts(
    archive: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each table is a part of its own; own times of a face add up, and columns that a table lacks are empty."""
    if ending == ".duckdb":
        pytest.importorskip("duckdb")
    monkeypatch.setattr(read, "_BATCH_BYTES", 1)
    done = annotate.export(archive, tmp_path / f"out{ending}")
    assert (done.rows, done.videos, done.codebook.name) == (8, 4, "out.codebook.csv")
    table = read_back(done.path)
    names = (*EMOTIONS, "joy")
    columns = ["video", "older", *BLOCK_COLUMNS, *names, *APPEARANCE_COLUMNS, *OWN_COLUMNS, *relative_columns(names)]
    assert list(table.columns) == columns
    assert [Path(video).name for video in table["video"]] == ["a.mp4"] * 4 + ["b.mp4"] + ["c.mp4"] * 3
    own_s = (table["own_end_time"] - table["own_start_time"]).groupby([table["video"], table["face_id"]]).sum()
    assert own_s.tolist() == pytest.approx([2.0, 0.8, 0.8, 2.4])
    assert table.loc[3, ["start_frame", "overlap", "emotion"]].tolist() == [0, 0, "anger"]
    assert table["joy"].notna().tolist() == [False] * 4 + [True] + [False] * 3
    assert table["relative_confidence"].notna().tolist() == [False] * 5 + [True] * 3
    assert not table["older"].any()
    codebook = pd.read_csv(done.codebook, keep_default_na=False)
    assert codebook["column"].tolist() == columns
    assert (codebook[["range", "source", "meaning"]] != "").all(axis=None)
    assert codebook.set_index("column").loc[["start_time", "yaw", "x"], "unit"].tolist() == ["s", "degrees", "pixels"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_columns_of_trials(archive: Path, tmp_path: Path) -> None:
    """A block in two trials has a row in each; its own time is what is in the trial."""
    trials = write(tmp_path / "t.csv", "a,0,1.2,x,7", "a,1.2,2,y,8", columns="video,start,end,condition,block")
    with pytest.warns(UserWarning, match="3 videos without a trial"):
        done = annotate.export(archive, tmp_path / "out.csv", trials=trials)
    table = pd.read_csv(done.path)
    assert list(table.columns[:6]) == ["video", "older", "trial", "condition", "participant", "trial_block"]
    of_face = table[table["face_id"] == 1]
    assert of_face[["condition", "block", "own_start_time", "own_end_time"]].to_numpy().tolist() == [
        ["x", 0, 0.0, 0.8],
        ["x", 1, 0.8, 1.2],
        ["y", 1, 1.2, 1.6],
        ["y", 2, 1.6, 2.0],
    ]
    assert of_face["start_time"].tolist() == [0, 0.8, 0.8, 1.2]
    codebook = pd.read_csv(done.codebook).set_index("column")
    assert codebook.loc["trial_block", "source"] == "table of trials"


def test_older_tables_and_their_empty_values(tmp_path: Path) -> None:
    done = annotate.export(FIXTURES, tmp_path / "out.parquet")
    table = pd.read_parquet(done.path)
    assert table["older"].all()
    assert table["yaw"].isna().all()
    assert table["reliable"].isna().all()
    assert np.isfinite(table["own_start_time"]).all()


def test_a_sheet_is_easy_to_read(archive: Path, tmp_path: Path) -> None:
    """Filters, widths, percent, and a codebook of its own; numbers stay numbers, formulas are text."""
    report(archive, "=1+1.mp4", CLIP, base="z")
    annotate.export(archive, tmp_path / "out.xlsx")
    book = load_workbook(tmp_path / "out.xlsx")
    sheet = book["blocks"]
    heads = {cell.value: cell.column_letter for cell in sheet[1]}
    assert (sheet.auto_filter.ref, sheet.freeze_panes) == (f"A1:{sheet.cell(1, len(heads)).column_letter}10", "A2")
    assert sheet.column_dimensions["A"].width > sheet.column_dimensions["B"].width >= len("older")
    percent, plain = sheet[f"{heads['anger']}2"], sheet[f"{heads['yaw']}2"]
    assert (percent.number_format, percent.value, plain.number_format) == ("0%", 0.5, "General")
    assert book["codebook"]["A2"].value == "video"


@pytest.mark.parametrize("name", ["out.doc", "out"])
def test_what_cannot_be_written_gets_a_sentence(archive: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="unknown format"):
        annotate.export(archive, tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="no tables"):
        annotate.export(tmp_path / "empty", tmp_path / "out.csv")
    with pytest.raises(OutputError) as caught:
        annotate.export(archive, tmp_path / "none/out.csv")
    assert str(caught.value.path).startswith(str(tmp_path / "none"))


def test_a_missing_package_is_named_with_its_extra(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.extras.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="duckdb"):
        annotate.export(archive, tmp_path / "out.duckdb")


def test_a_sheet_has_a_limit_of_rows(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.analytics.export._MAX_SHEET_ROWS", 7)
    (tmp_path / "out.xlsx").write_bytes(b"before")
    with pytest.raises(OutputError, match="too many rows") as caught:
        annotate.export(archive, tmp_path / "out.xlsx")
    assert caught.value.path == tmp_path / "out.xlsx"
    assert (tmp_path / "out.xlsx").read_bytes() == b"before"


def test_the_table_is_that_of_the_video(archive: Path, tmp_path: Path) -> None:
    done = annotate.export(archive / "a.mp4", tmp_path / "out.csv")
    own = pd.read_csv(archive / "a.emotions.csv").sort_values(["face_id", "start_time"], ignore_index=True)
    assert_frame_equal(pd.read_csv(done.path).drop(columns=["video", "older"]), own)
