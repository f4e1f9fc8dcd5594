"""Speed of the last run on this machine, from which ``--dry-run`` estimates the time of the next one."""

from __future__ import annotations

import json
import math
from pathlib import Path

from annotate.errors import AnnotateError
from annotate.storage.base import storage_for

_MIN_VIDEO_S = 10.0
"""Shorter runs are not recorded: most of their time is start-up."""


def speed_file() -> Path:
    """Return the path of the file with the speed, in the user's state folder."""
    from platformdirs import user_state_path

    return user_state_path("annotate", appauthor=False) / "last_run.json"


def remember_speed(video_s: float, took_s: float) -> None:
    """Record that annotating ``video_s`` seconds of video took ``took_s`` seconds; errors are ignored."""
    if video_s < _MIN_VIDEO_S or took_s <= 0:
        return
    file = speed_file()
    storage = storage_for(file)
    try:
        storage.ensure_dir(file.parent)
        storage.write_atomic(file, json.dumps({"video_s": round(video_s, 3), "took_s": round(took_s, 3)}).encode())
    except (OSError, AnnotateError):
        return


def last_speed() -> float | None:
    """Return the seconds of video per second of the last run; None if none was recorded."""
    try:
        content = json.loads(speed_file().read_text(encoding="utf-8"))
        speed = float(content["video_s"]) / float(content["took_s"])
    except (OSError, ValueError, TypeError, LookupError, ZeroDivisionError):
        return None
    return speed if math.isfinite(speed) and speed > 0 else None
