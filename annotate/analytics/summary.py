"""The archive in numbers: one row per video, folder, face or minute.

All sums are of integers (milliseconds, or ten-thousandths of confidence by milliseconds), so that they are exact and do
not depend on the order of reports. Shares, confidence and changes are weighted by the time of faces: two faces for
a second count as two seconds.
"""

from __future__ import annotations

import difflib
import itertools
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from annotate.analytics.read import Batch, Integers, ReportSummary, begin_after_earlier, number_runs, read_reports
from annotate.archive.find_reports import find_reports
from annotate.emotions.labels import EMOTIONS
from annotate.errors import SettingsError
from annotate.span import MS_PER_S
from annotate.storage.values import SkippedPath

PLACES = {
    "video": ("video",),
    "folder": ("folder", "videos"),
    "face": ("video", "face_id", "start_time", "end_time"),
    "minute": ("video", "minute"),
}
"""What rows can stand for, and the columns that identify a row."""

FIGURES = ("duration_s", "face_s", "face_time_s", "faces", "dominant", "confidence", "changes_per_minute")
"""The columns before those of the emotions' shares."""

_MINUTE_MS = 60 * MS_PER_S
_PARTS = 10_000
"""Probabilities in reports have four decimals."""

_KEYS = {"video": ["report"], "face": ["report", "face_id"], "minute": ["report", "minute"]}
_SUMS = ("duration_ms", "face_ms", "face_time_ms", "faces", "confidence", "changes")
_ENDS = ("start_ms", "end_ms")
_TEXT = ("video", "folder", "dominant")


@dataclass(frozen=True)
class Summary:
    """A table with a row for each video, folder, face or minute, and one with a single row for the whole archive.

    The whole is that of the videos, however rows are grouped; its columns are ``videos``, `FIGURES` and the emotions.
    """

    rows: pd.DataFrame
    whole: pd.DataFrame


def summarize(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], by: str = "video") -> pd.DataFrame:
    """Return the reports below files and directories in numbers, a row per video, folder, face or minute as ``by`` says.

    Columns are as in the README, without totals. Reports that are damaged, without meta file or of another version of the
    analysis are left out, each with a `UserWarning`. Without any report the table has no rows.

    Raises:
        SettingsError: there is no such ``by``.
    """
    if by not in PLACES:
        raise SettingsError(f"by={by!r} is none of {', '.join(PLACES)}")
    tally = Tally(by)
    for batch in read_with_warnings(paths):
        tally.add(batch)
    return tally.summary().rows


def read_with_warnings(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Iterable[Batch]:
    """Yield batches as `read_reports`, and warn of reports that are skipped."""
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    found = find_reports([Path(path) for path in given])
    for read in itertools.chain(found.skipped, read_reports(found.reports)):
        if isinstance(read, SkippedPath):
            warnings.warn(f"left out: {read}", stacklevel=3)
        else:
            yield read


def ordered(rows: pd.DataFrame, column: str | None, top: int | None) -> pd.DataFrame:
    """Return the first rows by a column: numbers from the largest on, text from A on; equal ones keep their order.

    Raises:
        SettingsError: there is no such column.
    """
    if column is not None:
        if column not in rows.columns:
            near = difflib.get_close_matches(column, rows.columns, n=1)
            guess = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"no column {column!r} to sort by{guess}", f"choose from {', '.join(rows.columns)}")
        rows = rows.sort_values(column, ascending=column in _TEXT, kind="stable", ignore_index=True)
    return rows.head(top) if top is not None else rows


class Tally:
    """Adds up batches of reports."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._reports: dict[int, ReportSummary] = {}
        self._videos: list[pd.DataFrame] = []
        self._details: list[pd.DataFrame] = []

    @property
    def count(self) -> int:
        """The number of reports added."""
        return len(self._reports)

    def add(self, batch: Batch) -> None:
        """Add a batch."""
        self._reports.update(batch.reports)
        self._videos.append(_sums(batch, "video"))
        if self._by in ("face", "minute"):
            self._details.append(_sums(batch, self._by))

    def summary(self) -> Summary:
        """Return the sum of all batches; rows in the order of the reports' numbers, then of faces or minutes."""
        known = {name for report in self._reports.values() for name in report.class_names} or set(EMOTIONS)
        emotions = [*(name for name in EMOTIONS if name in known), *sorted(known - set(EMOTIONS))]
        sums = [*_SUMS, *map(_mark, emotions)]
        videos = _join(self._videos, ["report"], sums)
        videos["video"] = [self._reports[number].video for number in videos["report"]]
        whole = videos[sums].sum().to_frame().T.assign(videos=len(videos))
        rows = videos
        if self._by == "folder":
            grouped = videos.groupby(videos["video"].map(_folder).rename("folder"))
            rows = grouped[sums].sum().assign(videos=grouped.size()).reset_index()
        elif self._by in ("face", "minute"):
            rows = _join(self._details, _KEYS[self._by], sums).merge(videos[["report", "video"]], on="report")
        return Summary(_figures(rows, PLACES[self._by], emotions), _figures(whole, ("videos",), emotions))


def _mark(emotion: str) -> str:
    """Return the name of the column of an emotion's milliseconds; another model may have a class called "faces"."""
    return f"ms:{emotion}"


def _folder(video: str) -> str:
    return os.path.dirname(video) or os.curdir


def _sums(batch: Batch, by: str) -> pd.DataFrame:
    """Return sums of a batch's pieces by their keys, with a row also for videos and minutes without a face."""
    keys = _KEYS[by]
    parts = batch.pieces.assign(changes=_changes(batch.pieces))
    if by == "minute":
        parts = _split(parts)
    parts["face_time_ms"] = parts["end_ms"] - parts["start_ms"]
    parts["confidence"] = (parts["confidence"] * _PARTS).round().astype(np.int64) * parts["face_time_ms"]
    parts = parts.sort_values([*keys, "start_ms"])
    rows = number_runs(*(parts[key].to_numpy() for key in keys))
    end_ms = parts["end_ms"].to_numpy()
    parts["face_ms"] = np.maximum(end_ms - begin_after_earlier(rows, parts["start_ms"].to_numpy(), end_ms), 0)
    grouped = parts.groupby(keys)
    sums = grouped[["face_ms", "face_time_ms", "confidence", "changes"]].sum()
    sums["faces"] = grouped["face_id"].nunique()
    by_emotion = parts.groupby([*keys, "emotion"], observed=True)["face_time_ms"].sum().unstack(fill_value=0)
    sums = sums.join(by_emotion.set_axis([_mark(str(name)) for name in by_emotion.columns], axis="columns"))
    if by == "face":
        sums["start_ms"], sums["end_ms"] = grouped["start_ms"].min(), grouped["end_ms"].max()
        return sums.assign(duration_ms=sums["end_ms"] - sums["start_ms"])
    lengths = _lengths_ms(batch, by)
    return sums.reindex(lengths.index, fill_value=0).assign(duration_ms=lengths)


def _changes(pieces: pd.DataFrame) -> Integers:
    """Return 1 where a face's emotion is another than in its block before, else 0."""
    faces = number_runs(pieces["report"].to_numpy(), pieces["face_id"].to_numpy())
    emotions = pieces["emotion"].cat.codes.to_numpy()
    changes = np.zeros(len(pieces), dtype=np.int64)
    changes[1:] = (faces[1:] == faces[:-1]) & (emotions[1:] != emotions[:-1])
    return changes


def _split(parts: pd.DataFrame) -> pd.DataFrame:
    """Cut pieces where minutes of the video end; a change belongs to the minute in which it happens."""
    first = parts["start_ms"].to_numpy() // _MINUTE_MS
    counts = (parts["end_ms"].to_numpy() - 1) // _MINUTE_MS - first + 1
    begins = np.repeat(counts.cumsum() - counts, counts)
    further = np.arange(counts.sum()) - begins
    minute = np.repeat(first, counts) + further
    split = parts.loc[parts.index.repeat(counts)].assign(minute=minute)
    split["start_ms"] = np.maximum(split["start_ms"], minute * _MINUTE_MS)
    split["end_ms"] = np.minimum(split["end_ms"], (minute + 1) * _MINUTE_MS)
    split["changes"] = np.where(further == 0, split["changes"], 0)
    return split


def _lengths_ms(batch: Batch, by: str) -> pd.Series[int]:
    """Return the length of every video, or of every minute of it; the last minute may be shorter."""
    lengths = pd.Series({number: report.duration_ms for number, report in batch.reports.items()}, dtype=np.int64)
    lengths = lengths.rename_axis("report")
    if by == "video":
        return lengths
    ends_ms = batch.pieces.groupby("report")["end_ms"].max().reindex(lengths.index, fill_value=0)
    counts = -(-np.maximum(lengths, ends_ms) // _MINUTE_MS)
    minutes = lengths.loc[lengths.index.repeat(counts)].to_frame("left_ms")
    minutes["minute"] = minutes.groupby("report").cumcount()
    minutes["left_ms"] -= minutes["minute"] * _MINUTE_MS
    return minutes.set_index("minute", append=True)["left_ms"].clip(0, _MINUTE_MS)


def _join(parts: list[pd.DataFrame], keys: list[str], sums: list[str]) -> pd.DataFrame:
    """Return one table of sums by their keys, in order; 0 where a batch had no such emotion."""
    columns = [*sums, *_ENDS] if "face_id" in keys else sums
    if not parts:
        return pd.DataFrame(columns=[*keys, *columns], dtype=np.int64)
    return pd.concat(parts).sort_index().reindex(columns=columns).fillna(0).astype(np.int64).reset_index()


def _figures(sums: pd.DataFrame, places: tuple[str, ...], emotions: list[str]) -> pd.DataFrame:
    """Return sums as the figures that are shown; those that need a face are empty without one."""
    time_ms = sums["face_time_ms"].where(sums["face_time_ms"] > 0).astype(float)
    by_emotion = sums[[_mark(name) for name in emotions]]
    dominant = np.array(emotions, dtype=object)[by_emotion.to_numpy().argmax(axis=1)]
    columns: dict[str, object] = {name: sums[name] for name in places if name in sums}
    if "start_time" in places:
        columns |= {"start_time": sums["start_ms"] / MS_PER_S, "end_time": sums["end_ms"] / MS_PER_S}
    columns |= {
        "duration_s": sums["duration_ms"] / MS_PER_S,
        "face_s": sums["face_ms"] / MS_PER_S,
        "face_time_s": sums["face_time_ms"] / MS_PER_S,
        "faces": sums["faces"],
        "dominant": pd.Series(np.where(time_ms.notna(), dominant, ""), sums.index, dtype=str),
        "confidence": (sums["confidence"] / time_ms / _PARTS).round(4),
        "changes_per_minute": (sums["changes"] * _MINUTE_MS / time_ms).round(2),
    }
    for emotion in emotions:
        name = emotion if emotion not in columns else f"{emotion}_share"
        columns[name] = (sums[_mark(emotion)] / time_ms).round(4)
    return pd.DataFrame(columns)
