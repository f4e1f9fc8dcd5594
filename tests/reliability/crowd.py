"""Forty faces in one picture."""

from __future__ import annotations

import time
from pathlib import Path

from annotate.results.meta import read_meta
from tests.clips import make_face_picture, make_from_pictures, run_ffmpeg
from tests.reliability.processes import running, watching
from tests.reliability.row import Faults, Options, Row

_ACROSS, _DOWN = 8, 5
_FACES = _ACROSS * _DOWN
_SIZE_PX = (1920, 1080)
_MIN_FACE = "0.08"
_LENGTH_S, _QUICK_LENGTH_S = 4.0, 0.4
_TIME_LIMIT_S = 300.0
_MEMORY_LIMIT_BYTES = 500e6
_MEGABYTE = 1e6


def crowd(options: Options) -> Row:
    """Forty faces at once: each has its track, in bounded time and memory."""
    folder = options.room("crowd")
    length_s = _QUICK_LENGTH_S if options.quick else _LENGTH_S
    video = _make_crowd(folder, length_s)
    faults = Faults("crowd")
    begun_s = time.monotonic()
    with running(["--jobs", "1", "--min-face", _MIN_FACE, video], folder) as run, watching(run) as samples:
        status = run.wait(_TIME_LIMIT_S)
        faults.expect(status == 0, f"the run ended with {status} ({_TIME_LIMIT_S:g} s are the limit)", run.errors)
    took_s = time.monotonic() - begun_s
    meta = read_meta(video.with_suffix(".emotions.meta.json"))
    faces = meta.faces if meta is not None else 0
    faults.expect(faces == _FACES, f"{faces} tracks instead of {_FACES}")
    worker_bytes = max((sample.worker_bytes for sample in samples), default=0)
    told = f"{worker_bytes / _MEGABYTE:.0f} MB"
    faults.expect(worker_bytes < _MEMORY_LIMIT_BYTES, f"the worker took {told}")
    asked = f"{_FACES} faces in {length_s:g} s of {_SIZE_PX[0]}x{_SIZE_PX[1]}: a track each, in bounded time and memory"
    return faults.row(asked, f"{faces} tracks in {took_s:.0f} s, most memory of the worker {told}")


def _make_crowd(folder: Path, length_s: float) -> Path:
    width, height = _SIZE_PX[0] // _ACROSS, _SIZE_PX[1] // _DOWN
    face = make_face_picture(folder / "face.png", filters=f"crop=ih:ih,scale={width}:{height}")
    tiles = folder / "tiles.png"
    repeated = ("-loop", "1", "-framerate", str(_FACES), "-t", "1", "-i", face)
    run_ffmpeg(*repeated, "-vf", f"tile={_ACROSS}x{_DOWN}", "-frames:v", "1", "-update", "1", tiles)
    return make_from_pictures(folder / "crowd.mp4", [(tiles, length_s)], size=_SIZE_PX)
