"""Tables of labeled clips: video, start, end and emotion.

Two sets of column names are read, ignoring case and order: plain ``video,start,end,emotion`` with an optional ``subject``,
and those of the OMG-Emotion dataset, ``link,start,end,video,utterance,arousal,valence,EmotionMaxVote`` (Barros et al., "The
OMG-Emotion Behavior Dataset", IJCNN 2018), where ``video`` is an id and ``utterance`` the name of a file that contains only
the clip. Times are in seconds from the start of the whole video.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pandas as pd

from annotate.archive.discover import without_extension
from annotate.emotions.labels import EMOTIONS, resolve_emotion
from annotate.errors import DatasetError, read_error
from annotate.faces.box import Box
from annotate.span import MS_PER_S, Span

_EMOTION_COLUMNS = ("emotion", "emotionmaxvote")
_KEY_COLUMNS = ("video", "utterance", "start", "end")
_MAX_TIME_MS = 10**12


class OmissionKind(Enum):
    """Why a row of the table gave no blocks."""

    UNREADABLE = "invalid label or time"
    UNMATCHED = "unmatched correction"
    CONFLICT = "overlap with another label"
    MISSING = "video not found"
    BROKEN = "unusable video"
    FACELESS = "no face"


@dataclass(frozen=True)
class Omission:
    """A clip or correction that was skipped, and the message that explains why."""

    kind: OmissionKind
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class LabeledClip:
    """A labeled clip: a span of a video that shows one emotion.

    ``video`` is the video's id or file name, ``utterance`` the name of a file that contains only this clip, or empty;
    ``label`` is an index into `EMOTIONS`; ``subject`` identifies the person, or is empty;
    ``box`` is where the face is at the beginning, in pixels of the displayed frame, None for the face with most frames.
    """

    video: str
    utterance: str
    span: Span
    label: int
    subject: str = ""
    box: Box | None = None

    @property
    def emotion(self) -> str:
        """Name of the label."""
        return EMOTIONS[self.label]

    @property
    def video_key(self) -> str:
        """Normalized name of the video: lower case, without a video extension."""
        return without_extension(self.video).casefold()

    def __str__(self) -> str:
        name = f"{self.video}/{self.utterance}" if self.utterance else self.video
        return f"{name} {self.span.start_s:g}-{self.span.end_s:g} s ({self.emotion})"


@dataclass
class LabelTable:
    """The usable clips of a table, in table order, and the omissions."""

    clips: list[LabeledClip] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)


def read_labels(path: Path, corrections: Path | None = None) -> LabelTable:
    """Return the clips of a table after applying ``corrections``, without clips that overlap one with another label.

    A correction is a row with an emotion and any of the columns video, utterance, start and end that identify the clip. A
    correction to an unknown emotion removes the clip. Duplicate rows count once.

    Raises:
        DatasetError: a file is not a CSV table, or a column is missing.
        UnreadableError: a file cannot be read.
    """
    labels = LabelTable()
    rows = _read_rows(path, ("video", "start", "end"))
    if corrections is not None:
        _apply_corrections(rows, _read_rows(corrections, ("video",)), corrections, labels)
    clips = []
    for row in rows:
        try:
            clips.append(_parse_clip(row))
        except ValueError as error:
            labels.omissions.append(Omission(OmissionKind.UNREADABLE, f"{path}: line {row['line']}: {error}"))
    conflicts = overlapping(clips)
    for clip, other in conflicts.items():
        labels.omissions.append(Omission(OmissionKind.CONFLICT, f"{clip} overlaps {other}"))
    labels.clips = [clip for clip in dict.fromkeys(clips) if clip not in conflicts]
    return labels


def overlapping(clips: Iterable[LabeledClip]) -> dict[LabeledClip, LabeledClip]:
    """Return the clips that overlap a clip of the same video with another label, each mapped to one such clip."""
    by_video: dict[str, list[LabeledClip]] = {}
    for clip in clips:
        by_video.setdefault(clip.video_key, []).append(clip)
    found: dict[LabeledClip, LabeledClip] = {}
    for same_video in by_video.values():
        open_clips: list[LabeledClip] = []
        for clip in sorted(same_video, key=lambda each: each.span):
            open_clips = [other for other in open_clips if other.span & clip.span]
            for other in open_clips:
                if other.label != clip.label:
                    found.setdefault(other, clip)
                    found.setdefault(clip, other)
            open_clips.append(clip)
    return found


def parse_emotion(text: str) -> int:
    """Return the class index of an emotion's name or number from 0 to 6; raise ValueError for others."""
    name = resolve_emotion(text)
    if name is not None:
        return EMOTIONS.index(name)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if number not in range(len(EMOTIONS)):
        raise ValueError(
            f"unknown emotion {text!r} (expected {', '.join(EMOTIONS)} or a number from 0 to {len(EMOTIONS) - 1})"
        )
    return int(number)


def rare_classes(clips: Sequence[LabeledClip]) -> frozenset[int]:
    """Return the classes with fewer clips than the median of the classes that have any."""
    counts = pd.Series([clip.label for clip in clips], dtype=int).value_counts()
    return frozenset(int(label) for label in counts.index[counts < counts.median()])


def _read_rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Return each row as strings by column name, with its ``line`` in the file and its label as ``emotion``."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except OSError as error:
        raise read_error(path, error) from None
    except ValueError as error:
        raise DatasetError(f"not a CSV table ({error})", path=path) from None
    table.columns = pd.Index([str(name).strip().casefold() for name in table.columns])
    emotion = next((name for name in _EMOTION_COLUMNS if name in table.columns), "emotion")
    missing = [name for name in (*needed, emotion) if name not in table.columns]
    if missing:
        problem = f"column {missing[0]!r} is missing (found: {', '.join(table.columns)})"
        raise DatasetError(problem, "name the columns video,start,end,emotion", path=path)
    table = table.rename(columns={emotion: "emotion"})
    names = [name for name in (*_KEY_COLUMNS, "emotion", "subject") if name in table.columns]
    rows = zip(*(table[name].str.strip() for name in names), strict=True)
    return [dict(zip(names, row, strict=True)) | {"line": str(number)} for number, row in enumerate(rows, 2)]


def _parse_clip(row: dict[str, str]) -> LabeledClip:
    if not row["video"]:
        raise ValueError("no video name")
    span = Span(_parse_ms(row["start"]), _parse_ms(row["end"]))
    if not span:
        raise ValueError(f"end ({row['end']} s) is not after start ({row['start']} s)")
    return LabeledClip(row["video"], row.get("utterance", ""), span, parse_emotion(row["emotion"]), row.get("subject", ""))


def _parse_ms(text: str) -> int:
    try:
        time_ms = float(text) * MS_PER_S
    except ValueError:
        raise ValueError(f"{text!r} is not a time in seconds") from None
    if not 0 <= time_ms <= _MAX_TIME_MS:
        raise ValueError(f"{text!r} is not a time in seconds")
    return round(time_ms)


def _apply_corrections(
    rows: list[dict[str, str]], corrections: list[dict[str, str]], path: Path, labels: LabelTable
) -> None:
    """Replace emotions in ``rows``; the last correction of a row wins, unmatched ones are added to the omissions."""
    if not rows or not corrections:
        return
    names = [name for name in _KEY_COLUMNS if name in corrections[0] and name in rows[0]]
    rows_by_key: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        rows_by_key.setdefault(tuple(_key(name, row[name]) for name in names), []).append(row)
    for correction in corrections:
        matching = rows_by_key.get(tuple(_key(name, correction[name]) for name in names), [])
        if not matching:
            reason = f"{path}: line {correction['line']}: no labeled clip matches {correction['video']}"
            labels.omissions.append(Omission(OmissionKind.UNMATCHED, reason))
        for row in matching:
            row["emotion"] = correction["emotion"]


def _key(name: str, text: str) -> str:
    """Return the normalized value of a key column."""
    if name in ("start", "end"):
        try:
            return str(_parse_ms(text))
        except ValueError:
            return text
    return without_extension(text).casefold()
