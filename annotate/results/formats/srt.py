"""Cues as subtitle files, by pysubs2."""

from __future__ import annotations

from collections.abc import Sequence

import pysubs2

from annotate.emotions.labels import word
from annotate.results.cues import Cue, Line, are_together
from annotate.results.report import Report


def write(report: Report, language: str) -> str | None:
    """Return a report as a SubRip file, None without cues."""
    cues = report.cues
    return to_srt(cues, language) if cues else None


def label(line: Line, language: str, *, numbered: bool) -> str:
    """Return a face's emotion in the words of a language, after the face's number if it is to be told apart.

    >>> label(Line(2, "fear"), "en", numbered=True), label(Line(2, "fear"), "ru", numbered=False)
    ('2: fear', 'страх')
    """
    text = word(line.emotion, language)
    return f"{line.face_id}: {text}" if numbered else text


def to_srt(cues: Sequence[Cue], language: str) -> str:
    """Return cues as the text of a SubRip file, in the words of ``language`` (a key of `annotate.emotions.labels.WORDS`).

    Faces are told apart by their numbers wherever the video shows two of them at once.
    """
    numbered = are_together(cues)
    events = []
    for cue in cues:
        labels = [label(line, language, numbered=numbered) for line in cue.lines]
        events.append(pysubs2.SSAEvent(start=cue.span.start_ms, end=cue.span.end_ms, text=r"\N".join(labels)))
    file = pysubs2.SSAFile()
    file.events = events
    return file.to_string("srt")
