"""Which face tracks are of which person (``*.emotions.persons.csv``), and what people decided about it.

A video's own file has one row per face track; that of an archive has those of all its videos. A row describes its track by
time and box, so that it is found again in a table that was made anew, where tracks may have other numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annotate.faces.box import Box, pairwise_iou
from annotate.results.table import NAME, PERSON
from annotate.span import MS_PER_S, Span

if TYPE_CHECKING:
    import pandas as pd

    from annotate.results.table import AnyTable

COLUMNS = ("video", "source", "face_id", "start_time", "end_time", "x", "y", "width", "height", PERSON, NAME, "decided")

MIN_TIME_IOU, MIN_BOX_IOU = 0.8, 0.5
"""Minimum intersection over union of the times and of the mean boxes of two tracks that count as the same."""

MAX_NAME_CHARS = 60
_REFUSED_IN_NAMES = "{}<>\\"
"""They are markup in subtitles."""

_BOX = ("x", "y", "width", "height")


@dataclass(frozen=True)
class Track:
    """A face track: its number, time from the first to the last block, and mean box in pixels of the displayed frame."""

    face_id: int
    span: Span
    box: Box

    def likeness(self, other: Track) -> float:
        """Return how likely another track is the same, 0..1; 0 if it is not. A box without an area is unknown."""
        shared_ms = max(0, min(self.span.end_ms, other.span.end_ms) - max(self.span.start_ms, other.span.start_ms))
        time_iou = shared_ms / max(1, (self.span | other.span).duration_ms)
        if time_iou < MIN_TIME_IOU:
            return 0.0
        if not self.box.width or not other.box.width:
            return time_iou
        box_iou = float(pairwise_iou([self.box], [other.box])[0, 0])
        return time_iou * box_iou if box_iou >= MIN_BOX_IOU else 0.0


@dataclass(frozen=True)
class PersonRow:
    """A face track with its person: ``person`` counts from 1, ``name`` is empty until someone gives one.

    ``is_decided`` tells whether a person said so, and not the program. ``video`` is the relative path from the folder of an
    archive's file to the video, ``source`` the hash of the video; both are empty in the file of a video.
    """

    track: Track
    person: int
    name: str = ""
    is_decided: bool = False
    video: str = ""
    source: str = ""


@dataclass(frozen=True)
class Person:
    """The person of a face track; ``number`` is 0 if unknown, ``name`` empty if none was given."""

    number: int
    name: str = ""


def tracks_of(table: pd.DataFrame) -> list[Track]:
    """Return the face tracks of a table, ordered by number; boxes that an older table lacks are empty."""
    import pandas as pd  # slow to import

    groups = table.groupby("face_id")
    columns = [groups["start_time"].min(), groups["end_time"].max(), *(groups[name].mean().fillna(0) for name in _BOX)]
    return [
        Track(int(face_id), Span(round(start_s * MS_PER_S), round(end_s * MS_PER_S)), Box(*sides))
        for face_id, start_s, end_s, *sides in pd.concat(columns, axis=1).itertuples()
    ]


def match_tracks(tracks: Sequence[Track], rows: Sequence[PersonRow]) -> dict[int, PersonRow]:
    """Return the row of each track that has one, by ``face_id``; a row serves one track, the most similar one."""
    by_face = {row.track.face_id: row for row in rows}
    matched: dict[int, PersonRow] = {}
    for track in tracks:
        row = by_face.get(track.face_id)
        if row is not None and row.track.span == track.span and track.likeness(row.track) > 0:
            matched[track.face_id] = row
    used = {row.track.face_id for row in matched.values()}
    left = [row for row in rows if row.track.face_id not in used]
    pairs = sorted(
        (-likeness, track.face_id, row.track.face_id)
        for track in tracks
        if track.face_id not in matched
        for row in left
        if (likeness := track.likeness(row.track)) > 0
    )
    for _, face_id, row_id in pairs:
        if face_id not in matched and row_id not in used:
            matched[face_id] = by_face[row_id]
            used.add(row_id)
    return matched


def apply_persons(table: pd.DataFrame, persons: Mapping[int, Person]) -> pd.DataFrame:
    """Return a table with the columns `PERSON` and `NAME` from the persons of its face tracks, by ``face_id``."""
    known = {face_id: persons.get(face_id, Person(0)) for face_id in table["face_id"].unique().tolist()}
    numbers = table["face_id"].map({face_id: person.number for face_id, person in known.items()})
    names = table["face_id"].map({face_id: person.name for face_id, person in known.items()})
    result = table.drop(columns=[PERSON, NAME], errors="ignore")
    result[PERSON], result[NAME] = numbers.astype(int), names.astype(str)
    return result


def persons_in(table: AnyTable) -> dict[int, Person]:
    """Return the known persons of the face tracks of a table, by ``face_id``; empty if it has none."""
    if PERSON not in table.columns:
        return {}
    names = table[NAME] if NAME in table.columns else [""] * len(table)
    persons: dict[int, Person] = {}
    for face_id, number, name in zip(table["face_id"].tolist(), table[PERSON].tolist(), names, strict=True):
        persons.setdefault(face_id, Person(number, name))
    return {face_id: person for face_id, person in persons.items() if person.number}


def clean_name(text: str) -> str:
    """Return a name that can be shown anywhere: printable, without markup of subtitles, and not too long.

    >>> clean_name(" Ann {x}\\n"), clean_name("Ünal, Dr.")
    ('Ann x', 'Ünal, Dr.')
    """
    kept = (char if char.isprintable() else " " for char in text if char not in _REFUSED_IN_NAMES)
    return " ".join("".join(kept).split())[:MAX_NAME_CHARS].rstrip()


def format_persons(rows: Iterable[PersonRow]) -> str:
    """Return rows as CSV text, ordered by video, then by start."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sorted(rows, key=lambda row: (row.video, row.track.span.start_ms, row.track.face_id)):
        track = row.track
        times = (f"{ms / MS_PER_S:.3f}" for ms in (track.span.start_ms, track.span.end_ms))
        sides = (f"{side:.1f}" for side in (track.box.x, track.box.y, track.box.width, track.box.height))
        decided = int(row.is_decided)
        writer.writerow([row.video, row.source, track.face_id, *times, *sides, row.person, row.name, decided])
    return text.getvalue()


def parse_persons(content: bytes) -> list[PersonRow]:
    """Parse the bytes of a file; names are cleaned.

    Raises:
        ValueError: the bytes are not such a file.
    """
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    try:
        return [_parse_row(cells) for cells in reader]
    except (TypeError, KeyError, csv.Error, OverflowError):
        raise ValueError("a row is incomplete") from None


def _parse_row(cells: dict[str, Any]) -> PersonRow:
    start_ms, end_ms = (round(float(cells[name]) * MS_PER_S) for name in ("start_time", "end_time"))
    track = Track(int(cells["face_id"]), Span(start_ms, end_ms), Box(*(float(cells[name]) for name in _BOX)))
    person = int(cells[PERSON])
    if person < 1:
        raise ValueError("the number of a person is less than 1")
    return PersonRow(track, person, clean_name(cells[NAME]), cells["decided"] == "1", cells["video"], cells["source"])


def merge_persons(rows: Iterable[PersonRow], numbers: Sequence[int]) -> list[PersonRow]:
    """Return rows in which several persons are one, with the first number and the first name among them.

    Raises:
        ValueError: there is no such person.
    """
    rows = list(rows)
    _check_known(rows, numbers)
    names = [row.name for number in numbers for row in rows if row.person == number and row.name]
    name = names[0] if names else ""
    return [replace(row, person=numbers[0], name=name, is_decided=True) if row.person in numbers else row for row in rows]


def split_track(rows: Iterable[PersonRow], split: PersonRow) -> list[PersonRow]:
    """Return rows in which the track of a row is another person than those that had its number; it has a new one."""
    rows = list(rows)
    number = max(row.person for row in rows) + 1
    decided = [replace(row, is_decided=True) if row.person == split.person else row for row in rows]
    return [
        replace(row, person=number, name="", is_decided=True) if old == split else row
        for old, row in zip(rows, decided, strict=True)
    ]


def name_person(rows: Iterable[PersonRow], number: int, name: str) -> list[PersonRow]:
    """Return rows in which a person has a name; an empty one removes it.

    Raises:
        ValueError: there is no such person.
    """
    rows = list(rows)
    _check_known(rows, [number])
    name = clean_name(name)
    return [replace(row, name=name, is_decided=True) if row.person == number else row for row in rows]


def _check_known(rows: Sequence[PersonRow], numbers: Iterable[int]) -> None:
    known = {row.person for row in rows}
    if missing := [number for number in numbers if number not in known]:
        raise ValueError(f"there is no person {missing[0]}")
