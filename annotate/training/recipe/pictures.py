"""Decode the pictures of the sources' files."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def decode_pictures(stream: bytes, offset: NDArray[np.integer]) -> Iterator[NDArray[np.uint8]]:
    """Yield the gray pictures (h, w) of concatenated files, of which one starts and another ends at each ``offset``."""
    for start, end in itertools.pairwise(offset.tolist()):
        yield np.asarray(Image.open(io.BytesIO(stream[start:end])).convert("L"))
