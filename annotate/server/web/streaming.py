"""Answers that are more than a document: files in ranges, and streams of events."""

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

from annotate.server.events import ARCHIVE, Event, TooManyError
from annotate.server.service import Service
from annotate.server.web.schemas import event_of

FINAL_STATES = ("annotated", "failed", "cancelled", "removed", "stale", "missing")
PLAYED_AS = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".qt", ".f4v"), "video/mp4"),
    **dict.fromkeys((".ogv", ".ogm"), "video/ogg"),
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}
"""What browsers are told of a video; of others only that they are bytes."""

_VIDEO_POLICY = "default-src 'none'; sandbox"
_PING_S = 15
_SEND_TIMEOUT_S = 30.0


def stream_file(path: Path, ending: str, name: str | None = None) -> FileResponse:
    """Return the answer with a video, whole or in ranges; to be saved under a name, if one is given."""
    headers = {"Content-Security-Policy": _VIDEO_POLICY, "Cache-Control": "no-cache"}
    if name is not None:
        headers["Content-Disposition"] = attachment(name)
    try:
        found = path.stat()
    except OSError:
        raise HTTPException(404, "the video cannot be read at present") from None
    kind = PLAYED_AS.get(ending.lower(), "application/octet-stream")
    return FileResponse(path, media_type=kind, stat_result=found, headers=headers)


def attachment(name: str) -> str:
    """Return the header that has a file saved under a name, in both forms of RFC 6266: some programs know only the first."""
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=utf-8''{quote(name, safe='')}"


def stream_events(service: Service, address: str, video: str | None, *, until_done: bool = False) -> EventSourceResponse:
    """Return a stream of events of one video or of all to a listener at an address, endless or until the video is done."""
    try:
        events = service.broker.subscribe(address, video)
    except TooManyError:
        raise HTTPException(503, "too many listen already; ask again later", {"Retry-After": "10"}) from None
    return EventSourceResponse(_stream(service, events, video, until_done), ping=_PING_S, send_timeout=_SEND_TIMEOUT_S)


async def _stream(
    service: Service, events: AsyncIterator[Event], video_id: str | None, until_done: bool
) -> AsyncIterator[dict[str, str]]:
    """Yield the state of the video as it is now, then events, as server-sent events."""
    first = asyncio.ensure_future(anext(events, None))
    try:
        video = service.catalog.snapshot.videos.get(video_id) if video_id else None
        latest: Event | None = event_of(service, video) if video is not None else None
        while True:
            if latest is not None:
                yield {"event": ARCHIVE if latest["id"] == ARCHIVE else "video", "data": json.dumps(latest)}
                if until_done and latest["state"] in FINAL_STATES:
                    return
            latest = await first
            if latest is None:
                return
            first = asyncio.ensure_future(anext(events, None))
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await events.aclose()  # type: ignore[attr-defined]
