"""What people corrected in the table of a video (``*.emotions.corrections.csv``); `annotate.results.corrected` applies it.

Rows stand in the order in which they were made: a later one counts where two overlap, so that nothing is lost when somebody
changes a decision. What does not fit the table is left out and said; the rest applies.
"""

from __future__ import annotations

import csv
import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotate.faces.box import Box
from annotate.span import MS_PER_S, Span
from annotate.text import counted

EXCLUDE = "exclude"
"""Stands for an emotion where the time is not to count, such as that of a poster on a wall."""

BOX_COLUMNS = ("x", "y", "width", "height")
COLUMNS = ("face_id", "person", "start_time", "end_time", "emotion", "author", "time", *BOX_COLUMNS, "note")
"""All columns as they are written. The mean box of the face then, by which it is found in a table that was made anew, may be
empty; files by hand may lack all but the times, the emotion, and one of ``face_id`` and ``person``."""

_NEEDED = ("start_time", "end_time", "emotion")
_MAX_TIME_S = 10_000_000
_MAX_TEXT_CHARS, _MAX_PROBLEM_CHARS = 500, 60
_MINUTE_S = 60
_FORMULA_STARTS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Correction:
    """An emotion, or `EXCLUDE`, that a person says a face shows during a span.

    The face is a track, or all tracks of a person, given by name or number. ``box`` is the mean box of the track then, if it
    is known, and ``line`` the number of the line in the file.
    """

    span: Span
    emotion: str
    face_id: int | None = None
    person: str = ""
    author: str = ""
    time: str = ""
    note: str = ""
    box: Box | None = None
    line: int = 0

    @property
    def face(self) -> str:
        """The face in words."""
        return f"person {self.person}" if self.face_id is None else f"face {self.face_id}"

    def revises(self, earlier: Correction) -> bool:
        """Return whether this was made after another one, by the time that both have."""
        made, made_earlier = _parse_instant(self.time), _parse_instant(earlier.time)
        return made is not None and made_earlier is not None and made > made_earlier


@dataclass(frozen=True)
class CorrectionRows:
    """The content of a file: its corrections in order, and sentences on the lines that are none."""

    corrections: tuple[Correction, ...] = ()
    problems: tuple[str, ...] = ()


def parse_corrections(content: bytes) -> CorrectionRows:
    """Parse the bytes of a file, each line by itself, so that a broken one harms no other; never raise."""
    lines = content.decode("utf-8-sig", "replace").split("\n")
    columns = [name.strip().casefold() for name in _cells(lines[0]) or ()]
    missing = [name for name in _NEEDED if name not in columns]
    if not {"face_id", "person"} & set(columns):
        missing.append("face_id")
    if missing:
        is_empty = not any(map(str.strip, lines))
        return CorrectionRows((), () if is_empty else (f"line 1: the column {missing[0]} is missing, so none apply",))
    corrections, problems = list[Correction](), list[str]()
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            cells = _cells(line)
            if cells is None or len(cells) > len(columns):
                raise ValueError("it has more values than columns" if cells else "it is no row of a table")
            if number == len(lines) and len(cells) < len(columns):
                raise ValueError("it is cut off")
            values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
            corrections.append(_parse_row(values, number))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    return CorrectionRows(tuple(corrections), tuple(problems))


def add_lines(content: bytes, corrections: Iterable[Correction]) -> bytes:
    """Return the bytes of a file with further corrections at its end; what is there stays as it is.

    A file without content gets a header. Columns that the header lacks are added to it.
    """
    kept = content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    header, newline, rest = kept.partition(b"\n")
    columns = [name.strip().casefold() for name in _cells(header.decode("utf-8", "replace")) or ()] if header.strip() else []
    new = [name for name in COLUMNS if name not in columns]
    if not columns:
        header = _line(COLUMNS)
    elif new:
        header = header.rstrip(b"\r") + b"," + _line(new)
    names = [*columns, *new]
    lines = [_line([values.get(name, "") for name in names]) for values in map(_values, corrections)]
    return b"\n".join([header + newline + rest, *lines]) + b"\n"


def without_last(content: bytes) -> tuple[bytes, list[Correction]]:
    """Return the bytes of a file without the corrections that were made last together, and these; none if there are none.

    Those made together are by one author at one time, at the end of the file.
    """
    corrections = parse_corrections(content).corrections
    if not corrections:
        return content, []
    last = corrections[-1]
    removed = [last]
    for earlier in reversed(corrections[:-1]):
        if not last.time or (earlier.author, earlier.time) != (last.author, last.time):
            break
        removed.append(earlier)
    lines = content.split(b"\n")
    numbers = {correction.line for correction in removed}
    kept = [line for number, line in enumerate(lines, 1) if number not in numbers]
    return b"\n".join(kept), removed[::-1]


def parse_time_ms(text: str) -> int:
    """Return a time in milliseconds, given in seconds or as a clock shows it.

    Raises:
        ValueError: it is not one.

    >>> parse_time_ms("12.5"), parse_time_ms("0:12"), parse_time_ms("1:00:00.25")
    (12500, 12000, 3600250)
    """
    time_s = 0.0
    parts = text.strip().split(":")
    try:
        for part in parts:
            time_s = time_s * _MINUTE_S + float(part)
    except ValueError:
        time_s = math.nan
    if len(parts) > 3 or not 0 <= time_s <= _MAX_TIME_S:
        raise ValueError(f"{quoted(text)} is not a time")
    return round(time_s * MS_PER_S)


def clean_text(text: str) -> str:
    """Return a note or an author in one printable line.

    >>> clean_text(" a\\nb\\x1b[1m ")
    'a b [1m'
    """
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_MAX_TEXT_CHARS]


def _parse_row(values: Mapping[str, str], line: int) -> Correction:
    missing = [name for name in _NEEDED if not values.get(name)]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    span = Span(parse_time_ms(values["start_time"]), parse_time_ms(values["end_time"]))
    if not span:
        raise ValueError(f"the end ({quoted(values['end_time'])}) is not after the start ({quoted(values['start_time'])})")
    face, person = values.get("face_id", ""), values.get("person", "")
    if face and not (face.isascii() and face.isdigit() and len(face) < 10):
        raise ValueError(f"{quoted(face)} is not the number of a face")
    if not face and not person:
        raise ValueError("face_id and person are missing")
    return Correction(
        span,
        values["emotion"],
        int(face) if face else None,
        _said(person),
        _said(values.get("author", "")),
        values.get("time", ""),
        _said(values.get("note", "")),
        _parse_box([values.get(name, "") for name in BOX_COLUMNS]),
        line,
    )


def _parse_box(texts: Sequence[str]) -> Box | None:
    if not all(texts):
        return None
    try:
        box = Box(*map(float, texts))
    except ValueError:
        raise ValueError("its box is none") from None
    if not all(map(math.isfinite, (box.x, box.y, box.width, box.height))) or not box.width > 0:
        raise ValueError("its box is none")
    return box


def _values(correction: Correction) -> dict[str, str]:
    box = correction.box
    sides = [] if box is None else [f"{side:.1f}" for side in (box.x, box.y, box.width, box.height)]
    return {
        "face_id": "" if correction.face_id is None else str(correction.face_id),
        "person": _inert(correction.person),
        "start_time": f"{correction.span.start_s:.3f}",
        "end_time": f"{correction.span.end_s:.3f}",
        "emotion": correction.emotion,
        "author": _inert(correction.author),
        "time": correction.time,
        "note": _inert(correction.note),
        **dict(zip(BOX_COLUMNS, sides, strict=False)),
    }


def _inert(text: str) -> str:
    """Return text that no spreadsheet runs as a formula: one that begins like one gets an apostrophe, as in summaries."""
    text = clean_text(text)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _said(text: str) -> str:
    """Return text that `_inert` wrote as it was."""
    return clean_text(text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text)


def _cells(line: str) -> list[str] | None:
    """Return the cells of a line; None if they cannot be told."""
    try:
        return next(csv.reader([line.rstrip("\r")], strict=True), [])
    except csv.Error:
        return None


def _line(cells: Iterable[str]) -> bytes:
    rows: list[str] = []
    csv.writer(_Collector(rows), lineterminator="").writerow(list(cells))
    return "".join(rows).encode("utf-8", "replace")


class _Collector:
    """Collects what is written."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    def write(self, text: str) -> None:
        self._texts.append(text)


def _parse_instant(text: str) -> datetime.datetime | None:
    try:
        instant = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=datetime.timezone.utc)


def quoted(text: str) -> str:
    """Return what a file has, quoted, and not too long for a sentence."""
    return ascii(text[:_MAX_PROBLEM_CHARS]) if not text.isprintable() else repr(text[:_MAX_PROBLEM_CHARS])


def shorten(problems: Sequence[str], most: int = 3) -> str:
    """Return sentences in one, with no more than ``most`` of them.

    >>> shorten(["line 2: a", "line 3: b"], 1)
    'line 2: a; and 1 more line'
    """
    more = len(problems) - most
    return "; ".join([*problems[:most], *([f"and {counted(more, 'more line')}"] if more > 0 else [])])
