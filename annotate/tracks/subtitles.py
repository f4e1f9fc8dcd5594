"""Cues as subtitle files, by pysubs2."""

from __future__ import annotations

from collections.abc import Sequence

import pysubs2

from annotate.emotions.labels import word
from annotate.tracks.cues import Cue


def to_srt(cues: Sequence[Cue], language: str) -> str:
    """Cues as the text of a SubRip file, in the words of ``language`` (a key of `annotate.emotions.labels.WORDS`).

    Faces are told apart by their numbers wherever the video shows two of them at once.
    """
    numbered = any(len(cue.lines) > 1 for cue in cues)
    events = []
    for cue in cues:
        words = [word(line.emotion, language) for line in cue.lines]
        if numbered:
            words = [f"{line.face_id}: {text}" for line, text in zip(cue.lines, words, strict=True)]
        events.append(pysubs2.SSAEvent(start=cue.span.start_ms, end=cue.span.end_ms, text=r"\N".join(words)))
    file = pysubs2.SSAFile()
    file.events = events
    return file.to_string("srt")
