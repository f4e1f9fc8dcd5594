"""Small reports with codings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from annotate.analysis.annotation import Annotation
from annotate.faces.box import Box
from tests.analytics.samples import block, report

FILM = (
    block(1, 0, 0, 1000, "happiness", confidence=0.9),
    block(1, 1, 1000, 2000, "neutral", confidence=0.6),
    block(1, 2, 1500, 2500, "surprise", overlap=10, confidence=0.8),
)
"""One face: happiness 0-1 s, neutral 1-2 s, surprise 2-2.5 s, since the earlier of two blocks holds."""


def sized(each: Annotation, side_px: float) -> Annotation:
    """Return a block with another size of the face."""
    return replace(each, box=Box(0, 0, side_px, side_px))


def film(folder: Path, video: str = "film.mp4", blocks: Sequence[Annotation] = FILM, duration_s: float = 3.0) -> Path:
    """Write the report of a film."""
    return report(folder, video, blocks, duration_s=duration_s)


def write(path: Path, *rows: str, columns: str = "start,end,emotion") -> Path:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([columns, *rows, ""]), encoding="utf-8")
    return path
