"""SubRip subtitles, written with pysubs2."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pysubs2
from pysubs2.formats.subrip import SubripFormat

from annotate.emotions.labels import emotion_word
from annotate.results.cues import Cue, Line, any_overlap
from annotate.results.report import Report
from annotate.span import MS_PER_S


class _LongSubrip(SubripFormat):
    """SubRip without the limit of 100 hours, from which on pysubs2 gives every cue the same time."""

    @staticmethod
    def ms_to_timestamp(ms: int) -> str:
        return timestamp(ms)


def timestamp(time_ms: int) -> str:
    """Return a time as HH:MM:SS,mmm; hours have as many digits as they need.

    >>> timestamp(360_000_001)
    '100:00:00,001'
    """
    seconds, milliseconds = divmod(time_ms, MS_PER_S)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{milliseconds:03d}"


def write(report: Report, language: str) -> str | None:
    """Return a report as SubRip text, None without cues."""
    cues = report.cues
    return to_srt(cues, language, report) if cues else None


def label(line: Line, language: str, report: Report | None = None, *, numbered: bool) -> str:
    """Return the label of a face: its emotion in a language, after the name of its person, if any, or its number.

    Numbers are left out unless ``numbered``; they are those of persons if the ``report`` has them.

    >>> label(Line(2, "fear"), "en", numbered=True), label(Line(2, "fear"), "ru", numbered=False)
    ('2: fear', 'страх')
    """
    text = emotion_word(line.emotion, language)
    if report is None:
        return f"{line.face_id}: {text}" if numbered else text
    return f"{report.label(line.face_id)}: {text}" if numbered or line.face_id in report.names else text


def to_srt(cues: Sequence[Cue], language: str, report: Report | None = None) -> str:
    """Return cues as SubRip text in ``language`` (a key of `annotate.emotions.labels.WORDS`).

    Labels have face numbers if two faces are on screen together anywhere in the video, and names if the ``report`` has some.
    """
    numbered = any_overlap(cues)
    events = []
    for cue in cues:
        labels = [label(line, language, report, numbered=numbered) for line in cue.lines]
        events.append(pysubs2.SSAEvent(start=cue.span.start_ms, end=cue.span.end_ms, text=r"\N".join(labels)))
    return to_subrip(events)


def to_subrip(events: list[pysubs2.SSAEvent], *, keep_ssa_tags: bool = False) -> str:
    """Return events as SubRip text; with ``keep_ssa_tags`` also the tags of ASS that players know in SubRip."""
    file = pysubs2.SSAFile()
    file.events = events
    text = io.StringIO()
    _LongSubrip.to_file(file, text, "srt", keep_ssa_tags=keep_ssa_tags)
    return text.getvalue()
