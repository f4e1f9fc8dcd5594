"""Rows of CSV files that people write, for codings and trials: separators, column names and times as they come."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotate.errors import CodingError
from annotate.span import MS_PER_S, Span
from annotate.storage.values import PathOrUrl

_SEPARATORS = (",", ";", "\t")
_MAX_TIME_S = 10_000_000


@dataclass(frozen=True)
class Row:
    """A row: its values by column, and its line in the file ``path``."""

    path: PathOrUrl
    line: int
    values: Mapping[str, str]

    def error(self, problem: str) -> CodingError:
        """Return the error to raise about this row."""
        return CodingError(f"line {self.line}: {problem}", "correct this line", path=self.path)

    def span(self) -> Span:
        """Return the span from ``start`` to ``end``.

        Raises:
            CodingError: they are no times, or the end is not after the start.
        """
        span = Span(self._time_ms("start"), self._time_ms("end"))
        if not span:
            raise self.error(f"end ({self.values['end']}) is not after start ({self.values['start']})")
        return span

    def _time_ms(self, column: str) -> int:
        text = self.values[column]
        try:
            time_s = float(text.replace(",", "."))
        except ValueError:
            time_s = math.nan
        if not 0 <= time_s <= _MAX_TIME_S:
            raise self.error(f"{column} {text!r} is not a time in seconds")
        return round(time_s * MS_PER_S)


def read_rows(content: bytes, path: PathOrUrl, needed: Sequence[str], names: Mapping[str, str]) -> list[Row]:
    """Return the rows of a CSV file with commas, semicolons or tabs; empty rows are left out.

    Column names are compared without case, and replaced by those that they stand for in ``names``.

    Raises:
        CodingError: it is not such a file, or lacks one of the columns ``needed``.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CodingError("not text in UTF-8", "save it as CSV in UTF-8", path=path) from None
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        columns = [names.get(name.strip().casefold(), name.strip()) for name in next(reader, [])]
        missing = [name for name in needed if name not in columns]
        if missing or len(set(columns)) < len(columns):
            problem = f"column {missing[0]!r} is missing" if missing else "two columns have one name"
            raise CodingError(f"{problem} (found: {', '.join(columns)})", f"name the columns {','.join(needed)}", path=path)
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                values = dict(zip(columns, [*map(str.strip, cells), *[""] * len(columns)], strict=False))
                rows.append(Row(path, reader.line_num, values))
                if len(cells) > len(columns):
                    raise rows[-1].error(f"{len(cells)} values in {len(columns)} columns")
    except csv.Error as error:
        raise CodingError(f"not a CSV table ({error})", "save it as CSV in UTF-8", path=path) from None
    return rows
