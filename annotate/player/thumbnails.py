"""Thumbnails of the faces in a video; each takes one seek."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.errors import AnnotateError
from annotate.faces.box import Box
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Video, probe
from annotate.media.stills import read_still
from annotate.results.report import Report
from annotate.settings import Limits
from annotate.span import MS_PER_S

SIZE_PX = 72
"""Width and height of a thumbnail: twice the displayed size, for high-resolution screens."""

MAX_FACES = 24
"""Maximum number of thumbnails per video, for the face tracks with the longest total time."""

_LIMITS = Limits(threads=1, stall_timeout_s=20.0)
_MARGIN = 0.2
_QUALITY = 72

logger = logging.getLogger(__name__)


def jpeg_thumbnails(
    path: Path, report: Report, should_stop: Callable[[], bool] = lambda: False, ffmpeg: FFmpeg | None = None
) -> dict[int, bytes]:
    """Return JPEG thumbnails by ``face_id``, each from the time of the best face score.

    Only the `MAX_FACES` longest face tracks have one. If a thumbnail cannot be extracted, or ``should_stop`` returns True
    before one, the thumbnails extracted so far are returned. ``ffmpeg`` is searched for if not given.
    """
    thumbnails: dict[int, bytes] = {}
    positions = thumbnail_positions(report)
    try:
        video = probe(path, _LIMITS.max_pixels, ffmpeg=ffmpeg) if positions else None
        for face_id, (time_ms, box) in positions.items():
            if video is None or should_stop():
                break
            thumbnails[face_id] = read_thumbnail(video, time_ms, box)
    except AnnotateError:
        logger.info("%s: no more thumbnails", path, exc_info=True)
    return thumbnails


def jpeg_thumbnail_at(path: Path, report: Report, face_id: int, time_ms: int) -> bytes | None:
    """Return a JPEG thumbnail of a face at a time; None if the face is not visible then.

    Raises:
        AnnotateError: the video cannot be read.
    """
    start, end = (report.table[name] * MS_PER_S for name in ("start_time", "end_time"))
    rows = report.table[(report.table["face_id"] == face_id) & (start <= time_ms) & (time_ms <= end)].to_dict("records")
    if not rows:
        return None
    box = report.placed_boxes.at(face_id, time_ms) or _mean_box(rows[0])
    return None if box is None else _encode_jpeg(_crop_square(probe(path, _LIMITS.max_pixels), time_ms, box))


def thumbnail_urls(
    path: Path, report: Report, should_stop: Callable[[], bool] = lambda: False, ffmpeg: FFmpeg | None = None
) -> dict[int, str]:
    """Return the thumbnails of `jpeg_thumbnails` as ``data:`` URLs, by ``face_id``."""
    thumbnails = jpeg_thumbnails(path, report, should_stop, ffmpeg)
    return {face_id: f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" for face_id, jpeg in thumbnails.items()}


def read_thumbnail(video: Video, time_ms: int, box: Box) -> bytes:
    """Return the JPEG thumbnail of a face in a box at a time.

    Raises:
        AnnotateError: the video cannot be decoded there.
    """
    return _encode_jpeg(_crop_square(video, time_ms, box))


def thumbnail_positions(report: Report, max_faces: int | None = None) -> dict[int, tuple[int, Box]]:
    """Return time in ms and box of a thumbnail by ``face_id``, for the longest face tracks: `MAX_FACES` unless given.

    The time is the middle of the block with the best face score. The box is that of the frame or, if unknown, the mean box
    of the block.
    """
    positions: dict[int, tuple[int, Box]] = {}
    longest = list(report.durations_ms)[: MAX_FACES if max_faces is None else max_faces]
    best = report.table.sort_values(["face_score", "start_time"], ascending=[False, True]).drop_duplicates("face_id")
    for row in best[best["face_id"].isin(longest)].sort_values("face_id").to_dict("records"):
        time_ms = round((row["start_time"] + row["end_time"]) / 2 * MS_PER_S)
        box = report.placed_boxes.at(row["face_id"], time_ms) or _mean_box(row)
        if box is not None:
            positions[row["face_id"]] = (time_ms, box)
    return positions


def _mean_box(row: Mapping[Any, Any]) -> Box | None:
    """Return the mean box of a block; None if the table is an older one without boxes."""
    sides = [row[name] for name in ("x", "y", "width", "height")]
    return None if any(side != side for side in sides) else Box(*sides)


def _crop_square(video: Video, time_ms: int, box: Box) -> NDArray[np.uint8]:
    """Return a square around a face with a margin, (size, size, 3) uint8, shifted to lie inside the frame."""
    side = min(max(box.width, box.height) * (1 + 2 * _MARGIN), video.width_px, video.height_px)
    height_px = max(1, min(video.height_px, round(2 * SIZE_PX / max(side, 1) * video.height_px)))
    still = read_still(video.path, time_ms, height_px=height_px, limits=_LIMITS, video=video)
    scale = still.shape[0] / video.height_px
    size = min(max(1, round(side * scale)), *still.shape[:2])
    x, y = box.center
    left = _clamp(round(x * scale - size / 2), still.shape[1] - size)
    top = _clamp(round(y * scale - size / 2), still.shape[0] - size)
    return still[top : top + size, left : left + size]


def _clamp(value: int, maximum: int) -> int:
    return min(max(0, value), maximum)


def _encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    small = Image.fromarray(pixels).resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()
