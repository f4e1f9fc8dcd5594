"""Data for the player, and thumbnails of faces, which are extracted on first request, one by one."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from annotate.errors import AnnotateError
from annotate.faces.box import Box
from annotate.media.probe import Video, probe
from annotate.player.player import player_data
from annotate.player.thumbnails import jpeg_thumbnail_at, read_thumbnail, thumbnail_positions
from annotate.results.table import SOURCE
from annotate.server.catalog import CatalogVideo
from annotate.server.downloads import load_report
from annotate.settings import Limits

_K = TypeVar("_K")
_V = TypeVar("_V")

_MAX_CACHED_VIDEOS, _MAX_CACHED_PICTURES = 200, 5000
"""Maximum number of videos whose faces, and of thumbnails that are kept in memory; a thumbnail takes about 3 kB."""

_LIMITS = Limits(threads=1, stall_timeout_s=20.0)

logger = logging.getLogger(__name__)

_Key = tuple[str, str, int]


@dataclass(frozen=True)
class _Faces:
    """A video, and for each of its face tracks a time in ms and the box there."""

    video: Video
    positions: Mapping[int, tuple[int, Box]]


class PlayerData:
    """Source of the player's data; extracts one thumbnail at a time, to leave CPU cores to other work."""

    def __init__(self) -> None:
        self._faces: OrderedDict[_Key, _Faces | None] = OrderedDict()
        self._pictures: OrderedDict[tuple[_Key, int], bytes | None] = OrderedDict()
        self._moments: OrderedDict[tuple[_Key, int, int], bytes | None] = OrderedDict()
        self._lock = threading.Lock()

    def data(self, video: CatalogVideo) -> bytes:
        """Return the player's data as JSON, with the URLs of thumbnails.

        Raises:
            ReportError: the table is missing, damaged or outdated.
        """
        report = load_report(video)
        machine = load_report(video, is_corrected=False) if SOURCE in report.table else report
        thumbnails = {face_id: f"/api/videos/{video.id}/faces/{face_id}" for face_id in thumbnail_positions(machine)}
        data: dict[str, Any] = player_data(report, thumbnails, machine)
        return json.dumps(data, separators=(",", ":")).encode()

    def thumbnail(self, video: CatalogVideo, face_id: int) -> bytes | None:
        """Return the thumbnail of a face track as JPEG; None if there is none."""
        key = video.id, video.fingerprint, video.version
        with self._lock:
            faces = _cached(self._faces, key, _MAX_CACHED_VIDEOS, lambda: _find_faces(video))
            if faces is None or face_id not in faces.positions:
                return None
            picture = (key, face_id)
            return _cached(self._pictures, picture, _MAX_CACHED_PICTURES, lambda: _extract_thumbnail(faces, face_id))

    def thumbnail_at(self, video: CatalogVideo, face_id: int, time_ms: int) -> bytes | None:
        """Return a face at a time as JPEG; None if it is not visible then, or the video cannot be read."""
        key = (video.id, video.fingerprint, video.version), face_id, time_ms
        with self._lock:
            return _cached(self._moments, key, _MAX_CACHED_PICTURES, lambda: _extract_at(video, face_id, time_ms))


def _extract_at(video: CatalogVideo, face_id: int, time_ms: int) -> bytes | None:
    try:
        return jpeg_thumbnail_at(video.path, load_report(video), face_id, time_ms)
    except AnnotateError:
        return None


def _cached(cache: OrderedDict[_K, _V], key: _K, limit: int, make: Callable[[], _V]) -> _V:
    """Return what a cache has, or else what ``make`` returns; the cache forgets what was not asked for longest."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > limit:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


def _find_faces(video: CatalogVideo) -> _Faces | None:
    """Return where the faces of a video are; None if its table or the video cannot be read."""
    try:
        positions = thumbnail_positions(load_report(video, is_corrected=False), sys.maxsize)
        return _Faces(probe(video.path, _LIMITS.max_pixels), positions)
    except AnnotateError:
        return None


def _extract_thumbnail(faces: _Faces, face_id: int) -> bytes | None:
    try:
        return read_thumbnail(faces.video, *faces.positions[face_id])
    except AnnotateError:
        logger.info("%s: no thumbnail of face %d", faces.video.path, face_id, exc_info=True)
        return None
