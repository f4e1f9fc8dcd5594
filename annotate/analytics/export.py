"""Encode tables as .csv, .json, .xlsx or .parquet files."""

from __future__ import annotations

import csv
import io

import pandas as pd

from annotate.errors import OutputError

TABLE_ENDINGS = (".csv", ".json", ".xlsx", ".parquet")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of formulas in spreadsheets (OWASP, "CSV Injection")."""

_MAX_SHEET_ROWS = (1 << 20) - 1
"""Maximum number of rows in an .xlsx sheet below the header."""


def encode_table(table: pd.DataFrame, ending: str) -> bytes:
    """Return the file content of a table in the format of ``ending``, one of `TABLE_ENDINGS`.

    Text that a spreadsheet would run as a formula gets a leading apostrophe in .csv and is typed as text in .xlsx. In .csv
    all text is quoted, so that a spreadsheet that expects another separator, or a line break in a name, cannot split it.

    Raises:
        OutputError: the table has too many rows for .xlsx.
    """
    if ending == ".csv":
        text = _escape_formulas(table).to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        return text.encode()
    if ending == ".json":
        return (table.to_json(orient="records", indent=2, force_ascii=False) + "\n").encode()
    buffer = io.BytesIO()
    if ending == ".parquet":
        table.to_parquet(buffer, engine="pyarrow", index=False)
    else:
        _write_sheet(table, buffer)
    return buffer.getvalue()


def _escape_formulas(table: pd.DataFrame) -> pd.DataFrame:
    texts = table.select_dtypes(include=["object", "string"]).columns
    return table.assign(**{name: table[name].map(_escape_formula) for name in texts}).rename(columns=_escape_formula)


def _escape_formula(text: str) -> str:
    """Prefix text that a spreadsheet would run as a formula with an apostrophe.

    >>> _escape_formula("=1+1.mp4"), _escape_formula("a=b.mp4")
    ("'=1+1.mp4", 'a=b.mp4')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _write_sheet(table: pd.DataFrame, buffer: io.BytesIO) -> None:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(table) > _MAX_SHEET_ROWS:
        raise OutputError(f"too many rows for .xlsx ({len(table)}, maximum {_MAX_SHEET_ROWS})", "write .csv or .parquet")
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
