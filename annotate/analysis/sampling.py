"""Choose the frames of a video whose pictures an analysis needs."""

from __future__ import annotations

import math

from annotate.emotions.contract import Contract
from annotate.faces.shots import shortest_interval_ms
from annotate.media.probe import Video
from annotate.media.sampling import Sampling
from annotate.settings import WHOLE_BLOCK, Settings
from annotate.span import MS_PER_S

_NTSC = 1000 / 1001


def picture_sampling(video: Video, contract: Contract, settings: Settings) -> Sampling | None:
    """Return how often the analysis needs a picture; None if it needs that of every frame.

    It needs one for every ``frame_stride`` analyzed frames, the number that the model uses, and one for every detection
    interval: of slower videos more, down to every frame. With a hop that is no multiple of the stride, blocks begin between
    those frames, and need more.

    >>> from pathlib import Path
    >>> picture_sampling(Video(Path("a.mp4"), 0, 1280, 720, 60.0, 25.0), Contract(frame_stride=4), Settings())
    Sampling(interval_s=0.16, lead_s=0.02)
    """
    if video.frame_rate is None:
        return None
    frame_rate = nominal_frame_rate(video.frame_rate)
    analyzed_rate = frame_rate / _frames_per_analyzed(frame_rate, min(settings.max_frame_rate, contract.frame_rate))
    max_frames = analyzed_rate * settings.detection_interval_ms / MS_PER_S
    stride = contract.frame_stride if settings.hop == WHOLE_BLOCK else math.gcd(contract.frame_stride, settings.hop)
    divisors = (frames for frames in range(1, stride + 1) if stride % frames == 0)
    frames = max((frames for frames in divisors if frames <= max_frames), default=1)
    return Sampling(frames / analyzed_rate, 0.5 / frame_rate) if frames > 1 else None


def nominal_frame_rate(frame_rate: float) -> float:
    """Return the nearest multiple of a half, or that by 1000/1001, which headers state with two decimals.

    Versions of ffmpeg estimate the frame rate of some files differently, by a little.

    >>> nominal_frame_rate(24.99), round(nominal_frame_rate(29.97), 5)
    (25.0, 29.97003)
    """
    halves = max(1, round(2 * frame_rate)) / 2, max(1, round(2 * frame_rate / _NTSC)) / 2 * _NTSC
    return min(halves, key=lambda rate: abs(rate - frame_rate))


def _frames_per_analyzed(frame_rate: float, max_frame_rate: float) -> int:
    """Return how many frames of a video there are for one that is analyzed (`annotate.faces.shots.limit_frame_rate`)."""
    if frame_rate <= max_frame_rate + 1:
        return 1
    return math.ceil(shortest_interval_ms(max_frame_rate) / MS_PER_S * frame_rate)
