"""Moments: spans over which a face keeps an emotion."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from annotate.analytics.read import Batch, ReportSummary, number_runs
from annotate.analytics.summary import read_with_warnings
from annotate.emotions.labels import emotion_name, unknown_emotion
from annotate.span import MS_PER_S, Span


@dataclass(frozen=True)
class MomentQuery:
    """The moments that are asked for.

    ``emotions`` are theirs, of any emotion if empty; each block has at least ``min_confidence`` (0..1), the whole lasts at
    least ``min_s`` seconds.
    """

    emotions: Collection[str] = ()
    min_confidence: float = 0.0
    min_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Blocks of a face that follow each other, all of one emotion; the confidence is their mean, weighted by time."""

    report: ReportSummary
    face_id: int
    span: Span
    emotion: str
    confidence: float


def moments_in(batch: Batch, wanted: MomentQuery) -> Iterator[Moment]:
    """Yield the moments of a batch of reports, by report, start and face.

    A face's blocks are neighbors if none of its own lies between them; one of another emotion, or less sure than wanted,
    ends the moment. What two blocks share belongs to the first.
    """
    pieces = batch.pieces
    fits = pieces["confidence"] >= wanted.min_confidence
    if wanted.emotions:
        known = classes_of(batch)
        fits &= pieces["emotion"].isin([emotion_name(name, known) for name in wanted.emotions])
    keys = (pieces["report"], pieces["face_id"], pieces["emotion"].cat.codes, fits)
    parts = pieces.assign(run=number_runs(*(key.to_numpy() for key in keys)))[fits]
    parts["time_ms"] = parts["end_ms"] - parts["start_ms"]
    parts["weighted"] = parts["confidence"] * parts["time_ms"]
    runs = parts.groupby("run").agg(
        report=("report", "first"),
        face_id=("face_id", "first"),
        start_ms=("start_ms", "first"),
        end_ms=("end_ms", "last"),
        emotion=("emotion", "first"),
        time_ms=("time_ms", "sum"),
        weighted=("weighted", "sum"),
    )
    runs = runs[runs["end_ms"] - runs["start_ms"] >= round(wanted.min_s * MS_PER_S)]
    runs = runs.sort_values(["report", "start_ms", "face_id"])
    confidences = (runs["weighted"] / runs["time_ms"]).round(4)
    columns = [runs[name].tolist() for name in ("report", "face_id", "start_ms", "end_ms", "emotion")]
    for number, face_id, start_ms, end_ms, emotion, confidence in zip(*columns, confidences.tolist(), strict=True):
        yield Moment(batch.reports[number], face_id, Span(start_ms, end_ms), emotion, confidence)


def to_table(moments: Sequence[Moment]) -> pd.DataFrame:
    """Return moments as a table, one row each, with times in seconds."""
    spans = [moment.span for moment in moments]
    return pd.DataFrame(
        {
            "video": pd.Series([moment.report.video for moment in moments], dtype=str),
            "face_id": np.array([moment.face_id for moment in moments], dtype=np.int64),
            "start_time": np.array([span.start_s for span in spans], dtype=float),
            "end_time": np.array([span.end_s for span in spans], dtype=float),
            "duration_s": np.array([span.duration_s for span in spans], dtype=float),
            "emotion": pd.Series([moment.emotion for moment in moments], dtype=str),
            "confidence": np.array([moment.confidence for moment in moments], dtype=float),
        }
    )


def find_moments(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    emotions: str | Collection[str] = (),
    min_confidence: float = 0.0,
    min_s: float = 0.0,
) -> pd.DataFrame:
    """Return the moments in the reports below files and directories: spans over which a face keeps an emotion.

    Columns are as in the README, times in seconds. Without ``emotions`` those of all are found. Reports are left out as by
    `annotate.summarize`.

    Raises:
        SettingsError: no report knows such an emotion.
    """
    wanted = MomentQuery((emotions,) if isinstance(emotions, str) else emotions, min_confidence, min_s)
    known: set[str] = set()
    found: list[Moment] = []
    for batch in read_with_warnings(paths):
        known.update(classes_of(batch))
        found += moments_in(batch, wanted)
    check_known(wanted.emotions, known)
    return to_table(found)


def classes_of(batch: Batch) -> set[str]:
    """Return the classes that a batch's reports know."""
    return {name for report in batch.reports.values() for name in report.class_names}


def check_known(emotions: Iterable[str], known: Collection[str]) -> None:
    """Tell a misspelled emotion from one that nobody shows; without reports every name is accepted.

    Raises:
        SettingsError: no report knows such an emotion.
    """
    for name in emotions:
        if known and emotion_name(name, known) is None:
            raise unknown_emotion(name, known)
