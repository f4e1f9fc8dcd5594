"""Find moments: runs of blocks in which a face keeps one emotion."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.read import ReportBatch, ReportSummary
from annotate.analytics.selected import find_with_trials, read_with_warnings
from annotate.analytics.speech.with_warnings import select_spoken_with_warnings
from annotate.analytics.trials import MatchedTrials, Trial, Trials, trial_numbers
from annotate.emotions.labels import resolve_emotion, unknown_emotion_error
from annotate.results.persons import Person
from annotate.results.table import AUTHOR, MACHINE, MACHINE_EMOTION, SOURCE, number_runs
from annotate.span import MS_PER_S, Span
from annotate.text import several


@dataclass(frozen=True)
class MomentQuery:
    """Filter for moments.

    ``emotions`` are names or common synonyms ("happy") in any case; without any, moments of all emotions match. Every block
    has at least ``min_confidence`` (0..1), and the moment lasts at least ``min_s`` seconds. ``persons`` are names in any
    case, or numbers; without any, moments of all faces match.
    """

    emotions: Collection[str] = ()
    min_confidence: float = 0.0
    min_s: float = 0.0
    persons: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """Consecutive blocks of a face with one emotion; ``confidence`` is their mean, weighted by duration."""

    report: ReportSummary
    face_id: int
    span: Span
    emotion: str
    confidence: float
    trial: Trial | None = None
    source: str = MACHINE
    """Who says so: the machine, or the author of a correction, with what the machine says most of the time beside it."""
    machine_emotion: str = ""

    @property
    def person(self) -> Person:
        """The person of the face; its number is 0 if unknown."""
        return self.report.persons.get(self.face_id, Person(0))


def moments_in(batch: ReportBatch, query: MomentQuery, trials: MatchedTrials | None = None) -> Iterator[Moment]:
    """Yield the moments in a batch of reports, ordered by report, start and face; they end with the ``trials`` they are in.

    A block with another emotion, or below the minimum confidence, ends a moment; a gap without blocks of the face does not.
    Where two blocks overlap, the shared time belongs to the first.
    """
    blocks = batch.blocks
    matches = blocks["confidence"] >= query.min_confidence
    if query.emotions:
        matches &= _has_emotion(batch, query.emotions)
    if query.persons:
        matches &= _has_person(batch, query.persons)
    trial = trial_numbers(blocks)
    keys = (blocks["report"], blocks["face_id"], blocks["emotion"].cat.codes, matches, _excluded_before(batch))
    matching = blocks.assign(trial=trial, run=number_runs(trial, *(key.to_numpy() for key in keys)))[matches]
    matching["time_ms"] = matching["end_ms"] - matching["start_ms"]
    matching["weighted"] = matching["confidence"] * matching["time_ms"]
    runs = matching.groupby("run").agg(
        report=("report", "first"),
        face_id=("face_id", "first"),
        start_ms=("start_ms", "first"),
        end_ms=("end_ms", "last"),
        emotion=("emotion", "first"),
        time_ms=("time_ms", "sum"),
        weighted=("weighted", "sum"),
        trial=("trial", "first"),
    )
    runs = runs[runs["end_ms"] - runs["start_ms"] >= round(query.min_s * MS_PER_S)]
    runs = runs.sort_values(["report", "start_ms", "face_id"])
    confidences = (runs["weighted"] / runs["time_ms"]).round(4)
    by_number = {own.number: own for own in trials.found} if trials is not None else {}
    columns = [runs[name].tolist() for name in ("report", "face_id", "start_ms", "end_ms", "emotion", "trial")]
    said = _said_by(matching).reindex(runs.index)
    rows = zip(*columns, confidences.tolist(), *(said[name].tolist() for name in said), strict=True)
    for number, face_id, start_ms, end_ms, emotion, own, confidence, source, machine in rows:
        span = Span(start_ms, end_ms)
        yield Moment(batch.reports[number], face_id, span, emotion, confidence, by_number.get(own), source, machine)


def _said_by(matching: pd.DataFrame) -> pd.DataFrame:
    """Return for each run whether a person said any of it, and what the machine says for most of its time."""
    if SOURCE not in matching:
        first = matching.drop_duplicates("run").set_index("run")
        return pd.DataFrame({SOURCE: MACHINE, MACHINE_EMOTION: first["emotion"].astype(str)})
    times_ms = matching.groupby(["run", MACHINE_EMOTION])["time_ms"].sum().sort_values(kind="stable").reset_index()
    machine = times_ms.drop_duplicates("run", keep="last").set_index("run")[MACHINE_EMOTION]
    sources = matching.groupby("run")[SOURCE].agg(lambda own: AUTHOR if (own == AUTHOR).any() else MACHINE)
    return pd.DataFrame({SOURCE: sources, MACHINE_EMOTION: machine})


def _excluded_before(batch: ReportBatch) -> pd.Series[int]:
    """Return for each block how many times of its face before it people excluded: a moment ends there."""
    blocks = batch.blocks
    counts = pd.Series(0, index=blocks.index)
    for number, report in batch.reports.items():
        for face_id, spans in report.excluded.items():
            own = (blocks["report"] == number) & (blocks["face_id"] == face_id)
            counts[own] = np.searchsorted(np.array([span.start_ms for span in spans]), blocks["start_ms"][own])
    return counts


def _has_emotion(batch: ReportBatch, emotions: Collection[str]) -> pd.Series[bool]:
    """Return for each block whether it has one of the emotions, as the classes of its own report name them."""
    result = pd.Series(data=False, index=batch.blocks.index)
    by_classes: dict[tuple[str, ...], list[int]] = {}
    for number, report in batch.reports.items():
        by_classes.setdefault(report.class_names, []).append(number)
    for class_names, numbers in by_classes.items():
        names = [resolve_emotion(name, class_names) for name in emotions]
        result |= batch.blocks["report"].isin(numbers) & batch.blocks["emotion"].isin(names)
    return result


def _has_person(batch: ReportBatch, persons: Collection[str]) -> pd.Series[bool]:
    """Return for each block whether its face is of one of the persons, given by name or number."""
    wanted = {name.casefold() for name in persons}
    faces = [
        (number, face_id)
        for number, report in batch.reports.items()
        for face_id, person in report.persons.items()
        if {person.name.casefold(), str(person.number)} & wanted
    ]
    index = pd.MultiIndex.from_frame(batch.blocks[["report", "face_id"]])
    return pd.Series(index.isin(faces) if faces else False, index=batch.blocks.index)


def to_table(moments: Sequence[Moment], trials: Trials | None = None) -> pd.DataFrame:
    """Return a table with one row per moment and times in seconds.

    If persons were told apart, the columns ``person``, 0 if unknown, and ``name`` follow; if people corrected anything,
    ``source`` and ``machine_emotion``; with ``trials``, then theirs.
    """
    spans = [moment.span for moment in moments]
    table = pd.DataFrame(
        {
            "video": pd.Series([moment.report.video for moment in moments], dtype=str),
            "face_id": np.array([moment.face_id for moment in moments], dtype=np.int64),
            "start_time": np.array([span.start_s for span in spans], dtype=float),
            "end_time": np.array([span.end_s for span in spans], dtype=float),
            "duration_s": np.array([span.duration_s for span in spans], dtype=float),
            "emotion": pd.Series([moment.emotion for moment in moments], dtype=str),
            "confidence": np.array([moment.confidence for moment in moments], dtype=float),
            "older": np.array([moment.report.is_older for moment in moments], dtype=bool),
        }
    )
    if any(moment.report.persons for moment in moments):
        table["person"] = np.array([moment.person.number for moment in moments], dtype=np.int64)
        table["name"] = pd.Series([moment.person.name for moment in moments], dtype=str)
    if any(moment.report.is_corrected for moment in moments):
        table[SOURCE] = pd.Series([moment.source for moment in moments], dtype=str)
        table[MACHINE_EMOTION] = pd.Series([moment.machine_emotion for moment in moments], dtype=str)
    if trials is not None:
        own = [moment.trial for moment in moments if moment.trial is not None]
        for name in trials.groups:
            table[name] = pd.Series([trial.group(name) for trial in own], dtype=str)
        for name in trials.further:
            texts = pd.Series([trial.further[name] for trial in own], dtype=str)
            table[name if name not in table else f"trial_{name}"] = texts
    return table


def find_moments(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    emotions: str | Collection[str] = (),
    min_confidence: float = 0.0,
    min_s: float = 0.0,
    *,
    persons: str | Collection[str] = (),
    relative: bool = False,
    max_yaw_deg: float | None = None,
    min_face_px: float | None = None,
    min_quality: float | None = None,
    trials: str | os.PathLike[str] | None = None,
    baseline_trial: str | None = None,
    texts: str | Collection[str] = (),
    transcripts: str | os.PathLike[str] | None = None,
    corrections: bool = True,
) -> pd.DataFrame:
    """Find moments in annotated videos: runs of blocks in which a face keeps one emotion.

    Args:
        paths: one or more tables, videos (for their tables) or directories.
        emotions: names or common synonyms ("happy") in any case; without any, moments of all emotions are found.
        min_confidence: minimum confidence of every block, 0..1.
        min_s: minimum length of a moment in seconds.
        persons: names or numbers of persons, of tables whose persons were told apart; without any, all faces count.
        relative: emotions relative to each face's own baseline, as for `annotate.summarize`.
        max_yaw_deg, min_face_px, min_quality: limits as for `annotate.summarize`.
        trials, baseline_trial: trials as for `annotate.summarize`; moments end with the trial, whose columns follow.
        texts: only while something is said that contains one of these; moments end with the utterance, and the columns
            ``text`` and ``speaker`` follow. Not together with trials.
        transcripts: a folder of transcripts, or one; without it they are beside the videos.
        corrections: whether those by people are applied.

    Returns:
        A table with the columns ``video``, ``face_id``, ``start_time``, ``end_time``, ``duration_s`` (in seconds),
        ``emotion``, ``confidence`` and ``older`` (whether an older analysis version made the table), and ``person`` and
        ``name`` if persons were told apart, and ``source`` and ``machine_emotion`` if people corrected anything. Tables are
        skipped as by `annotate.summarize`, each with a `UserWarning`.

    Raises:
        SettingsError: none of the models used has such an emotion, a limit is out of range, or texts and trials are given.
        TranscriptError: with ``texts``, there are no transcripts.
    """
    query = make_query(emotions, min_confidence, min_s, persons)
    faces = FaceFilter(max_yaw_deg, min_face_px, min_quality)
    spoken = Spoken(several(texts), transcripts)
    found = search_moments(
        paths, query, faces, trials, baseline_trial, relative=relative, spoken=spoken, corrections=corrections
    )
    return to_table(*found)


@dataclass(frozen=True)
class Spoken:
    """Texts that are said during moments, and the folder of transcripts if they are not beside the videos."""

    texts: tuple[str, ...] = ()
    transcripts: str | os.PathLike[str] | None = None


def make_query(
    emotions: str | Collection[str], min_confidence: float, min_s: float, persons: str | Collection[str]
) -> MomentQuery:
    """Return a query for one or more emotions and persons."""
    return MomentQuery(several(emotions), min_confidence, min_s, several(persons))


def search_moments(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    query: MomentQuery,
    faces: FaceFilter,
    trials: str | os.PathLike[str] | None = None,
    baseline_trial: str | None = None,
    *,
    relative: bool = False,
    spoken: Spoken | None = None,
    corrections: bool = True,
) -> tuple[list[Moment], Trials | None]:
    """Return the moments below paths, and the trials if there are any; parameters and errors are those of `find_moments`."""
    known: set[str] = set()
    found: list[Moment] = []
    reports, selection = find_with_trials(paths, faces, trials, baseline_trial, relative=relative, is_corrected=corrections)
    if spoken is not None and spoken.texts:
        selection = select_spoken_with_warnings(reports, spoken.texts, spoken.transcripts, selection)
        reports = replace(reports, reports=selection.choose(reports.reports))
    matched = selection.matched if selection is not None else None
    for batch in read_with_warnings(reports, faces, relative, selection, is_corrected=corrections):
        known.update(class_names_in(batch))
        found += moments_in(batch, query, matched)
    check_emotions(query.emotions, known)
    return found, matched.trials if matched is not None else None


def class_names_in(batch: ReportBatch) -> set[str]:
    """Return the emotion classes of all reports in a batch."""
    return {name for report in batch.reports.values() for name in report.class_names}


def check_emotions(emotions: Iterable[str], known: Collection[str]) -> None:
    """Check that emotions are names or synonyms of ``known`` classes; without known classes, any name passes.

    Raises:
        SettingsError: an emotion is unknown, such as a misspelled one.
    """
    for name in emotions:
        if known and resolve_emotion(name, known) is None:
            raise unknown_emotion_error(name, known)
