"""Who speaks when, as diarization programs write it (RTTM, NIST 2009): one turn per line, in ten fields."""

from __future__ import annotations

from annotate.analytics.speech.utterances import check_span
from annotate.span import MS_PER_S, Span

_FIELDS = 8


def read_rttm(text: str, stem: str) -> tuple[list[tuple[Span, str]], list[str]]:
    """Return the turns of an RTTM file with their speakers, and sentences on lines that cannot be used.

    If the file is about several recordings, those of the one called ``stem`` count.
    """
    turns: list[tuple[str, Span, str]] = []
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            start_s, length_s = float(fields[3]), float(fields[4])
            span = Span(round(start_s * MS_PER_S), round((start_s + length_s) * MS_PER_S))
        except (IndexError, ValueError, OverflowError):
            problems.append(f"line {number}: no start and length")
            continue
        problem = check_span(span.start_ms, span.end_ms) if len(fields) >= _FIELDS else "no speaker"
        if problem:
            problems.append(f"line {number}: {problem}")
        else:
            turns.append((fields[1].casefold(), span, fields[7]))
    recordings = {recording for recording, _, _ in turns}
    is_shared = len(recordings) > 1
    chosen = [(span, speaker) for recording, span, speaker in turns if not is_shared or recording == stem.casefold()]
    return sorted(chosen), problems
