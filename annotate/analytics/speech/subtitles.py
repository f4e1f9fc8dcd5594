"""Transcripts as subtitles: SubRip and WebVTT. Times, tags and voices are read by webvtt-py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import pairwise

from webvtt.errors import MalformedCaptionError
from webvtt.models import Timestamp

from annotate.analytics.speech.utterances import Draft, Utterance, Word, check_span, most_frequent_speaker
from annotate.span import Span

_ARROW = "-->"
_TIMES = re.compile(r"\s*([\d:.,]+)\s*-->\s*([\d:.,]+)(?=\s|$)")
_NUMBER = re.compile(r"\s*\d+\s*$")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>", re.IGNORECASE)
_INNER_TIME = re.compile(r"<((?:\d+:)?\d{1,2}:\d{1,2}\.\d{1,3})>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[\d:.]+>|</?>|\{\\[^{}]*\}")
"""Tags of HTML and VTT, and override codes of SubStation Alpha, which players know in SubRip too."""

_SPEAKER_PREFIX = re.compile(r"\[(SPEAKER_\d+)\]:?\s*")
"""As whisperX writes speakers into subtitles."""


@dataclass(frozen=True)
class _Cue:
    line: int
    times: str
    text: list[str]


def read_subtitles(text: str, *, is_vtt: bool) -> Draft:
    """Return the cues of a SubRip or WebVTT file as utterances, without tags."""
    draft = Draft()
    for cue in _cues(text.split("\n"), is_vtt=is_vtt):
        span, problem = _span(cue.times)
        if problem:
            draft.problems.append(f"line {cue.line}: {problem}")
            continue
        raw = "\n".join(cue.text)
        voice = _VOICE.search(raw)
        plain = strip_tags(raw, is_vtt=is_vtt)
        prefix = _SPEAKER_PREFIX.match(plain)
        speaker = unescape(voice[1]).strip() if voice else prefix[1] if prefix else ""
        words = _words(raw, span, speaker) if is_vtt else ()
        plain = plain[prefix.end() :] if prefix else plain
        if plain:
            draft.utterances.append(Utterance(span, plain, speaker or most_frequent_speaker(words), words))
    return draft


def strip_tags(text: str, *, is_vtt: bool) -> str:
    """Return the text of a cue without tags, and without spaces at the ends of its lines.

    >>> strip_tags("<v Anna>Who <b>are</b> you?</v>", is_vtt=True), strip_tags("1 < 2 &amp; 3", is_vtt=True)
    ('Who are you?', '1 < 2 & 3')
    """
    plain = _TAG.sub("", text)
    plain = unescape(plain) if is_vtt else plain
    lines = (line.strip() for line in plain.split("\n"))
    return "\n".join(line for line in lines if line)


def _cues(lines: Sequence[str], *, is_vtt: bool) -> Iterator[_Cue]:
    """Yield the cues of a file: a line of times and the text up to the next one, or in VTT up to an empty line."""
    starts = [number for number, line in enumerate(lines) if _ARROW in line]
    for start, end in pairwise([*starts, len(lines)]):
        text = list(lines[start + 1 : end])
        if is_vtt:
            empty = next((number for number, line in enumerate(text) if not line.strip()), len(text))
            text = text[:empty]
        elif end < len(lines) and text and _NUMBER.match(text[-1]):
            text.pop()  # the number of the next cue
        yield _Cue(start + 1, lines[start], text)


def _span(line: str) -> tuple[Span, str]:
    match = _TIMES.match(line)
    try:
        if match is None:
            raise MalformedCaptionError
        start_ms, end_ms = (Timestamp.from_string(text.replace(",", ".")).in_milliseconds() for text in match.groups())
    except MalformedCaptionError:
        return Span(0, 0), f"{line.strip()[:60]!r} is no pair of times"
    return Span(start_ms, end_ms), check_span(start_ms, end_ms)


def _words(raw: str, span: Span, speaker: str) -> tuple[Word, ...]:
    """Return the words of a cue that has times inside (``<00:00:01.500>``), each up to the next; none if one is wrong."""
    first, *rest = _INNER_TIME.split(raw)
    if not rest:
        return ()
    try:
        starts = [span.start_ms, *(Timestamp.from_string(text).in_milliseconds() for text in rest[::2])]
    except MalformedCaptionError:
        return ()
    ends = [*starts[1:], span.end_ms]
    parts = zip(starts, ends, [first, *rest[1::2]], strict=True)
    words = (Word(Span(start, end) & span, strip_tags(part, is_vtt=True), speaker) for start, end, part in parts)
    return tuple(word for word in words if word.text and word.span)
