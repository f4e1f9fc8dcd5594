"""Forty faces in one frame."""

from __future__ import annotations

import time
from pathlib import Path

from annotate.results.meta import read_meta
from tests.clips import make_face_image, make_from_images, run_ffmpeg
from tests.reliability.processes import running, sampling
from tests.reliability.result import Failures, Options, PartResult

_ACROSS, _DOWN = 8, 5
_FACES = _ACROSS * _DOWN
_SIZE_PX = (1920, 1080)
_MIN_FACE = "0.08"
_LENGTH_S, _QUICK_LENGTH_S = 4.0, 0.4
_TIME_LIMIT_S = 300.0
_MEMORY_LIMIT_BYTES = 500e6
_MEGABYTE = 1e6


def crowd(options: Options) -> PartResult:
    """Annotate forty faces at once: one track each, in bounded time and memory."""
    folder = options.make_folder("crowd")
    length_s = _QUICK_LENGTH_S if options.quick else _LENGTH_S
    video = _make_crowd(folder, length_s)
    failures = Failures("crowd")
    start_s = time.monotonic()
    with running(["--jobs", "1", "--min-face", _MIN_FACE, video], folder) as run, sampling(run) as samples:
        status = run.wait(_TIME_LIMIT_S)
        failures.expect(status == 0, f"the run ended with {status} (limit {_TIME_LIMIT_S:g} s)", run.errors)
    took_s = time.monotonic() - start_s
    meta = read_meta(video.with_suffix(".emotions.meta.json"))
    faces = meta.faces if meta is not None else 0
    failures.expect(faces == _FACES, f"{faces} tracks instead of {_FACES}")
    worker_bytes = max((sample.worker_bytes for sample in samples), default=0)
    memory = f"{worker_bytes / _MEGABYTE:.0f} MB"
    failures.expect(worker_bytes < _MEMORY_LIMIT_BYTES, f"the worker used {memory}")
    expected = f"{_FACES} faces in {length_s:g} s of {_SIZE_PX[0]}x{_SIZE_PX[1]}: one track each, in bounded time and memory"
    return failures.result(expected, f"{faces} tracks in {took_s:.0f} s, peak memory of the worker {memory}")


def _make_crowd(folder: Path, length_s: float) -> Path:
    width, height = _SIZE_PX[0] // _ACROSS, _SIZE_PX[1] // _DOWN
    face = make_face_image(folder / "face.png", filters=f"crop=ih:ih,scale={width}:{height}")
    tiles = folder / "tiles.png"
    repeated = ("-loop", "1", "-framerate", str(_FACES), "-t", "1", "-i", face)
    run_ffmpeg(*repeated, "-vf", f"tile={_ACROSS}x{_DOWN}", "-frames:v", "1", "-update", "1", tiles)
    return make_from_images(folder / "crowd.mp4", [(tiles, length_s)], size=_SIZE_PX)
