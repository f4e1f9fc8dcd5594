"""Thumbnails of a video's faces, by one seek each."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable
from pathlib import Path

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
"""Side of a thumbnail: twice the size at which it is shown, for fine screens."""

MAX_FACES = 24
"""Number of faces of a video that get thumbnails: those seen for longest."""

_LIMITS = Limits(threads=1, stall_timeout_s=20.0)
_MARGIN = 0.2
_QUALITY = 72

logger = logging.getLogger(__name__)


def face_pictures(
    path: Path, report: Report, is_over: Callable[[], bool] = lambda: False, ffmpeg: FFmpeg | None = None
) -> dict[int, bytes]:
    """Return thumbnails of faces by ``face_id``, as JPEG, each from the moment at which the detector was surest.

    Those of the `MAX_FACES` faces that are seen for longest. The first one that cannot be taken is the last one tried, and
    no other is begun when ``is_over`` returns True. Frames are read by ``ffmpeg``, which is looked for if not given.
    """
    pictures: dict[int, bytes] = {}
    moments = surest_moments(report)
    try:
        video = probe(path, _LIMITS.max_pixels, ffmpeg=ffmpeg) if moments else None
        for face_id, (time_ms, box) in moments.items():
            if video is None or is_over():
                break
            pictures[face_id] = _encode(_square(video, time_ms, box))
    except AnnotateError:
        logger.info("%s: no more thumbnails", path, exc_info=True)
    return pictures


def face_thumbnails(
    path: Path, report: Report, is_over: Callable[[], bool] = lambda: False, ffmpeg: FFmpeg | None = None
) -> dict[int, str]:
    """Return the same as ``data:`` URLs."""
    pictures = face_pictures(path, report, is_over, ffmpeg)
    return {face_id: f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}" for face_id, picture in pictures.items()}


def surest_moments(report: Report) -> dict[int, tuple[int, Box]]:
    """Return time in ms and box of each of the faces seen for longest: the middle of the block with the best face score."""
    moments: dict[int, tuple[int, Box]] = {}
    longest = list(report.lengths_ms)[:MAX_FACES]
    surest = report.table.sort_values(["face_score", "start_time"], ascending=[False, True]).drop_duplicates("face_id")
    for row in surest[surest["face_id"].isin(longest)].sort_values("face_id").to_dict("records"):
        time_ms = round((row["start_time"] + row["end_time"]) / 2 * MS_PER_S)
        mean = Box(*(row[name] for name in ("x", "y", "width", "height")))
        moments[row["face_id"]] = (time_ms, report.boxes.at(row["face_id"], time_ms) or mean)
    return moments


def _square(video: Video, time_ms: int, box: Box) -> NDArray[np.uint8]:
    """Return the square around a face with its surroundings, (size, size, 3), moved so that it does not leave the frame."""
    side = min(max(box.width, box.height) * (1 + 2 * _MARGIN), video.width_px, video.height_px)
    height_px = max(1, min(video.height_px, round(2 * SIZE_PX / max(side, 1) * video.height_px)))
    still = read_still(video.path, time_ms, height_px=height_px, limits=_LIMITS, video=video)
    scale = still.shape[0] / video.height_px
    size = min(max(1, round(side * scale)), *still.shape[:2])
    left = _within(round((box.x + box.width / 2) * scale - size / 2), still.shape[1] - size)
    top = _within(round((box.y + box.height / 2) * scale - size / 2), still.shape[0] - size)
    return still[top : top + size, left : left + size]


def _within(start: int, last: int) -> int:
    return min(max(0, start), last)


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    small = Image.fromarray(pixels).resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()
