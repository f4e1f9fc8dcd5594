"""Data for the player, and thumbnails of faces, which are extracted on first request."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import Any

from annotate.errors import AnnotateError
from annotate.player.player import player_data
from annotate.player.thumbnails import jpeg_thumbnail_at, jpeg_thumbnails, thumbnail_positions
from annotate.results.table import SOURCE
from annotate.server.catalog import CatalogVideo
from annotate.server.downloads import load_report

_MAX_CACHED_VIDEOS = 200
"""Maximum number of videos whose thumbnails are kept in memory; a thumbnail takes about 3 kB."""

_MAX_CACHED_MOMENTS = 2000

_Thumbnails = dict[int, bytes]


class PlayerData:
    """Source of the player's data; extracts thumbnails for one video at a time, to leave CPU cores to other work."""

    def __init__(self) -> None:
        self._cache: OrderedDict[tuple[str, str, int], _Thumbnails] = OrderedDict()
        self._moments: OrderedDict[tuple[str, str, int, int, int], bytes | None] = OrderedDict()
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
            if key not in self._cache:
                self._cache[key] = _extract_thumbnails(video)
                if len(self._cache) > _MAX_CACHED_VIDEOS:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(key)
            return self._cache[key].get(face_id)

    def thumbnail_at(self, video: CatalogVideo, face_id: int, time_ms: int) -> bytes | None:
        """Return a face at a time as JPEG; None if it is not visible then, or the video cannot be read."""
        key = video.id, video.fingerprint, video.version, face_id, time_ms
        with self._lock:
            if key not in self._moments:
                self._moments[key] = _extract_at(video, face_id, time_ms)
                if len(self._moments) > _MAX_CACHED_MOMENTS:
                    self._moments.popitem(last=False)
            self._moments.move_to_end(key)
            return self._moments[key]


def _extract_at(video: CatalogVideo, face_id: int, time_ms: int) -> bytes | None:
    try:
        return jpeg_thumbnail_at(video.path, load_report(video), face_id, time_ms)
    except AnnotateError:
        return None


def _extract_thumbnails(video: CatalogVideo) -> _Thumbnails:
    try:
        return jpeg_thumbnails(video.path, load_report(video, is_corrected=False))
    except AnnotateError:
        return {}
