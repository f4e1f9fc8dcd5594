"""Encode tables as .csv, .json, .xlsx or .parquet files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

from annotate.errors import OutputError

TABLE_ENDINGS = (".csv", ".json", ".xlsx", ".parquet")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of formulas in spreadsheets (OWASP, "CSV Injection")."""

_WIDTH_ROWS, _MAX_LETTERS, _FILTER_LETTERS = 200, 60, 3
"""Rows that columns of a sheet are made wide enough for, the widest column, and room for the button of its filter."""

_MAX_SHEET_ROWS = (1 << 20) - 1
"""Maximum number of rows in an .xlsx sheet below the header."""


def encode_table(table: pd.DataFrame, ending: str, percent: Collection[str] = ()) -> bytes:
    """Return the file content of a table in the format of ``ending``, one of `TABLE_ENDINGS`.

    In .xlsx the columns in ``percent`` are shown so.

    Text that a spreadsheet would run as a formula gets a leading apostrophe in .csv and is typed as text in .xlsx. In .csv
    all text is quoted, so that a spreadsheet that expects another separator, or a line break in a name, cannot split it.

    Raises:
        OutputError: the table has too many rows for .xlsx.
    """
    if ending == ".csv":
        text = escape_formulas(table).to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        return text.encode()
    if ending == ".json":
        return (table.to_json(orient="records", indent=2, force_ascii=False) + "\n").encode()
    buffer = io.BytesIO()
    if ending == ".parquet":
        table.to_parquet(buffer, engine="pyarrow", index=False)
    else:
        from openpyxl import Workbook

        book = Workbook(write_only=True)
        write_sheet_rows(book.create_sheet("Sheet1"), percent)(table)
        book.save(buffer)
    return buffer.getvalue()


def escape_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which text that a spreadsheet would run as a formula has a leading apostrophe."""
    texts = table.select_dtypes(include=["object", "string"]).columns
    return table.assign(**{name: table[name].map(_escape_formula) for name in texts}).rename(columns=_escape_formula)


def _escape_formula(text: str) -> str:
    """Prefix text that a spreadsheet would run as a formula with an apostrophe.

    >>> _escape_formula("=1+1.mp4"), _escape_formula("a=b.mp4")
    ("'=1+1.mp4", 'a=b.mp4')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_sheet_rows(sheet: Any, percent: Collection[str]) -> Callable[[pd.DataFrame], None]:
    """Return a function that appends rows to a sheet of a write-only workbook; the first call writes the header.

    The header is frozen and has filters, columns are as wide as the first rows need, and those in ``percent`` are shown so.

    Raises:
        OutputError: by the function, if there are too many rows for .xlsx.
    """
    count: int | None = None

    def write(rows: pd.DataFrame) -> None:
        nonlocal count
        total = (count or 0) + len(rows)
        if total > _MAX_SHEET_ROWS:
            raise OutputError(f"too many rows for .xlsx ({total}, maximum {_MAX_SHEET_ROWS})", "write .csv or .parquet")
        if count is None:
            _set_up_sheet(sheet, rows)
            sheet.append([_cell(sheet, str(name), "") for name in rows.columns])
        count = total
        formats = ["0%" if name in percent else "" for name in rows.columns]
        for values in rows.astype(object).where(rows.notna(), None).itertuples(index=False, name=None):
            sheet.append([_cell(sheet, value, form) for value, form in zip(values, formats, strict=True)])
        sheet.auto_filter.ref = f"A1:{_letters(len(rows.columns))}{count + 1}"

    return write


def _set_up_sheet(sheet: Any, rows: pd.DataFrame) -> None:
    sheet.freeze_panes = "A2"
    for number, name in enumerate(rows.columns, 1):
        longest = max([len(str(name)) + _FILTER_LETTERS, *(len(str(value)) for value in rows[name].head(_WIDTH_ROWS))])
        sheet.column_dimensions[_letters(number)].width = min(longest + 1, _MAX_LETTERS)


def _letters(number: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(max(1, number)))


def _cell(sheet: Any, value: Any, form: str) -> Any:
    """Return a value as a cell; text that would run as a formula is typed as text."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value) or None)
        if cell.value is not None:
            cell.data_type = "s"
            cell.quotePrefix = value.startswith(_FORMULA_STARTS)
        return cell
    if not form:
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = form
    return cell
