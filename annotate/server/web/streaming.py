"""Streaming responses: files with range requests, and server-sent events."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from fastapi import HTTPException
from fastapi.responses import FileResponse
from sse_starlette import EventSourceResponse

from annotate.server.events import ARCHIVE, Event, TooManyListenersError
from annotate.server.service import Service
from annotate.server.web.schemas import event_of

FINAL_STATES = ("annotated", "failed", "cancelled", "removed", "stale", "missing")
VIDEO_MEDIA_TYPES = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".qt", ".f4v"), "video/mp4"),
    **dict.fromkeys((".ogv", ".ogm"), "video/ogg"),
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}
"""Media types of videos by extension, chosen so that browsers try to play them; others are sent as bytes."""

_VIDEO_POLICY = "default-src 'none'; sandbox"
_PING_S = 15
_SEND_TIMEOUT_S = 30.0


def stream_file(path: Path, suffix: str, name: str | None = None) -> FileResponse:
    """Return a response with a video, which supports range requests; with ``name`` browsers download it as that file."""
    headers = {"Content-Security-Policy": _VIDEO_POLICY, "Cache-Control": "no-cache"}
    if name is not None:
        headers["Content-Disposition"] = attachment(name)
    try:
        found = path.stat()
    except OSError:
        raise HTTPException(404, "the video cannot be read") from None
    media_type = VIDEO_MEDIA_TYPES.get(suffix.lower(), "application/octet-stream")
    return FileResponse(path, media_type=media_type, stat_result=found, headers=headers)


def attachment(name: str) -> str:
    """Return a Content-Disposition header in both forms of RFC 6266, because some clients do not know the second."""
    ascii_name = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", name)
    return f"attachment; filename=\"{ascii_name}\"; filename*=utf-8''{quote(name, safe='')}"


def stream_events(service: Service, address: str, video: str | None, *, until_done: bool = False) -> EventSourceResponse:
    """Return a stream of events about one video or all; with ``until_done`` it ends with the video's final state."""
    try:
        events = service.broker.subscribe(address, video)
    except TooManyListenersError:
        raise HTTPException(503, "too many listeners; try again later", {"Retry-After": "10"}) from None
    return EventSourceResponse(_stream(service, events, video, until_done), ping=_PING_S, send_timeout=_SEND_TIMEOUT_S)


async def _stream(
    service: Service, events: AsyncIterator[Event], video_id: str | None, until_done: bool
) -> AsyncIterator[dict[str, str]]:
    """Yield the current state of the video and then its events, as server-sent events."""
    pending = asyncio.ensure_future(anext(events, None))  # listens from now on, to lose no event
    try:
        video = service.catalog.snapshot.videos.get(video_id) if video_id else None
        latest: Event | None = event_of(service, video) if video is not None else None
        while True:
            if latest is not None:
                yield {"event": ARCHIVE if latest["id"] == ARCHIVE else "video", "data": json.dumps(latest)}
                if until_done and latest["state"] in FINAL_STATES:
                    return
            latest = await pending
            if latest is None:
                return
            pending = asyncio.ensure_future(anext(events, None))
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        await events.aclose()  # type: ignore[attr-defined]
