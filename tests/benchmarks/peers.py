"""Other programs over the same frames, where they are installed."""

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
"""Names, and whether the package ``fer`` uses its network to find faces, not its Haar cascade."""


def measure_peer(name: str, path: Path) -> float:
    """Frames a second of a peer over a video's first frames, in colour as it wants them; decoding is not counted."""
    try:
        from fer.fer import FER
    except ImportError:
        raise click.ClickException("--peer needs fer, which needs setuptools below 80") from None
    detect: Callable[[NDArray[Any]], Any] = FER(mtcnn=PEERS[name]).detect_emotions
    video = probe(path)
    frames = itertools.islice(decode(video, (video.width_px, video.height_px)), _FRAMES + 1)
    pictures = [np.repeat(frame.image[..., None], 3, 2) for frame in frames]
    detect(pictures[0])
    begun_s = time.perf_counter()
    for picture in pictures[1:]:
        detect(picture)
    return _FRAMES / (time.perf_counter() - begun_s)
