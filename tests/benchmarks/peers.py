"""Throughput of other programs on the same frames, if installed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from annotate.media.decode import decode
from annotate.media.probe import probe

_FRAMES = 50

PEERS = {"fer": False, "fer-mtcnn": True}
"""Peers by name; the value is whether the package ``fer`` detects faces with MTCNN instead of its Haar cascade."""


def measure_peer(name: str, path: Path) -> float:
    """Return the frames per second of a peer over a video's first frames (3 channels), without decoding."""
    try:
        from fer.fer import FER
    except ImportError:
        raise click.ClickException("--peer needs the package fer (and setuptools below 80)") from None
    detect: Callable[[NDArray[Any]], Any] = FER(mtcnn=PEERS[name]).detect_emotions
    video = probe(path)
    frames = itertools.islice(decode(video, (video.width_px, video.height_px)), _FRAMES + 1)
    images = [np.repeat(frame.image[..., None], 3, 2) for frame in frames]
    detect(images[0])
    start_s = time.perf_counter()
    for image in images[1:]:
        detect(image)
    return _FRAMES / (time.perf_counter() - start_s)
