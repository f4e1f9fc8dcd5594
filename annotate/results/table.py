"""The table (``*.emotions.csv``): one row per face track and block."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from annotate.analysis.annotation import Annotation
from annotate.faces.quality import Appearance
from annotate.results.columns import Column, Columns
from annotate.settings import WHOLE_BLOCK
from annotate.span import MS_PER_S

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

if TYPE_CHECKING:
    import pandas as pd

    AnyTable = Columns | pd.DataFrame

BLOCK_COLUMNS = (
    "face_id",
    "block",
    "start_frame",
    "end_frame",
    "start_time",
    "end_time",
    "x",
    "y",
    "width",
    "height",
    "face_score",
    "frames",
    "detections",
    "overlap",
    "emotion",
    "confidence",
)
"""The columns before the class probabilities."""

APPEARANCE_COLUMNS = ("yaw", "pitch", "roll", "sharpness", "brightness", "face_px", "quality", "reliable")
"""The columns after the class probabilities (`annotate.faces.quality.Appearance`); analysis versions before 6 lack them."""

OWN_COLUMNS = ("own_start_time", "own_end_time")
"""The columns after those: the part of the block's time that belongs to it and no other block of its face (`own_times`)."""

RELATIVE_PREFIX = "relative_"
"""Prefix of the columns after those, which only a table with baselines has; see `relative_columns`."""

_FIRST_RELATIVE = f"{RELATIVE_PREFIX}emotion"

PERSON, NAME = "person", "name"
"""Columns at the very end: the number of the face's person, 0 if unknown, only with --persons; and the person's name, which
is never in the file, but in the table as it is read (`annotate.results.persons`)."""

SOURCE, MACHINE_EMOTION, MACHINE_CONFIDENCE = "source", "machine_emotion", "machine_confidence"
MACHINE, AUTHOR = "machine", "author"
"""Values of `SOURCE`."""

CORRECTION_COLUMNS = (SOURCE, MACHINE_EMOTION, MACHINE_CONFIDENCE)
"""Columns after those, also never in the file: who says what the row says, machine or author, and what the machine said
(`annotate.results.corrections`); only where people corrected something."""

CORRECTED_BY = "author"
"""Column after those: the name of the author, as the correction has it."""

_REQUIRED_COLUMNS = ("face_id", "block", "start_time", "end_time", "emotion", "confidence")
"""Columns that even a table of an older analysis version has."""

_DECIMALS = {
    **dict.fromkeys(("x", "y", "width", "height", "yaw", "pitch", "roll", "face_px"), 1),
    **dict.fromkeys(("start_time", "end_time", *OWN_COLUMNS, "face_score", "sharpness", "brightness", "quality"), 3),
}
_PROBABILITY_DECIMALS = 4
INTEGER_COLUMNS = ("face_id", "block", "start_frame", "end_frame", "frames", "detections", "overlap", "reliable")
TEXT_COLUMNS = ("emotion", f"{RELATIVE_PREFIX}emotion")
"""Columns that are not numbers with decimals."""


def to_columns(annotations: Sequence[Annotation], class_names: Sequence[str], *, hop: int = WHOLE_BLOCK) -> Columns:
    """Return annotations as a table, one row each, in the given order; ``hop`` is that of their settings.

    The columns are `BLOCK_COLUMNS`, then one per class with its probability, then `APPEARANCE_COLUMNS` and `OWN_COLUMNS`.
    Times are in seconds, boxes and ``face_px`` in pixels of the displayed frame, ``overlap`` in frames shared with the
    previous block, angles in degrees; ``reliable`` is 0 or 1. All numbers are rounded as in the file.
    """
    rows = [
        (
            annotation.face_id,
            annotation.block,
            annotation.first_frame,
            annotation.last_frame,
            annotation.span.start_s,
            annotation.span.end_s,
            annotation.box.x,
            annotation.box.y,
            annotation.box.width,
            annotation.box.height,
            annotation.face_score,
            annotation.frames,
            annotation.detections,
            annotation.overlap,
            annotation.emotion,
            annotation.confidence,
            *annotation.probabilities,
            *_appearance(annotation.appearance),
        )
        for annotation in annotations
    ]
    names = [name for name in _columns(class_names) if name not in OWN_COLUMNS]
    values = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays: dict[str, Column] = {name: np.array(column, _type_of(name)) for name, column in zip(names, values, strict=True)}
    arrays |= own_times(Columns(arrays), hop)
    for name, decimals in _decimals(class_names).items():
        arrays[name] = arrays[name].round(decimals) + 0.0  # no -0.0
    return Columns(arrays)


def to_table(annotations: Sequence[Annotation], class_names: Sequence[str], *, hop: int = WHOLE_BLOCK) -> pd.DataFrame:
    """Return annotations as a table of pandas; see `to_columns`."""
    return to_columns(annotations, class_names, hop=hop).frame


def _type_of(name: str) -> type:
    """Return the type of the values of a column."""
    return int if name in INTEGER_COLUMNS else object if name in TEXT_COLUMNS else float


def own_times(table: AnyTable, hop: int = WHOLE_BLOCK) -> dict[str, Floats]:
    """Return `OWN_COLUMNS` in seconds for the rows of a table, so that times of a face add up to the time it is visible.

    Of two blocks of a face that overlap, the shared time is that of the earlier one; a block that earlier ones cover
    completely has none. With a ``hop`` of less than a block, each has the time around its middle instead: one ends, and the
    next begins, halfway between their middles.
    """
    order = np.lexsort([np.asarray(table[name]) for name in ("block", "start_time", "face_id")])
    start_ms, end_ms = (
        (np.asarray(table[name], float)[order] * MS_PER_S).round().astype(np.int64) for name in ("start_time", "end_time")
    )
    faces = number_runs(np.asarray(table["face_id"])[order])
    own_start_s, own_end_s = np.empty(len(table)), np.empty(len(table))
    if hop == WHOLE_BLOCK:
        start_ms = np.minimum(clip_starts(faces, start_ms, end_ms), end_ms)
    else:
        start_ms, end_ms = _divide(faces, start_ms, end_ms)
    own_start_s[order], own_end_s[order] = start_ms / MS_PER_S, end_ms / MS_PER_S
    return {OWN_COLUMNS[0]: own_start_s, OWN_COLUMNS[1]: own_end_s}


def own_spans_ms(table: AnyTable) -> tuple[Integers, Integers]:
    """Return start and end of the own time of each row of a table in milliseconds; they are equal where it has none."""
    own = table if has_own(table.columns) else own_times(table)
    start_ms, end_ms = (np.rint(np.asarray(own[name], float) * MS_PER_S).astype(np.int64) for name in OWN_COLUMNS)
    return start_ms, end_ms


def _divide(groups: Integers, start_ms: Integers, end_ms: Integers) -> tuple[Integers, Integers]:
    """Return intervals without what is nearer to the middle of another one of the group; arrays as for `clip_starts`."""
    start_ms, end_ms = start_ms.copy(), end_ms.copy()
    middles = start_ms + end_ms
    is_shared = (groups[1:] == groups[:-1]) & (start_ms[1:] < end_ms[:-1])
    borders_ms = np.clip((middles[1:] + middles[:-1] + 2) // 4, start_ms[1:], end_ms[:-1])
    start_ms[1:] = np.where(is_shared, borders_ms, start_ms[1:])
    end_ms[:-1] = np.where(is_shared, borders_ms, end_ms[:-1])
    return start_ms, end_ms


def clip_starts(groups: Integers, start_ms: Integers, end_ms: Integers) -> Integers:
    """Return interval starts, moved to where earlier intervals of the group end; empty intervals are fully covered ones.

    The arrays have the same length and are ordered by group (ascending numbers), then by start.
    """
    if not len(groups):
        return start_ms
    offsets_ms = groups * (int(end_ms.max()) + 1)  # groups one after another, so that one running maximum serves all
    latest_ends = np.maximum.accumulate(offsets_ms + end_ms)
    previous_ends = np.concatenate([[0], latest_ends[:-1]]) - offsets_ms
    return np.maximum(start_ms, previous_ends)


def number_runs(*keys: npt.NDArray[Any]) -> Integers:
    """Return the number of the run, from 0, to which each row belongs; a run is adjacent rows with equal keys."""
    is_start = np.zeros(len(keys[0]), dtype=bool)
    for key in keys:
        is_start[1:] |= key[1:] != key[:-1]
    return is_start.cumsum()


def format_table(table: AnyTable) -> str:
    """Return a table from `to_table` or `to_columns` as CSV text, with a fixed number of decimals per column.

    It may have `relative_columns` at its end, whose missing values are empty, and `PERSON`.
    """
    names = class_names_of(table)
    relative = relative_columns(names)[1:] if has_relative(table.columns) else ()
    decimals = _decimals(names) | dict.fromkeys(relative, _PROBABILITY_DECIMALS)
    cells = [_cells(table[name], decimals.get(name), is_optional=name in relative) for name in table.columns if name != NAME]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(name for name in table.columns if name != NAME)
    writer.writerows(zip(*cells, strict=True))
    return text.getvalue()


def _cells(values: Iterable[Any], decimals: int | None, *, is_optional: bool) -> Iterable[Any]:
    """Return the cells of a column; those of no number are empty where the column has no decimals, or ``is_optional``."""
    if decimals is None:
        return ("" if value != value else value for value in values)
    return ("" if is_optional and value != value else f"{value:.{decimals}f}" for value in values)


def parse_table(content: bytes, *, is_older: bool = False) -> pd.DataFrame:
    """Parse the bytes of a table; columns that a table of an older analysis version lacks are empty (NaN).

    `OWN_COLUMNS` are computed where a table lacks them, as those of earlier programs do.

    Raises:
        ValueError: the bytes are not a complete table.
    """
    if not content.endswith(b"\n"):
        raise ValueError("its last line is cut off")
    import pandas as pd

    table = pd.read_csv(io.BytesIO(content), keep_default_na=False)
    missing = [name for name in (*BLOCK_COLUMNS, *APPEARANCE_COLUMNS) if name not in table.columns]
    refused = [name for name in missing if not is_older or name in _REQUIRED_COLUMNS]
    class_names = class_columns(table.columns)
    relative = relative_columns(class_names) if has_relative(table.columns) else ()
    refused += [name for name in relative if name not in table.columns]
    if refused:
        raise ValueError(f"the column {refused[0]} is missing")
    numbers = [name for name in table.columns if name not in ("emotion", *relative)]
    integers = (*INTEGER_COLUMNS, PERSON)
    try:
        table = table.astype({name: (int if name in integers else float) for name in numbers} | {"emotion": str})
        table = _parse_relative(table, relative)
    except (ValueError, OverflowError):
        raise ValueError("a number is missing or too large") from None
    if not np.isfinite(table[numbers].to_numpy(float)).all():
        raise ValueError("a number is missing")
    if relative and (table[relative[0]].eq("").to_numpy() != table[list(relative[1:])].isna().to_numpy().T).any():
        raise ValueError("a relative number is missing")
    if not has_own(table.columns):
        table = table.assign(**own_times(table))
        missing.append(OWN_COLUMNS[0])
    last = [PERSON] if PERSON in table.columns else []
    return table.reindex(columns=[*_columns(class_names), *relative, *last]) if missing else table


def class_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns with class probabilities of a table, which may be an older one that lacks others."""
    first = takewhile(lambda name: name != _FIRST_RELATIVE, columns)
    others = {*BLOCK_COLUMNS, *APPEARANCE_COLUMNS, *OWN_COLUMNS, PERSON, NAME, *CORRECTION_COLUMNS, CORRECTED_BY}
    return tuple(name for name in first if name not in others)


def has_own(columns: Iterable[str]) -> bool:
    """Return whether a table has `OWN_COLUMNS`."""
    return set(OWN_COLUMNS).issubset(columns)


def relative_columns(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that `annotate.results.baseline` adds: those of emotion, confidence and classes, with a prefix."""
    return tuple(f"{RELATIVE_PREFIX}{name}" for name in ("emotion", "confidence", *class_names))


def has_relative(columns: Iterable[str]) -> bool:
    """Return whether a table has `relative_columns`."""
    return _FIRST_RELATIVE in columns


def class_names_of(table: AnyTable) -> tuple[str, ...]:
    """Return the names of the classes with a probability column."""
    return class_columns(map(str, table.columns))


def _columns(class_names: Iterable[str]) -> list[str]:
    return [*BLOCK_COLUMNS, *class_names, *APPEARANCE_COLUMNS, *OWN_COLUMNS]


def _parse_relative(table: pd.DataFrame, relative: Sequence[str]) -> pd.DataFrame:
    """Return a table with the types of its `relative_columns`; empty cells become "" and NaN."""
    numbers = {name: table[name].astype(str).replace("", "nan").astype(float) for name in relative[1:]}
    return table.assign(**numbers).astype(dict.fromkeys(relative[:1], str))


def _appearance(seen: Appearance) -> tuple[float, ...]:
    pose = seen.pose
    angles_deg = pose.yaw_deg, pose.pitch_deg, pose.roll_deg
    return (*angles_deg, seen.sharpness, seen.brightness, seen.face_px, seen.quality, int(seen.is_reliable))


def _decimals(class_names: Sequence[str]) -> dict[str, int]:
    return _DECIMALS | dict.fromkeys(("confidence", *class_names), _PROBABILITY_DECIMALS)
