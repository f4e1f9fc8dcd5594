"""Compare the tables of an archive with codings by people, batch by batch."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from annotate.analytics.agreement.codings import Code, Coding, Codings
from annotate.analytics.agreement.coefficients import fleiss_kappa, krippendorff_alpha
from annotate.analytics.agreement.options import AgreementOptions
from annotate.analytics.agreement.result import Agreement, CoderPair, Figures, FoundDisagreement
from annotate.analytics.agreement.sampling import (
    NONE,
    Disagreement,
    Steps,
    Target,
    VideoSteps,
    check_step,
    code_steps,
    disagreements,
    targets,
)
from annotate.analytics.read import ReportBatch, ReportSummary
from annotate.analytics.trials import GROUPS, MatchedTrials, Trial, trial_numbers
from annotate.analytics.video_names import VideoNames
from annotate.emotions.confusion import (
    Values,
    accuracy,
    f1,
    interval,
    kappa,
    one_against_rest,
    precision,
    recall,
    resample,
)
from annotate.emotions.labels import EMOTIONS, resolve_emotion, unknown_emotion_error
from annotate.errors import CodingError
from annotate.results.intervals import class_order
from annotate.results.table import Integers
from annotate.span import Span
from annotate.storage.values import PathOrUrl

UNNAMED_CODER = "coder"
"""The coder of codings that name none."""

_PERCENT = 100
_DECIMALS = 4


class AgreementTally:
    """Adds up batches of reports, read with `FURTHER_COLUMNS` of `sampling`, for an `Agreement` with some codings."""

    def __init__(self, codings: Codings, options: AgreementOptions) -> None:
        self._codings = codings.codings
        self._options = options
        self._step_ms = check_step(options.step_s)
        self._codes: dict[PathOrUrl, dict[str, list[Code]]] = {}
        self._paths: dict[PathOrUrl, PathOrUrl] = {}
        self._coders: list[str] = []
        self._trials: MatchedTrials | None = None
        self._classes: dict[str, int] = {}
        self._unmapped: dict[str, int] = {}
        self._pairs: list[tuple[int, int, int, int, int, int]] = []
        self._units: list[tuple[int, int, tuple[int, ...], int]] = []
        self._without_row = self._without_code = 0
        self._unmapped_steps: Counter[str] = Counter()
        self._found: list[tuple[ReportSummary, str, Disagreement]] = []

    def match(
        self, reports: Sequence[PathOrUrl], trials: MatchedTrials | None = None
    ) -> tuple[list[PathOrUrl], list[Coding]]:
        """Return the tables that have a coding, and a trial if there are ``trials``, and the codings without a table.

        A coding called ``party.anna`` is of the video ``party``, by ``anna``. Where codings without a coder are of one
        video, coders are called like the first folder in which their files are.

        Raises:
            CodingError: a name fits several videos, or a coder has two codings of one video.
        """
        names = VideoNames(reports)
        self._trials = trials
        matched: list[tuple[PathOrUrl, Coding, str]] = []
        unmatched = []
        for coding in self._codings:
            report, coder = _find(names, coding)
            if report is None:
                unmatched.append(coding)
            else:
                matched.append((report, coding, coder))
        unnamed = Counter(report for report, _, coder in matched if not coder)
        uses_folders = any(count > 1 for count in unnamed.values())
        for report, coding, name in matched:
            coder = name or (coding.folder if uses_folders else "") or UNNAMED_CODER
            own = self._codes.setdefault(report, {})
            if coder in own:
                problem = f"a second coding of {coding.video} by {coder} (the other: {self._paths[report]})"
                raise CodingError(problem, "name the coders: a column coder, or one folder or --with each", path=coding.path)
            own[coder] = list(coding.codes)
            self._paths[report] = coding.path
        self._coders = sorted({coder for own in self._codes.values() for coder in own})
        chosen = [path for path in reports if path in self._codes and (trials is None or path in trials.by_report)]
        return chosen, unmatched

    def add(self, batch: ReportBatch) -> None:
        """Add a batch of the tables that `match` returned, restricted to the trials if there are any."""
        rows = batch.blocks.groupby("report").indices
        for number, report in batch.reports.items():
            self._add_video(number, report, batch.blocks.iloc[rows.get(number, [])])

    def _add_video(self, number: int, report: ReportSummary, blocks: pd.DataFrame) -> None:
        codes = self._codes[report.path]
        end_ms = max(report.duration_ms, int(blocks["end_ms"].max()) if len(blocks) else 0)
        numbers = trial_numbers(blocks)
        trials = [None] if self._trials is None else self._trials.by_report[report.path]
        has_persons = bool((blocks["person"] != "").any())
        class_of = self._class_of(report.class_names)
        of_model = self._class_of_model()
        by_coder = {coder: targets(own, self._paths[report.path], has_persons=has_persons) for coder, own in codes.items()}
        for trial in trials:
            span = Span(0, end_ms) if trial is None else trial.span & Span(0, end_ms)
            steps = Steps.of(span, self._step_ms)
            key = (number, trial.number if trial is not None else 0)
            video = VideoSteps.of(blocks[numbers == key[1]], steps, of_model)
            coded: dict[Target, dict[int, Integers]] = {}
            for coder, own_targets in by_coder.items():
                for target, own in own_targets.items():
                    labels = code_steps(own, steps, class_of)
                    coded.setdefault(target, {})[self._coders.index(coder)] = labels
                    self._compare(key, report, coder, labels, target, video)
            for labels_by_coder in coded.values():
                self._count_units(key, labels_by_coder)

    def _compare(
        self, key: tuple[int, int], report: ReportSummary, coder: str, labels: Integers, target: Target, video: VideoSteps
    ) -> None:
        rows = video.model(target, self._options.face_rule, labels)
        has_code, has_row = labels >= 0, rows.classes >= 0
        both, counts = np.unique(np.stack([labels, rows.classes])[:, has_code & has_row], axis=1, return_counts=True)
        number = self._coders.index(coder)
        for (code, model), count in zip(both.T.tolist(), counts.tolist(), strict=True):
            self._pairs.append((*key, number, code, model, count))
        self._without_row += int((has_code & ~has_row).sum())
        self._without_code += int((has_row & ~has_code).sum())
        unmapped = {number: label for label, number in self._unmapped.items()}
        for label, count in zip(*np.unique(labels[labels < NONE], return_counts=True), strict=True):
            self._unmapped_steps[unmapped[int(label)]] += int(count)
        self._found += [(report, coder, found) for found in disagreements(labels, rows, video.steps)]

    def _count_units(self, key: tuple[int, int], labels_by_coder: Mapping[int, Integers]) -> None:
        if len(labels_by_coder) < 2:
            return
        length = len(next(iter(labels_by_coder.values())))
        labels = np.full((length, len(self._coders)), NONE)
        for coder, own in labels_by_coder.items():
            labels[:, coder] = np.maximum(own, NONE)
        labels = labels[(labels >= 0).sum(axis=1) > 1]
        units, counts = np.unique(labels, axis=0, return_counts=True)
        self._units += [(*key, tuple(unit), count) for unit, count in zip(units.tolist(), counts.tolist(), strict=True)]

    def _class_of_model(self) -> Callable[[str], int]:
        return lambda emotion: self._classes.setdefault(emotion, len(self._classes))

    def _class_of(self, class_names: Sequence[str]) -> Callable[[str], int]:
        """Return the function from a coder's label to its class number, or a number below `NONE` if it is no emotion."""
        of_model = self._class_of_model()
        for name in class_names:
            of_model(name)

        def class_of(label: str) -> int:
            emotion = self._options.resolve(label, class_names)
            return of_model(emotion) if emotion is not None else self._unmapped.setdefault(label, -2 - len(self._unmapped))

        return class_of

    def result(self) -> Agreement:
        """Return the agreement on all that was added.

        Raises:
            SettingsError: labels are mapped to an emotion that no model has.
        """
        for emotion in self._options.labels.values():
            if self._classes and resolve_emotion(emotion, self._classes) is None:
                raise unknown_emotion_error(emotion, self._classes)
        order = sorted(self._classes, key=class_order) or list(EMOTIONS)
        position = np.array([order.index(name) for name in self._classes], np.int64)
        pairs = np.array(self._pairs, np.int64).reshape(-1, 6)
        confusions = self._confusions(pairs, position)
        total = confusions.sum(axis=0) if len(confusions) else np.zeros((len(order),) * 2)
        ratings = [unit for *_, unit, _ in self._units]
        counts = np.array([count for *_, count in self._units], float)
        table = _ratings(ratings, len(self._classes))
        complete = table.sum(axis=1) == len(self._coders)
        groups: dict[str, dict[str, Figures]] = {}
        if self._trials is not None:
            groups = {by: self._by_group(pairs, position, self._trials.found, by) for by in GROUPS}
        found = [
            FoundDisagreement(report, coder, each.face_id, each.span, *self._names(each), each.confidence)
            for report, coder, each in self._found
        ]
        found.sort(key=lambda each: (-each.span.duration_s * each.confidence, each.report.video, each.span))
        return Agreement(
            figures=self._figures(confusions),
            confusion=pd.DataFrame(total.round(3), index=order, columns=order),
            by_emotion=_by_emotion(total, order),
            coders={
                coder: self._figures(self._confusions(pairs[pairs[:, 2] == number], position))
                for number, coder in enumerate(self._coders)
            },
            pairs=self._coder_pairs(),
            fleiss_kappa=fleiss_kappa(table[complete], counts[complete]),
            krippendorff_alpha=krippendorff_alpha(table, counts),
            options=self._options,
            without_row_s=self._without_row * self._options.step_s,
            without_code_s=self._without_code * self._options.step_s,
            unmapped={label: round(count * self._options.step_s, 3) for label, count in self._unmapped_steps.items()},
            groups={by: own for by, own in groups.items() if list(own) != [""]},
            disagreements=found,
        )

    def _names(self, found: Disagreement) -> tuple[str, str]:
        names = list(self._classes)
        return names[found.code], names[found.model]

    def _confusions(self, pairs: Integers, position: Integers) -> Values:
        """Return seconds by code and emotion, shaped (videos, classes, classes); class ``n`` is at ``position[n]``."""
        videos, number = np.unique(pairs[:, 0], return_inverse=True)
        classes = len(position) or len(EMOTIONS)
        confusions = np.zeros((len(videos), classes, classes))
        if len(pairs):
            np.add.at(confusions, (number, position[pairs[:, 3]], position[pairs[:, 4]]), pairs[:, 5] * self._options.step_s)
        return confusions

    def _figures(self, confusions: Values) -> Figures:
        total = confusions.sum(axis=0, keepdims=True)
        value = kappa(total)
        drawn = kappa(resample(confusions, self._options.seed)) if len(confusions) > 1 else np.full(1, np.nan)
        percent = float(accuracy(total)[0]) * _PERCENT
        return Figures(interval(value, drawn), percent, float(total.sum()), len(confusions))

    def _by_group(self, pairs: Integers, position: Integers, trials: Iterable[Trial], by: str) -> dict[str, Figures]:
        numbers: dict[str, list[int]] = {}
        for trial in trials:
            numbers.setdefault(trial.group(by), []).append(trial.number)
        return {
            name: self._figures(self._confusions(pairs[np.isin(pairs[:, 1], own)], position))
            for name, own in numbers.items()
        }

    def _coder_pairs(self) -> list[CoderPair]:
        result = []
        for first, second in itertools.combinations(range(len(self._coders)), 2):
            rows = [
                (*key, 0, unit[first], unit[second], count)
                for *key, unit, count in self._units
                if unit[first] >= 0 and unit[second] >= 0
            ]
            pairs = np.array(rows, np.int64).reshape(-1, 6)
            figures = self._figures(self._confusions(pairs, np.arange(len(self._classes))))
            result.append(CoderPair(self._coders[first], self._coders[second], figures))
        return result


def _find(names: VideoNames, coding: Coding) -> tuple[PathOrUrl | None, str]:
    """Return the table of a coding's video, and its coder."""
    try:
        report = names.find(coding.video)
        if report is not None:
            return report, coding.coder
        video, _, coder = coding.video.rpartition(".")
        return (names.find(video), coding.coder or coder) if video and "/" not in coder else (None, coding.coder)
    except CodingError as error:
        raise error.with_path(coding.path) from None


def _ratings(units: Sequence[Sequence[int]], classes: int) -> Values:
    """Return how many coders gave each unit each class, shaped (units, classes)."""
    table = np.zeros((len(units), classes))
    for number, unit in enumerate(units):
        for label in unit:
            if label >= 0:
                table[number, label] += 1
    return table


def _by_emotion(confusion: Values, names: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall, F1 and kappa of each emotion, and the seconds of codes and model."""
    columns = {
        "precision": precision(confusion),
        "recall": recall(confusion),
        "f1": f1(confusion),
        "kappa": kappa(one_against_rest(confusion)),
    }
    table = pd.DataFrame(columns, index=list(names)).round(_DECIMALS)
    return table.assign(coded_s=confusion.sum(axis=1).round(3), model_s=confusion.sum(axis=0).round(3))
