"""Columns that show what is said and what faces show on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from annotate.analytics.speech.join import WORD, JoinColumns
from annotate.cli.summary_tables import path_column
from annotate.cli.tables import Column, shortest_words
from annotate.text import clock, counted, printable


def joined_columns(rows: pd.DataFrame, columns: JoinColumns) -> list[Column]:
    """Return the columns of utterances or words; those of which nothing is known are left out."""
    videos = rows["video"].tolist()
    words = shortest_words(columns.class_names)

    def texts(name: str) -> list[str]:
        return [printable(text) for text in rows[name]]

    older = set(rows["video"][rows["older"]])
    shown = [path_column("video", videos, older=older)] if len(set(videos)) > 1 else []
    shown += [
        Column("start", [clock(time_s, 1) for time_s in rows["start_time"]], to_right=True),
        Column("end", [clock(time_s, 1) for time_s in rows["end_time"]], to_right=True, rank=6),
    ]
    if rows["speaker"].ne("").any():
        shown.append(Column("speaker", texts("speaker"), name=True, rank=3))
    if rows["speaker_person"].ne("").any():
        shown.append(Column("matched", list(map(_match, rows["speaker_person"], rows["speaker_share"])), name=True, rank=4))
    shown += [
        Column("word" if columns.options.by == WORD else "text", texts("text"), name=True),
        Column("on screen", texts("on_screen"), name=True, rank=2),
        Column("mostly", texts("dominant"), ("most", [words.get(name, printable(name)) for name in rows["dominant"]])),
        Column("peak", _peaks(rows, {}), ("peak", _peaks(rows, words)), rank=1),
        Column("at", [_clock(time_s) for time_s in rows["peak_time"]], to_right=True, rank=5),
    ]
    return shown


def matches_line(rows: pd.DataFrame) -> str:
    """Return how many rows there are, and how many speakers are matched, as a sentence."""
    kind = "word" if WORD in rows else "utterance"
    line = f"{counted(len(rows), kind)} of {counted(rows['video'].nunique(), 'video')}"
    speakers = rows[rows["speaker"] != ""].groupby(["video", "speaker"])["speaker_person"].max()
    if not len(speakers):
        return f"{line}; no speakers in the transcripts."
    matched = int(speakers.ne("").sum())
    return f"{line}; {matched} of {counted(len(speakers), 'speaker')} matched with who is alone on screen."


def _match(person: str, share: float) -> str:
    """Return who a speaker is, with the share of time that agrees."""
    return f"{printable(person)} {share:.0%}" if person else ""


def _peaks(rows: pd.DataFrame, words: Mapping[str, str]) -> list[str]:
    """Return the emotions of peaks, shortened to ``words``, with their probabilities."""
    peaks = zip(rows["peak_emotion"].tolist(), rows["peak"].tolist(), strict=True)
    return [f"{words.get(name, printable(name))} {value:.2f}" if name else "" for name, value in peaks]


def _clock(time_s: float) -> str:
    return "" if time_s != time_s else clock(time_s, 1)
