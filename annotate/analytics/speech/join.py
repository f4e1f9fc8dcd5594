"""What faces show while something is said: one row per utterance or word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotate.analytics.read import ReportBatch, ReportSummary, probability_column
from annotate.analytics.speech.find import Transcripts
from annotate.analytics.speech.span_index import SpanIndex
from annotate.analytics.speech.speakers import SpeakerMatch, identity, match_speakers
from annotate.analytics.speech.utterances import Transcript, Utterance
from annotate.emotions.labels import resolve_emotion
from annotate.errors import SettingsError
from annotate.results.codebook import ColumnEntry
from annotate.results.intervals import dominant
from annotate.results.meta import json_safe_text
from annotate.span import MS_PER_S, Span

UTTERANCE, WORD = "utterance", "word"
GROUPINGS = (UTTERANCE, WORD)

ALL, SPEAKER, OTHERS = "all", "speaker", "others"
FACES = (ALL, SPEAKER, OTHERS)
"""Whose emotions are meant: those of all faces on screen, of the speaker's person, or of all others."""

PLACE_COLUMNS = ("video", "older", "transcript", UTTERANCE)
SPEECH_COLUMNS = ("start_time", "end_time", "text", "speaker", "speaker_person", "speaker_share", "speaker_alone_s")
FACE_COLUMNS = ("on_screen", "face_s", "face_time_s", "dominant")
PEAK_COLUMNS = ("peak_emotion", "peak", "peak_time", "peak_face")

SEPARATOR = "; "
_DECIMALS = 4
_TEXTS = ("video", "transcript", "text", "speaker", "speaker_person", "on_screen", "dominant", "peak_emotion", "peak_face")
_COUNTS = (UTTERANCE, WORD)

_ENTRIES = {
    entry.column: entry
    for entry in (
        ColumnEntry("video", "", "text", "path of the table", "path of the video beside its table"),
        ColumnEntry("older", "", "true or false", "sidecar", "whether an older analysis version made the table"),
        ColumnEntry("transcript", "", "text", "transcript", "path of the transcript"),
        ColumnEntry(UTTERANCE, "", "1 and more", "transcript", "number of the utterance in its transcript, by start"),
        ColumnEntry(WORD, "", "1 and more", "transcript", "number of the word in its utterance"),
        ColumnEntry("start_time", "s", "0 and more", "transcript", "start from the start of the file"),
        ColumnEntry("end_time", "s", "0 and more", "transcript", "end"),
        ColumnEntry("text", "", "text", "transcript", "what is said, without markup"),
        ColumnEntry("speaker", "", "text", "transcript or RTTM", "label of the speaker; empty if unknown"),
        ColumnEntry(
            "speaker_person", "", "text", "transcript and faces", "who on screen the speaker is; empty if not matched"
        ),
        ColumnEntry(
            "speaker_share", "", "0.7 to 1", "transcript and faces", "share of time alone that agrees with the match"
        ),
        ColumnEntry("speaker_alone_s", "s", "3 and more", "transcript and faces", "time alone on screen that it rests on"),
        ColumnEntry("on_screen", "", "text", "table", "persons, or else face tracks, on screen, the longest first"),
        ColumnEntry("face_s", "s", "0 and more", "table", "time with at least one of the faces that count"),
        ColumnEntry("face_time_s", "s", "0 and more", "table", "time of the faces that count; two for 1 s are 2 s"),
        ColumnEntry("dominant", "", "name of a class", "table", "emotion with the most time of these faces"),
        ColumnEntry(
            "peak_emotion", "", "name of a class", "emotion model", "most probable emotion but neutral in any block"
        ),
        ColumnEntry("peak", "", "0 to 1", "emotion model", "its probability there"),
        ColumnEntry("peak_time", "s", "0 and more", "table", "middle of that block, as far as it is in the utterance"),
        ColumnEntry("peak_face", "", "text", "table", "whose block it is"),
    )
}


@dataclass(frozen=True)
class JoinOptions:
    """Rows (one of `GROUPINGS`), and whose emotions are meant (one of `FACES`).

    Raises:
        SettingsError: a value is none of these.
    """

    by: str = UTTERANCE
    faces: str = ALL

    def __post_init__(self) -> None:
        for value, known in ((self.by, GROUPINGS), (self.faces, FACES)):
            if value not in known:
                raise SettingsError(f"unknown value {value!r}", f"choose from {', '.join(known)}")


@dataclass(frozen=True)
class JoinColumns:
    """The columns of the rows, for the emotion classes of all tables."""

    options: JoinOptions
    class_names: tuple[str, ...]

    @property
    def shares(self) -> dict[str, str]:
        """The columns of shares, by class; a class that is called like another column gets a suffix."""
        taken = (*PLACE_COLUMNS, WORD, *SPEECH_COLUMNS, *FACE_COLUMNS, *PEAK_COLUMNS)
        return {name: f"{name}_share" if name in taken else name for name in self.class_names}

    @property
    def names(self) -> tuple[str, ...]:
        """All columns in order."""
        word = (WORD,) if self.options.by == WORD else ()
        return (*PLACE_COLUMNS, *word, *SPEECH_COLUMNS, *FACE_COLUMNS, *self.shares.values(), *PEAK_COLUMNS)

    @property
    def percent(self) -> frozenset[str]:
        """Columns that are shown in percent."""
        return frozenset((*self.shares.values(), "speaker_share", "peak"))

    def codebook(self) -> list[ColumnEntry]:
        """Return the entries of all columns."""
        meant = {ALL: "all faces on screen", SPEAKER: "the speaker's person", OTHERS: "all but the speaker's person"}
        classes = {column: name for name, column in self.shares.items()}
        share = f"share of the time of {meant[self.options.faces]}"
        return [
            _ENTRIES.get(name) or ColumnEntry(name, "", "0 to 1", "table", f"{share} with {classes[name]}")
            for name in self.names
        ]


def join_batch(batch: ReportBatch, transcripts: Transcripts, columns: JoinColumns) -> pd.DataFrame:
    """Return the rows of a batch, read with probabilities, ordered by video, start and end.

    Videos without a transcript have no rows. Numbers are empty where no face that counts is on screen.
    """
    rows: list[dict[str, object]] = []
    blocks_of = dict(iter(batch.blocks.groupby("report")))
    for number, report in batch.reports.items():
        transcript = transcripts.of(report.path)
        if transcript is None:
            continue
        if columns.options.by == WORD and not transcript.has_words:
            transcripts.remarks.append(f"{transcript.path}: no times of words; left out")
        else:
            seen = _Seen.of(report, blocks_of.get(number, batch.blocks.iloc[:0]))
            rows += _rows(report, transcript, seen, columns)
        transcripts.forget(report.path)
    return _to_table(rows, columns)


@dataclass
class _Seen:
    """The blocks of a video, ordered by start, with who they are of."""

    report: ReportSummary
    spans: list[Span]
    face_ids: list[int]
    identities: list[int]
    emotions: list[str]
    probabilities: npt.NDArray[np.float64]
    peaks: list[int]
    """Column of the most probable class but neutral, by block; -1 without one."""
    index: SpanIndex = field(init=False)

    def __post_init__(self) -> None:
        self.index = SpanIndex(self.spans)

    @classmethod
    def of(cls, report: ReportSummary, blocks: pd.DataFrame) -> _Seen:
        ordered = blocks.sort_values(["start_ms", "end_ms", "face_id"])
        spans = [Span(*pair) for pair in zip(ordered["start_ms"].tolist(), ordered["end_ms"].tolist(), strict=True)]
        face_ids = ordered["face_id"].tolist()
        names = report.class_names
        lacking = [name for name in names if probability_column(name) not in ordered]
        assert not lacking, lacking
        probabilities = np.nan_to_num(ordered[[probability_column(name) for name in names]].to_numpy(float))
        rated = probabilities.copy()
        neutral = resolve_emotion("neutral", names)
        if neutral is not None:
            rated[:, names.index(neutral)] = -1
        peaks = rated.argmax(axis=1).tolist() if rated.shape[1] > (neutral is not None) else [-1] * len(spans)
        own = [identity(face_id, report.persons) for face_id in face_ids]
        return cls(report, spans, face_ids, own, ordered["emotion"].astype(str).tolist(), probabilities, peaks)

    def label(self, number: int) -> str:
        """Return who the block with this position is of."""
        return self.report.label(self.face_ids[number])

    def label_of(self, one: int) -> str:
        """Return the label of an `identity`."""
        return self.label(self.identities.index(one))


def _rows(report: ReportSummary, transcript: Transcript, seen: _Seen, columns: JoinColumns) -> Iterator[dict[str, object]]:
    matches = match_speakers(transcript.utterances, zip(seen.identities, seen.spans, strict=True))
    place = {"video": report.video, "older": report.is_older, "transcript": json_safe_text(str(transcript.path))}
    for number, utterance in enumerate(transcript.utterances, 1):
        for part in _parts(utterance, columns.options.by):
            yield {**place, UTTERANCE: number, **part.values, **_speaker(part.speaker, matches, seen)} | _faces(
                part.span, matches.get(part.speaker), seen, columns
            )


@dataclass(frozen=True)
class _Part:
    """The subject of a row: an utterance, or a word of it."""

    span: Span
    speaker: str
    values: dict[str, object]


def _parts(utterance: Utterance, by: str) -> Iterator[_Part]:
    if by == UTTERANCE:
        parts = [(utterance.span, utterance.line, utterance.speaker)]
    else:
        parts = [(word.span, " ".join(word.text.split()), word.speaker or utterance.speaker) for word in utterance.words]
    for number, (span, text, speaker) in enumerate(parts, 1):
        word = {} if by == UTTERANCE else {WORD: number}
        yield _Part(span, speaker, {**word, "start_time": span.start_s, "end_time": span.end_s, "text": text})


def _speaker(speaker: str, matches: dict[str, SpeakerMatch], seen: _Seen) -> dict[str, object]:
    match = matches.get(speaker)
    if match is None:
        return {"speaker": speaker, "speaker_person": "", "speaker_share": np.nan, "speaker_alone_s": np.nan}
    return {
        "speaker": speaker,
        "speaker_person": seen.label_of(match.identity),
        "speaker_share": match.share,
        "speaker_alone_s": match.alone_ms / MS_PER_S,
    }


def _faces(span: Span, match: SpeakerMatch | None, seen: _Seen, columns: JoinColumns) -> dict[str, object]:
    """Return who is on screen during a span, and the emotions of the faces that count."""
    numbers = list(seen.index.overlapping(span))
    shared_ms = {number: (seen.spans[number] & span).duration_ms for number in numbers}
    on_screen: dict[str, int] = {}
    for number in numbers:
        label = seen.label(number)
        on_screen[label] = on_screen.get(label, 0) + shared_ms[number]
    counting = [number for number in numbers if _counts(seen.identities[number], match, columns.options.faces)]
    times_ms: dict[str, int] = {}
    for number in counting:
        times_ms[seen.emotions[number]] = times_ms.get(seen.emotions[number], 0) + shared_ms[number]
    total_ms = sum(times_ms.values())
    values: dict[str, object] = {
        "on_screen": SEPARATOR.join(sorted(on_screen, key=lambda label: -on_screen[label])),
        "face_s": _covered_ms([seen.spans[number] & span for number in counting]) / MS_PER_S,
        "face_time_s": total_ms / MS_PER_S,
        "dominant": dominant(times_ms),
        **{name: "" if name in _TEXTS else np.nan for name in PEAK_COLUMNS},
    }
    if not total_ms:
        return values
    for name, column in columns.shares.items():
        values[column] = round(times_ms.get(name, 0) / total_ms, _DECIMALS)
    rated = [number for number in counting if seen.peaks[number] >= 0]
    if rated:
        top = max(rated, key=lambda number: (seen.probabilities[number, seen.peaks[number]], -number))
        middle = seen.spans[top] & span
        values["peak_emotion"] = seen.report.class_names[seen.peaks[top]]
        values["peak"] = round(float(seen.probabilities[top, seen.peaks[top]]), _DECIMALS)
        values["peak_time"] = (middle.start_ms + middle.end_ms) // 2 / MS_PER_S
        values["peak_face"] = seen.label(top)
    return values


def _counts(one: int, match: SpeakerMatch | None, faces: str) -> bool:
    """Return whether a face counts: where the speaker is not matched, only ``all`` means any."""
    if faces == ALL:
        return True
    return match is not None and (one == match.identity) == (faces == SPEAKER)


def _covered_ms(spans: Sequence[Span]) -> int:
    """Return the time that at least one of the spans, ordered by start, covers."""
    covered_ms, end_ms = 0, 0
    for span in sorted(spans):
        covered_ms += span.from_start(end_ms).duration_ms
        end_ms = max(end_ms, span.end_ms)
    return covered_ms


def _to_table(rows: Sequence[dict[str, object]], columns: JoinColumns) -> pd.DataFrame:
    values: dict[str, object] = {}
    for name in columns.names:
        own = [row.get(name, np.nan) for row in rows]
        if name in _TEXTS and name not in columns.shares.values():
            values[name] = pd.Series(own, dtype="string")
        elif name in _COUNTS:
            values[name] = np.array(own, dtype=np.int64)
        else:
            values[name] = np.array(own, dtype=bool if name == "older" else float)
    return pd.DataFrame(values, columns=list(columns.names))
