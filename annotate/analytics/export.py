"""Tables as files for other programs; the file's ending gives the format."""

from __future__ import annotations

import csv
import io

import pandas as pd

from annotate.errors import OutputError

TABLE_ENDINGS = (".csv", ".json", ".xlsx", ".parquet")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which a formula begins in spreadsheets (OWASP, "CSV Injection")."""

_MAX_SHEET_ROWS = (1 << 20) - 1
"""Rows of a sheet below its heading."""


def encode_table(table: pd.DataFrame, ending: str) -> bytes:
    """Return a table as the content of a file with one of `TABLE_ENDINGS`.

    Text that a spreadsheet would run gets an apostrophe in front in .csv and stays text in .xlsx. In .csv all text stands in
    quotation marks: else a spreadsheet that takes another separator, or a line's end within a name, finds cells inside it.

    Raises:
        OutputError: a sheet does not hold so many rows.
    """
    if ending == ".csv":
        text = _harmless(table).to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        return text.encode()
    if ending == ".json":
        return (table.to_json(orient="records", indent=2, force_ascii=False) + "\n").encode()
    buffer = io.BytesIO()
    if ending == ".parquet":
        table.to_parquet(buffer, engine="pyarrow", index=False)
    else:
        _write_sheet(table, buffer)
    return buffer.getvalue()


def _harmless(table: pd.DataFrame) -> pd.DataFrame:
    texts = table.select_dtypes(include=["object", "string"]).columns
    return table.assign(**{name: table[name].map(_harmless_text) for name in texts}).rename(columns=_harmless_text)


def _harmless_text(text: str) -> str:
    """Return text that no spreadsheet runs; numbers are not text, so a negative one stays.

    >>> _harmless_text("=1+1.mp4"), _harmless_text("a=b.mp4")
    ("'=1+1.mp4", 'a=b.mp4')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _write_sheet(table: pd.DataFrame, buffer: io.BytesIO) -> None:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(table) > _MAX_SHEET_ROWS:
        raise OutputError(f"a sheet has no room for {len(table)} rows", "write a .csv or .parquet")
    clean = table.replace(ILLEGAL_CHARACTERS_RE, "\N{REPLACEMENT CHARACTER}", regex=True)
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        clean.to_excel(writer, index=False, freeze_panes=(1, 0))
        (sheet,) = writer.sheets.values()
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value == "":
                    cell.value = None
                elif isinstance(cell.value, str):
                    cell.data_type = "s"
                    cell.quotePrefix = cell.value.startswith(_FORMULA_STARTS)
