"""Exported tables, read back by other libraries."""

from __future__ import annotations

import csv
import io
import json

import openpyxl
import pandas as pd
import pyarrow.parquet
import pytest

from annotate.analytics.export import encode_table
from annotate.errors import OutputError

NAMES = ["=1+1.mp4", "+a.mp4", "-b.mp4", "@c.mp4", "\td.mp4", "\re.mp4", "f=g.mp4", "день 日本.mp4", 'h,"i".mp4', "1e5"]
TABLE = pd.DataFrame(
    {"video": NAMES, "faces": range(len(NAMES)), "confidence": [-0.5, None, *[0.25] * (len(NAMES) - 2)], "=calm": 0.5}
)


def test_csv_escapes_formulas() -> None:
    """Numbers stay unchanged, negative ones too."""
    rows = list(csv.reader(io.StringIO(encode_table(TABLE, ".csv").decode(), newline="")))
    assert rows[0] == ["video", "faces", "confidence", "'=calm"]
    assert [row[0] for row in rows[1:]] == [*(f"'{name}" for name in NAMES[:6]), *NAMES[6:]]
    assert [row[1:] for row in rows[1:4]] == [["0", "-0.5", "0.5"], ["1", "", "0.5"], ["2", "0.25", "0.5"]]


def test_xlsx_cells_are_text_or_numbers_never_formulas() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(encode_table(TABLE, ".xlsx"))).active
    assert sheet is not None
    cells = [[(cell.value, cell.data_type) for cell in row] for row in sheet.iter_rows()]
    assert cells[0] == [("video", "s"), ("faces", "s"), ("confidence", "s"), ("=calm", "s")]
    names = [(str(row[0][0]).replace("\r", "\n"), row[0][1]) for row in cells[1:]]  # without lxml, openpyxl reads \r as \n
    assert names == [(name.replace("\r", "\n"), "s") for name in NAMES]
    assert [row[1:] for row in cells[1:3]] == [[(0, "n"), (-0.5, "n"), (0.5, "n")], [(1, "n"), (None, "n"), (0.5, "n")]]
    assert [sheet.cell(row, 1).quotePrefix for row in range(2, 9)] == [True] * 6 + [False]


def test_xlsx_replaces_characters_that_xml_forbids() -> None:
    table = pd.DataFrame({"video": ["a\x1b.mp4"]})
    sheet = openpyxl.load_workbook(io.BytesIO(encode_table(table, ".xlsx"))).active
    assert sheet is not None
    assert sheet["A2"].value == "a\N{REPLACEMENT CHARACTER}.mp4"


def test_csv_text_is_quoted_against_other_separators_and_line_breaks() -> None:
    text = encode_table(pd.DataFrame({"video": ["a;=1+1.mp4", "b\r=1+1.mp4"], "faces": [1, 2]}), ".csv").decode()
    assert text == '"video","faces"\n"a;=1+1.mp4",1\n"b\r=1+1.mp4",2\n'


def test_json_has_one_object_per_row() -> None:
    rows = json.loads(encode_table(TABLE, ".json"))
    assert [row["video"] for row in rows] == NAMES
    assert rows[1] == {"video": "+a.mp4", "faces": 1, "confidence": None, "=calm": 0.5}
    assert "день 日本" in encode_table(TABLE, ".json").decode()


def test_parquet_keeps_names_and_types() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(encode_table(TABLE, ".parquet")))
    assert table.column_names == ["video", "faces", "confidence", "=calm"]
    assert table["video"].to_pylist() == NAMES
    assert table["confidence"].to_pylist()[:3] == [-0.5, None, 0.25]
    assert str(table.schema.field("faces").type) == "int64"


def test_too_many_rows_for_xlsx_are_refused() -> None:
    with pytest.raises(OutputError) as raised:
        encode_table(pd.DataFrame({"faces": range(1_048_576)}), ".xlsx")
    assert "1048576" in raised.value.problem
    assert all(ending in raised.value.remedy for ending in (".csv", ".parquet"))


def test_sheets_have_filters_widths_and_percent() -> None:
    table = pd.DataFrame({"video": ["a" * 30, "b"], "share": [0.25, None], "seconds": [1.5, 2.0]})
    sheet = openpyxl.load_workbook(io.BytesIO(encode_table(table, ".xlsx", ["share"]))).active
    assert (sheet.auto_filter.ref, sheet.freeze_panes) == ("A1:C3", "A2")
    assert 30 < sheet.column_dimensions["A"].width < 40
    assert [(cell.value, cell.number_format) for cell in sheet["B"][1:]] == [(0.25, "0%"), (None, "0%")]
    assert sheet["C2"].number_format == "General"
    assert openpyxl.load_workbook(io.BytesIO(encode_table(table.iloc[:0], ".xlsx"))).active["A1"].value == "video"
