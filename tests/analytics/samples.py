"""Sample reports, written as by a run, with blocks whose statistics are computed by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from annotate.analysis.annotation import Annotation
from annotate.emotions.labels import EMOTIONS
from annotate.faces.box import Box
from annotate.results.baseline import add_baseline
from annotate.results.meta import Meta, Source, hash_content, json_safe_name
from annotate.results.table import format_table, to_table
from annotate.settings import NO_BASELINE, WHOLE_BLOCK
from annotate.span import Span
from annotate.version import ANALYSIS_VERSION

META = Meta(ANALYSIS_VERSION, "annotate", "0", {}, Source("", 1, 1, ""), 100, 10.0, 0.0, 2, 0, {}, "5.1", {})


def block(
    face_id: int,
    number: int,
    start_ms: int,
    end_ms: int,
    emotion: str,
    *,
    overlap: int = 0,
    confidence: float = 1.0,
    classes: Sequence[str] = EMOTIONS,
) -> Annotation:
    """Return a block with an emotion; the other classes share the rest of the probability."""
    rest = (1 - confidence) / (len(classes) - 1)
    probabilities = tuple(confidence if name == emotion else rest for name in classes)
    span, box = Span(start_ms, end_ms), Box(0, 0, 80, 80)
    return Annotation(face_id, number, 0, 0, span, box, 1.0, 20, 4, overlap, tuple(classes), probabilities)


MOVIE = (
    block(1, 0, 0, 800, "anger", confidence=0.5),
    block(1, 1, 800, 1600, "happiness", confidence=0.75),
    block(2, 0, 1500, 2300, "anger"),
    block(1, 2, 1200, 2000, "happiness", overlap=10, confidence=0.5),
)
"""Face 1: 0.8 s of anger, 1.2 s of happiness; face 2: 0.8 s of anger. 2.3 s with a face, 2.8 s of face time, one change.

Confidence: (0.8 x 0.5 + 0.8 x 0.75 + 0.4 x 0.5 + 0.8 x 1) / 2.8 = 2 / 2.8.
"""

CLIP = (block(1, 0, 1000, 4000, "sadness"),)


def report(
    folder: Path,
    video: str,
    blocks: Sequence[Annotation],
    *,
    base: str = "",
    duration_s: float = 10.0,
    frames: int = 250,
    classes: Sequence[str] = EMOTIONS,
    version: int = ANALYSIS_VERSION,
    baseline: str = NO_BASELINE,
    hop: int = WHOLE_BLOCK,
) -> Path:
    """Write a report and its sidecar; return the path of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    base = base or Path(video).stem
    path = folder / f"{base}.emotions.csv"
    text = format_table(add_baseline(to_table(blocks, classes, hop=hop), baseline, hop))
    path.write_text(text)
    meta = replace(
        META,
        analysis_version=version,
        settings={} if hop == WHOLE_BLOCK else {"hop": hop},
        source=Source(video, 1, 1, ""),
        duration_s=duration_s,
        frames=frames,
        outputs={json_safe_name(path): hash_content(text.encode())},
    )
    meta_of(path).write_text(meta.to_json())
    return path


def change_meta(path: Path, **changes: object) -> None:
    """Replace values in the sidecar of a report."""
    content = json.loads(meta_of(path).read_text())
    meta_of(path).write_text(json.dumps(content | changes))


def write_known(path: Path, text: str | bytes) -> None:
    """Replace the content of a report, and its hash in the sidecar."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    change_meta(path, outputs={path.name: hash_content(path.read_bytes())})


def replace_content(path: Path, old: str, new: str) -> None:
    """Replace text in a report, and its hash in the sidecar."""
    text = path.read_text()
    assert old in text
    write_known(path, text.replace(old, new))


def meta_of(path: Path) -> Path:
    """Return the path of the sidecar of a report."""
    return path.with_name(path.name.replace(".csv", ".meta.json"))
