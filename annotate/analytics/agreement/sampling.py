"""Compare the table of a video with its codings at the middle of each step.

Steps are counted from the start of the video. A step belongs to a span if its middle does. Where codes of a coder overlap,
the earlier one holds, as do earlier blocks in tables (`annotate.analytics.read.ReportBatch`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from annotate.analytics.agreement.codings import Code
from annotate.emotions.confusion import Values
from annotate.errors import CodingError, SettingsError
from annotate.results.table import Integers
from annotate.settings import ANY_FACE, FIRST_FACE
from annotate.span import MS_PER_S, Span
from annotate.storage.values import PathOrUrl

MIN_STEP_S, MAX_STEP_S = 0.01, 60.0

SIZE_COLUMNS = ("width", "height")
FURTHER_COLUMNS = (*SIZE_COLUMNS, "person")
"""Columns of blocks that are read beside the usual ones."""

NONE = -1
"""Class number of a step without code or row."""

Target = tuple[int | None, str]
"""Whose codes they are: face track and person, each if it is named."""


@dataclass(frozen=True)
class Steps:
    """Steps of one video: their length in milliseconds, and the number of the first and after the last."""

    step_ms: float
    first: int
    end: int

    @classmethod
    def of(cls, span: Span, step_ms: float) -> Steps:
        """Return the steps whose middle is in a span."""
        return cls(step_ms, *_range(span.start_ms, span.end_ms, step_ms))

    def __len__(self) -> int:
        return max(0, self.end - self.first)

    def expand(self, start_ms: Integers, end_ms: Integers) -> tuple[Integers, Integers]:
        """Return the number of a span and that of a step, from 0, for each step in each of the spans."""
        first = np.maximum(np.ceil(start_ms / self.step_ms - 0.5).astype(np.int64), self.first)
        end = np.minimum(np.ceil(end_ms / self.step_ms - 0.5).astype(np.int64), self.end)
        counts = np.maximum(end - first, 0)
        spans = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        return spans, np.repeat(first, counts) + within - self.first


@dataclass(frozen=True)
class Rows:
    """The face that counts at each step: its class number, `NONE` without a face, its track and the confidence."""

    classes: Integers
    faces: Integers
    confidence: Values


@dataclass(frozen=True)
class VideoSteps:
    """The rows of one video at its steps: for each row the step, and the blocks' columns."""

    steps: Steps
    rows: pd.DataFrame

    @classmethod
    def of(cls, blocks: pd.DataFrame, steps: Steps, class_of: Callable[[str], int]) -> VideoSteps:
        """Return the steps of the blocks of one video; ``class_of`` returns the class number of an emotion."""
        spans, step = steps.expand(blocks["start_ms"].to_numpy(), blocks["end_ms"].to_numpy())
        size = blocks["width"].to_numpy() * blocks["height"].to_numpy()
        emotions = blocks["emotion"].astype(str)
        rows = pd.DataFrame(
            {
                "step": step,
                "face_id": blocks["face_id"].to_numpy()[spans],
                "class": emotions.map({name: class_of(name) for name in emotions.unique()}).to_numpy(np.int64)[spans],
                "confidence": blocks["confidence"].to_numpy()[spans],
                "size": np.nan_to_num(size)[spans],
                "person": blocks["person"].to_numpy()[spans],
            }
        )
        return cls(steps, rows)

    def model(self, target: Target, face_rule: str, codes: Integers) -> Rows:
        """Return the face that counts at each step, for the codes (class numbers by step) of a target."""
        face_id, person = target
        rows = self.rows
        keys = ["step", "face_id"]
        if face_id is not None:
            rows = rows[rows["face_id"] == face_id]
        elif person and (rows["person"] != "").any():
            rows = rows[rows["person"].str.casefold() == person.casefold()]
        elif face_rule != FIRST_FACE:
            rows = rows.assign(smaller=-rows["size"], differs=rows["class"].to_numpy() != codes[rows["step"].to_numpy()])
            keys = ["step", *(["differs"] if face_rule == ANY_FACE else []), "smaller", "face_id"]
        chosen = rows.sort_values(keys).drop_duplicates("step")
        at = chosen["step"].to_numpy()
        classes, faces = np.full(len(self.steps), NONE), np.zeros(len(self.steps), np.int64)
        confidence = np.zeros(len(self.steps))
        classes[at], faces[at], confidence[at] = chosen["class"], chosen["face_id"], chosen["confidence"]
        return Rows(classes, faces, confidence)


def code_steps(codes: Sequence[Code], steps: Steps, class_of: Callable[[str], int]) -> Integers:
    """Return the class number of the code at each step, `NONE` without a code; the earlier of two codes holds."""
    result = np.full(len(steps), NONE)
    for code in sorted(codes, key=lambda each: each.span.start_ms, reverse=True):
        first, end = _range(code.span.start_ms, code.span.end_ms, steps.step_ms)
        result[max(0, first - steps.first) : max(0, end - steps.first)] = class_of(code.label)
    return result


def targets(codes: Sequence[Code], path: PathOrUrl, *, has_persons: bool) -> dict[Target, list[Code]]:
    """Return the codes of one coder and video by whose they are.

    Raises:
        CodingError: they name several persons, and the table of the video none.
    """
    found: dict[Target, list[Code]] = {}
    for code in codes:
        found.setdefault((code.face_id, "" if code.face_id is not None else code.person), []).append(code)
    persons = [person for _, person in found if person]
    if len(persons) > 1 and not has_persons:
        problem = f"names {len(persons)} persons, and the table of its video none"
        raise CodingError(problem, "give the number of the face track in a column face, or in tiers 'face 1'", path=path)
    return found


@dataclass(frozen=True)
class Disagreement:
    """Consecutive steps at which a face keeps an emotion, and the coder another one; numbers are classes."""

    span: Span
    face_id: int
    code: int
    model: int
    confidence: float


def disagreements(codes: Integers, rows: Rows, steps: Steps) -> Iterator[Disagreement]:
    """Yield the runs of steps with one face, one emotion and another code, in order of time."""
    differs = (codes >= 0) & (rows.classes >= 0) & (codes != rows.classes)
    keys = np.stack([differs, np.where(differs, codes, 0), np.where(differs, rows.classes, 0), rows.faces * differs])
    changes = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    bounds = [0, *changes.tolist(), len(codes)]
    for first, end in itertools.pairwise(bounds):
        if first < end and differs[first]:
            start_ms, end_ms = (round((steps.first + number) * steps.step_ms) for number in (first, end))
            confidence = float(rows.confidence[first:end].mean())
            face, code, model = (int(values[first]) for values in (rows.faces, codes, rows.classes))
            yield Disagreement(Span(start_ms, end_ms), face, code, model, round(confidence, 4))


def check_step(step_s: float) -> float:
    """Return a step in milliseconds.

    Raises:
        SettingsError: it is out of range.
    """
    if not MIN_STEP_S <= step_s <= MAX_STEP_S:
        raise SettingsError(f"a step of {step_s} s", f"choose one from {MIN_STEP_S} to {MAX_STEP_S} s")
    return step_s * MS_PER_S


def _range(start_ms: int, end_ms: int, step_ms: float) -> tuple[int, int]:
    """Return the first step whose middle is in a half-open span, and the one after the last.

    >>> _range(0, 200, 100.0), _range(50, 150, 100.0), _range(51, 60, 100.0)
    ((0, 2), (0, 1), (1, 1))
    """
    return tuple(int(np.ceil(time_ms / step_ms - 0.5)) for time_ms in (start_ms, end_ms))  # type: ignore[return-value]
