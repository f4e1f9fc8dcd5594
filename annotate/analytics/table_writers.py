"""Write a large table in parts, with bounded memory: CSV, Parquet, Excel, SQLite or DuckDB."""

from __future__ import annotations

import contextlib
import csv
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd

from annotate.analytics.export import escape_formulas, write_sheet_rows

Write = Callable[[pd.DataFrame], None]
"""Writes the next rows."""

BLOCKS, FRAMES, CODEBOOK = "blocks", "frames", "codebook"
"""Names of the tables in a database, and of the sheets in Excel; the first may be another one."""


def open_writer(
    path: Path, codebook: pd.DataFrame, percent: frozenset[str], name: str = BLOCKS
) -> AbstractContextManager[Write]:
    """Return a context that writes rows to a new file in the format of its ending, one of `WRITERS`.

    Databases and Excel also hold the ``codebook``, and call the table ``name``. In Excel columns in ``percent`` are
    formatted so.

    Raises:
        OutputError: there are too many rows for Excel.
    """
    return WRITERS[path.suffix.lower()](path, codebook, percent, name)


@contextlib.contextmanager
def _csv(path: Path, codebook: pd.DataFrame, percent: frozenset[str], name: str) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def write(rows: pd.DataFrame) -> None:
            is_first = file.tell() == 0
            text = escape_formulas(rows)
            text.to_csv(file, index=False, header=is_first, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)

        yield write


@contextlib.contextmanager
def _parquet(path: Path, codebook: pd.DataFrame, percent: frozenset[str], name: str) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import parquet

    with contextlib.ExitStack() as stack:
        writers: list[parquet.ParquetWriter] = []

        def write(rows: pd.DataFrame) -> None:
            table = pa.Table.from_pandas(rows, preserve_index=False)
            if not writers:
                writers.append(stack.enter_context(parquet.ParquetWriter(path, table.schema)))
            writers[0].write_table(table.cast(writers[0].schema))

        yield write


@contextlib.contextmanager
def _sqlite(path: Path, codebook: pd.DataFrame, percent: frozenset[str], name: str) -> Iterator[Write]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        codebook.to_sql(CODEBOOK, connection, index=False)
        yield lambda rows: _insert(rows, connection, name)
        connection.commit()


def _insert(rows: pd.DataFrame, connection: sqlite3.Connection, name: str) -> None:
    rows.iloc[:0].to_sql(name, connection, index=False, if_exists="append")
    marks = ", ".join("?" * len(rows.columns))
    cells = (rows[own].astype(object).where(rows[own].notna(), None).tolist() for own in rows.columns)
    connection.executemany(f"INSERT INTO {name} VALUES ({marks})", zip(*cells, strict=True))  # noqa: S608


@contextlib.contextmanager
def _duckdb(path: Path, codebook: pd.DataFrame, percent: frozenset[str], name: str) -> Iterator[Write]:
    import duckdb

    with contextlib.closing(duckdb.connect(str(path))) as connection:
        connection.register("rows", codebook)
        connection.execute("CREATE TABLE codebook AS SELECT * FROM rows")
        is_made = False

        def write(rows: pd.DataFrame) -> None:
            nonlocal is_made
            connection.register("rows", rows)
            if not is_made:
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows LIMIT 0")  # noqa: S608
            is_made = True
            connection.execute(f"INSERT INTO {name} SELECT * FROM rows")  # noqa: S608

        yield write


@contextlib.contextmanager
def _excel(path: Path, codebook: pd.DataFrame, percent: frozenset[str], name: str) -> Iterator[Write]:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    write = write_sheet_rows(book.create_sheet(name), percent)
    try:
        yield write
    except Exception:
        for sheet in book.worksheets:
            sheet.close()
        raise
    write_sheet_rows(book.create_sheet(CODEBOOK), frozenset())(codebook)
    book.save(path)


WRITERS: dict[str, Callable[[Path, pd.DataFrame, frozenset[str], str], AbstractContextManager[Write]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".xlsx": _excel,
    ".sqlite": _sqlite,
    ".duckdb": _duckdb,
}
