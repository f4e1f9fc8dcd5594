"""Transcripts as JSON of whisper, whisperX, faster-whisper and whisper.cpp."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from annotate.analytics.speech.utterances import MAX_TIME_MS, Draft, Utterance, Word, check_span, most_frequent_speaker
from annotate.errors import NotATranscriptError, TranscriptError
from annotate.span import MS_PER_S, Span
from annotate.storage.values import PathOrUrl


def read_whisper(text: str, path: PathOrUrl) -> Draft:
    """Return the segments of a whisper document as utterances, with their words and speakers if it has them.

    Raises:
        TranscriptError: it is no such document.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}: not JSON ({error.msg.lower()})"
        raise TranscriptError(problem, "write it again", path=path) from None
    except (ValueError, RecursionError):
        raise TranscriptError("not JSON that can be read", "write it again", path=path) from None
    segments = _segments(document)
    if segments is None:
        raise NotATranscriptError("not a transcript of whisper (no segments)", "name it otherwise, or leave it", path=path)
    draft = Draft()
    for number, segment in enumerate(segments, 1):
        times = _times_ms(segment)
        problem = "no start and end" if times is None else check_span(*times)
        if times is None or problem:
            draft.problems.append(f"segment {number}: {problem}")
            continue
        words = tuple(_words(segment))
        speaker = _text(segment, "speaker") or most_frequent_speaker(words)
        said = _text(segment, "text") or " ".join(word.text for word in words)
        if said:
            draft.utterances.append(Utterance(Span(*times), said, speaker, words))
    return draft


def _segments(document: object) -> list[Any] | None:
    """Return the segments of a document; those of whisper.cpp are called transcription. None if it has none."""
    for name in ("segments", "transcription"):
        if isinstance(document, dict) and isinstance(document.get(name), list):
            found: list[Any] = document[name]
            return found
    return None


def _words(segment: dict[str, Any]) -> Iterator[Word]:
    """Yield the words that have times; whisperX gives none to numbers, for example."""
    words = segment.get("words")
    for entry in words if isinstance(words, list) else ():
        times = _times_ms(entry)
        text = _text(entry, "word") or _text(entry, "text")
        if times is not None and text and not check_span(*times):
            yield Word(Span(*times), text, _text(entry, "speaker") or _text(segment, "speaker"))


def _times_ms(entry: object) -> tuple[int, int] | None:
    if not isinstance(entry, dict):
        return None
    offsets = entry.get("offsets")
    values, scale = (entry.get("start"), entry.get("end")), MS_PER_S
    if isinstance(offsets, dict):
        values, scale = (offsets.get("from"), offsets.get("to")), 1
    start, end = values
    if not _is_number(start) or not _is_number(end):
        return None
    return round(start * scale), round(end * scale)  # type: ignore[operator]


def _is_number(value: object) -> bool:
    """Return whether a value is a number that can be a time; whole numbers of JSON can be too large for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_TIME_MS


def _text(entry: dict[str, Any], name: str) -> str:
    """Return a text, with ``?`` for the halves of characters that JSON can hold, but no file of text."""
    value = entry.get(name)
    return value.encode(errors="replace").decode().replace("\0", "").strip() if isinstance(value, str) else ""
