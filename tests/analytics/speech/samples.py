"""Transcripts of the sample reports."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tests.analytics.samples import block, report

INTERVIEW = (
    block(1, 0, 0, 4000, "happiness", confidence=0.8),
    block(1, 1, 4000, 8000, "neutral", confidence=0.9),
    block(1, 2, 8000, 10_000, "surprise", confidence=0.6),
    block(2, 0, 8000, 10_000, "anger", confidence=0.7),
)
"""Face 1 all the time, face 2 from 8 s on; confidences are those of the emotion, the rest is shared."""

TURNS = ((1.0, 6.0, "Ann", "thank you so much"), (6.5, 7.5, "Ben", "why"), (8.5, 9.5, "Ann", "=1+1"))
"""Ann is alone on screen for 5 s of her own 5 s alone, Ben for 1 s: 5 of 6 s of face 1 are Ann's."""


def interview(folder: Path, name: str = "a.mp4") -> Path:
    """Write the report of an interview with its transcript beside it; return the path of the table."""
    path = report(folder, name, INTERVIEW)
    write_whisperx(folder / f"{Path(name).stem}.json", TURNS)
    return path


def write_whisperx(path: Path, turns: Iterable[tuple[float, float, str, str]]) -> Path:
    """Write a document of whisperX; the words of a turn share its time equally."""
    segments = []
    for start, end, speaker, text in turns:
        words = text.split()
        step = (end - start) / len(words)
        own = [
            {"word": word, "start": start + number * step, "end": start + (number + 1) * step, "speaker": speaker}
            for number, word in enumerate(words)
        ]
        segments.append({"start": start, "end": end, "text": f" {text}", "speaker": speaker, "words": own})
    path.write_text(json.dumps({"segments": segments}))
    return path
