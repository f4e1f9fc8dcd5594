"""Small pictures, as the files of the sources hold them; they need no torch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encoded(pictures: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
    """Return pictures as arrays ``jpeg`` and ``offset``."""
    files = []
    for picture in pictures:
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "JPEG", quality=95)
        files.append(content.getvalue())
    return {"jpeg": np.frombuffer(b"".join(files), np.uint8), "offset": np.cumsum([0, *map(len, files)])}


def flat(count: int, side_px: int, first: int = 60) -> NDArray[np.uint8]:
    """Return pictures of one gray each, all different."""
    return np.broadcast_to(np.arange(first, first + count, dtype=np.uint8)[:, None, None], (count, side_px, side_px)).copy()
