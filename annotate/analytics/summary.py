"""Summarize an archive: one row per video, folder, face track, minute or person.

Sums are of integers (milliseconds, or confidence in ten-thousandths times milliseconds), so that they are exact and do
not depend on the order of reports. Shares, confidence and changes are weighted by face time: two faces for 1 s count
as 2 s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.persons import PersonKeys
from annotate.analytics.read import ReportBatch, ReportSummary
from annotate.analytics.selected import find_with_trials, read_with_warnings
from annotate.analytics.speech.spoken import SpeakerSums
from annotate.analytics.speech.with_warnings import find_speech, warn_about_transcripts
from annotate.analytics.trials import GROUPS, MatchedTrials, trial_numbers
from annotate.emotions.labels import EMOTIONS
from annotate.errors import SettingsError
from annotate.results.intervals import dominant_of_rows
from annotate.results.table import Integers, clip_starts, number_runs
from annotate.span import MS_PER_S, Span

KEY_COLUMNS = {
    "video": ("video", "older"),
    "folder": ("folder", "videos", "older"),
    "face": ("video", "face_id", "start_time", "end_time", "older"),
    "minute": ("video", "minute", "older"),
    "person": ("name", "person", "video", "videos", "older"),
    "speaker": ("speaker", "speaker_person", "speaker_share", "utterances", "video", "videos", "older"),
}
"""Grouping of rows -> columns that say what a row is, and whether a table of an older analysis version is in it."""

TRIAL_KEYS = {
    "trial": ("trial", "condition", "participant", "video", "older"),
    "condition": ("condition", "trials", "older"),
    "participant": ("participant", "trials", "older"),
}
"""The same for groups of trials."""

STAT_COLUMNS = ("duration_s", "face_s", "face_time_s", "faces", "dominant", "confidence", "changes_per_minute")
"""Columns of statistics; those of the emotion shares follow.

Before them stands ``people``, the number of persons, where persons were told apart and a row is not part of a video.
"""

_MINUTE_MS = 60 * MS_PER_S
_CONFIDENCE_SCALE = 10_000
"""Tables have probabilities with four decimals."""

_GROUP_KEYS = {
    "video": ["report"],
    "face": ["report", "face_id"],
    "minute": ["report", "minute"],
    "person": ["person", "report"],
    "speaker": ["speaker", "report"],
    "trial": ["trial"],
}
_SUM_COLUMNS = ("duration_ms", "face_ms", "face_time_ms", "faces", "confidence", "changes")
_TRACK_ENDS = ("start_ms", "end_ms")
_TEXT_COLUMNS = ("video", "folder", "name", "speaker", "speaker_person", "trial", "condition", "participant", "dominant")


@dataclass(frozen=True)
class Summary:
    """A table with a row per video, folder, face track, minute, person or group of trials, and a table with a row of totals.

    The totals are those of all videos, or trials, however rows are grouped; their columns are ``videos`` or ``trials``,
    `STAT_COLUMNS` and the emotions.
    """

    rows: pd.DataFrame
    totals: pd.DataFrame


def summarize(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    by: str | None = None,
    *,
    relative: bool = False,
    max_yaw_deg: float | None = None,
    min_face_px: float | None = None,
    min_quality: float | None = None,
    trials: str | os.PathLike[str] | None = None,
    baseline_trial: str | None = None,
    transcripts: str | os.PathLike[str] | None = None,
    corrections: bool = True,
) -> pd.DataFrame:
    """Summarize the results of annotated videos.

    Args:
        paths: one or more tables, videos (for their tables) or directories.
        by: group rows by ``"video"`` (the default), ``"folder"``, ``"face"`` (face track), ``"minute"`` or
            ``"person"``, of tables whose persons were told apart (``annotate persons``), or by ``"speaker"``, whose own
            person counts while they speak; with trials by ``"trial"`` (the default), ``"condition"`` or ``"participant"``.
        relative: emotions relative to each face's own baseline, of tables that were made with one; others are skipped.
        max_yaw_deg, min_face_px, min_quality: limits of a `FaceFilter`; blocks that exceed one do not count.
        trials: a CSV table of trials; only time in trials counts.
        baseline_trial: a condition or trial; emotions are relative to each participant's own baseline in it.
        transcripts: by speaker, a folder of transcripts, or one; without it they are beside the videos.
        corrections: whether those by people are applied; without them, the machine alone counts.

    Returns:
        A table without totals; its columns are those of ``annotate summarize``. Tables that are damaged, have no sidecar or
        were made by a later analysis version are skipped, each with a `UserWarning`; so are, with one for all, the blocks of
        tables that lack what a limit is about, and remarks on trials that are missing or overlap.

    Raises:
        SettingsError: ``by`` has another value, or a limit is out of range.
        CodingError: the table of trials cannot be used.
    """
    faces = FaceFilter(max_yaw_deg, min_face_px, min_quality)
    grouping = choose_grouping(by, has_trials=trials is not None)
    found, selection = find_with_trials(paths, faces, trials, baseline_trial, relative=relative, is_corrected=corrections)
    speakers = SpeakerSums(find_speech(found.reports, transcripts)) if grouping == "speaker" else None
    tally = Tally(grouping, selection.matched if selection is not None else None, speakers)
    for batch in read_with_warnings(found, faces, relative, selection, is_corrected=corrections):
        tally.add(batch)
    if speakers is not None:
        warn_about_transcripts(speakers.transcripts)
    return tally.summary().rows


def choose_grouping(by: str | None, *, has_trials: bool) -> str:
    """Return the grouping ``by``, or the default one.

    Raises:
        SettingsError: there is no such grouping, or it does not fit: with trials, rows are groups of trials.
    """
    known = tuple(TRIAL_KEYS if has_trials else KEY_COLUMNS)
    if by is None:
        return known[0]
    if by not in (*KEY_COLUMNS, *TRIAL_KEYS):
        raise SettingsError(f"by={by!r} is not a grouping", f"choose from {', '.join(known)}")
    if by not in known:
        needs = "is not for trials" if has_trials else "needs a table of trials (--trials)"
        raise SettingsError(f"the grouping {by!r} {needs}", f"choose from {', '.join(known)}")
    return by


def sort_rows(rows: pd.DataFrame, column: str | None, top: int | None) -> pd.DataFrame:
    """Return the first ``top`` rows, sorted by a column: numbers descending, text ascending, ties in their order.

    Raises:
        SettingsError: there is no such column.
    """
    if column is not None:
        if column not in rows.columns:
            raise SettingsError(f"no column {column!r} to sort by", f"choose from {', '.join(rows.columns)}")
        rows = rows.sort_values(column, ascending=column in _TEXT_COLUMNS, kind="stable", ignore_index=True)
    return rows.head(top) if top is not None else rows


class Tally:
    """Adds up batches of reports for a `Summary`; ``by`` is one of `KEY_COLUMNS` or `TRIAL_KEYS`.

    Groups of trials need ``trials``, and batches that are restricted to them; speakers need ``speakers``.
    """

    def __init__(self, by: str, trials: MatchedTrials | None = None, speakers: SpeakerSums | None = None) -> None:
        self._by = by
        self._speakers = speakers or (SpeakerSums() if by == "speaker" else None)
        self._trials = trials
        self._reports: dict[int, ReportSummary] = {}
        self._videos: list[pd.DataFrame] = []
        self._groups: list[pd.DataFrame] = []
        self._persons = PersonKeys()
        self._seen: list[pd.DataFrame] = []

    @property
    def count(self) -> int:
        """Number of reports added."""
        return len(self._reports)

    def add(self, batch: ReportBatch) -> None:
        """Add a batch."""
        self._reports.update(batch.reports)
        if self._trials is not None:
            self._groups.append(_aggregate(batch, "trial", self._trials))
            return
        self._videos.append(_aggregate(batch, "video"))
        if any(report.persons for report in batch.reports.values()):
            blocks = self._persons.assign(batch)
            self._seen.append(blocks[["person", "report"]].drop_duplicates())
            if self._by == "person":
                self._groups.append(_aggregate(replace(batch, blocks=blocks), self._by))
        if self._speakers is not None:
            self._groups.append(_aggregate(replace(batch, blocks=self._speakers.assign(batch)), self._by))
        if self._by in ("face", "minute"):
            self._groups.append(_aggregate(batch, self._by))

    def summary(self) -> Summary:
        """Return the summary of all batches; rows are ordered by report number, then by face or minute."""
        known = {name for report in self._reports.values() for name in report.class_names} or set(EMOTIONS)
        emotions = [*(name for name in EMOTIONS if name in known), *sorted(known - set(EMOTIONS))]
        sums = [*_SUM_COLUMNS, *map(_ms_column, emotions)]
        if self._trials is not None:
            return self._trial_summary(self._trials, emotions, sums)
        videos = _concat_sums(self._videos, ["report"], sums)
        videos["video"] = [self._reports[number].video for number in videos["report"]]
        videos["older"] = np.array([self._reports[number].is_older for number in videos["report"]], dtype=bool)
        totals = videos[sums].sum().to_frame().T.assign(videos=len(videos))
        rows, seen = videos, pd.concat(self._seen) if self._seen else None
        if seen is not None:
            totals["people"] = seen["person"].nunique()
            videos["people"] = videos["report"].map(seen.groupby("report")["person"].nunique()).fillna(0).astype(int)
        if self._by == "folder":
            grouped = videos.groupby(videos["video"].map(_folder).rename("folder"))
            rows = grouped[sums].sum().assign(videos=grouped.size(), older=grouped["older"].any()).reset_index()
            if seen is not None:
                folders = seen["report"].map(videos.set_index("report")["video"].map(_folder))
                rows["people"] = rows["folder"].map(seen.groupby(folders)["person"].nunique()).fillna(0).astype(int)
        elif self._by == "person":
            rows = self._persons.table(_concat_sums(self._groups, _GROUP_KEYS["person"], sums), videos, sums)
        elif self._speakers is not None:
            rows = self._speakers.table(_concat_sums(self._groups, _GROUP_KEYS[self._by], sums), sums)
        elif self._by in ("face", "minute"):
            of_video = videos[["report", "video", "older"]]
            rows = _concat_sums(self._groups, _GROUP_KEYS[self._by], sums).merge(of_video, on="report")
        return Summary(_statistics(rows, KEY_COLUMNS[self._by], emotions), _statistics(totals, ("videos",), emotions))

    def _trial_summary(self, trials: MatchedTrials, emotions: list[str], sums: list[str]) -> Summary:
        rows = _concat_sums(self._groups, ["trial"], sums)
        by_number = {trial.number: trial for trial in trials.found}
        reports = {report.path: report for report in self._reports.values()}
        of_trial = {
            trial.number: reports[path] for path, own in trials.by_report.items() for trial in own if path in reports
        }
        own = [by_number[number] for number in rows["trial"]]
        for name in GROUPS:
            rows[name] = pd.Series([trial.group(name) for trial in own], dtype=str)
        further = {name: [trial.further[name] for trial in own] for name in trials.trials.further}
        rows["video"] = pd.Series([of_trial[trial.number].video for trial in own], dtype=str)
        rows["older"] = np.array([of_trial[trial.number].is_older for trial in own], dtype=bool)
        totals = rows[sums].sum().to_frame().T.assign(trials=len(rows))
        if self._by != "trial":
            grouped = rows.groupby(self._by, sort=False)
            rows = grouped[sums].sum().assign(trials=grouped.size(), older=grouped["older"].any()).reset_index()
            further = {}
        statistics = _statistics(rows, TRIAL_KEYS[self._by], emotions)
        place = len(TRIAL_KEYS[self._by])
        for name, texts in further.items():
            statistics.insert(place, name if name not in statistics else f"trial_{name}", pd.Series(texts, dtype=str))
            place += 1
        return Summary(statistics, _statistics(totals, ("trials",), emotions))


def _ms_column(emotion: str) -> str:
    """Return the column name of the milliseconds of an emotion; prefixed, since a class may be called "faces"."""
    return f"ms:{emotion}"


def _folder(video: str) -> str:
    return os.path.dirname(video) or os.curdir


def _aggregate(batch: ReportBatch, by: str, trials: MatchedTrials | None = None) -> pd.DataFrame:
    """Return sums over the blocks of a batch: one row per group, including videos and minutes without faces."""
    keys = _GROUP_KEYS[by]
    blocks = batch.blocks.assign(changes=_emotion_changes(batch.blocks))
    if by == "minute":
        blocks = _split_by_minute(blocks)
    blocks["face_time_ms"] = blocks["end_ms"] - blocks["start_ms"]
    blocks["confidence"] = (blocks["confidence"] * _CONFIDENCE_SCALE).round().astype(np.int64) * blocks["face_time_ms"]
    blocks = blocks.sort_values([*keys, "start_ms"])
    groups = number_runs(*(blocks[key].to_numpy() for key in keys))
    end_ms = blocks["end_ms"].to_numpy()
    blocks["face_ms"] = np.maximum(end_ms - clip_starts(groups, blocks["start_ms"].to_numpy(), end_ms), 0)
    grouped = blocks.groupby(keys)
    sums = grouped[["face_ms", "face_time_ms", "confidence", "changes"]].sum()
    sums["faces"] = grouped["face_id"].nunique()
    by_emotion = blocks.groupby([*keys, "emotion"], observed=True)["face_time_ms"].sum().unstack(fill_value=0)
    sums = sums.join(by_emotion.set_axis([_ms_column(str(name)) for name in by_emotion.columns], axis="columns"))
    if by == "face":
        sums["start_ms"], sums["end_ms"] = grouped["start_ms"].min(), grouped["end_ms"].max()
        return sums.assign(duration_ms=sums["end_ms"] - sums["start_ms"])
    if by in ("person", "speaker"):
        return sums.assign(duration_ms=0)  # which is that of its videos, or of speech
    durations_ms = _durations_ms(batch, by) if trials is None else _trial_lengths_ms(batch, trials)
    return sums.reindex(durations_ms.index, fill_value=0).assign(duration_ms=durations_ms)


def _emotion_changes(blocks: pd.DataFrame) -> Integers:
    """Return 1 for each block with another emotion than the previous block of its face, else 0."""
    faces = number_runs(blocks["report"].to_numpy(), trial_numbers(blocks), blocks["face_id"].to_numpy())
    emotions = blocks["emotion"].cat.codes.to_numpy()
    changes = np.zeros(len(blocks), dtype=np.int64)
    changes[1:] = (faces[1:] == faces[:-1]) & (emotions[1:] != emotions[:-1])
    return changes


def _split_by_minute(blocks: pd.DataFrame) -> pd.DataFrame:
    """Split blocks at full minutes of the video; an emotion change counts in the minute in which it happens."""
    first = blocks["start_ms"].to_numpy() // _MINUTE_MS
    counts = (blocks["end_ms"].to_numpy() - 1) // _MINUTE_MS - first + 1
    starts = np.repeat(counts.cumsum() - counts, counts)
    index_in_block = np.arange(counts.sum()) - starts
    minute = np.repeat(first, counts) + index_in_block
    split = blocks.loc[blocks.index.repeat(counts)].assign(minute=minute)
    split["start_ms"] = np.maximum(split["start_ms"], minute * _MINUTE_MS)
    split["end_ms"] = np.minimum(split["end_ms"], (minute + 1) * _MINUTE_MS)
    split["changes"] = np.where(index_in_block == 0, split["changes"], 0)
    return split


def _durations_ms(batch: ReportBatch, by: str) -> pd.Series[int]:
    """Return the length of each video, or of each of its minutes, the last of which may be shorter."""
    lengths = pd.Series({number: report.duration_ms for number, report in batch.reports.items()}, dtype=np.int64)
    lengths = lengths.rename_axis("report")
    if by == "video":
        return lengths
    ends_ms = batch.blocks.groupby("report")["end_ms"].max().reindex(lengths.index, fill_value=0)
    counts = -(-np.maximum(lengths, ends_ms) // _MINUTE_MS)
    minutes = lengths.loc[lengths.index.repeat(counts)].to_frame("left_ms")
    minutes["minute"] = minutes.groupby("report").cumcount()
    minutes["left_ms"] -= minutes["minute"] * _MINUTE_MS
    return minutes.set_index("minute", append=True)["left_ms"].clip(0, _MINUTE_MS)


def _trial_lengths_ms(batch: ReportBatch, trials: MatchedTrials) -> pd.Series[int]:
    """Return the length of each trial, as far as its video goes."""
    lengths = {
        trial.number: (trial.span & Span(0, report.duration_ms)).duration_ms
        for report in batch.reports.values()
        for trial in trials.by_report.get(report.path, ())
    }
    return pd.Series(lengths, dtype=np.int64).rename_axis("trial")


def _concat_sums(tables: list[pd.DataFrame], keys: list[str], sums: list[str]) -> pd.DataFrame:
    """Return the sums of all batches as one table, ordered by keys; 0 for emotions that a batch does not have."""
    columns = [*sums, *_TRACK_ENDS] if "face_id" in keys else sums
    if not tables:
        return pd.DataFrame(columns=[*keys, *columns], dtype=np.int64)
    return pd.concat(tables).sort_index().reindex(columns=columns).fillna(0).astype(np.int64).reset_index()


def _statistics(sums: pd.DataFrame, key_columns: tuple[str, ...], emotions: list[str]) -> pd.DataFrame:
    """Return sums as the columns of a summary; those that need face time are empty without it."""
    time_ms = sums["face_time_ms"].where(sums["face_time_ms"] > 0).astype(float)
    by_emotion = sums[[_ms_column(name) for name in emotions]]
    dominant = dominant_of_rows(by_emotion.to_numpy(np.int64), emotions)
    if "start_time" in key_columns:
        sums = sums.assign(start_time=sums["start_ms"] / MS_PER_S, end_time=sums["end_ms"] / MS_PER_S)
    counted = ("people",) if "people" in sums.columns else ()
    columns: dict[str, object] = {name: sums[name] for name in (*key_columns, *counted)}
    columns |= {
        "duration_s": sums["duration_ms"] / MS_PER_S,
        "face_s": sums["face_ms"] / MS_PER_S,
        "face_time_s": sums["face_time_ms"] / MS_PER_S,
        "faces": sums["faces"],
        "dominant": pd.Series(dominant, sums.index, dtype=str),
        "confidence": (sums["confidence"] / time_ms / _CONFIDENCE_SCALE).round(4),
        "changes_per_minute": (sums["changes"] * _MINUTE_MS / time_ms).round(2),
    }
    for emotion in emotions:
        name = emotion if emotion not in columns else f"{emotion}_share"
        columns[name] = (sums[_ms_column(emotion)] / time_ms).round(4)
    return pd.DataFrame(columns)
