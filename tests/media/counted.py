"""Videos whose frames tell their number by their brightness, and that of a tone at a known time."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.media.decode import decode
from annotate.media.ffmpeg import FFmpeg, find_ffmpeg
from annotate.media.probe import probe
from tests.clips import ask_ffmpeg, encode_once, file_url

STEP = 3
"""Difference in luma between a frame and the next."""

LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p")
SILENCE, TONE = 0.01, 0.2


def make_counted(
    path: Path,
    *,
    frames: int = 60,
    times: str = "N/25",
    size: str = "64x48",
    tone_s: float | None = None,
    options: Sequence[str] = LOSSLESS,
) -> Path:
    """Make a video of numbered frames, frame ``N`` at the seconds ``times``, an expression; a tone starts at ``tone_s``."""
    timing = f"settb=1/30000,setpts='floor(({times})/TB+0.5)'"
    source = f"color=black:size={size}:rate=25:duration={frames / 25},geq=lum=16+{STEP}*N:cb=128:cr=128,{timing}"
    inputs: list[str] = ["-f", "lavfi", "-i", source]
    if tone_s is not None:
        expression = f"if(gte(t\\,{tone_s})\\,sin(2*PI*440*t)\\,0)"
        inputs += ["-f", "lavfi", "-i", f"aevalsrc={expression}:s=48000:d={frames / 25}"]
    return encode_once(path, *inputs, "-fps_mode", "passthrough", "-enc_time_base:v", "1:30000", *options)


@functools.cache
def ffmpeg() -> FFmpeg:
    """Return the ffmpeg of this run, which is searched for once."""
    return find_ffmpeg()


def numbers(path: Path) -> list[tuple[int, int]]:
    """Return for each frame of a video its start in milliseconds, and its number."""
    frames = decode(probe(path, ffmpeg=ffmpeg()), (32, 24))
    return [(frame.span.start_ms, round((float(frame.image[6:18, 8:24].mean()) - 16) / STEP)) for frame in frames]


def end_ms(path: Path) -> int:
    """Return the end of the last frame of a video."""
    return list(decode(probe(path, ffmpeg=ffmpeg()), (32, 24)))[-1].span.end_ms


def sound(path: Path) -> NDArray[np.float64]:
    """Return the samples of the first audio stream, 48 a millisecond, with silence before its start."""
    chain = ("-af", "aresample=48000:async=1:first_pts=0", "-ac", "1", "-f", "f32le")
    options = ("-loglevel", "error", "-i", file_url(path), "-map", "0:a:0")
    return np.frombuffer(ask_ffmpeg(*options, *chain), np.float32).astype(float)


def tone_ms(path: Path) -> float:
    """Return the time at which the tone begins."""
    return float(np.flatnonzero(abs(sound(path)) > TONE)[0]) / 48
