"""Receive uploads: stream them to disk, with limits on size and time."""

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
"""Minimum number of bytes to be received within each timeout."""

_MODE = 0o600


async def receive_file(body: AsyncIterator[bytes], path: Path, max_bytes: int, timeout_s: float) -> int:
    """Write a request's body to a new file, and return its size in bytes.

    Raises:
        RefusedError: the body is too large, empty, incomplete or too slow, or the file cannot be written.
    """
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), _MODE), "wb")
    except OSError as error:
        raise RefusedError(400, f"the server cannot create a file with this name ({error.strerror})") from None
    size_bytes = 0
    buffer = bytearray()
    with file:
        try:
            async for chunk in _with_timeout(body, timeout_s):
                size_bytes += len(chunk)
                if size_bytes > max_bytes:
                    raise RefusedError(413, too_large_message(max_bytes))
                buffer += chunk
                if len(buffer) >= _CHUNK_BYTES:
                    await run_in_threadpool(file.write, bytes(buffer))
                    buffer.clear()
            await run_in_threadpool(_write_and_sync, file, bytes(buffer))
        except ClientDisconnect:
            raise RefusedError(400, "incomplete upload") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise RefusedError(507, "the server's disk is full") from None
            raise
    if not size_bytes:
        raise RefusedError(400, "the file is empty")
    return size_bytes


def too_large_message(max_bytes: int) -> str:
    """Return the message for an upload above the size limit."""
    return f"the video is too large (the server's limit is {max_bytes / 1e6:,.0f} MB)"


async def _with_timeout(body: AsyncIterator[bytes], timeout_s: float) -> AsyncIterator[bytes]:
    """Yield the chunks of a body; raise RefusedError if fewer than `_MIN_BYTES` arrive within the timeout."""
    deadline_s = time.monotonic() + timeout_s
    received_bytes = 0
    while True:
        try:
            chunk = await asyncio.wait_for(anext(body), max(0.0, deadline_s - time.monotonic()))
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise RefusedError(408, "timeout while receiving the upload") from None
        received_bytes += len(chunk)
        if received_bytes >= _MIN_BYTES:
            deadline_s, received_bytes = time.monotonic() + timeout_s, 0
        yield chunk


def _write_and_sync(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
