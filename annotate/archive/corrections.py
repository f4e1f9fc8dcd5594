"""The files with people's corrections beside tables, and their application to tables that are read."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from annotate.archive.layout import outputs_of_report
from annotate.errors import ReportError, StorageError, remedy_for
from annotate.results.corrected import Corrected, apply_corrections
from annotate.results.corrections import CorrectionRows, instant_of, parse_corrections, shorten
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    import pandas as pd


class CorrectionFiles:
    """Reads the files of corrections beside tables; with ``is_applied=False`` there are none.

    ``elsewhere`` are further files by table, for tables beside which the program must not write.
    """

    def __init__(
        self, *, is_applied: bool = True, elsewhere: Mapping[PathOrUrl, Sequence[PathOrUrl]] = MappingProxyType({})
    ) -> None:
        self._is_applied = is_applied
        self._elsewhere = elsewhere
        self._folders: dict[PathOrUrl, frozenset[str]] = {}

    def apply(self, table: pd.DataFrame, path: PathOrUrl) -> Corrected:
        """Return the table ``path``, with its persons, as corrected.

        Raises:
            ReportError: its file of corrections cannot be read.
        """
        if not self.exists(path):
            return Corrected(table)
        rows = self.read(path)
        corrected = apply_corrections(table, rows.corrections)
        return replace(corrected, problems=(*rows.problems, *corrected.problems))

    def read(self, path: PathOrUrl) -> CorrectionRows:
        """Return the corrections of the table ``path``, those of several files in the order of their times.

        Raises:
            ReportError: a file cannot be read.
        """
        return functools.reduce(merge_rows, map(read_corrections, self._files(path)))

    def exists(self, path: PathOrUrl) -> bool:
        """Return whether there are corrections of the table ``path``; folders of object storage are listed once."""
        if not self._is_applied:
            return False
        return any(map(self._is_there, self._files(path)))

    def _files(self, path: PathOrUrl) -> tuple[PathOrUrl, ...]:
        return (outputs_of_report(path).corrections, *self._elsewhere.get(path, ()))

    def _is_there(self, file: PathOrUrl) -> bool:
        storage = storage_for(file)
        if storage.is_local:
            return storage.exists(file)
        if file.parent not in self._folders:
            self._folders[file.parent] = frozenset(entry.name for entry in storage.list_dir(file.parent))
        return file.name in self._folders[file.parent]


def merge_rows(rows: CorrectionRows, others: CorrectionRows) -> CorrectionRows:
    """Return the rows of two files in the order in which they were made; those without a time are first."""
    if not others.corrections:
        return replace(rows, problems=(*rows.problems, *others.problems))
    merged = sorted((*rows.corrections, *others.corrections), key=lambda row: instant_of(row.time))
    return CorrectionRows(tuple(merged), (*rows.problems, *others.problems), (*rows.undone, *others.undone))


def remark_on_problems(path: PathOrUrl, problems: Sequence[str]) -> str:
    """Return a remark on the corrections of the table ``path`` that do not fit; empty if all do."""
    return f"{outputs_of_report(path).corrections}: {shorten(problems)}. The rest applies" if problems else ""


def read_corrections(file: PathOrUrl) -> CorrectionRows:
    """Return the content of a file of corrections; empty if it does not exist.

    Raises:
        ReportError: it cannot be read.
    """
    return parse_corrections(read_content(file))


def read_content(file: PathOrUrl) -> bytes:
    """Return the bytes of a file of corrections; none if it does not exist. Raise as `read_corrections` does."""
    try:
        return storage_for(file).read(file)
    except FileNotFoundError:
        return b""
    except StorageError:
        raise
    except OSError as error:
        raise ReportError(f"cannot be read ({error.strerror})", remedy_for(error), path=file) from None
