"""What somebody changed in a copy of a table or of a format of it: the difference, as corrections."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotate.emotions.labels import resolve_emotion
from annotate.results.corrections import EXCLUDE, quoted
from annotate.results.table import class_columns, class_names_of, format_table, own_spans_ms, parse_table
from annotate.span import Span

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = (",", ";", "\t")
_KEY_COLUMNS = ("face_id", "block")
_SLIVER_MS = 10
"""Shorter differences are those of rounding in other programs."""

Labels = Sequence[tuple[Span, str]]
"""Disjoint spans of one face with what it shows, in order."""


@dataclass(frozen=True)
class EditedLabels:
    """What an edited copy of a table says, by face track, and sentences on the lines that do not fit."""

    labels: Mapping[int, Labels]
    problems: tuple[str, ...] = ()


def labels_in(table: pd.DataFrame) -> dict[int, list[tuple[Span, str]]]:
    """Return what a table says, by face track."""
    labels: dict[int, list[tuple[Span, str]]] = {int(face_id): [] for face_id in table["face_id"].unique().tolist()}
    for (face_id, _), (span, emotion) in sorted(_rows(table).items(), key=lambda row: (row[0][0], row[1][0])):
        if span:
            labels[face_id].append((span, emotion))
    return labels


def labels_in_copy(content: bytes, table: pd.DataFrame) -> EditedLabels:
    """Return what an edited copy of a table says at the times that the table has; rows that it lacks say nothing.

    Raises:
        ValueError: it is no such copy.
    """
    rows, known = _rows(table), class_names_of(table)
    labels: dict[int, list[tuple[Span, str]]] = {int(face_id): [] for face_id in table["face_id"].unique().tolist()}
    problems = list[str]()
    seen = set[tuple[int, int]]()
    for line, cells in _read(content):
        try:
            key = int(cells["face_id"]), int(cells["block"])
        except ValueError:
            problems.append(f"line {line}: face_id or block is no number")
            continue
        emotion = cells["emotion"].strip()
        resolved = EXCLUDE if emotion.casefold() == EXCLUDE else resolve_emotion(emotion, known)
        if key not in rows or key in seen:
            which = "twice" if key in seen else "not in the table"
            problems.append(f"line {line}: block {key[1]} of face {key[0]} is {which}")
        elif resolved is None:
            problems.append(f"line {line}: unknown emotion {quoted(emotion)}")
            labels[key[0]].append(rows[key])
        elif rows[key][0]:
            labels[key[0]].append((rows[key][0], resolved))
        seen.add(key)
    if not seen & rows.keys():
        raise ValueError("it has no row of the table")
    return EditedLabels({face_id: sorted(own) for face_id, own in labels.items()}, tuple(problems))


def differences(before: Labels, after: Labels) -> list[tuple[Span, str]]:
    """Return the spans at which another label stands ``after``, with it; `EXCLUDE` where none stands any more.

    Where nothing stood before, nobody is seen.

    >>> differences([(Span(0, 100), "fear")], [(Span(0, 40), "fear"), (Span(40, 60), "anger")])
    [(Span(start_ms=40, end_ms=60), 'anger'), (Span(start_ms=60, end_ms=100), 'exclude')]
    """
    edges = sorted({ms for span, _ in (*before, *after) for ms in (span.start_ms, span.end_ms)})
    said_before, said_after = _at(before), _at(after)
    changed = list[tuple[Span, str]]()
    for start_ms, end_ms in itertools.pairwise(edges):
        old, new = said_before(start_ms), said_after(start_ms) or EXCLUDE
        if not old or old == new:
            continue
        if changed and changed[-1][0].end_ms == start_ms and changed[-1][1] == new:
            changed[-1] = (changed[-1][0] | Span(start_ms, end_ms), new)
        else:
            changed.append((Span(start_ms, end_ms), new))
    return [(span, label) for span, label in changed if span.duration_ms >= _SLIVER_MS]


def restore_table(content: bytes, is_original: Callable[[bytes], bool], *, is_older: bool = False) -> bytes | None:
    """Return the bytes of the machine's table, given those of a copy with edited emotions; None if they cannot be told.

    The emotion of a row is the most probable one. ``is_original`` tells whether bytes are those of the table.
    """
    try:
        rows = list(_read(content))
        columns = list(rows[0][1])
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        classes = class_columns(columns)
        for _, cells in rows:
            best = max(classes, key=lambda name: float(cells[name]))
            writer.writerow({**cells, "emotion": best, "confidence": cells[best]})
        table = parse_table(text.getvalue().encode(), is_older=is_older)[columns]
        ordered = table.sort_values(["start_time", "face_id", "block"], kind="stable")
        candidates = (text.getvalue().encode(), *(format_table(each).encode() for each in (table, ordered)))
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return next((candidate for candidate in candidates if is_original(candidate)), None)


def _rows(table: pd.DataFrame) -> dict[tuple[int, int], tuple[Span, str]]:
    """Return own time and emotion of the rows of a table, by face track and block."""
    columns = [table["face_id"].tolist(), table["block"].tolist(), table["emotion"].tolist()]
    times = [times_ms.tolist() for times_ms in own_spans_ms(table)]
    return {
        (face_id, block): (Span(start_ms, end_ms), emotion)
        for face_id, block, emotion, start_ms, end_ms in zip(*columns, *times, strict=True)
    }


def _read(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a copy, with commas, semicolons or tabs, each with its line.

    Raises:
        ValueError: it is no copy of a table.
    """
    text = content.decode("utf-8-sig")
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=first.count))
    missing = [name for name in (*_KEY_COLUMNS, "emotion") if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the column {missing[0]} is missing")
    try:
        for cells in reader:
            yield reader.line_num, {str(name): cell or "" for name, cell in cells.items() if isinstance(cell, str | None)}
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _at(labels: Labels) -> Callable[[int], str]:
    """Return a function for the label at a time, for times in order; empty if there is none."""
    ordered = sorted(labels)
    position = 0

    def label_at(time_ms: int) -> str:
        nonlocal position
        while position < len(ordered) and ordered[position][0].end_ms <= time_ms:
            position += 1
        return ordered[position][1] if position < len(ordered) and time_ms in ordered[position][0] else ""

    return label_at
