"""Dialogue and emotion in one subtitle track, for players that show one (SubRip and WebVTT).

Every utterance keeps its time and its text; in front of it stands what a face shows. Between utterances the track says what
the subtitles of annotate say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import webvtt
from webvtt.models import Timestamp

from annotate.analytics.speech.span_index import SpanIndex
from annotate.analytics.speech.speakers import identity, match_speakers
from annotate.analytics.speech.utterances import Transcript, Utterance
from annotate.errors import SettingsError
from annotate.results.cues import MIN_CUE_MS, Line, any_overlap
from annotate.results.formats.srt import label, timestamp
from annotate.results.formats.vtt import css_class
from annotate.results.intervals import ClippedBlock, dominant
from annotate.results.report import Report
from annotate.span import Span

MIN_NAMED_SHARE = 0.5
"""An emotion is named if its face shows it for at least this share of the utterance."""

FORMATS = ("srt", "vtt")


@dataclass(frozen=True)
class DialogueCue:
    """A cue: emotions with their labels, each in brackets, then what is said, if anything, and by whom."""

    span: Span
    labels: tuple[tuple[Line, str], ...]
    text: str = ""
    speaker: str = ""


def format_dialogue(name: str, report: Report, transcript: Transcript, language: str) -> str:
    """Return dialogue and emotion as text in a format, one of `FORMATS`.

    Raises:
        SettingsError: the format has no such track.
    """
    (known,) = dialogue_names([name])
    cues = dialogue_cues(report, transcript, language)
    return _to_srt(cues) if known == "srt" else _to_vtt(cues)


def dialogue_cues(report: Report, transcript: Transcript, language: str) -> list[DialogueCue]:
    """Return the cues of the utterances that have text, and those of emotions in between, ordered by time.

    The emotion of an utterance is that with the most time of the speaker's person (`annotate.analytics.speech.speakers`). If
    the speaker is not matched, it is that of the largest face that is not another speaker's. None is named that has less
    than `MIN_NAMED_SHARE` of the time.
    """
    said = [utterance for utterance in transcript.utterances if utterance.text]
    spans = [one.span for one in said]
    index, faces = SpanIndex(spans), _Faces(report, transcript)
    cues = [DialogueCue(one.span, _labels(faces.line(one), report, language), one.text, one.speaker) for one in said]
    shown = report.cues
    numbered = any_overlap(shown)
    for cue in shown:
        labels = tuple((line, label(line, language, report, numbered=numbered)) for line in cue.lines)
        spoken = [spans[number] for number in index.overlapping(cue.span)]
        cues += [DialogueCue(span, labels) for span in _gaps(cue.span, spoken)]
    return sorted(cues, key=lambda cue: (cue.span, cue.text))


class _Faces:
    """Finds the face that an utterance is about."""

    def __init__(self, report: Report, transcript: Transcript) -> None:
        self._blocks = sorted(report.blocks, key=lambda block: block.span)
        self._index = SpanIndex([block.span for block in self._blocks])
        self._boxes = report.placed_boxes
        self._identities = [identity(block.face_id, report.persons) for block in self._blocks]
        seen = zip(self._identities, (block.span for block in self._blocks), strict=True)
        self._matches = match_speakers(transcript.utterances, seen)
        self._taken = {match.identity for match in self._matches.values()}

    def line(self, utterance: Utterance) -> Line | None:
        """Return the face with its emotion, None if none is to be named."""
        span = utterance.span
        numbers = list(self._index.overlapping(span))
        match = self._matches.get(utterance.speaker)
        if match is not None:
            blocks = [self._blocks[number] for number in numbers if self._identities[number] == match.identity]
        else:
            free = [number for number in numbers if self._identities[number] not in self._taken or not utterance.speaker]
            blocks = self._of_largest([self._blocks[number] for number in free], span)
        times_ms: dict[str, int] = {}
        for block in blocks:
            times_ms[block.emotion] = times_ms.get(block.emotion, 0) + (block.span & span).duration_ms
        emotion = dominant(times_ms)
        if not emotion or times_ms[emotion] < MIN_NAMED_SHARE * span.duration_ms:
            return None
        return Line(next(block.face_id for block in blocks if block.emotion == emotion), emotion)

    def _of_largest(self, blocks: Sequence[ClippedBlock], span: Span) -> list[ClippedBlock]:
        """Return the blocks of the face that takes the most of the picture: its area by the time it is seen."""
        sizes: dict[int, float] = {}
        for block in blocks:
            shared = block.span & span
            box = self._boxes.at(block.face_id, (shared.start_ms + shared.end_ms) // 2)
            area = 1.0 if box is None else box.width * box.height
            sizes[block.face_id] = sizes.get(block.face_id, 0.0) + area * shared.duration_ms
        largest = min(sizes, key=lambda face_id: (-sizes[face_id], face_id), default=0)
        return [block for block in blocks if block.face_id == largest]


def _labels(line: Line | None, report: Report, language: str) -> tuple[tuple[Line, str], ...]:
    return () if line is None else ((line, label(line, language, report, numbered=False)),)


def _gaps(span: Span, said: Sequence[Span]) -> Iterator[Span]:
    """Yield the parts of a cue in which nothing is said that are long enough to be read."""
    start_ms = span.start_ms
    for own in (*said, Span(span.end_ms, span.end_ms)):
        gap = Span(start_ms, min(own.start_ms, span.end_ms))
        if gap.duration_ms >= MIN_CUE_MS:
            yield gap
        start_ms = max(start_ms, own.end_ms)


def _to_srt(cues: Sequence[DialogueCue]) -> str:
    parts = []
    for number, cue in enumerate(cues, 1):
        emotions = [f"[{text}]" for _, text in cue.labels]
        times = f"{timestamp(cue.span.start_ms)} --> {timestamp(cue.span.end_ms)}"
        parts.append(f"{number}\n{times}\n{_joined(emotions, cue)}\n")
    return "\n".join(parts)


def _joined(emotions: Sequence[str], cue: DialogueCue) -> str:
    if not cue.text:
        return "\n".join(emotions)
    lines = (line.strip().replace("-->", "->") for line in cue.text.split("\n"))
    return " ".join([*emotions, "\n".join(line for line in lines if line)])


def _to_vtt(cues: Sequence[DialogueCue]) -> str:
    """Return cues as WebVTT, with a class per emotion but without styles: ffmpeg 5.1 reads nothing after these."""
    captions = []
    for cue in cues:
        emotions = [f"<c.{css_class(line.emotion)}>[{escape(text, quote=False)}]</c>" for line, text in cue.labels]
        text = escape("\n".join(filter(None, map(str.strip, cue.text.split("\n")))), quote=False)
        shown = " ".join([*emotions, text]) if text else "\n".join(emotions)
        voice = f"<v {_voice(cue.speaker)}>" if cue.speaker else ""
        start, end = (str(Timestamp.from_seconds(time_s)) for time_s in (cue.span.start_s, cue.span.end_s))
        captions.append(webvtt.Caption(start, end, voice + shown))
    return f"{webvtt.WebVTT(captions=captions).content}\n"


def _voice(speaker: str) -> str:
    """Return a speaker as the annotation of a voice tag, in which ``>`` ends the tag."""
    return escape(" ".join(speaker.split()), quote=False)


def dialogue_names(formats: Iterable[str]) -> tuple[str, ...]:
    """Return the formats that have a track of dialogue, in their order.

    Raises:
        SettingsError: one has none.
    """
    names = tuple(dict.fromkeys(formats))
    others = [name for name in names if name not in FORMATS]
    if others:
        raise SettingsError(f"what is said cannot be written as {', '.join(others)}", f"choose from {', '.join(FORMATS)}")
    return names
