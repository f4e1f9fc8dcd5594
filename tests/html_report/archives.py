"""Archives for page tests: a video with one color per second, and reports with known blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from annotate.analysis.annotation import Annotation
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.results.boxes import BoxTrajectories, format_boxes
from annotate.results.meta import describe_source, hash_content, read_meta
from tests.analytics.samples import block, meta_of, report
from tests.clips import encode_once

COLORS = ("red", "lime", "blue", "yellow", "magenta", "cyan")
"""Color of each second of the clip."""

SIZE_PX = (320, 180)

BLOCKS = (
    block(1, 0, 0, 800, "happiness", confidence=0.9),
    block(1, 1, 800, 1600, "happiness", confidence=0.8),
    block(1, 2, 1600, 2400, "fear", confidence=0.5),
    block(1, 3, 4000, 4800, "fear", confidence=0.75),
    block(2, 0, 2100, 2900, "sadness", confidence=0.65),
    block(2, 1, 2900, 3700, "neutral", confidence=0.6),
)
"""Emotion changes of face 1: 0, 1600, 4000; of face 2: 2100, 2900."""

HOSTILE, SCRIPT = "<b>&\"'.webm", "<script>document.title=1<!--.mp4"
"""Video names with markup, which pages must show as text."""

BOXES = BoxTrajectories([(1, TimedBox(0, Box(40, 90, 60, 60))), (2, TimedBox(0, Box(200, 90, 60, 60)))])
"""Face boxes."""

CHANGES_MS = (0, 1600, 2100, 2900, 4000)


def make_clip(path: Path) -> Path:
    """Encode a clip of 6 s as WebM, which every Chromium plays, with a key frame every second."""
    sources = [f"color=c={color}:s={SIZE_PX[0]}x{SIZE_PX[1]}:r=25:d=1[c{at}]" for at, color in enumerate(COLORS)]
    joined = "".join(f"[c{at}]" for at in range(len(COLORS)))
    graph = ";".join(sources) + f";{joined}concat=n={len(COLORS)}[out]"
    codec = ("-c:v", "libvpx", "-b:v", "1M", "-g", "25", "-deadline", "realtime", "-cpu-used", "8")
    return encode_once(path, "-filter_complex", graph, "-map", "[out]", *codec, "-f", "webm")


def annotated(
    video: Path, blocks: Sequence[Annotation] = BLOCKS, *, duration_s: float = 6.0, boxes: BoxTrajectories | None = None
) -> Path:
    """Write the report of an existing video, as a run does; return the path of its table."""
    path = report(video.parent, video.name, blocks, base=video.stem, duration_s=duration_s)
    meta = read_meta(meta_of(path))
    assert meta is not None
    outputs = dict(meta.outputs)
    if boxes is not None:
        text = format_boxes(boxes)
        beside = path.with_name(path.name.replace(".csv", ".boxes.csv"))
        beside.write_text(text)
        outputs[beside.name] = hash_content(text.encode())
    complete = replace(meta, source=describe_source(video), outputs=outputs, width_px=SIZE_PX[0], height_px=SIZE_PX[1])
    meta_of(path).write_text(complete.to_json())
    return path
