"""Emotions in trials relative to the participant's own baseline, taken from trials such as a neutral film.

The method is that of `annotate.results.baseline`, with another baseline: the mean of the log ratios over all blocks in the
participant's baseline trials, of whichever face track and video. Blocks that overlap count as the part of a block that they
are apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from annotate.analytics.face_filter import NO_FILTER, FaceFilter
from annotate.analytics.read import ReportBatch, probability_column, read_reports
from annotate.analytics.trials import MatchedTrials, Trial, match_trials, read_trials
from annotate.archive.discover import without_extension
from annotate.emotions.labels import resolve_emotion
from annotate.errors import SettingsError
from annotate.results.baseline import MIN_BASELINE_BLOCKS, Floats, log_ratios, reference
from annotate.results.table import AUTHOR, MACHINE, SOURCE, Integers, class_names_of, relative_columns
from annotate.settings import WHOLE_BLOCK
from annotate.storage.values import PathOrUrl
from annotate.text import counted

_DECIMALS = 4
_Key = tuple[str, tuple[str, ...]]
"""Participant, or video if none is given, and classes of the model."""


@dataclass
class TrialBaselines:
    """Baselines of participants from their trials called ``name``, by condition or trial.

    Add all batches, read with probabilities, before `apply`.

    Raises:
        SettingsError: there is no such trial.
    """

    matched: MatchedTrials
    name: str
    _sums: dict[_Key, tuple[Floats, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {text for trial in self.matched.trials.trials for text in (trial.condition, trial.name) if text}
        if self.name not in known:
            shown = ", ".join(sorted({trial.condition for trial in self.matched.trials.trials if trial.condition}))
            raise SettingsError(
                f"no trial or condition {self.name!r}", f"choose a condition ({shown or 'none given'}) or a trial"
            )

    def add(self, batch: ReportBatch) -> None:
        """Add the blocks of baseline trials in a batch."""
        machine = batch if SOURCE not in batch.blocks else ReportBatch(batch.reports, _by_machine(batch.blocks))
        restricted = self.matched.restrict(machine)
        trials = {trial.number: trial for trial in self.matched.found if self._is_baseline(trial)}
        for number, rows in _rows_by_trial(restricted).items():
            if number in trials:
                names, ratios = _log_ratios(restricted, rows)
                key = self._key(trials[number], names)
                total, count = self._sums.get(key, (np.zeros(len(names)), 0.0))
                weight = restricted.reports[int(restricted.blocks["report"].iloc[rows[0]])].hop / WHOLE_BLOCK
                self._sums[key] = (total + weight * ratios.sum(axis=0), count + weight * len(ratios))

    def apply(self, batch: ReportBatch) -> ReportBatch:
        """Return a batch of `MatchedTrials.restrict` with relative emotion and confidence.

        Participants without a baseline are left out.
        """
        trials = {trial.number: trial for trial in self.matched.found}
        blocks = batch.blocks.assign(emotion=batch.blocks["emotion"].astype(str))
        has_baseline = np.zeros(len(blocks), dtype=bool)
        emotions, confidence = blocks["emotion"].to_numpy(object), blocks["confidence"].to_numpy(float).copy()
        for number, rows in _rows_by_trial(batch).items():
            names, ratios = _log_ratios(batch, rows)
            relative = self._relative(trials[number], names, ratios)
            if relative is not None:
                emotions[rows] = np.array(names, object)[relative.argmax(axis=1)]
                confidence[rows] = relative.max(axis=1)
                has_baseline[rows] = True
        if SOURCE in blocks:  # what people say stands
            is_author = (blocks[SOURCE] == AUTHOR).to_numpy()
            emotions[is_author], confidence[is_author] = blocks["emotion"].to_numpy(object)[is_author], 1.0
        rated = blocks.assign(emotion=emotions, confidence=confidence).astype({"emotion": "category"})
        return ReportBatch(batch.reports, rated[has_baseline].reset_index(drop=True))

    def add_columns(self, batch: ReportBatch) -> ReportBatch:
        """Return a batch of `MatchedTrials.restrict` with the `relative_columns` of all classes in it.

        Participants without a baseline have empty ones.
        """
        trials = {trial.number: trial for trial in self.matched.found}
        known = dict.fromkeys(name for report in batch.reports.values() for name in report.class_names)
        values = {name: np.full(len(batch.blocks), np.nan) for name in relative_columns(tuple(known))[1:]}
        emotions = np.full(len(batch.blocks), "", object)
        for number, rows in _rows_by_trial(batch).items():
            names, ratios = _log_ratios(batch, rows)
            relative = self._relative(trials[number], names, ratios)
            if relative is not None:
                if SOURCE in batch.blocks:  # what people say stands
                    is_author = (batch.blocks[SOURCE].iloc[rows] == AUTHOR).to_numpy()
                    relative[is_author] = np.exp(ratios[is_author] - ratios[is_author].max(axis=1, keepdims=True)).round()
                emotions[rows] = np.array(names, object)[relative.argmax(axis=1)]
                for column, own in zip(relative_columns(names)[1:], (relative.max(axis=1), *relative.T), strict=True):
                    values[column][rows] = own
        named = {relative_columns(())[0]: emotions, **values}
        return ReportBatch(batch.reports, batch.blocks.drop(columns=list(named), errors="ignore").assign(**named))

    def relative_table(self, table: pd.DataFrame, trial: Trial) -> pd.DataFrame | None:
        """Return the table of a video with emotions and probabilities in a trial that are relative; None without a baseline.

        What people say stands.
        """
        names = class_names_of(table)
        relative = self._relative(trial, names, log_ratios(table[list(names)].to_numpy(float)))
        if relative is None:
            return None
        best = np.array(names, object)[relative.argmax(axis=1)]
        values = dict(zip(("emotion", "confidence", *names), (best, relative.max(axis=1), *relative.T), strict=True))
        is_author = table[SOURCE].eq(AUTHOR) if SOURCE in table else pd.Series(False, table.index)
        return table.assign(**{name: table[name].where(is_author, column) for name, column in values.items()})

    def _relative(self, trial: Trial, names: tuple[str, ...], ratios: Floats) -> Floats | None:
        """Return probabilities relative to the baseline of a trial's participant; None if there is none."""
        total, count = self._sums.get(self._key(trial, names), (np.zeros(0), 0.0))
        if count < MIN_BASELINE_BLOCKS or resolve_emotion("neutral", names) is None:
            return None
        scores = np.exp(ratios - total / count + np.log(reference(names)))
        relative: Floats = (scores / scores.sum(axis=1, keepdims=True)).round(_DECIMALS)
        return relative

    def remarks(self) -> list[str]:
        """Return a sentence on the participants that have too few blocks in baseline trials, if there are any."""
        counts = {_participant(trial): 0.0 for trial in self.matched.found}
        for (participant, _), (_, count) in self._sums.items():
            counts[participant] = max(counts[participant], count)
        lacking = [participant for participant, count in counts.items() if count < MIN_BASELINE_BLOCKS]
        if not lacking:
            return []
        who = counted(len(lacking), "participant")
        shown = ", ".join(lacking[:3]) + (" ..." if len(lacking) > 3 else "")
        reason = f"fewer than {MIN_BASELINE_BLOCKS} blocks in trials called {self.name!r}"
        return [f"{self.matched.trials.path}: {who} left out ({shown}): {reason}"]

    def _is_baseline(self, trial: Trial) -> bool:
        return self.name in (trial.condition, trial.name)

    @staticmethod
    def _key(trial: Trial, class_names: tuple[str, ...]) -> _Key:
        return _participant(trial), class_names


def _by_machine(blocks: pd.DataFrame) -> pd.DataFrame:
    """Return the blocks that nobody corrected: others have no probabilities to take a baseline from."""
    return blocks[blocks[SOURCE] == MACHINE].reset_index(drop=True)


def _participant(trial: Trial) -> str:
    """Return the participant of a trial, or else its video."""
    return trial.participant or without_extension(trial.video).casefold()


def _rows_by_trial(batch: ReportBatch) -> dict[int, Integers]:
    """Return the positions of the blocks of each trial."""
    numbers = batch.blocks["trial"].to_numpy(np.int64)
    return {int(number): np.flatnonzero(numbers == number) for number in np.unique(numbers)}


def _log_ratios(batch: ReportBatch, rows: Integers) -> tuple[tuple[str, ...], Floats]:
    """Return the classes of a report, and the log ratios of some of its blocks."""
    names = batch.reports[int(batch.blocks["report"].iloc[rows[0]])].class_names
    columns = [probability_column(name) for name in names]
    return names, log_ratios(batch.blocks[columns].iloc[rows].to_numpy(float))


def select_trials(
    path: PathOrUrl,
    baseline: str | None,
    reports: Sequence[PathOrUrl],
    faces: FaceFilter = NO_FILTER,
    *,
    is_corrected: bool = True,
) -> TrialSelection:
    """Return the trials of a table for ``reports``; read these for baselines if a ``baseline`` trial or condition is named.

    Raises:
        CodingError: the table cannot be used.
        SettingsError: there is no such trial or condition.
    """
    matched = match_trials(read_trials(path), reports)
    if baseline is None:
        return TrialSelection(matched)
    baselines = TrialBaselines(matched, baseline)
    chosen = [report for report in reports if report in matched.by_report]
    for batch in read_reports(chosen, faces, probabilities=True, is_corrected=is_corrected):
        if isinstance(batch, ReportBatch):
            baselines.add(batch)
    matched.remarks += baselines.remarks()
    return TrialSelection(matched, baselines)


@dataclass(frozen=True)
class TrialSelection:
    """Trials to which results are restricted, with the baselines that they are relative to, if any."""

    matched: MatchedTrials
    baselines: TrialBaselines | None = None

    def choose(self, reports: Sequence[PathOrUrl]) -> list[PathOrUrl]:
        """Return the reports that have a trial."""
        return [report for report in reports if report in self.matched.by_report]

    def apply(self, batch: ReportBatch) -> ReportBatch:
        """Return the blocks in trials, with the column ``trial``; read with probabilities if there are baselines."""
        restricted = self.matched.restrict(batch)
        return restricted if self.baselines is None else self.baselines.apply(restricted)

    def apply_beside(self, batch: ReportBatch) -> ReportBatch:
        """Return the blocks in trials, like `apply`, but with what is relative to baselines in columns of its own.

        They are those of `relative_columns`, empty where there is no baseline.
        """
        restricted = self.matched.restrict(batch)
        return restricted if self.baselines is None else self.baselines.add_columns(restricted)


def check_baseline_trial(baseline: str | None, *, has_trials: bool, relative: bool) -> None:
    """Check that a baseline trial fits the other options.

    Raises:
        SettingsError: it is given without trials, or with the baselines of faces.
    """
    if baseline is not None and not has_trials:
        raise SettingsError("a baseline trial without trials", "give the table of trials too (--trials)")
    if baseline is not None and relative:
        raise SettingsError("two baselines, of trials and of faces", "leave out --relative or --baseline-trial")


def needs_probabilities(trials: TrialSelection | None) -> bool:
    """Return whether reports must be read with probabilities."""
    return trials is not None and trials.baselines is not None
