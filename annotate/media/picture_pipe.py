"""Read raw pictures from a decoder, which may write them before their stamps."""

from __future__ import annotations

import os
import select
from typing import IO

import numpy as np
from numpy.typing import NDArray

from annotate.media.ffmpeg import stalled_error, wait_for_output

_PIPE_BYTES = 1 << 20
_MAX_EARLY_BYTES = 1 << 27


class PicturePipe:
    """The pipe with the pictures of a decoder."""

    def __init__(self, pipe: IO[bytes], name: object, stall_timeout_s: float) -> None:
        self._pipe = pipe
        self._name = name
        self._stall_timeout_s = stall_timeout_s
        self._early = bytearray()
        _widen_pipe(pipe)

    def wait(self) -> None:
        """Wait for data or the end; raise `DecodingError` if the decoder hangs."""
        if not self._early:
            wait_for_output(self._pipe, self._name, self._stall_timeout_s)

    def read_early(self, waited_s: float) -> None:
        """Keep what the pipe holds, while a stamp is awaited.

        At the end of a video, ffmpeg 5.1 may write a picture before its stamps: it would wait for the reader, which waits
        for the stamps. Raise `DecodingError` if there are none for too long.
        """
        if waited_s >= self._stall_timeout_s:
            raise stalled_error(self._name, self._stall_timeout_s)
        while os.name == "posix" and len(self._early) < _MAX_EARLY_BYTES and select.select([self._pipe], [], [], 0)[0]:
            content = self._pipe.read(_PIPE_BYTES)
            if not content:
                return
            self._early += content

    def fill(self, plane: NDArray[np.uint8]) -> bool:
        """Fill a plane; return False at the end of the data."""
        buffer = memoryview(plane.reshape(-1).data)
        filled = min(len(self._early), len(buffer))
        if filled:
            buffer[:filled] = self._early[:filled]
            del self._early[:filled]
        while filled < len(buffer):
            self.wait()
            count = self._pipe.readinto(buffer[filled:])  # type: ignore[attr-defined]
            if not count:
                return False
            filled += count
        return True

    def has_more(self) -> bool:
        """Return whether there is more data, of which some is lost thereby."""
        return bool(self._early or self._pipe.read(1))


def _widen_pipe(pipe: IO[bytes]) -> None:
    """Enlarge the pipe's buffer, so that it holds a whole frame, where the system supports it (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return
