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
COLUMNS = ("face_id", "person", "start_time", "end_time", "emotion", "author", "time", "undone", *BOX_COLUMNS, "note")
"""All columns as they are written. The mean box of the face then, by which it is found in a table that was made anew, may be
empty; files by hand may lack all but the times, the emotion, and one of ``face_id`` and ``person``."""

_NO_INSTANT = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
_NEEDED = ("start_time", "end_time", "emotion")
_MAX_TIME_S = 10_000_000
_MAX_TEXT_CHARS, _MAX_PROBLEM_CHARS = 500, 60
_MINUTE_S = 60
_FORMULA_STARTS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Correction:
    """An emotion, or `EXCLUDE`, that a person says a face shows during a span.

    The face is a track, or all tracks of a person, given by name or number. ``box`` is the mean box of the track then, if it
    is known, ``line`` the number of the line in the file, and ``undone`` when it was taken back, empty if it counts.
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
    undone: str = ""

    @property
    def face(self) -> str:
        """The face in words."""
        return f"person {self.person}" if self.face_id is None else f"face {self.face_id}"

    def revises(self, earlier: Correction) -> bool:
        """Return whether this was made after another one, by the time that both have."""
        return _is_earlier(earlier.time, self.time)


@dataclass(frozen=True)
class CorrectionRows:
    """The content of a file: corrections in order, those that were taken back, and sentences on lines that are neither."""

    corrections: tuple[Correction, ...] = ()
    problems: tuple[str, ...] = ()
    undone: tuple[Correction, ...] = ()


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
    kept = tuple(correction for correction in corrections if not correction.undone)
    return CorrectionRows(kept, tuple(problems), tuple(correction for correction in corrections if correction.undone))


def add_lines(content: bytes, corrections: Iterable[Correction]) -> bytes:
    """Return the bytes of a file with further corrections at its end; what is there stays as it is.

    A file without content gets a header. Columns that the header lacks are added to it.
    """
    kept, names = _with_columns(content)
    lines = [_line([values.get(name, "") for name in names]) for values in map(_values, corrections)]
    return b"\n".join([kept, *lines]) + b"\n"


def undo_last(content: bytes, time: str, author: str | None = None) -> tuple[bytes, list[Correction]]:
    """Return the bytes of a file in which the corrections that were made last together are marked as taken back, and these.

    Those made together are by one author at one time, in a row. With ``author`` only theirs count; without any, the file
    stays as it is.
    """
    found = [row for row in parse_corrections(content).corrections if author is None or row.author == author]
    last = found[-1:]
    for earlier in reversed(found[:-1]):
        if not last[0].time or (earlier.author, earlier.time) != (last[0].author, last[0].time):
            break
        last.insert(0, earlier)
    return _mark(content, last, time), last


def redo_last(content: bytes, author: str | None = None) -> tuple[bytes, list[Correction]]:
    """Return the bytes of a file in which the corrections that were taken back last count again, and these.

    With ``author`` only theirs count. There are none if something was corrected since.
    """
    rows = parse_corrections(content)
    undone, kept = (
        [row for row in some if author is None or row.author == author] for some in (rows.undone, rows.corrections)
    )
    latest = max((row.undone for row in undone), key=instant_of, default="")
    if any(_is_earlier(latest, row.time) for row in kept):
        return content, []
    last = [row for row in undone if row.undone == latest]
    return _mark(content, last, ""), last


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


def _with_columns(content: bytes) -> tuple[bytes, list[str]]:
    """Return a file without the end of its last line and with all columns in its header, and their names."""
    header, newline, rest = content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").partition(b"\n")
    columns = [name.strip().casefold() for name in _cells(header.decode("utf-8", "replace")) or ()] if header.strip() else []
    new = [name for name in COLUMNS if name not in columns]
    if not columns:
        header = _line(COLUMNS)
    elif new:
        header = header.rstrip(b"\r") + b"," + _line(new)
    return header + newline + rest, [*columns, *new]


def _mark(content: bytes, corrections: Sequence[Correction], undone: str) -> bytes:
    """Return a file with a time, or none, in the column ``undone`` of some of its lines; others stay as they are."""
    if not corrections:
        return content
    kept, names = _with_columns(content)
    lines, column = kept.split(b"\n"), names.index("undone")
    for correction in corrections:
        cells = _cells(lines[correction.line - 1].decode("utf-8-sig", "replace")) or []
        cells += [""] * (column + 1 - len(cells))
        cells[column] = undone
        lines[correction.line - 1] = _line(cells)
    return b"\n".join(lines) + b"\n"


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
        values.get("undone", ""),
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
        "undone": correction.undone,
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


def _is_earlier(time: str, other: str) -> bool:
    """Return whether a time is before another one; False if one of them is none."""
    return _NO_INSTANT < instant_of(time) < instant_of(other)


def instant_of(time: str) -> datetime.datetime:
    """Return the instant that a time names in any time zone, by default UTC; `_NO_INSTANT`, before all, if it is no time.

    >>> instant_of("2026-05-01T12:00:00+02:00") < instant_of("2026-05-01T11:00:00Z")
    True
    """
    try:
        instant = datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))
    except ValueError:
        return _NO_INSTANT
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
