"""Tables of labeled footage: which emotion is shown from when to when in which video.

Two kinds of column names are read, in any case and order: plain ``video,start,end,emotion`` with an optional
``subject``, and those of the OMG-Emotion set, ``link,start,end,video,utterance,arousal,valence,EmotionMaxVote``
(Barros et al., "The OMG-Emotion Behavior Dataset", IJCNN 2018), of which ``video`` is an id and ``utterance`` the name
of a file that holds the piece alone. Times are seconds of the whole video.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

import pandas as pd

from annotate.archive.discover import VIDEO_ENDINGS
from annotate.emotions.labels import EMOTIONS, emotion_name
from annotate.errors import DatasetError, unreadable
from annotate.span import MS_PER_S, Span

_EMOTION_COLUMNS = ("emotion", "emotionmaxvote")
_KEY_COLUMNS = ("video", "utterance", "start", "end")
_LONGEST_MS = 10**12


class OmissionKind(Enum):
    """Why a labeled piece gave no blocks."""

    UNREADABLE = "with a label or time that cannot be used"
    UNMATCHED = "corrections without a piece"
    CONFLICT = "overlapping another label"
    MISSING = "without a video"
    BROKEN = "of a video that cannot be used"
    FACELESS = "without a face"


@dataclass(frozen=True)
class Omission:
    """A piece that was left out, and a sentence that says why."""

    kind: OmissionKind
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class LabeledPiece:
    """A labeled piece of a video.

    ``video`` is its id or file name, ``utterance`` the name of a file that holds just this piece, or empty; ``label`` an
    index into `EMOTIONS`; ``subject`` who is seen, or empty.
    """

    video: str
    utterance: str
    span: Span
    label: int
    subject: str = ""

    @property
    def emotion(self) -> str:
        """The label's name."""
        return EMOTIONS[self.label]

    @property
    def video_key(self) -> str:
        """The name of the video in one spelling: without a known ending, in lower case."""
        return without_ending(self.video).casefold()

    def __str__(self) -> str:
        name = f"{self.video}/{self.utterance}" if self.utterance else self.video
        return f"{name} {self.span.start_s:g}-{self.span.end_s:g} s ({self.emotion})"


@dataclass
class Labels:
    """The usable pieces of a table, in its order, and the omissions."""

    pieces: list[LabeledPiece] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)


def read_labels(path: Path, corrections: Path | None = None) -> Labels:
    """Return the pieces of a table, with ``corrections`` of labels, without overlaps of different labels.

    A correction is a row with an emotion and those of the columns video, utterance, start and end that tell the piece. A
    correction to something that is none of our classes takes the piece out. Rows that are given twice count once.

    Raises:
        DatasetError: a file is not a table, or lacks a column.
        UnreadableError: a file cannot be read.
    """
    labels = Labels()
    rows = _read_rows(path, ("video", "start", "end"))
    if corrections is not None:
        _correct(rows, _read_rows(corrections, ("video",)), corrections, labels)
    pieces = []
    for row in rows:
        try:
            pieces.append(_piece(row))
        except ValueError as error:
            labels.omissions.append(Omission(OmissionKind.UNREADABLE, f"{path}: line {row['line']}: {error}"))
    conflicts = overlapping(pieces)
    for piece, other in conflicts.items():
        labels.omissions.append(Omission(OmissionKind.CONFLICT, f"{piece} overlaps {other}"))
    labels.pieces = [piece for piece in dict.fromkeys(pieces) if piece not in conflicts]
    return labels


def overlapping(pieces: Iterable[LabeledPiece]) -> dict[LabeledPiece, LabeledPiece]:
    """Return the pieces that share time with one of the same video with another label, each with such a one."""
    by_video: dict[str, list[LabeledPiece]] = {}
    for piece in pieces:
        by_video.setdefault(piece.video_key, []).append(piece)
    found: dict[LabeledPiece, LabeledPiece] = {}
    for own in by_video.values():
        open_pieces: list[LabeledPiece] = []
        for piece in sorted(own, key=lambda each: each.span):
            open_pieces = [other for other in open_pieces if other.span & piece.span]
            for other in open_pieces:
                if other.label != piece.label:
                    found.setdefault(other, piece)
                    found.setdefault(piece, other)
            open_pieces.append(piece)
    return found


def parse_emotion(text: str) -> int:
    """Return the class index of a name or a number from 0 to 6; raises ValueError for others."""
    name = emotion_name(text)
    if name is not None:
        return EMOTIONS.index(name)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if number not in range(len(EMOTIONS)):
        raise ValueError(f"the emotion {text!r} is none of {', '.join(EMOTIONS)} nor a number from 0 to {len(EMOTIONS) - 1}")
    return int(number)


def without_ending(name: str) -> str:
    """Return a file name without the ending of a video: ``a.b`` for ``a.b.mp4`` and for ``a.b``."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix[1:].lower() in VIDEO_ENDINGS else str(path)


def sparse_classes(pieces: Sequence[LabeledPiece]) -> frozenset[int]:
    """Return the classes with fewer pieces than the median of those that have any."""
    counts = pd.Series([piece.label for piece in pieces], dtype=int).value_counts()
    return frozenset(int(label) for label in counts.index[counts < counts.median()])


def _read_rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Return every row as text by column name, with its line in the file; the emotion's column is named ``emotion``."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:
        raise DatasetError(f"expected a table of comma-separated values, found none ({error})", path=path) from None
    table.columns = pd.Index([str(name).strip().casefold() for name in table.columns])
    emotion = next((name for name in _EMOTION_COLUMNS if name in table.columns), "emotion")
    missing = [name for name in (*needed, emotion) if name not in table.columns]
    if missing:
        problem = f"the column {missing[0]} is missing among {', '.join(table.columns)}"
        raise DatasetError(problem, "name the columns video,start,end,emotion", path=path)
    table = table.rename(columns={emotion: "emotion"})
    names = [name for name in (*_KEY_COLUMNS, "emotion", "subject") if name in table.columns]
    rows = zip(*(table[name].str.strip() for name in names), strict=True)
    return [dict(zip(names, row, strict=True)) | {"line": str(number)} for number, row in enumerate(rows, 2)]


def _piece(row: dict[str, str]) -> LabeledPiece:
    if not row["video"]:
        raise ValueError("the video has no name")
    span = Span(_milliseconds(row["start"]), _milliseconds(row["end"]))
    if not span:
        raise ValueError(f"the piece ends at {row['end']} s, not after its start at {row['start']} s")
    return LabeledPiece(row["video"], row.get("utterance", ""), span, parse_emotion(row["emotion"]), row.get("subject", ""))


def _milliseconds(text: str) -> int:
    try:
        time_ms = float(text) * MS_PER_S
    except ValueError:
        raise ValueError(f"{text!r} is no time in seconds") from None
    if not 0 <= time_ms <= _LONGEST_MS:
        raise ValueError(f"{text!r} is no time in seconds")
    return round(time_ms)


def _correct(rows: list[dict[str, str]], corrections: list[dict[str, str]], path: Path, labels: Labels) -> None:
    """Replace the emotions in ``rows``; the last of several corrections of a row counts."""
    if not rows or not corrections:
        return
    names = [name for name in _KEY_COLUMNS if name in corrections[0] and name in rows[0]]
    meant: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        meant.setdefault(tuple(_key(name, row[name]) for name in names), []).append(row)
    for correction in corrections:
        matching = meant.get(tuple(_key(name, correction[name]) for name in names), [])
        if not matching:
            reason = f"{path}: line {correction['line']}: no labelled piece is meant by {correction['video']}"
            labels.omissions.append(Omission(OmissionKind.UNMATCHED, reason))
        for row in matching:
            row["emotion"] = correction["emotion"]


def _key(name: str, text: str) -> str:
    """Return the text of a key column in one spelling."""
    if name in ("start", "end"):
        try:
            return str(_milliseconds(text))
        except ValueError:
            return text
    return without_ending(text).casefold()
