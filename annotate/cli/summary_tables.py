"""Columns that show summaries and moments on a terminal: clock times, shares in per cent."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pandas as pd

from annotate.analytics.moments import Moment
from annotate.analytics.summary import STAT_COLUMNS
from annotate.cli.tables import Column, shortest_words
from annotate.errors import SettingsError
from annotate.results.table import MACHINE
from annotate.text import clock, printable, suggest

TOTAL = "total"

SHOWN_NAMES = {
    "length": "duration_s",
    "with face": "face_s",
    "seen": "face_s",
    "tracks": "faces",
    "face": "face_id",
    "start": "start_time",
    "mostly": "dominant",
    "most": "dominant",
    "conf": "confidence",
    "changes/min": "changes_per_minute",
    "chg": "changes_per_minute",
    "vids": "videos",
    "min": "minute",
}
"""Headings on the terminal -> names of the columns in files, where they differ."""


def summary_columns(rows: pd.DataFrame, whole: pd.DataFrame) -> list[Column]:
    """Return the columns of a summary, with totals in the last row; older videos and folders are marked."""
    table = pd.concat([rows, whole], ignore_index=True)
    places = list(rows.columns[: rows.columns.get_loc(STAT_COLUMNS[0])])
    emotions = list(rows.columns[len(places) + len(STAT_COLUMNS) :])
    words = shortest_words(emotions)

    def cells(name: str, show: Callable[[Any], str]) -> list[str]:
        return ["" if value is None or value != value else show(value) for value in table[name]]

    def number(name: str, heading: str, short: str, show: Callable[[Any], str], rank: int) -> Column:
        shown = cells(name, show)
        return Column(heading, shown, (short, shown), to_right=True, rank=rank)

    names = _names_in(rows, places[0])
    heading = "person" if "person" in places else places[0]
    columns = [
        path_column(heading, names, TOTAL, older={name for name, old in zip(names, rows["older"], strict=True) if old})
    ]
    for name in ("condition", "participant", "speaker_person", "video"):
        if name in places[1:]:
            texts = [*(printable(text) for text in rows[name]), ""]
            heading = "matched" if name == "speaker_person" else name
            columns.append(Column(heading, texts, name=True, rank=95 if name == "video" else 0))
    if "speaker_share" in places:
        columns.append(number("speaker_share", "share", "share", "{:.0%}".format, 65))
        columns.append(number("utterances", "utterances", "utts", _whole, 75))
    for name, narrow in (("videos", "vids"), ("trials", "trials")):
        if name in places:
            columns.append(number(name, name, narrow, _whole, 0))
    if "face_id" in places:
        columns.append(number("face_id", "face", "face", _whole, 0))
        columns.append(number("start_time", "start", "start", clock, 0))
    if "minute" in places:
        columns.append(number("minute", "minute", "min", _whole, 0))
    dominant = cells("dominant", printable)
    columns += [
        number("duration_s", "length", "length", clock, 90 if "minute" in places else 40),
        number("face_s", "with face", "seen", clock, 50),
        number("faces", "tracks", "tracks", _whole, 60),
    ]
    if "face_id" in places:
        del columns[-2:]
    elif "people" in places:
        columns.append(number("people", "people", "people", _whole, 55))
    columns += [
        Column("mostly", dominant, ("most", cells("dominant", lambda name: printable(words.get(name, name))))),
        number("confidence", "confidence", "conf", "{:.2f}".format, 70),
        number("changes_per_minute", "changes/min", "chg", "{:.1f}".format, 80),
    ]
    by_share = sorted(emotions, key=lambda name: (-whole[name].fillna(0).iloc[0], name))
    for name in emotions:
        full, short = cells(name, "{:.0%}".format), cells(name, lambda share: f"{100 * share:.0f}")
        rank = 1 + by_share.index(name)
        columns.append(Column(printable(name), full, (printable(words[name]), short), to_right=True, rank=rank))
    return columns


def column_name(text: str | None, columns: Sequence[str]) -> str | None:
    """Return the name in files of a column that is named as there or as shown; None for None.

    Raises:
        SettingsError: there is no such column.
    """
    name = None if text is None else SHOWN_NAMES.get(text, text)
    if name is None or name in columns:
        return name
    known = [*columns, *(shown for shown, written in SHOWN_NAMES.items() if written in columns)]
    raise SettingsError(f"no column {text!r} to sort by{suggest(text or '', known)}", f"choose from {', '.join(columns)}")


def moment_columns(moments: Sequence[Moment]) -> list[Column]:
    """Return the columns of moments."""
    spans = [moment.span for moment in moments]
    older = {moment.report.video for moment in moments if moment.report.is_older}
    words = {emotion: printable(emotion) for emotion in {moment.emotion for moment in moments}}
    trials = [moment.trial.name for moment in moments if moment.trial is not None]
    return [
        path_column("video", [moment.report.video for moment in moments], older=older),
        *([Column(_heading(moments), list(map(printable, trials)), name=True)] if len(trials) == len(moments) > 0 else []),
        Column("face", [str(moment.face_id) for moment in moments], to_right=True),
        *([Column("person", list(map(_person, moments)))] if any(moment.report.persons for moment in moments) else []),
        Column("start", [clock(span.start_s, 1) for span in spans], to_right=True),
        Column("end", [clock(span.end_s, 1) for span in spans], to_right=True, rank=1),
        Column("seconds", [f"{span.duration_s:.1f}" for span in spans], to_right=True, rank=2),
        Column("emotion", [words[moment.emotion] for moment in moments]),
        Column("confidence", [f"{moment.confidence:.2f}" for moment in moments], to_right=True, rank=3),
        *([Column("machine", list(map(_machine, moments)))] if any(one.report.is_corrected for one in moments) else []),
    ]


def path_column(heading: str, paths: Sequence[str], *further: str, older: Collection[str] = ()) -> Column:
    """Return a column of paths; its narrow form leaves out their common folder, which is then in a note.

    Paths in ``older`` are marked as results of an older analysis version.
    """
    marks = {path: " (older)" if path in older else "" for path in paths}
    names = {path: printable(path) + marks[path] for path in marks}
    full = [*(names[path] for path in paths), *further]
    try:
        common = os.path.commonpath([os.path.dirname(path) for path in names])
    except ValueError:
        common = ""
    if not common:
        return Column(heading, full, name=True)
    below = {path: printable(os.path.relpath(path, common)) + marks[path] for path in names}
    short = (heading, [*(below[path] for path in paths), *further])
    return Column(heading, full, short, f"in {printable(common)}:", name=True)


def _names_in(rows: pd.DataFrame, first: str) -> list[str]:
    """Return what the rows of a summary are called."""
    if "person" in rows:
        return _person_names(rows)
    return [name or "?" for name in rows[first].tolist()] if first == "speaker" else rows[first].tolist()


def _person_names(rows: pd.DataFrame) -> list[str]:
    """Return names of persons, or else their numbers, with the video if they are numbered in it alone."""
    named = zip(rows["name"], rows["person"], rows["video"], strict=True)
    return [name or f"person {number}" + (f" of {video}" if video else "") for name, number, video in named]


def _heading(moments: Sequence[Moment]) -> str:
    """Return what moments are in: trials of an experiment, or utterances."""
    trial = moments[0].trial
    return "said" if trial is not None and "speaker" in trial.further else "trial"


def _person(moment: Moment) -> str:
    person = moment.person
    return printable(person.name) or (str(person.number) if person.number else "")


def _machine(moment: Moment) -> str:
    """Return what the machine says of a moment that people corrected or confirmed."""
    return "" if moment.source == MACHINE else printable(moment.machine_emotion)


def _whole(value: float) -> str:
    return f"{value:.0f}"
