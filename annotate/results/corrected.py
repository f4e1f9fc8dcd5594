"""Application of corrections to the table of a video: rows are divided where a correction begins or ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from annotate.emotions.labels import resolve_emotion
from annotate.faces.box import Box, pairwise_iou
from annotate.results.corrections import BOX_COLUMNS, EXCLUDE, Correction, quoted
from annotate.results.persons import MIN_BOX_IOU, persons_in
from annotate.results.table import (
    AUTHOR,
    CORRECTED_BY,
    MACHINE,
    MACHINE_CONFIDENCE,
    MACHINE_EMOTION,
    OWN_COLUMNS,
    RELATIVE_PREFIX,
    SOURCE,
    Integers,
    class_names_of,
    has_own,
    has_relative,
    own_spans_ms,
    own_times,
)
from annotate.span import MS_PER_S, Span
from annotate.text import suggest

if TYPE_CHECKING:
    import pandas as pd

Texts = npt.NDArray[Any]


@dataclass(frozen=True)
class Corrected:
    """A table to which corrections were applied, and sentences on those that do not fit it.

    ``reviewed`` has milliseconds of face time by the machine's label and the author's, which may be `EXCLUDE`; ``excluded``
    the time of faces that is excluded, disjoint and in order, by ``face_id``.
    """

    table: pd.DataFrame
    problems: tuple[str, ...] = ()
    reviewed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    excluded: Mapping[int, Sequence[Span]] = field(default_factory=dict)


def apply_corrections(table: pd.DataFrame, corrections: Sequence[Correction]) -> Corrected:
    """Return a table as corrected; its columns of persons, if it has them, say which faces are whose.

    Frames, box and pose of a part are those of its block. The emotion of a corrected row has the probability 1. Columns
    `SOURCE`, `MACHINE_EMOTION` and `MACHINE_CONFIDENCE` follow; without a correction that fits, the table stays as it is.
    """
    faces, counting = _Faces(table), counting_spans(table, corrections)
    spans, problems = counting.spans, counting.problems
    by_face = {face_id: list(faces.divide(face_id, own)) for face_id, own in spans.items()}
    parts = list(itertools.chain.from_iterable(by_face.values()))
    if not parts:
        return Corrected(table, problems)
    excluded = {face_id: _joined(part.span for part in own if part.is_excluded) for face_id, own in by_face.items()}
    corrected = _rebuild(table, parts, class_names_of(table), problems)
    return replace(corrected, excluded={face_id: own for face_id, own in excluded.items() if own})


@dataclass(frozen=True)
class CountingSpans:
    """Which correction counts when, in order of time by ``face_id``, and sentences on those that do not fit."""

    spans: Mapping[int, Sequence[tuple[Span, Correction]]]
    problems: tuple[str, ...]


def counting_spans(table: pd.DataFrame, corrections: Sequence[Correction]) -> CountingSpans:
    """Return which of some corrections counts when in a table, with emotions as the table calls them."""
    problems = list[str]()
    by_face: dict[int, list[Correction]] = {}
    faces, names = _Faces(table), class_names_of(table)
    for correction in corrections:
        try:
            emotion = resolve_label(correction.emotion, names)
            for face_id in faces.of(correction):
                by_face.setdefault(face_id, []).append(replace(correction, emotion=emotion))
        except ValueError as error:
            problems.append(f"line {correction.line}: {error}")
    spans = {face_id: _spans(own, problems) for face_id, own in by_face.items()}
    return CountingSpans(spans, tuple(problems))


class _Faces:
    """The face tracks of a table: positions of their rows, and the tracks of persons."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._starts_ms, self._ends_ms = (
            (table[name].to_numpy(float) * MS_PER_S).round().astype(np.int64) for name in ("start_time", "end_time")
        )
        face_ids = table["face_id"].to_numpy(np.int64)
        order = np.argsort(face_ids, kind="stable")
        known, firsts = np.unique(face_ids[order], return_index=True)
        self.rows: dict[int, Integers] = dict(zip(known.tolist(), np.split(order, firsts[1:]), strict=bool(len(known))))
        self._boxes = table[list(BOX_COLUMNS)].to_numpy(float)
        self._persons: dict[str, list[int]] = {}
        for face_id, person in persons_in(table).items():
            for key in {str(person.number), person.name.casefold()} - {""}:
                self._persons.setdefault(key, []).append(face_id)

    def of(self, correction: Correction) -> list[int]:
        """Return the tracks that a correction is about.

        Raises:
            ValueError: there is none.
        """
        if correction.face_id is None:
            found = self._persons.get(correction.person.casefold())
            if found is None:
                raise ValueError(f"there is no person {quoted(correction.person)}")
            seen = [face_id for face_id in found if self._is_seen(face_id, correction.span)]
        else:
            face_id = self._track_of(correction)
            seen = [face_id] if self._is_seen(face_id, correction.span) else []
        if not seen:
            span = correction.span
            raise ValueError(f"{correction.face} is not seen from {span.start_s:g} to {span.end_s:g} s")
        return seen

    def box(self, face_id: int, span: Span) -> Box | None:
        """Return the mean box of a track during a span; None if it is not known."""
        boxes = self._boxes[self._rows_in(face_id, span)]
        sides = boxes.mean(axis=0) if len(boxes) else np.full(4, np.nan)
        return Box(*sides.tolist()) if np.isfinite(sides).all() and sides[2] > 0 else None

    def divide(self, face_id: int, spans: Sequence[tuple[Span, Correction]]) -> Iterator[_Part]:
        """Yield the parts of those rows of a track that a correction touches; spans are disjoint and in order."""
        ends = np.array([span.end_ms for span, _ in spans])
        for row in self.rows[face_id].tolist():
            now_ms, end_ms = int(self._starts_ms[row]), int(self._ends_ms[row])
            is_touched = False
            for span, correction in spans[int(np.searchsorted(ends, now_ms, side="right")) :]:
                if span.start_ms >= end_ms:
                    break
                shared = span & Span(now_ms, end_ms)
                is_touched = True
                if now_ms < shared.start_ms:
                    yield _Part(row, Span(now_ms, shared.start_ms), None)
                yield _Part(row, shared, correction)
                now_ms = shared.end_ms
            if is_touched and now_ms < end_ms:
                yield _Part(row, Span(now_ms, end_ms), None)

    def _track_of(self, correction: Correction) -> int:
        face_id = correction.face_id
        assert face_id is not None
        if correction.box is None:
            if face_id not in self.rows:
                raise ValueError(f"there is no face {face_id}")
            return face_id
        boxes = {face: box for face in self.rows if (box := self.box(face, correction.span)) is not None}
        if not boxes and face_id in self.rows:
            return face_id  # an older table without boxes, or nobody is seen then
        likeness = {face: float(pairwise_iou([correction.box], [box])[0, 0]) for face, box in boxes.items()}
        best = max(likeness, key=lambda face: (face == face_id, likeness[face]), default=face_id)
        if likeness.get(best, 0.0) < MIN_BOX_IOU:
            best = max(likeness, key=lambda face: likeness[face], default=face_id)
        if likeness.get(best, 0.0) < MIN_BOX_IOU:
            raise ValueError(f"{correction.face} is not found any more")
        return best

    def _rows_in(self, face_id: int, span: Span) -> Integers:
        rows = self.rows.get(face_id, np.zeros(0, np.int64))
        return rows[(self._starts_ms[rows] < span.end_ms) & (self._ends_ms[rows] > span.start_ms)]

    def _is_seen(self, face_id: int, span: Span) -> bool:
        return len(self._rows_in(face_id, span)) > 0


def box_of(table: pd.DataFrame, face_id: int, span: Span) -> Box | None:
    """Return the mean box of a face track of a table during a span; None if it is not known."""
    return _Faces(table).box(face_id, span)


@dataclass(frozen=True)
class _Part:
    """A part of a row: the row's position, a span, and the correction that counts then, if any."""

    row: int
    span: Span
    correction: Correction | None

    @property
    def is_excluded(self) -> bool:
        """Whether the part is not to count."""
        return self.correction is not None and self.correction.emotion == EXCLUDE


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that touch or overlap in one."""
    joined = list[Span]()
    for span in sorted(spans):
        if joined and span.start_ms <= joined[-1].end_ms:
            joined[-1] |= span
        else:
            joined.append(span)
    return joined


def _spans(corrections: Sequence[Correction], problems: list[str]) -> list[tuple[Span, Correction]]:
    """Return what counts when, in order of time, of the corrections of one face; say where lines overlap by mistake."""
    edges = np.unique([ms for correction in corrections for ms in (correction.span.start_ms, correction.span.end_ms)])
    owners = np.full(len(edges), -1)
    for number, correction in enumerate(corrections):
        first, last = np.searchsorted(edges, (correction.span.start_ms, correction.span.end_ms))
        earlier = [corrections[other] for other in np.unique(owners[first:last]).tolist() if other >= 0]
        kept = [other for other in earlier if not correction.revises(other)]
        if kept:
            problems.append(f"line {correction.line}: it overlaps line {kept[0].line}, and counts there")
        owners[first:last] = number
    spans = list[tuple[Span, Correction]]()
    pairs = zip(owners.tolist(), itertools.pairwise(edges.tolist()), strict=False)
    for owner, own in itertools.groupby(pairs, key=lambda pair: pair[0]):
        if owner >= 0:
            pieces = [piece for _, piece in own]
            spans.append((Span(pieces[0][0], pieces[-1][1]), corrections[owner]))
    return spans


def _rebuild(
    table: pd.DataFrame,
    parts: Sequence[_Part],
    names: Sequence[str],
    problems: tuple[str, ...],
) -> Corrected:
    """Return a table with parts in place of the rows that they are of."""
    if not has_own(table.columns):
        table = table.assign(**own_times(table))
    untouched = np.setdiff1d(np.arange(len(table)), [part.row for part in parts])
    result = table.iloc[[*untouched.tolist(), *(part.row for part in parts)]].reset_index(drop=True)
    first = len(untouched)
    start_s, end_s = result["start_time"].to_numpy(float).copy(), result["end_time"].to_numpy(float).copy()
    start_s[first:], end_s[first:] = [part.span.start_s for part in parts], [part.span.end_s for part in parts]
    labels = np.array([""] * first + ["" if part.correction is None else part.correction.emotion for part in parts], object)
    is_author = labels != ""
    result = result.assign(start_time=start_s, end_time=end_s)
    result[SOURCE] = np.where(is_author, AUTHOR, MACHINE)
    result[CORRECTED_BY] = [""] * first + ["" if part.correction is None else part.correction.author for part in parts]
    result[MACHINE_EMOTION], result[MACHINE_CONFIDENCE] = result["emotion"], result["confidence"]
    own_start_s, own_end_s = (result[name].to_numpy(float) for name in OWN_COLUMNS)
    own_start_s = np.minimum(np.maximum(own_start_s, start_s), end_s)  # the part of the own time that is in the part
    result[OWN_COLUMNS[0]], result[OWN_COLUMNS[1]] = own_start_s, np.maximum(np.minimum(own_end_s, end_s), own_start_s)
    own_start_ms, own_end_ms = own_spans_ms(result)
    reviewed: dict[tuple[str, str], int] = {}
    machine = result["emotion"].tolist()
    for row in np.flatnonzero(is_author & (own_start_ms < own_end_ms)).tolist():
        key = (machine[row], labels[row])
        reviewed[key] = reviewed.get(key, 0) + int(own_end_ms[row] - own_start_ms[row])
    _set_labels(result, labels, names, "")
    if has_relative(result.columns):
        _set_labels(result, np.where(result[f"{RELATIVE_PREFIX}emotion"] == "", "", labels), names, RELATIVE_PREFIX)
    result = result[labels != EXCLUDE].sort_values(["start_time", "face_id", "block"], kind="stable")
    return Corrected(result.reset_index(drop=True), problems, reviewed)


def _set_labels(table: pd.DataFrame, labels: Texts, names: Sequence[str], prefix: str) -> None:
    """Set emotion, confidence and probabilities of the rows that have a label."""
    is_set = labels != ""
    table[f"{prefix}emotion"] = np.where(is_set, labels, table[f"{prefix}emotion"])
    table[f"{prefix}confidence"] = np.where(is_set, 1.0, table[f"{prefix}confidence"])
    for name in names:
        table[f"{prefix}{name}"] = np.where(is_set, (labels == name).astype(float), table[f"{prefix}{name}"])


def resolve_label(text: str, names: Sequence[str]) -> str:
    """Return the class of a table that a word stands for, or `EXCLUDE`.

    Raises:
        ValueError: there is none.
    """
    if text.casefold() == EXCLUDE:
        return EXCLUDE
    emotion = resolve_emotion(text, names)
    if emotion is None:
        raise ValueError(f"unknown emotion {quoted(text)}{suggest(text.casefold(), [*names, EXCLUDE])}")
    return emotion
