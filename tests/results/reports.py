"""A hand-made report: two faces, an overlapping last block, a gap, and moving boxes."""

from __future__ import annotations

from annotate.analysis.annotation import Annotation
from annotate.emotions.labels import EMOTIONS
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.faces.pose import Pose
from annotate.faces.quality import Appearance
from annotate.results.boxes import collect_trajectories
from annotate.results.meta import Meta, Source, result_settings
from annotate.results.report import Report
from annotate.results.table import format_table, parse_table, to_table
from annotate.settings import WHOLE_BLOCK, Settings
from annotate.span import Span
from annotate.version import ANALYSIS_VERSION

SIZE_PX = (640, 360)

FIRST_FACE = Box(20, 60, 100, 100)
SPEED_PX_PER_S = 40
"""The first face moves to the right at this speed."""

BLOCKS = (
    (1, 0, 0, 801, "happiness", 0),
    (1, 1, 801, 1602, "happiness", 0),
    (1, 2, 1602, 2403, "sadness", 0),
    (1, 3, 2003, 2804, "fear", 10),
    (2, 0, 2000, 2901, "anger", 0),
    (2, 1, 4000, 5999, "surprise", 0),
)
"""Face, block, start and end in milliseconds, emotion, overlap in frames."""

CLIPPED = {1: [(0, 801), (801, 1602), (1602, 2403), (2403, 2804)], 2: [(2000, 2901), (4000, 5999)]}
"""Start and end in milliseconds of the blocks of each face, clipped to the end of the previous block."""


def make_report(
    *,
    video: str = "movie.mp4",
    size_px: tuple[int, int] = SIZE_PX,
    classes: tuple[str, ...] = EMOTIONS,
    faces: int = 2,
    blocks: tuple[tuple[int, int, int, int, str, int], ...] = BLOCKS,
    hop: int = WHOLE_BLOCK,
) -> Report:
    """Return the report as read back from its files; ``classes`` are other names of the model's classes."""
    annotations = [_annotation(*block, classes) for block in blocks if block[0] <= faces]
    annotations.sort(key=lambda annotation: (annotation.span.start_ms, annotation.face_id))
    meta = Meta(
        analysis_version=ANALYSIS_VERSION,
        program="annotate 1.0",
        model_hash="0123456789abcdef",
        settings=result_settings(Settings(hop=hop)),
        source=Source("movie.mp4", 123, 1_700_000_000_123_456_789, "ab" * 16),
        frames=150,
        duration_s=6.0,
        missing_s=0.0,
        faces=faces,
        dropped_tracks=0,
        warnings={},
        ffmpeg="5.1",
        width_px=size_px[0],
        height_px=size_px[1],
    )
    table = parse_table(format_table(to_table(annotations, classes, hop=hop)).encode())
    return Report(table, meta, collect_trajectories(annotations), video)


def box_at(face_id: int, time_ms: int) -> Box:
    """Return the box of a face at a time."""
    if face_id == 1:
        return Box(FIRST_FACE.x + SPEED_PX_PER_S * time_ms / 1000, FIRST_FACE.y, FIRST_FACE.width, FIRST_FACE.height)
    return Box(540, 20, 90, 90)


def _annotation(
    face_id: int, number: int, start_ms: int, end_ms: int, emotion: str, overlap: int, classes: tuple[str, ...]
) -> Annotation:
    best = EMOTIONS.index(emotion)
    probabilities = tuple(0.88 if index == best else 0.02 for index in range(len(classes)))
    detected = tuple(TimedBox(time_ms, box_at(face_id, time_ms)) for time_ms in range(start_ms, end_ms, 200))
    box = box_at(face_id, (start_ms + end_ms) // 2)
    span = Span(start_ms, end_ms)
    seen = Appearance(Pose(5.0 * number, -4.0, 3.0), sharpness=0.008, brightness=0.45, face_px=box.width)
    return Annotation(face_id, number, 0, 19, span, box, 1.0, 20, 4, overlap, classes, probabilities, detected, seen)
