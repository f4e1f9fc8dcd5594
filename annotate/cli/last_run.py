"""The speed of the last run on this machine, from which ``--dry-run`` estimates how long a run takes."""

from __future__ import annotations

import json
import math
from pathlib import Path

from annotate.errors import AnnotateError
from annotate.storage.base import storage_for

_LEAST_VIDEO_S = 10.0
"""Runs over less video say more about starting than about speed."""


def speed_file() -> Path:
    """Return where the speed is kept, in the user's state folder."""
    from platformdirs import user_state_path

    return user_state_path("annotate", appauthor=False) / "last_run.json"


def remember_speed(video_s: float, took_s: float) -> None:
    """Keep the speed of a run that annotated ``video_s`` seconds of video; without it the next estimate is missing."""
    if video_s < _LEAST_VIDEO_S or took_s <= 0:
        return
    file = speed_file()
    storage = storage_for(file)
    try:
        storage.ensure_dir(file.parent)
        storage.write_atomic(file, json.dumps({"video_s": round(video_s, 3), "took_s": round(took_s, 3)}).encode())
    except (OSError, AnnotateError):
        return


def last_speed() -> float | None:
    """Return seconds of video per second of the last run; None if there was none."""
    try:
        content = json.loads(speed_file().read_text(encoding="utf-8"))
        speed = float(content["video_s"]) / float(content["took_s"])
    except (OSError, ValueError, TypeError, LookupError, ZeroDivisionError):
        return None
    return speed if math.isfinite(speed) and speed > 0 else None
