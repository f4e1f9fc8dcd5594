"""Data for the player, and thumbnails of faces, which are taken when they are first asked for."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import Any

from annotate.errors import AnnotateError
from annotate.player.player import player_data
from annotate.player.thumbnails import face_pictures, surest_moments
from annotate.server.catalog import CatalogVideo
from annotate.server.downloads import read_report

_MAX_KEPT = 200
"""Number of videos whose thumbnails are kept in memory: some 3 kB a face."""

_Thumbnails = dict[int, bytes]


class PlayerData:
    """Makes the player's data; thumbnails are taken for one video at a time, so that they leave cores to others."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, int], _Thumbnails] = OrderedDict()
        self._lock = threading.Lock()

    def data(self, video: CatalogVideo) -> bytes:
        """Return the player's data as JSON, with the addresses of thumbnails.

        Raises:
            ReportError: there is no report, or it no longer holds.
        """
        report = read_report(video)
        thumbnails = {face_id: f"/api/videos/{video.id}/faces/{face_id}" for face_id in surest_moments(report)}
        data: dict[str, Any] = player_data(report, thumbnails)
        return json.dumps(data, separators=(",", ":")).encode()

    def thumbnail(self, video: CatalogVideo, face_id: int) -> bytes | None:
        """Return a face's thumbnail as JPEG; None if there is none."""
        key = video.id, video.fingerprint, video.version
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _take_thumbnails(video)
                if len(self._kept) > _MAX_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key].get(face_id)


def _take_thumbnails(video: CatalogVideo) -> _Thumbnails:
    try:
        return face_pictures(video.path, read_report(video))
    except AnnotateError:
        return {}
