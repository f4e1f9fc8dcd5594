"""One row per frame and face, for an archive's table: what blocks and boxes say, interpolated to the frames.

Frames are not stored. The numbers of the first and last frame of each block are, and its times: the frames between are taken
to be evenly spaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotate.analytics.archive_table import ArchiveColumns, to_rows
from annotate.analytics.read import ReportBatch
from annotate.analytics.trials import MatchedTrials
from annotate.archive.stored_report import read_report
from annotate.errors import ReportError
from annotate.results.boxes import BoxTrajectories
from annotate.results.codebook import FRAME_COLUMNS
from annotate.results.corrections import BOX_COLUMNS
from annotate.results.table import (
    APPEARANCE_COLUMNS,
    AUTHOR,
    MACHINE_CONFIDENCE,
    MACHINE_EMOTION,
    SOURCE,
    Floats,
    Integers,
    class_names_of,
    own_spans_ms,
)
from annotate.span import MS_PER_S
from annotate.storage.values import SkippedPath

PART_ROWS = 50_000
"""Rows that are made at once."""

_MEANS = ("face_score", *APPEARANCE_COLUMNS[:-1])
"""Columns that are interpolated like probabilities."""

_ANGLES = ("yaw", "pitch", "roll")
_DECIMALS = {**dict.fromkeys((*_ANGLES, *BOX_COLUMNS, "face_px"), 1), **dict.fromkeys(("start_time", "end_time"), 3)}
_OTHER_DECIMALS, _PROBABILITY_DECIMALS = 3, 4
_TOLERANCE_MS = 1.0
"""Times are rounded to milliseconds."""


def frame_columns(columns: ArchiveColumns) -> ArchiveColumns:
    """Return the columns of a table of frames, given those of a table of blocks."""
    kept = ("face_score", "emotion", "confidence", *columns.classes, *APPEARANCE_COLUMNS, *columns.people)
    return replace(columns, blocks=(*FRAME_COLUMNS, *BOX_COLUMNS, *kept), is_every_frame=True)


def frame_parts(
    batch: ReportBatch, columns: ArchiveColumns, trials: MatchedTrials | None, skip: Callable[[SkippedPath], None]
) -> Iterator[pd.DataFrame]:
    """Yield the rows of the frames during the blocks of a batch, at most `PART_ROWS` at once, ordered as by `to_rows`.

    Boxes come from the files of boxes, or else from blocks. A report whose files cannot be read is passed to ``skip``.
    """
    empty = batch.blocks.iloc[:0]
    yield _in_order(to_rows(replace(batch, blocks=empty), replace(columns, blocks=_shared(columns)), trials), {}, columns)
    for number, report in batch.reports.items():
        blocks = batch.blocks[batch.blocks["report"] == number]
        try:
            machine = read_report(report.path, with_boxes=True, is_corrected=False)
        except ReportError as error:
            skip(SkippedPath(report.path, error.problem, error.remedy))
            continue
        boxes = _box_knots(machine.boxes)
        names = class_names_of(machine.table)
        faces = machine.table.groupby("face_id").indices
        keys = [blocks[name].to_numpy() for name in ("trial", "face_id") if name in blocks]
        changes = np.flatnonzero(np.any([key[1:] != key[:-1] for key in keys], axis=0)) + 1
        for positions in np.split(np.arange(len(blocks)), changes) if len(blocks) else ():
            own = blocks.iloc[positions]
            face_id = int(own["face_id"].iloc[0])
            track = _Track(machine.table.iloc[faces[face_id]], names, boxes.get(face_id))
            for rows, frames in track.select(own):
                shared = to_rows(
                    ReportBatch({number: report}, own.iloc[rows]), replace(columns, blocks=_shared(columns)), trials
                )
                yield _in_order(shared, track.values(frames), columns)


def _shared(columns: ArchiveColumns) -> tuple[str, ...]:
    """Return the columns that frames have from their block."""
    return tuple(name for name in columns.blocks if name in ("face_id", "emotion", "confidence", *columns.people))


def _in_order(rows: pd.DataFrame, values: Mapping[str, object], columns: ArchiveColumns) -> pd.DataFrame:
    """Return rows with the values of their frames; what people said stands."""
    frames = pd.DataFrame(dict(values), index=rows.index)
    lacking = {name: np.nan for name in columns.blocks if name not in rows and name not in frames}
    added: dict[str, object] = {name: frames[name] for name in map(str, frames) if name not in rows}
    result = pd.concat([rows, pd.DataFrame(added | lacking, index=rows.index)], axis=1)
    is_machine = np.ones(len(rows), dtype=bool)
    if SOURCE in rows:
        is_machine = (rows[SOURCE] != AUTHOR).to_numpy()
        if len(frames):
            result[MACHINE_EMOTION], result[MACHINE_CONFIDENCE] = frames["emotion"], frames["confidence"]
    if len(frames):
        for name in ("emotion", "confidence"):
            result[name] = frames[name].where(is_machine, rows[name])
        for name in columns.classes:
            result[name] = result[name].where(is_machine, (rows["emotion"] == name).astype(float))
    integers = {name: "Int64" for name in ("frame", "block", "reliable") if name in result}
    texts = {name: "string" for name in ("emotion", MACHINE_EMOTION) if name in result}
    others = [name for name in columns.blocks if name not in (*rows.columns, *integers)]
    return result.astype({**integers, **texts, **dict.fromkeys(others, float)})[list(columns.names)]


@dataclass(frozen=True)
class _Knots:
    """Values (knots, columns) at times in milliseconds, in order, between which values are interpolated."""

    times_ms: Floats
    values: Floats

    def at(self, times_ms: Floats) -> Floats:
        """Return the values (times, columns)."""
        return np.column_stack([np.interp(times_ms, self.times_ms, column) for column in self.values.T])


class _Track:
    """The frames of a face track, from its blocks by the machine."""

    def __init__(self, table: pd.DataFrame, class_names: Sequence[str], boxes: _Knots | None) -> None:
        table = table.sort_values(["start_time", "block"])
        self._blocks = table
        self._class_names = class_names
        self._boxes = boxes
        first, last = (table[name].to_numpy(float) for name in ("start_frame", "end_frame"))
        start_ms, end_ms = (table[name].to_numpy(float) * MS_PER_S for name in ("start_time", "end_time"))
        frame_ms = (end_ms - start_ms) / (last - first + 1)
        own_start_ms, _ = own_spans_ms(table)
        skipped = np.ceil((own_start_ms - start_ms - _TOLERANCE_MS) / frame_ms).clip(0)
        begins = np.maximum.accumulate(first + skipped).astype(np.int64)
        ends = np.minimum(last + 1, [*begins[1:], np.inf]).astype(np.int64)
        counts = np.maximum(ends - begins, 0)
        self._rows: Integers = np.repeat(np.arange(len(table)), counts)
        self._frames: Integers = _ranges(begins, counts)
        self._starts_ms: Floats = start_ms[self._rows] + (self._frames - first[self._rows]) * frame_ms[self._rows]
        self._frame_ms: Floats = frame_ms[self._rows]
        self._knots = self._block_knots(start_ms, end_ms, first, last)

    def select(self, blocks: pd.DataFrame) -> Iterator[tuple[Integers, Integers]]:
        """Yield positions of blocks, in order of time, and those of the frames whose middles are in them, in parts."""
        middles_ms = self._starts_ms + self._frame_ms / 2
        begins, ends = (np.searchsorted(middles_ms, blocks[name].to_numpy()) for name in ("start_ms", "end_ms"))
        rows, frames = np.repeat(np.arange(len(blocks)), ends - begins), _ranges(begins, ends - begins)
        for start in range(0, len(rows), PART_ROWS):
            yield rows[start : start + PART_ROWS], frames[start : start + PART_ROWS]

    def values(self, frames: Integers) -> dict[str, object]:
        """Return the columns of some frames."""
        starts_ms, lengths_ms, rows = self._starts_ms[frames], self._frame_ms[frames], self._rows[frames]
        names = (*_MEANS, *self._class_names, *BOX_COLUMNS)
        seen = self._knots.at(starts_ms + lengths_ms / 2)
        values = dict(zip(names, seen.T, strict=True))
        if self._boxes is not None:
            values |= dict(zip(BOX_COLUMNS, self._boxes.at(starts_ms).T, strict=True))
        values |= {name: (values[name] + 180) % 360 - 180 for name in _ANGLES}
        values |= {"start_time": starts_ms / MS_PER_S, "end_time": (starts_ms + lengths_ms) / MS_PER_S}
        for name in values:
            decimals = _PROBABILITY_DECIMALS if name in self._class_names else _DECIMALS.get(name, _OTHER_DECIMALS)
            values[name] = values[name].round(decimals) + 0.0
        probabilities = np.column_stack([values[name] for name in self._class_names])
        best = probabilities.argmax(axis=1)
        return {
            **values,
            "frame": self._frames[frames],
            "block": self._blocks["block"].to_numpy()[rows],
            "reliable": self._blocks["reliable"].to_numpy(float)[rows],
            "emotion": np.array(self._class_names, object)[best],
            "confidence": probabilities.max(axis=1),
        }

    def _block_knots(self, start_ms: Floats, end_ms: Floats, first: Floats, last: Floats) -> _Knots:
        """Return the values of blocks at their middles, and at both ends of runs of blocks without a gap."""
        names = [*_MEANS, *self._class_names, *BOX_COLUMNS]
        values = self._blocks[names].to_numpy(float)
        is_first = np.concatenate([[True], first[1:] > np.maximum.accumulate(last)[:-1] + 1])
        for name in _ANGLES:
            column = names.index(name)
            if np.isfinite(values[:, column]).all():
                values[:, column] = np.unwrap(values[:, column], period=360)
        firsts, lasts = np.flatnonzero(is_first), np.flatnonzero([*is_first[1:], True])
        times_ms = np.concatenate([start_ms[firsts], (start_ms + end_ms) / 2, end_ms[lasts]])
        rows = np.concatenate([firsts, np.arange(len(values)), lasts])
        order = np.lexsort([rows, times_ms])
        return _Knots(times_ms[order], values[rows[order]])


def _box_knots(boxes: BoxTrajectories) -> dict[int, _Knots]:
    """Return the detections of each face."""
    rows: dict[int, list[tuple[float, ...]]] = {}
    for face_id, detection in boxes:
        box = detection.box
        rows.setdefault(face_id, []).append((detection.time_ms, box.x, box.y, box.width, box.height))
    arrays = {face_id: np.array(own, float) for face_id, own in rows.items()}
    return {face_id: _Knots(own[:, 0], own[:, 1:]) for face_id, own in arrays.items()}


def _ranges(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Integers:
    """Return the numbers of consecutive ranges, one after another.

    >>> _ranges(np.array([5, 9]), np.array([2, 3])).tolist()
    [5, 6, 9, 10, 11]
    """
    offsets = np.cumsum(counts) - counts
    numbers: Integers = np.arange(counts.sum()) + np.repeat(starts - offsets, counts)
    return numbers
