"""Receive an upload: streamed to the disk, bounded in size and time."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from annotate.server.refusal import RefusedError

_CHUNK_BYTES = 1 << 20
_MIN_BYTES = 1024
"""At least so much has to come within each timeout."""

_MODE = 0o600


async def receive_file(body: AsyncIterator[bytes], path: Path, max_bytes: int, timeout_s: float) -> int:
    """Write a request's body to a new file, and return its size.

    Raises:
        RefusedError: it is too large, empty, cut off or too slow, or the disk is full.
    """
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), _MODE), "wb")
    except OSError as error:
        raise RefusedError(400, f"a file cannot be called so here ({error.strerror})") from None
    size_bytes = 0
    waiting = bytearray()
    with file:
        try:
            async for chunk in _in_time(body, timeout_s):
                size_bytes += len(chunk)
                if size_bytes > max_bytes:
                    raise RefusedError(413, too_large(max_bytes))
                waiting += chunk
                if len(waiting) >= _CHUNK_BYTES:
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(_write_last, file, bytes(waiting))
        except ClientDisconnect:
            raise RefusedError(400, "the video did not come whole") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise RefusedError(507, "the server's disk is full") from None
            raise
    if not size_bytes:
        raise RefusedError(400, "the file is empty")
    return size_bytes


def too_large(max_bytes: int) -> str:
    """Return what to say of an upload above the limit."""
    return f"the video is too large: this server takes {max_bytes / 1e6:,.0f} MB at most"


async def _in_time(body: AsyncIterator[bytes], timeout_s: float) -> AsyncIterator[bytes]:
    """Yield the chunks of a body, as long as enough of it comes. Errors as for `receive_file`."""
    deadline_s = time.monotonic() + timeout_s
    came_bytes = 0
    while True:
        try:
            chunk = await asyncio.wait_for(anext(body), max(0.0, deadline_s - time.monotonic()))
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise RefusedError(408, "the video did not come in time") from None
        came_bytes += len(chunk)
        if came_bytes >= _MIN_BYTES:
            deadline_s, came_bytes = time.monotonic() + timeout_s, 0
        yield chunk


def _write_last(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
