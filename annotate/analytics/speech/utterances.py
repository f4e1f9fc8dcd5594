"""What is said: utterances with their words, as every reader of transcripts returns them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from annotate.analytics.speech.span_index import SpanIndex
from annotate.span import MS_PER_S, Span
from annotate.storage.values import PathOrUrl
from annotate.text import counted

MAX_TIME_MS = 10_000_000 * MS_PER_S
"""Later times are refused, as in tables."""

_MAX_PAUSE_MS = 1000
"""A longer pause between two words begins another utterance, where a transcript has words only."""

_SHOWN_PROBLEMS = 3
_MACHINE_LABEL = re.compile(r"(speaker|spkr?|[a-z])?[\s_-]*\d*", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Word:
    """A word and when it is said; ``speaker`` is empty if unknown."""

    span: Span
    text: str
    speaker: str = ""


@dataclass(frozen=True, order=True)
class Utterance:
    """What one speaker says at a time: text without markup, lines separated by line breaks.

    ``speaker`` is the label that the transcript gives, empty if it gives none; ``words`` are in order, empty if their times
    are unknown.
    """

    span: Span
    text: str
    speaker: str = ""
    words: tuple[Word, ...] = ()

    @property
    def line(self) -> str:
        """The text on one line."""
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Transcript:
    """The utterances of a file, ordered by start; ``problems`` are sentences on lines that cannot be used."""

    path: PathOrUrl
    utterances: tuple[Utterance, ...]
    problems: tuple[str, ...] = ()

    def remark(self) -> str:
        """Return the problems as one sentence with the path; empty if there are none."""
        if not self.problems:
            return ""
        shown = "; ".join(self.problems[:_SHOWN_PROBLEMS])
        more = len(self.problems) - _SHOWN_PROBLEMS
        return (
            f"{self.path}: {shown}" + (f"; and {counted(more, 'more problem')}" if more > 0 else "") + ". The rest applies"
        )

    @property
    def has_words(self) -> bool:
        """Whether any utterance has the times of its words."""
        return any(utterance.words for utterance in self.utterances)

    def shifted(self, offset_ms: int) -> Transcript:
        """Return the transcript with all times moved by an offset; what then lies before 0 is cut off."""
        moved = (_shifted(utterance, offset_ms) for utterance in self.utterances)
        return replace(self, utterances=tuple(utterance for utterance in moved if utterance.span))


@dataclass
class Draft:
    """A transcript in the making."""

    utterances: list[Utterance] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def finish(self, path: PathOrUrl) -> Transcript:
        """Return the transcript, its utterances ordered by start."""
        return Transcript(path, tuple(sorted(self.utterances, key=lambda one: one.span)), tuple(self.problems))


def check_span(start_ms: int, end_ms: int) -> str:
    """Return what is wrong with the times of an utterance; empty if nothing is."""
    if not 0 <= start_ms <= MAX_TIME_MS or not 0 <= end_ms <= MAX_TIME_MS:
        return "a time is out of range"
    return "" if start_ms < end_ms else "its end is not after its start"


def join_words(words: Iterable[Word]) -> Iterator[Utterance]:
    """Yield utterances of words: a pause of more than a second, or another speaker, begins the next one."""
    pending: list[Word] = []
    for word in sorted(words):
        if pending and (word.speaker != pending[-1].speaker or word.span.start_ms - pending[-1].span.end_ms > _MAX_PAUSE_MS):
            yield _utterance_of(pending)
            pending = []
        pending.append(word)
    if pending:
        yield _utterance_of(pending)


def with_words(utterances: Sequence[Utterance], words: Sequence[Word]) -> list[Utterance]:
    """Return utterances with the words whose middle lies in them; of overlapping ones, those of the same speaker first."""
    own: dict[int, list[Word]] = {}
    utterances = sorted(utterances)
    index = SpanIndex([one.span for one in utterances])
    for word in words:
        middle_ms = (word.span.start_ms + word.span.end_ms) // 2
        inside = list(index.overlapping(Span(middle_ms, middle_ms + 1)))
        inside.sort(key=lambda number: utterances[number].speaker != word.speaker)
        if inside:
            own.setdefault(inside[0], []).append(word)
    return [replace(one, words=tuple(sorted(own.get(number, ())))) for number, one in enumerate(utterances)]


def with_speakers(utterances: Iterable[Utterance], turns: Sequence[tuple[Span, str]]) -> list[Utterance]:
    """Return utterances whose speakers are those of the ``turns`` that share the most time with them, and so their words.

    Who has no turn keeps the speaker.
    """
    turns = sorted(turns)
    index = SpanIndex([span for span, _ in turns])

    def speaker_during(span: Span) -> str:
        return most_frequent_speaker(
            Word(turns[number][0] & span, "", turns[number][1]) for number in index.overlapping(span)
        )

    return [
        replace(
            one,
            speaker=speaker_during(one.span) or one.speaker,
            words=tuple(replace(word, speaker=speaker_during(word.span) or word.speaker) for word in one.words),
        )
        for one in utterances
    ]


def most_frequent_speaker(words: Iterable[Word]) -> str:
    """Return the speaker of most of the time of words, empty if none has one; of several the first in the alphabet."""
    times_ms: dict[str, int] = {}
    for word in words:
        if word.speaker:
            times_ms[word.speaker] = times_ms.get(word.speaker, 0) + word.span.duration_ms
    return min(times_ms, key=lambda name: (-times_ms[name], name), default="")


def is_machine_label(speaker: str) -> bool:
    """Return whether a speaker has a label such as diarization gives, which holds in one video only.

    >>> is_machine_label("SPEAKER_01"), is_machine_label("2"), is_machine_label("Anna")
    (True, True, False)
    """
    return _MACHINE_LABEL.fullmatch(speaker.strip()) is not None


def _shifted(utterance: Utterance, offset_ms: int) -> Utterance:
    words = (replace(word, span=_move(word.span, offset_ms)) for word in utterance.words)
    return replace(utterance, span=_move(utterance.span, offset_ms), words=tuple(word for word in words if word.span))


def _move(span: Span, offset_ms: int) -> Span:
    return Span(max(0, span.start_ms + offset_ms), max(0, span.end_ms + offset_ms))


def _utterance_of(words: Sequence[Word]) -> Utterance:
    span = Span(words[0].span.start_ms, max(word.span.end_ms for word in words))
    return Utterance(span, " ".join(word.text for word in words), words[0].speaker, tuple(words))
