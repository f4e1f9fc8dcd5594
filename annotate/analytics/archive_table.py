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
from annotate.archive.layout import outputs_of_report
from annotate.results.codebook import FRAME_COLUMNS, ColumnEntry, describe
from annotate.results.intervals import class_order
from annotate.results.table import (
    APPEARANCE_COLUMNS,
    BLOCK_COLUMNS,
    CORRECTED_BY,
    CORRECTION_COLUMNS,
    INTEGER_COLUMNS,
    MACHINE,
    MACHINE_EMOTION,
    NAME,
    OWN_COLUMNS,
    PERSON,
    RELATIVE_PREFIX,
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
_PEOPLE = (PERSON, NAME, *CORRECTION_COLUMNS, CORRECTED_BY)


@dataclass(frozen=True)
class ArchiveColumns:
    """The columns of the table: of blocks, in the order of tables, and before them those of the video and its trial."""

    blocks: tuple[str, ...]
    trials: dict[str, str] = field(default_factory=dict)
    """Columns of trials -> their names here."""

    baseline_trial: str = ""
    """The trial or condition that relative columns are relative to; empty for the face's own baseline."""

    is_every_frame: bool = False
    """Whether rows are frames, not blocks (`annotate.analytics.frame_table`)."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns in order."""
        return ("video", "older", *self.trials.values(), *self.blocks)

    @property
    def further(self) -> tuple[str, ...]:
        """Columns to read beside the usual ones of blocks."""
        usual = ("face_id", "emotion", "confidence", *OWN_COLUMNS, *self.people)
        if self.is_every_frame:
            return ()
        is_computed = bool(self.baseline_trial)
        return tuple(
            name for name in self.blocks if name not in usual and not (is_computed and name.startswith(RELATIVE_PREFIX))
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes with a column of probabilities."""
        return class_columns(name for name in self.blocks if name not in FRAME_COLUMNS)

    @property
    def people(self) -> tuple[str, ...]:
        """Columns on persons and of what people said."""
        return tuple(name for name in self.blocks if name in _PEOPLE)

    def codebook(self) -> list[ColumnEntry]:
        """Return the entries of all columns."""
        further = [name for column, name in self.trials.items() if column not in GROUPS]
        return list(describe(self.names, further, baseline_trial=self.baseline_trial, is_every_frame=self.is_every_frame))


def find_columns(
    reports: Sequence[PathOrUrl],
    trials: MatchedTrials | None = None,
    *,
    baseline_trial: str | None = None,
    is_corrected: bool = True,
) -> ArchiveColumns:
    """Return the columns that any of the tables has; only their first lines are read. What cannot be read is left out.

    There are `PERSON` and `NAME` if persons were told apart in any video, and `CORRECTION_COLUMNS` and `CORRECTED_BY` if
    corrections by people are applied and any table has some.
    """
    classes: dict[str, None] = {}
    is_relative = False
    for header in {line for line in map(_first_line, reports) if line}:
        columns = next(csv.reader([header.decode("utf-8", "backslashreplace")]), [])
        classes |= dict.fromkeys(class_columns(columns))
        is_relative |= has_relative(columns) or baseline_trial is not None
    names = sorted(classes, key=class_order)
    relative = relative_columns(names) if is_relative else ()
    files = CorrectionFiles(is_applied=is_corrected)
    corrections = (*CORRECTION_COLUMNS, CORRECTED_BY) if any(map(files.exists, reports)) else ()
    persons = (PERSON, NAME) if any(map(_has_persons, reports)) else ()
    blocks = (*BLOCK_COLUMNS, *names, *APPEARANCE_COLUMNS, *OWN_COLUMNS, *relative, *persons, *corrections)
    own = {} if trials is None else {name: name for name in GROUPS}
    for name in () if trials is None else trials.trials.further:
        own[name] = name if name not in (*blocks, "video", "older") else f"trial_{name}"
    return ArchiveColumns(blocks, own, baseline_trial or "")


def to_rows(batch: ReportBatch, columns: ArchiveColumns, trials: MatchedTrials | None = None) -> pd.DataFrame:
    """Return the blocks of a batch that was read with ``columns.further`` as rows, ordered by video, trial, face and time.

    Integers that a table lacks are <NA>, other numbers NaN, texts empty. Relative columns that the batch lacks are empty.
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
        blocks = blocks.assign(author="")
    if PERSON in columns.blocks:
        known = {(key, face_id): who for key, report in reports.items() for face_id, who in report.persons.items()}
        people = [known.get(key) for key in zip(number.tolist(), blocks["face_id"].tolist(), strict=True)]
        numbers = pd.array([None if who is None else who.number for who in people], dtype="Int64")
        blocks = blocks.assign(person=numbers, name=["" if who is None else who.name for who in people])
    relative = [name for name in columns.blocks if name.startswith(RELATIVE_PREFIX) and name not in blocks]
    blocks = blocks.assign(**{name: "" if name in TEXT_COLUMNS else np.nan for name in relative})
    for name in columns.blocks:
        if name in OWN_COLUMNS:
            values[name] = blocks["start_ms" if name == OWN_COLUMNS[0] else "end_ms"].to_numpy() / MS_PER_S
        elif name in (*INTEGER_COLUMNS, PERSON):
            values[name] = blocks[name].astype("Int64").array
        elif name in (*TEXT_COLUMNS, NAME, SOURCE, MACHINE_EMOTION, CORRECTED_BY):
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


def _has_persons(path: PathOrUrl) -> bool:
    """Return whether the sidecar of a table names files of persons."""
    try:
        return b'"persons"' in storage_for(path).read(outputs_of_report(path).meta)
    except OSError:
        return False


def _first_line(path: PathOrUrl) -> bytes:
    try:
        with storage_for(path).open_range(path) as file:
            return file.readline(_HEADER_BYTES).rstrip(b"\r\n")
    except OSError:
        return b""
