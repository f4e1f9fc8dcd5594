"""One tidy table of an archive: all blocks of all tables, with the video and perhaps the trial, in parts of bounded size."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotate.analytics.read import ReportBatch
from annotate.analytics.trials import GROUPS, MatchedTrials, trial_numbers
from annotate.archive.corrections import CorrectionFiles
from annotate.results.codebook import ColumnEntry, describe
from annotate.results.intervals import class_order
from annotate.results.table import (
    APPEARANCE_COLUMNS,
    BLOCK_COLUMNS,
    CORRECTION_COLUMNS,
    INTEGER_COLUMNS,
    MACHINE,
    MACHINE_EMOTION,
    OWN_COLUMNS,
    SOURCE,
    TEXT_COLUMNS,
    class_columns,
    has_relative,
    relative_columns,
)
from annotate.span import MS_PER_S
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class ArchiveColumns:
    """The columns of the table: of blocks, in the order of tables, and before them those of the video and its trial."""

    blocks: tuple[str, ...]
    trials: dict[str, str] = field(default_factory=dict)
    """Columns of trials -> their names here."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns in order."""
        return ("video", "older", *self.trials.values(), *self.blocks)

    @property
    def further(self) -> tuple[str, ...]:
        """Columns to read beside the usual ones of blocks."""
        usual = ("face_id", "emotion", "confidence", *OWN_COLUMNS, *CORRECTION_COLUMNS)
        return tuple(name for name in self.blocks if name not in usual)

    def codebook(self) -> list[ColumnEntry]:
        """Return the entries of all columns."""
        return list(describe(self.names, [name for column, name in self.trials.items() if column not in GROUPS]))


def find_columns(
    reports: Sequence[PathOrUrl], trials: MatchedTrials | None = None, *, is_corrected: bool = True
) -> ArchiveColumns:
    """Return the columns that any of the tables has; only their first lines are read. What cannot be read is left out.

    There are `CORRECTION_COLUMNS` if corrections by people are applied and any table has some.
    """
    classes: dict[str, None] = {}
    is_relative = False
    for header in {line for line in map(_first_line, reports) if line}:
        columns = next(csv.reader([header.decode("utf-8", "backslashreplace")]), [])
        classes |= dict.fromkeys(class_columns(columns))
        is_relative |= has_relative(columns)
    names = sorted(classes, key=class_order)
    relative = relative_columns(names) if is_relative else ()
    files = CorrectionFiles(is_applied=is_corrected)
    corrections = CORRECTION_COLUMNS if any(map(files.exists, reports)) else ()
    blocks = (*BLOCK_COLUMNS, *names, *APPEARANCE_COLUMNS, *OWN_COLUMNS, *relative, *corrections)
    own = {} if trials is None else {name: name for name in GROUPS}
    for name in () if trials is None else trials.trials.further:
        own[name] = name if name not in (*blocks, "video", "older") else f"trial_{name}"
    return ArchiveColumns(blocks, own)


def to_rows(batch: ReportBatch, columns: ArchiveColumns, trials: MatchedTrials | None = None) -> pd.DataFrame:
    """Return the blocks of a batch that was read with ``columns.further`` as rows, ordered by video, trial, face and time.

    Integers that a table lacks are <NA>, other numbers NaN, texts empty.
    """
    blocks = batch.blocks
    number = blocks["report"].to_numpy()
    reports = batch.reports
    values: dict[str, object] = {
        "video": _texts({key: report.video for key, report in reports.items()}, number),
        "older": np.isin(number, [key for key, report in reports.items() if report.is_older]),
    }
    if trials is not None:
        found = {trial.number: trial for trial in trials.found}
        for column, name in columns.trials.items():
            texts = {key: trial.group(column) if column in GROUPS else trial.further[column] for key, trial in found.items()}
            values[name] = _texts(texts, trial_numbers(blocks))
    if SOURCE in columns.blocks and SOURCE not in blocks:  # none of this batch was corrected
        blocks = blocks.assign(source=MACHINE, machine_emotion=blocks["emotion"], machine_confidence=blocks["confidence"])
    for name in columns.blocks:
        if name in OWN_COLUMNS:
            values[name] = blocks["start_ms" if name == OWN_COLUMNS[0] else "end_ms"].to_numpy() / MS_PER_S
        elif name in INTEGER_COLUMNS:
            values[name] = blocks[name].astype("Int64").array
        elif name in (*TEXT_COLUMNS, SOURCE, MACHINE_EMOTION):
            values[name] = blocks[name].astype("string").array
        else:
            values[name] = blocks[name].to_numpy(float)
    return pd.DataFrame(values, columns=list(columns.names))


def codebook_table(entries: Sequence[ColumnEntry]) -> pd.DataFrame:
    """Return a codebook as a table."""
    rows = [(entry.column, entry.unit, entry.range, entry.source, entry.meaning) for entry in entries]
    return pd.DataFrame(rows, columns=["column", "unit", "range", "source", "meaning"])


def _texts(values: Mapping[int, str], keys: npt.NDArray[np.int64]) -> object:
    """Return the text of each key."""
    unique, positions = np.unique(keys, return_inverse=True)
    return pd.array([values[int(key)] for key in unique], dtype="string").take(positions)


def _first_line(path: PathOrUrl) -> bytes:
    try:
        with storage_for(path).open_range(path) as file:
            return file.readline(_HEADER_BYTES).rstrip(b"\r\n")
    except OSError:
        return b""
